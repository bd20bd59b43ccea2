"""Commands about membatch itself: init, config, schema, formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from membatch.cli.commands import examples
from membatch.cli.options import answer, batching, common, matching, settings_of


@click.command(epilog=examples("membatch init", "membatch init --store sqlite:///team.db"))
@common
def init(**flags: Any) -> int:
    """Make an empty store, and membatch.toml if there is none."""
    from membatch.config import CONFIG_FILE, hide_password
    from membatch.export import placed
    from membatch.store import open_store

    resolved, as_json, quiet = settings_of(flags)
    config = resolved.config
    open_store(config.store, config.dedup.scope).close()
    store, sentence = hide_password(config.store), f"the store {hide_password(config.store)} is ready"
    is_written = not Path(CONFIG_FILE).exists()
    if is_written:
        with placed(Path(CONFIG_FILE)) as stream:
            stream.write(config.to_toml().encode())
        sentence += f"\nwrote {CONFIG_FILE} with the settings as they are now"
    return answer(sentence, json.dumps({"store": store, "wrote": CONFIG_FILE if is_written else None}), as_json, quiet)


@click.command("config", epilog=examples("membatch config", "MEMBATCH_BATCH_SIZE=500 membatch config --json"))
@matching
@batching
@common
def show_config(**flags: Any) -> int:
    """Show the settings in force, and where each came from."""
    from membatch.config import flat_settings
    from membatch.formats.mapping import layout_of
    from membatch.rules import rules_of

    resolved, as_json, _ = settings_of(flags)
    rules_of(resolved.config)  # what a load would refuse is refused here too
    if resolved.config.mapping:
        layout_of(resolved.config.mapping)
    settings = flat_settings(resolved.config)
    if as_json:
        entries = {
            name: {"value": value, "origin": resolved.origin.get(name, "default")} for name, value in settings.items()
        }
        click.echo(json.dumps(entries, indent=2))
        return 0
    width = max(map(len, settings))
    for name, value in settings.items():
        click.echo(f"{name:<{width}}  {json.dumps(value):<24}  # {resolved.origin.get(name, 'default')}")
    return 0


@click.command(epilog=examples("membatch schema > memory.schema.json"))
@common
def schema(**flags: Any) -> int:
    """Print the JSON Schema of a memory record."""
    from membatch.memory import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return 0


@click.command(epilog=examples("membatch formats"))
@common
def formats(**flags: Any) -> int:
    """List the formats that can be loaded."""
    from membatch.formats import known_formats

    known = known_formats()
    if flags["as_json"]:
        click.echo(json.dumps({name: item.describes for name, item in known.items()}, indent=2))
        return 0
    for name, item in known.items():
        click.echo(f"{name:<14}{item.describes}")
    return 0
