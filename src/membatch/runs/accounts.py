"""What the store knows of its runs: reports, the list of runs, rejects."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from membatch.config import Config, hide_password, with_store
from membatch.errors import ConfigError, advice_on
from membatch.plan import MemoryKey
from membatch.report import DRY_RUN, MAX_SAMPLES, SAMPLE_LENGTH, Account, Report, example_keys, report_of
from membatch.report.samples import sample_of, shortened
from membatch.report.tally import Tally, add, rates
from membatch.store import ChangeTally, RunRow, Store, open_store

READING: Final = ("load", "retry")  # the kinds of runs that read records


def report(run: int | None = None, *, store: str | None = None, redact: bool = False) -> Report:
    """Return the report of a run from the store.

    Without `run`, that of the latest that read records and is not undone; where there is none, of the latest.
    """
    config = with_store(Config(redact=redact), store)
    with open_once(config.store) as reader:
        rows = reader.runs()
        if not rows:
            raise ConfigError(f"there is no run in {hide_password(config.store)} yet")
        wanted = _latest(rows) or rows[-1].run if run is None else run
        if wanted not in [row.run for row in rows]:
            raise ConfigError(f"there is no run {wanted} in {hide_password(config.store)}: see `membatch runs`")
        return report_from(reader, wanted, config)


def list_runs(url: str) -> list[dict[str, Any]]:
    """Return all runs of a store, the oldest first: counts and rates, beside those of all earlier runs together.

    `earlier` is None for the first run; what was undone, and what read nothing, does not count as earlier.
    """
    found = []
    earlier = Tally()
    with open_once(url) as reader:
        live = reader.live_run()
        for row in reader.runs():
            total = Tally()
            for batch in reader.batches(row.run):
                add(total, tally_from(batch.tally))
            found.append(
                {
                    "run_id": row.run,
                    "kind": row.kind,
                    "status": status_of(row, live),
                    "parent": row.parent,
                    "started_at": row.started_at,
                    "finished_at": row.finished_at,
                    "counts": msgspec.to_builtins(total.counts),
                    "rates": dict(rates(total.counts)),
                    "records_per_second": _speed(total),
                    "earlier": _rates_of(earlier) if earlier.counts.read and total.counts.read else None,
                }
            )
            if row.status != "undone":
                add(earlier, total)
    return found


def _rates_of(total: Tally) -> dict[str, float | None]:
    return {**rates(total.counts), "records_per_second": _speed(total)}


def _speed(total: Tally) -> float | None:
    return round(total.counts.read / total.seconds, 1) if total.seconds else None


def run_of_rejects(run: int | None, url: str) -> int:
    """Return a run that has rejects to show, by default the latest that read records and is not undone."""
    with open_once(url) as reader:
        rows = reader.runs()
    wanted = _latest(rows) if run is None else run
    for row in rows:
        if row.run == wanted and row.status == "undone":
            raise ConfigError(f"run {run} was undone, and its rejects with it: load the source again to see them")
        if row.run == wanted:
            return row.run
    which = "that read records" if run is None else run
    raise ConfigError(f"there is no run {which} in {hide_password(url)}: see `membatch runs`")


def _latest(rows: list[RunRow]) -> int | None:
    """Return the latest run that read records and is not undone, if there is one."""
    return next((row.run for row in reversed(rows) if row.kind in READING and row.status != "undone"), None)


def sources_of_runs(url: str) -> list[str]:
    """Return the files that the runs of a store read."""
    with open_once(url) as reader:
        return list(dict.fromkeys(name for row in reader.runs() for name in _files_of(row)))


def _files_of(row: RunRow) -> list[str]:
    from membatch import source as sources
    from membatch.runs.inputs import ITERABLE
    from membatch.source.stream import STANDARD_INPUT

    begun = msgspec.json.decode(row.sources)
    folder = Path(begun.get("folder") or "")
    names = [file["path"] for file in begun["files"]]
    return [sources.seen_from(folder, name) for name in names if name not in (ITERABLE, STANDARD_INPUT)]


def list_rejects(run: int | None, url: str) -> Iterator[str]:
    """Yield the rejected records of a run (by default of the latest that read some) as JSON lines."""
    number = run_of_rejects(run, url)
    with open_once(url) as reader:
        row = next(row for row in reader.runs() if row.run == number)
        names = [file["path"] for file in msgspec.json.decode(row.sources)["files"]]
        for reject in reader.rejects(row.run):
            entry = {"run": row.run, **reject._asdict()}
            entry["source"] = names[reject.source]
            entry["errors"] = msgspec.json.decode(reject.errors)
            entry["advice"] = advice_on(reject.code)
            try:
                entry["raw"] = reject.raw.decode()
            except UnicodeDecodeError:
                entry["raw_base64"] = reject.raw
                del entry["raw"]
            yield msgspec.json.encode(entry).decode()


@contextmanager
def open_once(url: str) -> Iterator[Store]:
    """Open a store for reading, for the length of the block."""
    store = open_store(url, write=False)
    try:
        yield store
    finally:
        store.close()


def status_of(row: RunRow, live: int | None) -> str:
    """Return the status of a run; one that says it is running but is not the live one was interrupted."""
    return "interrupted" if row.status == "running" and row.run != live else row.status


def report_from(store: Store, run: int, config: Config, *, dry_run: bool = False) -> Report:
    """Return the report of a run that the store holds; a dry run will be gone, so that it has no number."""
    row = next(row for row in store.runs() if row.run == run)
    names = [file["path"] for file in msgspec.json.decode(row.sources)["files"]]
    samples = [
        sample_of(
            names[reject.source],
            reject.line,
            reject.offset,
            category=reject.category,
            code=reject.code,
            message=reject.message,
            errors=msgspec.json.decode(reject.errors),
            raw=reject.raw,
            redact=config.redact,
        )
        for reject in itertools.islice(store.rejects(run), MAX_SAMPLES)
    ]
    tallies = [tally_from(batch.tally) for batch in store.batches(run)]
    ending = msgspec.json.decode(row.summary) if row.summary else {}
    if "rest" in ending:
        ending["rest"] = msgspec.convert(ending["rest"], Tally)
    return report_of(
        Account(
            run_id=None if dry_run else run,
            kind=DRY_RUN if dry_run else row.kind,
            status=status_of(row, store.live_run()),
            started_at=row.started_at,
            finished_at=row.finished_at,
            sources=names,
            store=hide_password(config.store),
            config=msgspec.json.decode(row.config),
            batches=tallies,
            samples=samples,
            ending=ending,
            summaries={} if config.redact else _summaries(store, run, tallies),
            format=_format_of(row),
            changes=None if row.kind in READING else _changes(store, run),
        )
    )


def _summaries(store: Store, run: int, tallies: list[Tally]) -> dict[MemoryKey, str]:
    """Return how the texts of a report's examples begin."""
    found = store.beginnings(example_keys(tallies), SAMPLE_LENGTH + 1)
    # The key of a memory that was undone may belong to a memory of a later run by now.
    return {key: shortened(text) for key, born, text in found if born <= run}


def _changes(store: Store, run: int) -> dict[str, Any]:
    """Return what a run that is no load changed: the runs it took out, pairs it merged, rows it removed by table."""
    total = ChangeTally()
    removed: Counter[str] = Counter()
    for batch in store.batches(run):
        tally = msgspec.json.decode(batch.tally, type=ChangeTally)
        total.accepted += tally.accepted
        total.undone = total.undone + tally.undone
        for tables in tally.removed.values():
            removed.update(tables)
    return {"undone": sorted(total.undone), "accepted": total.accepted, "removed": dict(sorted(removed.items()))}


def _format_of(row: RunRow) -> dict[str, str | None] | None:
    if not row.format:
        return None
    return {"name": row.format, "reason": row.detected}


def tally_from(text: str) -> Tally:
    """Return a tally that was stored with its batch."""
    return msgspec.json.decode(text, type=Tally)
