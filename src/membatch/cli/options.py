"""Options that commands share, and how a command ends: what it says, what it writes, its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from membatch.cli.commands import stop_writing

if TYPE_CHECKING:
    from membatch.config import Config, Resolved
    from membatch.report import Report


Command = Callable[..., Any]


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


common = _options(
    click.option("--store", metavar="URL", help="Where the memories are [sqlite:///memories.db]."),
    click.option("--config", "config_file", type=click.Path(), metavar="FILE", help="Settings [membatch.toml]."),
    click.option("--json", "as_json", is_flag=True, help="Machine-readable output."),
    click.option("--quiet", is_flag=True, help="Nothing on standard error but errors."),
)


waiting = click.option("--wait", is_flag=True, help="Wait while another process writes to the store.")

# Figures are read as text, so that a wrong one is explained by the settings, wherever it was given.
tolerance = _options(
    click.option("--max-errors", "tolerance__max_errors", metavar="N", help="Stop above N rejections."),
    click.option(
        "--max-error-rate", "tolerance__max_error_rate", metavar="R", help="Stop above this share of them [0.5]."
    ),
)

batching = _options(
    click.option("--batch-size", "batch__size", metavar="N|auto", help="Records a transaction [auto]."),
    click.option("--workers", "batch__workers", metavar="N", help="Processes that prepare batches [1]."),
    click.option(
        "--isolation",
        "batch__isolation",
        metavar="WHAT",
        type=click.Choice(["record", "batch", "run"]),
        help="What a refused row costs: record, batch, run [record].",
    ),
    tolerance,
)


reporting = _options(
    click.option(
        "--report", "report_file", type=click.Path(), metavar="FILE", help="Write the report to a .html or .json too."
    ),
    click.option("--redact", is_flag=True, default=None, help="No record content in reports."),
    click.option(
        "--log-format",
        "log__format",
        metavar="WHAT",
        type=click.Choice(["text", "json"]),
        help="How progress is written: text or json [text].",
    ),
)


def _format_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from membatch.formats import known_formats

    return [name for name in known_formats() if name.startswith(incomplete)]


of_format = click.option(
    "--format", metavar="NAME", shell_complete=_format_names, help="What the source is; see `membatch formats`."
)


per = click.option(
    "--per",
    metavar="WHAT",
    type=click.Choice(["conversation", "turn", "message"]),
    help="A memory each: conversation, turn, message.",
)


matching = _options(
    of_format,
    per,
    click.option(
        "--strategy",
        "dedup__strategy",
        metavar="NAME",
        type=click.Choice(["memory-only", "exact", "similar"]),
        help="Same by: memory-only, exact, similar [similar].",
    ),
    click.option("--threshold", "dedup__threshold", metavar="T", help="Similarity from which records match [0.8]."),
    click.option(
        "--same-id",
        "dedup__same_id",
        metavar="RULE",
        type=click.Choice(["newer", "update", "reject"]),
        help="An id that is taken: newer, update, reject [newer].",
    ),
    click.option(
        "--timing",
        "validation__timing",
        metavar="WHEN",
        type=click.Choice(["inline", "before", "only"]),
        help="Validate: inline, before, only [inline].",
    ),
)


def settings_of(flags: dict[str, Any]) -> tuple[Resolved, bool, bool]:
    from membatch.config import resolve

    as_json, quiet = flags.pop("as_json"), flags.pop("quiet")
    file = flags.pop("config_file")
    parameters = click.get_current_context().command.params
    spelled = {str(item.name).replace("__", "."): item.opts[0] for item in parameters if isinstance(item, click.Option)}
    resolved = resolve(file, os.environ, flags, spelled)
    _refuse_unknown(resolved)
    return resolved, as_json, quiet


def _refuse_unknown(resolved: Resolved) -> None:
    """Raise ConfigError, which names what was typed, for a store or a format that there is not."""
    from membatch.errors import ConfigError
    from membatch.store import store_of
    from membatch.store.places import files_of

    config, name = resolved.config, "store"
    try:
        store_of(config.store)
        files_of(config.store)
        if config.format is not None:
            from membatch.runs.inputs import format_named

            name = "format"
            format_named(config.format)
    except ConfigError as error:
        raise ConfigError(f"{resolved.typed[name]}: {error}") from None


def check_report_file(name: str | None, config: Config, sources: Sequence[str] | None = None) -> None:
    """Raise ConfigError where a report cannot be written; without sources those of all runs of the store count."""
    if name is None:
        return
    from membatch.errors import ConfigError
    from membatch.runs.accounts import sources_of_runs
    from membatch.runs.outputs import check_output

    if not name.lower().endswith((".json", ".html")):
        raise ConfigError(f"cannot write a report to {name}: use a name that ends in .html or .json")
    check_output(name, sources_of_runs(config.store) if sources is None else sources, config.store)


def write_report(report: Report, name: str) -> None:
    from membatch.export import placed

    page = report.to_html() if name.lower().endswith(".html") else report.to_json() + "\n"
    with placed(Path(name)) as stream:
        stream.write(page.encode("utf-8", "replace"))


def conclude(report: Report, as_json: bool, quiet: bool, report_file: str | None) -> int:
    try:
        _show(report, as_json, quiet)
    except BrokenPipeError:  # what the run did is done all the same
        stop_writing()
    if report_file is not None:  # last: where it cannot be written, the report was shown
        write_report(report, report_file)
    return report.exit_code


def _show(report: Report, as_json: bool, quiet: bool) -> None:
    if as_json:
        show_json(report.to_json())
    elif not quiet:
        from membatch.progress import end_line
        from membatch.report.text import text_of

        is_logged = report.config.get("log", {}).get("format") == "json"  # then each line is JSON, the last one too
        click.echo(end_line(report) if is_logged else text_of(report), err=True)


def answer(sentence: str, text: str, as_json: bool, quiet: bool) -> int:
    """End a command with what it did: JSON text for programs, a sentence for people."""
    if as_json:
        show_json(text)
    else:
        say(sentence, quiet)
    return 0


def show_json(text: str) -> None:
    """Print JSON, on a terminal so that nothing in it drives it, in whatever encoding."""
    from membatch.terminal import ascii_only, harmless

    if sys.stdout.encoding.lower() != "utf-8":
        text = ascii_only(text)
    click.echo(harmless(text) if sys.stdout.isatty() else text)


def show_lines(lines: Iterable[str]) -> None:
    """Print lines, on a terminal wrapped at its width, what goes on standing further in."""
    if not sys.stdout.isatty():
        for line in lines:
            click.echo(line)
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    console = Console(color_system=None)
    for line in lines:
        if cell_len(line) <= console.width:
            click.echo(line)
            continue
        text = line.lstrip()
        indent = line[: len(line) - len(text)]
        wrapped = Text(text).wrap(console, max(20, console.width - len(indent) - 4), overflow="fold")
        for number, piece in enumerate(wrapped):
            click.echo(f"{indent}{'    ' if number else ''}{piece.plain}")


def say(text: str, quiet: bool) -> None:
    if not quiet:
        click.echo(text, err=True)
