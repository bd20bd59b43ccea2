"""The command line: arguments, progress, exit codes.

Rule: data goes to standard output, everything for people to standard error; a person never sees a stack
trace. Heavy modules are imported where a command needs them, so that --help is quick.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from membatch.errors import MembatchError

if TYPE_CHECKING:
    from membatch.config import Resolved
    from membatch.report import Report

Command = Callable[..., Any]


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_common = _options(
    click.option("--store", metavar="URL", help="Where the memories are [sqlite:///memories.db]."),
    click.option("--config", "config_file", type=click.Path(), metavar="FILE", help="Settings [membatch.toml]."),
    click.option("--json", "as_json", is_flag=True, help="Machine-readable output on standard output."),
    click.option("--quiet", is_flag=True, help="Nothing on standard error but errors."),
)
_loading = _options(
    click.option("--batch-size", "batch__size", metavar="N|auto", help="Records a transaction."),
    click.option("--max-errors", "tolerance__max_errors", type=int, metavar="N", help="Stop above N rejections."),
    click.option(
        "--max-error-rate",
        "tolerance__max_error_rate",
        type=float,
        metavar="R",
        help="Stop above this share.",
    ),
    click.option("--workers", "batch__workers", type=int, metavar="N", help="Processes that prepare batches."),
    click.option(
        "--isolation",
        "batch__isolation",
        type=click.Choice(["record", "batch", "run"]),
        help="What a refused row costs.",
    ),
    click.option("--log-format", "log__format", type=click.Choice(["text", "json"]), help="How progress is written."),
    click.option("--redact", is_flag=True, default=None, help="No record content in reports."),
    click.option("--report", "report_file", type=click.Path(), metavar="FILE.json", help="Write the report here too."),
    click.option("--wait", is_flag=True, help="Wait while another process writes to the store."),
)
_matching = _options(
    click.option("--format", metavar="NAME", help="What the source is; see `membatch formats`."),
    click.option(
        "--strategy",
        "dedup__strategy",
        type=click.Choice(["memory-only", "exact", "similar"]),
        help="What counts as the same.",
    ),
    click.option("--threshold", "dedup__threshold", metavar="T", help="Similarity from which records match [0.8]."),
    click.option(
        "--same-id",
        "dedup__same_id",
        type=click.Choice(["newer", "update", "reject"]),
        help="An id that is taken.",
    ),
    click.option(
        "--timing",
        "validation__timing",
        type=click.Choice(["inline", "before", "only"]),
        help="When to validate.",
    ),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="membatch")
def cli() -> None:
    """Load large sets of memory records into a database: validated, de-duplicated, merged, none lost."""


@cli.command(epilog="Example: membatch run memories.jsonl --store sqlite:///memories.db")
@click.argument("sources", nargs=-1, required=True)
@_matching
@_loading
@click.option("--dry-run", is_flag=True, help="Do everything, then roll it back.")
@_common
def run(sources: tuple[str, ...], dry_run: bool, wait: bool, report_file: str | None, **flags: Any) -> int:
    """Load SOURCES: files, globs, folders or - for standard input."""
    from membatch.progress import shown
    from membatch.runs import process
    from membatch.source import expand

    resolved, as_json, quiet = _resolved(flags)
    _check_report_file(report_file)
    paths = expand(sources)
    with shown(resolved.config, paths, quiet=quiet) as observers:
        report = process(paths, config=resolved.config, dry_run=dry_run, wait=wait, observers=observers)
    return _conclude(report, as_json, quiet, report_file)


@cli.command(epilog="Example: membatch resume --max-errors 5000")
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@_loading
@click.option("--force", is_flag=True, help="Resume although a source changed.")
@_common
def resume(run_id: int | None, force: bool, wait: bool, report_file: str | None, **flags: Any) -> int:
    """Go on with an interrupted or stopped run, by default the latest."""
    from membatch.progress import shown
    from membatch.runs import resume as resume_run

    resolved, as_json, quiet = _resolved(flags)
    _check_report_file(report_file)
    with shown(resolved.config, ["-"], quiet=quiet) as observers:
        report = resume_run(run_id, config=resolved.config, force=force, wait=wait, observers=observers)
    if report is None:
        _say("there is nothing to resume", quiet)
        return 0
    return _conclude(report, as_json, quiet, report_file)


@cli.command(epilog="Example: membatch retry 3 --format locomo")
@click.argument("run_id", metavar="RUN", type=int)
@click.option("--format", metavar="NAME", help="What the rejected items are, if not what the run took them for.")
@_loading
@_common
def retry(run_id: int, format: str | None, wait: bool, report_file: str | None, **flags: Any) -> int:  # noqa: A002
    """Send the rejected records of RUN through again, as a new run."""
    from membatch.progress import shown
    from membatch.runs import retry as retry_run

    resolved, as_json, quiet = _resolved(flags)
    _check_report_file(report_file)
    with shown(resolved.config, ["-"], quiet=quiet) as observers:
        report = retry_run(run_id, config=resolved.config, format=format, wait=wait, observers=observers)
    return _conclude(report, as_json, quiet, report_file)


@cli.command(epilog="Example: membatch validate exports/*.jsonl.gz")
@click.argument("sources", nargs=-1, required=True)
@click.option("--format", metavar="NAME", help="What the source is; see `membatch formats`.")
@_loading
@_common
def validate(sources: tuple[str, ...], wait: bool, report_file: str | None, **flags: Any) -> int:
    """Check the records of SOURCES without loading them."""
    from membatch.runs import validate as validate_sources

    resolved, as_json, quiet = _resolved(flags)
    _check_report_file(report_file)
    report = validate_sources(list(sources), config=resolved.config)
    return _conclude(report, as_json, quiet, report_file)


@cli.command()
@_common
def runs(**flags: Any) -> int:
    """List all runs of the store."""
    from membatch.runs import list_runs

    resolved, as_json, _ = _resolved(flags)
    rows = list_runs(resolved.config.store)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return 0
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in (
        "run",
        "kind",
        "status",
        "started",
        "read",
        "inserted",
        "duplicates",
        "merged",
        "held",
        "rejected",
    ):
        table.add_column(name, justify="right" if name not in ("kind", "status", "started") else "left")
    for row in rows:
        counts = [
            f"{row['counts'][name]:,}" for name in ("read", "inserted", "duplicates", "merged", "held", "rejected")
        ]
        table.add_row(str(row["run_id"]), row["kind"], row["status"], row["started_at"][:19].replace("T", " "), *counts)
    console = Console()
    console.width = max(console.width, 110)  # a figure that is cut tells nothing
    console.print(table)
    return 0


@cli.command()
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option("--output", type=click.Path(), metavar="FILE.json", help="Write the report here.")
@click.option("--redact", is_flag=True, default=None, help="No record content in the report.")
@_common
def report(run_id: int | None, output: str | None, **flags: Any) -> int:
    """Show the report of a run, by default of the latest."""
    from membatch.runs import report as report_of_run

    resolved, as_json, quiet = _resolved(flags)
    _check_report_file(output)
    found = report_of_run(run_id, store=resolved.config.store, redact=resolved.config.redact)
    if output is not None:
        _write_report(found, output)
        _say(f"wrote {output}", quiet)
    elif as_json:
        click.echo(found.to_json())
    else:
        from membatch.report.text import text_of

        click.echo(text_of(found))
    return 0


@cli.command()
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option("--output", type=click.Path(), metavar="FILE.jsonl", help="Write the rejects here.")
@_common
def rejects(run_id: int | None, output: str | None, **flags: Any) -> int:
    """Print the rejected records of a run, by default of the latest, as JSON lines with all that is known of why."""
    from membatch.runs import list_rejects

    resolved, _, quiet = _resolved(flags)
    lines = list_rejects(run_id, resolved.config.store)
    if output is None:
        for line in lines:
            click.echo(line)
        return 0
    from membatch.export import placed

    with placed(Path(output)) as stream:
        count = sum(1 for line in lines if stream.write(line.encode() + b"\n"))
    _say(f"wrote {count:,} rejects to {output}", quiet)
    return 0


@cli.command(epilog="Example: membatch undo 3")
@click.argument("run_id", metavar="RUN", type=int)
@click.option("--cascade", is_flag=True, help="Take out later runs that name its memories too.")
@click.option("--wait", is_flag=True, help="Wait while another process writes to the store.")
@_common
def undo(run_id: int, cascade: bool, wait: bool, **flags: Any) -> int:
    """Take RUN out again: the memories are as they were before it."""
    from membatch.lineage import undo as undo_run

    resolved, as_json, quiet = _resolved(flags)
    report = undo_run(run_id, store=resolved.config.store, cascade=cascade, wait=wait)
    if as_json:
        click.echo(report.to_json())
    _say(f"run {run_id} is undone, as run {report.run_id}", quiet or as_json)
    return 0


@cli.command(epilog="Example: membatch review --accept 7")
@click.option(
    "--accept", "accepted", type=int, metavar="ID", help="Merge the younger memory of the pair into the older."
)
@click.option("--reject", "rejected", type=int, metavar="ID", help="Keep the two memories apart for good.")
@click.option("--accept-all", is_flag=True, help="Accept every pair that only --guard was unsure of.")
@click.option("--guard", metavar="NAME", help="With --accept-all: the guard.")
@click.option("--min-score", default="0.8", metavar="S", help="With --accept-all: the least score [0.8].")
@click.option("--wait", is_flag=True, help="Wait while another process writes to the store.")
@_common
def review(
    accepted: int | None,
    rejected: int | None,
    accept_all: bool,
    guard: str | None,
    min_score: str,
    wait: bool,
    **flags: Any,
) -> int:
    """List the pairs that a guard was unsure of, or decide them."""
    from membatch import review as reviews
    from membatch.config import ratio

    resolved, as_json, quiet = _resolved(flags)
    config = resolved.config
    if sum((accepted is not None, rejected is not None, accept_all)) > 1 or accept_all != (guard is not None):
        raise click.UsageError("use one of --accept ID, --reject ID, or --accept-all with --guard NAME")
    if accepted is not None:
        run = reviews.accept(accepted, config=config, wait=wait)
        _say(f"the pair {accepted} is one memory now (run {run}; `membatch undo {run}` takes it back)", quiet)
    elif rejected is not None:
        run = reviews.reject(rejected, config=config, wait=wait)
        _say(f"the pair {rejected} stays apart (run {run})", quiet)
    elif guard is not None:
        ratio(min_score, "--min-score")
        run, count = reviews.accept_all(guard, min_score, config=config, wait=wait)
        _say(f"accepted {count:,} pairs (run {run}; `membatch undo {run}` takes it back)", quiet)
    else:
        _show_pairs(reviews.open_pairs(config.store), as_json)
    return 0


def _show_pairs(pairs: list[dict[str, Any]], as_json: bool) -> None:
    from membatch.report.text import marked

    if as_json:
        click.echo(json.dumps(pairs, indent=2, ensure_ascii=False))
        return
    for pair in pairs:
        older, younger = marked(pair["older"]["summary"], pair["younger"]["summary"])
        click.echo(f"{pair['review']}  score {pair['score']}, unsure: {', '.join(pair['guards'])}")
        click.echo(f"   older    {older}\n   younger  {younger}")
    if not pairs:
        click.echo("no pair waits for a decision", err=True)


@cli.command(epilog="Example: membatch history 7c9e6679-7425-40de-944b-e07fc1f90ae7")
@click.argument("memory_id", metavar="MEMORY_ID")
@_common
def history(memory_id: str, **flags: Any) -> int:
    """Show the past of a memory: its founder, what it absorbed, where each field came from."""
    from membatch.lineage import history as history_of
    from membatch.report.text import printable

    resolved, as_json, _ = _resolved(flags)
    found = history_of(memory_id, store=resolved.config.store)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    click.echo(f"memory {printable(found['id'])} in {found['match_scope']}")
    click.echo(f"  founder: {printable(found['founder']['summary'])}")
    for item in found["merges"]:
        what = "replaced by" if item["replaces"] else "absorbed"
        place = f" from {printable(item['source'])}:{item['line']}" if item["source"] else ""
        click.echo(f"  merge {item['merge']} (run {item['run']}) {what} {printable(item['id'])}{place}")
        click.echo(f"    by {item['step']}, score {item['score']}: {printable(item['record']['summary'])}")
        for conflict in item["conflicts"]:
            path = ".".join(map(str, conflict["path"]))
            click.echo(
                f"    kept {printable(str(conflict['kept']))}, not {printable(str(conflict['other']))} at {path}"
            )
    click.echo("  fields: " + ", ".join(f"{name} ({origin})" for name, origin in found["origins"].items()))
    return 0


@cli.command(epilog="""Example: membatch explain '{"summary": "Tom met Anna"}' '{"summary": "Anna met Tom"}'""")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@_matching
@_common
def explain(first: str, second: str, **flags: Any) -> int:
    """Say what would happen to record B if memory A were stored; each is an id or a record as JSON."""
    from membatch.lineage import explain as explain_pair
    from membatch.report.text import printable

    resolved, as_json, _ = _resolved(flags)
    found = explain_pair(first, second, config=resolved.config)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for name in ("same_match_scope", "digest", "id", "content_hash"):
        click.echo(f"{name.replace('_', ' '):<17}{'yes' if found[name] else 'no'}")
    click.echo(f"{'score':<17}{found['score']} (threshold {found['threshold']})")
    for name, words in found["tokens"].items():
        click.echo(f"{name.replace('_', ' '):<17}{printable(' '.join(words))}")
    for name, verdict in found["guards"].items():
        click.echo(f"{'guard ' + name:<22}{verdict}")
    click.echo(f"outcome: {found['outcome']}")
    return 0


@cli.command()
@click.option("--output", type=click.Path(), metavar="FILE", help="A file .jsonl, .csv or .parquet [standard output].")
@_common
def export(output: str | None, **flags: Any) -> int:
    """Write all memories, the oldest first; what comes out can be loaded again."""
    from membatch.export import export as export_rows
    from membatch.runs import open_once

    resolved, _, quiet = _resolved(flags)
    with open_once(resolved.config.store) as store:
        count = export_rows(store.export(), output)
    if output is not None:
        _say(f"wrote {count:,} memories to {output}", quiet)
    return 0


@cli.command()
@_common
def init(**flags: Any) -> int:
    """Make an empty store, and a membatch.toml that names it if there is none."""
    from membatch.config import CONFIG_FILE, hide_password
    from membatch.store import open_store

    resolved, _, quiet = _resolved(flags)
    config = resolved.config
    open_store(config.store, config.dedup.scope).close()
    _say(f"the store {hide_password(config.store)} is ready", quiet)
    if not Path(CONFIG_FILE).exists():
        Path(CONFIG_FILE).write_text(config.to_toml(), "utf-8")
        _say(f"wrote {CONFIG_FILE} with the settings as they are now", quiet)
    return 0


@cli.command("config")
@_matching
@_loading
@_common
def show_config(wait: bool, report_file: str | None, **flags: Any) -> int:
    """Show the effective settings and where each came from."""
    from membatch.config import flat_settings

    resolved, as_json, _ = _resolved(flags)
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


@cli.command()
@_common
def schema(**flags: Any) -> int:
    """Print the JSON Schema of a memory record."""
    from membatch.memory import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return 0


@cli.command()
@_common
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


def _resolved(flags: dict[str, Any]) -> tuple[Resolved, bool, bool]:
    from membatch.config import resolve

    as_json, quiet = flags.pop("as_json"), flags.pop("quiet")
    file = flags.pop("config_file")
    return resolve(file, os.environ, flags), as_json, quiet


def _check_report_file(name: str | None) -> None:
    from membatch.errors import ConfigError

    if name is not None and not name.endswith(".json"):
        raise ConfigError(f"cannot write a report to {name}: use a name that ends in .json")


def _write_report(report: Report, name: str) -> None:
    from membatch.export import placed

    with placed(Path(name)) as stream:
        stream.write(report.to_json().encode() + b"\n")


def _conclude(report: Report, as_json: bool, quiet: bool, report_file: str | None) -> int:
    if report_file is not None:
        _write_report(report, report_file)
    if as_json:
        click.echo(report.to_json())
    elif not quiet:
        from membatch.report.text import text_of

        click.echo(text_of(report), err=True)
    return report.exit_code


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        click.echo(text, err=True)


def main() -> NoReturn:
    """Run the command line; exits with one of the codes of DESIGN."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except MembatchError as error:
        click.echo(f"membatch: {error}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        click.echo("membatch: interrupted at once; go on with `membatch resume`", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
