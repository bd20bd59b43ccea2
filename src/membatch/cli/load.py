"""Commands that load or check records: run, resume, retry, validate."""

from __future__ import annotations

from typing import Any

import click

from membatch.cli.options import check_report_file, common, conclude, loading, matching, say, settings_of


@click.command(epilog="Example: membatch run memories.jsonl --store sqlite:///memories.db")
@click.argument("sources", nargs=-1, required=True)
@matching
@loading
@click.option("--dry-run", is_flag=True, help="Do everything, then roll it back.")
@common
def run(sources: tuple[str, ...], dry_run: bool, wait: bool, report_file: str | None, **flags: Any) -> int:
    """Load SOURCES: files, globs, folders or - for standard input."""
    from membatch.progress import shown
    from membatch.runs import process
    from membatch.source import expand

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(report_file)
    paths = expand(sources)
    with shown(resolved.config, paths, quiet=quiet) as observers:
        report = process(paths, config=resolved.config, dry_run=dry_run, wait=wait, observers=observers)
    return conclude(report, as_json, quiet, report_file)


@click.command(epilog="Example: membatch resume --max-errors 5000")
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@loading
@click.option("--force", is_flag=True, help="Resume although a source changed.")
@common
def resume(run_id: int | None, force: bool, wait: bool, report_file: str | None, **flags: Any) -> int:
    """Go on with an interrupted or stopped run, by default the latest."""
    from membatch.progress import shown
    from membatch.runs import resume as resume_run

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(report_file)
    with shown(resolved.config, ["-"], quiet=quiet) as observers:
        report = resume_run(run_id, config=resolved.config, force=force, wait=wait, observers=observers)
    if report is None:
        say("there is nothing to resume", quiet)
        return 0
    return conclude(report, as_json, quiet, report_file)


@click.command(epilog="Example: membatch retry 3 --format locomo")
@click.argument("run_id", metavar="RUN", type=int)
@click.option("--format", metavar="NAME", help="What the rejected items are, if not what the run took them for.")
@loading
@common
def retry(run_id: int, format: str | None, wait: bool, report_file: str | None, **flags: Any) -> int:  # noqa: A002
    """Send the rejected records of RUN through again, as a new run."""
    from membatch.progress import shown
    from membatch.runs import retry as retry_run

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(report_file)
    with shown(resolved.config, ["-"], quiet=quiet) as observers:
        report = retry_run(run_id, config=resolved.config, format=format, wait=wait, observers=observers)
    return conclude(report, as_json, quiet, report_file)


@click.command(epilog="Example: membatch validate exports/*.jsonl.gz")
@click.argument("sources", nargs=-1, required=True)
@click.option("--format", metavar="NAME", help="What the source is; see `membatch formats`.")
@loading
@common
def validate(sources: tuple[str, ...], wait: bool, report_file: str | None, **flags: Any) -> int:
    """Check the records of SOURCES without loading them."""
    from membatch.runs import validate as validate_sources

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(report_file)
    report = validate_sources(list(sources), config=resolved.config)
    return conclude(report, as_json, quiet, report_file)
