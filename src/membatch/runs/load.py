"""Loading: a new run, and going on with one that was interrupted or stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from membatch import source as sources
from membatch.config import Config, to_plain
from membatch.errors import ConfigError, SourceError, StoreBusyError
from membatch.formats import Detection
from membatch.plan import Checkpoint, MemoryKey
from membatch.report import Report
from membatch.run import Observer, Stop, checkpoint_of, collected_by_batch
from membatch.runs.accounts import open_once, report_from, status_of, tally_from
from membatch.runs.inputs import ITERABLE, Input, Sources, layout_of, looked_at, opened, raw_batches, with_choices
from membatch.runs.retry import retried
from membatch.runs.session import opened_session, to_json
from membatch.runs.validation import validate
from membatch.source import SourceFile
from membatch.source.stream import STANDARD_INPUT
from membatch.store import RunRow
from membatch.tolerance import Breaker
from membatch.workers import prepared


def process(
    source: Input,
    *,
    store: str | None = None,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
    dry_run: bool = False,
    wait: bool = False,
    observers: Sequence[Observer] = (),
) -> Report:
    """Load a source into a store and return the report.

    `source` is a path, glob, folder or a database's URL with a table or query, a sequence of these, "-" for standard
    input, or an iterable of dicts, Memory objects or JSON texts. `store` and `format` go before what `config` says.
    With `dry_run` everything happens and is rolled back. An observer is called with each batch's plan and tally after
    its commit.

    Raises ConfigError, SourceError or StoreError; bad records are rejected, not raised.
    """
    config = with_choices(config or Config(), store, format).check()
    if config.validation.timing == "only":
        return validate(source, config=config)
    found = looked_at(source, config)
    if config.validation.timing == "before":
        checked = _check_before(found, config)
        if checked is not None:
            return checked
    with (
        opened_session(config, dry_run=dry_run, wait=wait) as session,
        Stop().listening() as stop,
        collected_by_batch(),
    ):
        raws, detection = opened(found, config, session.batch_size)
        first_key = session.store.next_key()
        run = session.store.begin_run(
            kind="load",
            parent=None,
            format=detection.format,
            detected=detection.reason,
            sources=to_json({"files": found.files, "folder": str(Path.cwd()), "first_memory": first_key}),
            config=to_json(to_plain(config)),
        )
        batches = prepared(raws, session.prepare(detection.format), config.batch.workers, session.clock)
        outcome = session.loader(run, first_key).load(batches, stop, observers=observers)
        session.finish(run, outcome.status)
        return report_from(session.store, run, config, dry_run=dry_run)


def resume(
    run: int | None = None,
    *,
    store: str | None = None,
    config: Config | None = None,
    force: bool = False,
    wait: bool = False,
    observers: Sequence[Observer] = (),
) -> Report | None:
    """Go on with an interrupted or stopped run (by default the latest) and return its report.

    Returns None if there is nothing to resume. Of `config`, where it is given, the tolerance, the batch and
    the log sections replace those of the run. Raises SourceError if a source changed, unless `force`.
    """
    config = with_choices(config or Config(), store, None)
    with open_once(config.store) as reader:
        live = None if wait else reader.live_run()
        row = _resumable(reader.runs(), run, live)
        if row is None and live is not None and run in (None, live):
            raise StoreBusyError(
                f"run {live} is at work now: `membatch runs` shows how far it is; with --wait it is resumed should "
                "it end early"
            )
        if row is None:
            return None
        config = _resumed_config(row, config)
    with opened_session(config, wait=wait) as session, Stop().listening() as stop, collected_by_batch():
        if _resumable(session.store.runs(), row.run, None) is None:
            return None  # it ended while we waited for the lease
        after = checkpoint_of(session.store, row.run)
        earlier = [tally_from(batch.tally) for batch in session.store.batches(row.run)]
        if Breaker(config.tolerance, earlier).is_broken():
            raise ConfigError(
                f"run {row.run} stopped because its tolerance was reached: resume it with a raised "
                "--max-errors or --max-error-rate"
            )
        files = _files_left(row, after[1], force) if row.kind == "load" else []
        session.store.reopen_run(row.run, to_json(to_plain(config)))
        if row.kind == "retry":
            outcome = retried(session, row, stop, after=after, earlier=earlier, observers=observers)
        else:
            layout = layout_of(Detection(row.format, ""), config)
            raws = raw_batches(files, None, config, after[1], session.batch_size, layout)
            batches = prepared(raws, session.prepare(row.format), config.batch.workers, session.clock)
            loader = session.loader(row.run, MemoryKey(msgspec.json.decode(row.sources)["first_memory"]))
            outcome = loader.load(batches, stop, first_number=after[0], earlier=earlier, observers=observers)
        session.finish(row.run, outcome.status, resumed_from=msgspec.to_builtins(after[1]))
        return report_from(session.store, row.run, config)


def _files_left(row: RunRow, checkpoint: Checkpoint, force: bool) -> list[SourceFile]:
    """Return the files of a run, those that are still to be read being as they were; raises SourceError."""
    begun = msgspec.json.decode(row.sources)
    folder = Path(begun.get("folder") or "")
    files = [_found(file, folder) for file in msgspec.convert(begun["files"], list[SourceFile])]
    _refuse_changed(files, checkpoint, row.run, force)
    return files


def _found(file: SourceFile, folder: Path) -> SourceFile:
    """Return a file by the path that leads to it from here."""
    if file.path in (ITERABLE, STANDARD_INPUT) or Path.cwd() == folder:
        return file
    return msgspec.structs.replace(file, path=sources.seen_from(folder, file.path))


def _check_before(found: Sources, config: Config) -> Report | None:
    """Return the report of a validation that broke the tolerance, or None if the load may begin."""
    if found.values is not None or any(file.path == STANDARD_INPUT for file in found.files):
        raise ConfigError('validation.timing = "before" reads the source twice: name files, not a stream')
    checked = validate([file.path for file in found.files], config=config)
    return checked if checked.status != "done" else None


def _resumable(rows: list[RunRow], run: int | None, live: int | None) -> RunRow | None:
    ended = ("interrupted", "stopped")
    open_rows = [row for row in rows if row.kind in ("load", "retry") and status_of(row, live) in ended]
    if run is None:
        return open_rows[-1] if open_rows else None
    row = next((row for row in rows if row.run == run), None)
    if row is None:
        raise ConfigError(f"there is no run {run}: see `membatch runs`")
    if row.status == "undone":
        raise ConfigError(f"run {run} was undone, and an undone run is not resumed: run its sources again")
    return row if row in open_rows else None


def _resumed_config(row: RunRow, given: Config) -> Config:
    stored = msgspec.convert(msgspec.json.decode(row.config), Config, strict=False)
    return msgspec.structs.replace(
        stored,
        store=given.store,
        redact=given.redact,
        batch=given.batch,
        tolerance=given.tolerance,
        log=given.log,
    ).check()


def _refuse_changed(files: list[SourceFile], checkpoint: Checkpoint, run: int, force: bool) -> None:
    for number, file in enumerate(files[checkpoint.source :], checkpoint.source):
        if file.path in (ITERABLE, STANDARD_INPUT):
            raise SourceError(
                f"run {run} read a stream, which cannot be read again: run the whole input again, what is stored "
                "will be recognised"
            )
        after = checkpoint if number == checkpoint.source else Checkpoint(source=number)
        change = None if force else sources.changes(file, after)
        if change is not None:
            raise SourceError(f"{change}: resume would skip or repeat records; use --force if you know it is safe")
