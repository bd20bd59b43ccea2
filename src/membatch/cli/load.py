"""Commands that load or check records: run, resume, retry, validate."""

from __future__ import annotations

from typing import Any

import click

from membatch.cli.commands import examples
from membatch.cli.options import (
    answer,
    batching,
    check_report_file,
    common,
    conclude,
    matching,
    of_format,
    per,
    reporting,
    say,
    settings_of,
    tolerance,
    waiting,
)


@click.command(
    epilog=examples(
        "membatch run memories.jsonl",
        "membatch run 'exports/*.jsonl.gz' --store sqlite:///memories.db --dry-run",
        "membatch run 'sqlite:///old.db?table=notes'",
        "zcat old.jsonl.gz | membatch run - --strategy exact --report report.json",
    )
)
@click.argument("sources", nargs=-1, required=True)
@matching
@batching
@reporting
@waiting
@click.option("--dry-run", is_flag=True, help="Do everything, then roll it back.")
@common
def run(sources: tuple[str, ...], dry_run: bool, wait: bool, report_file: str | None, **flags: Any) -> int:
    """Load SOURCES: files, globs, folders, databases, or - for stdin."""
    from membatch.progress import shown
    from membatch.runs.inputs import paths_of
    from membatch.runs.load import process

    resolved, as_json, quiet = settings_of(flags)
    paths = paths_of(sources, resolved.config)
    check_report_file(report_file, resolved.config, paths)
    with shown(resolved.config, paths, quiet=quiet) as observers:
        report = process(sources, config=resolved.config, dry_run=dry_run, wait=wait, observers=observers)
    return conclude(report, as_json, quiet, report_file)


@click.command(epilog=examples("membatch resume", "membatch resume 3 --max-errors 5000"))
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@batching
@reporting
@waiting
@click.option("--force", is_flag=True, help="Resume although a source changed.")
@common
def resume(run_id: int | None, force: bool, wait: bool, report_file: str | None, **flags: Any) -> int:
    """Go on with an interrupted or stopped run, by default the latest."""
    from membatch.progress import shown
    from membatch.runs.load import resume as resume_run

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(report_file, resolved.config)
    with shown(resolved.config, ["-"], quiet=quiet) as observers:
        report = resume_run(run_id, config=resolved.config, force=force, wait=wait, observers=observers)
    if report is None:
        return answer("there is nothing to resume", "null", as_json, quiet)
    return conclude(report, as_json, quiet, report_file)


@click.command(epilog=examples("membatch retry 3", "membatch retry 3 --format locomo"))
@click.argument("run_id", metavar="RUN", type=int)
@click.option("--format", metavar="NAME", help="What the rejected items are, if not what the run took them for.")
@batching
@reporting
@waiting
@common
def retry(run_id: int, format: str | None, wait: bool, report_file: str | None, **flags: Any) -> int:  # noqa: A002
    """Send the rejected records of RUN through again, as a new run.

    Each that succeeds marks its reject as resolved; a better format or another setting may be what it takes.
    """
    from membatch.progress import shown
    from membatch.runs.retry import retry as retry_run

    resolved, as_json, quiet = settings_of({**flags, "format": format})
    check_report_file(report_file, resolved.config)
    with shown(resolved.config, ["-"], quiet=quiet) as observers:
        report = retry_run(run_id, config=resolved.config, format=format, wait=wait, observers=observers)
    if report is None:
        sentence = f"there is nothing to retry: run {run_id} has no reject that is open and whole"
        return answer(sentence, "null", as_json, quiet)
    return conclude(report, as_json, quiet, report_file)


@click.command(epilog=examples("membatch validate memories.jsonl", "membatch validate 'exports/*.jsonl.gz' --json"))
@click.argument("sources", nargs=-1, required=True)
@of_format
@per
@batching
@reporting
@common
def validate(sources: tuple[str, ...], report_file: str | None, **flags: Any) -> int:
    """Check the records of SOURCES without loading them."""
    from membatch.runs.inputs import paths_of
    from membatch.runs.validation import validate as validate_sources

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(report_file, resolved.config, paths_of(sources, resolved.config))
    report = validate_sources(list(sources), config=resolved.config)
    return conclude(report, as_json, quiet, report_file)


@click.command(
    epilog=examples(
        "membatch convert export.zip --explain 3",
        "membatch convert export.zip --output memories.jsonl",
    )
)
@click.argument("sources", nargs=-1, required=True)
@click.option("--output", type=click.Path(), metavar="FILE", help="A file .jsonl, .json, .csv or .parquet.")
@of_format
@per
@click.option("--to-version", type=int, metavar="N", help="The schema version to write [the current one].")
@click.option(
    "--explain", "explained", type=click.IntRange(min=1), metavar="N", help="Show the first N records before and after."
)
@tolerance
@click.option("--redact", is_flag=True, default=None, help="No record content in the report.")
@common
def convert(
    sources: tuple[str, ...], output: str | None, to_version: int | None, explained: int | None, **flags: Any
) -> int:
    """Write the records that SOURCES hold to a file, as membatch."""
    from membatch.memory import SCHEMA_VERSION
    from membatch.report.words import plural
    from membatch.runs.conversion import convert as convert_sources

    resolved, as_json, quiet = settings_of(flags)
    if output is None and explained is None:
        raise click.UsageError("say where to write with --output FILE, or look with --explain N")
    if explained is not None:
        _show_explained(list(sources), explained, resolved.config)
    if output is None:
        return 0
    version = SCHEMA_VERSION if to_version is None else to_version
    report = convert_sources(list(sources), output, config=resolved.config, to_version=version)
    if report.status == "done":
        say(f"wrote {plural(report.counts.valid, 'record')} to {output}", quiet or as_json)
    return conclude(report, as_json, quiet, None)


def _show_explained(sources: list[str], count: int, config: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from membatch.report.words import printable
    from membatch.runs.conversion import explain

    table = Table("before", "after", box=box.SQUARE, show_lines=True, expand=True)
    for item in explain(sources, count, config=config):
        # Each line is made harmless on its own, so that only our own line ends move the cursor.
        texts = ("\n".join(map(printable, text.split("\n"))) for text in item)
        table.add_row(*(Text(text, overflow="fold") for text in texts))
    Console(stderr=False).print(table)
