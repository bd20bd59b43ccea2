"""Whole runs, from sources to a report: process, resume, retry, validate, report.

Rule: a run is noted in the store before its first batch and after its last; a run that died in between is
found as interrupted and can be resumed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from membatch import source as sources
from membatch.config import Config, hide_password, to_plain
from membatch.decide import rules_of
from membatch.errors import CODES, ConfigError, MembatchError, SourceError
from membatch.fingerprint import canonical_text
from membatch.formats import known_formats
from membatch.memory import Memory
from membatch.monitor import Clock, Resources
from membatch.plan import Batch, Checkpoint, MemoryKey, Plan, Position, RawBatch, Reject, Rejection
from membatch.prepare import NATIVE, ROW, Prepare, Tokenize
from membatch.report import MAX_SAMPLES, Account, Report, report_of
from membatch.report.samples import sample_of
from membatch.report.tally import Tally, add, tally_of
from membatch.run import (
    Breaker,
    Loader,
    Observer,
    Stop,
    batch_size,
    checkpoint_of,
    collected_by_batch,
    prepared,
)
from membatch.source import SourceFile
from membatch.source.stream import STANDARD_INPUT
from membatch.store import RunRow, Store, now, open_store

ITERABLE: Final = "(iterable)"

Input = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Iterable[dict[str, Any] | Memory | bytes]


class _Session:
    """An open store with its index, for one run."""

    def __init__(self, config: Config, *, dry_run: bool = False, wait: bool = False) -> None:
        from membatch.similarity.index import Index  # compiled code: loaded only where it is used

        self.config = config
        self.rules = rules_of(config)
        self.store: Store = open_store(config.store, config.dedup.scope, dry_run=dry_run, wait=wait)
        try:
            self.tokenize: Tokenize | None = None
            if config.dedup.strategy == "similar":
                from membatch.similarity.tokens import tokenize

                self.tokenize = tokenize
                self._add_missing_tokens(tokenize)
            self.index = Index(config.dedup.strategy, min(self.rules.threshold, self.rules.review_from))
            self.index.load(self.store.fingerprints())
        except BaseException:
            self.store.close()
            raise
        self.clock = Clock()
        self.resources = Resources()

    def _add_missing_tokens(self, tokenize: Tokenize) -> None:
        while rows := self.store.missing_tokens():
            tokens = tokenize([canonical_text(summary) for _, _, summary in rows])
            named = zip(tokens, rows, strict=True)
            self.store.add_tokens([(found, memory, number) for found, (memory, number, _) in named])

    def prepare(self, format_name: str) -> Prepare:
        return Prepare(self.config, format_name, self.tokenize)

    def loader(self, run: int, first_of_run: MemoryKey, *, forgive: frozenset[bytes] = frozenset()) -> Loader:
        return Loader(
            self.store,
            self.index,
            self.rules,
            self.config,
            run=run,
            first_of_run=first_of_run,
            refused={digest for digest in self.store.conflicting_digests() if digest not in forgive},
            clock=self.clock,
        )

    def finish(self, run: int, status: str, **ending: Any) -> None:
        ending["seconds"] = self.clock.seconds()
        ending["stages"] = self.clock.stages
        ending["resources"] = self.resources.used()
        self.store.finish_run(run, status, msgspec.json.encode(ending).decode())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@contextmanager
def _session(config: Config, **options: bool) -> Iterator[_Session]:
    session = _Session(config, **options)
    try:
        yield session
    finally:
        session.store.close()


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

    `source` is a path, glob or folder, a sequence of these, "-" for standard input, or an iterable of dicts,
    Memory objects or JSON texts. `store` and `format` go before what `config` says. With `dry_run` everything
    happens and is rolled back. An observer is called with each batch's plan and tally after its commit.

    Raises ConfigError, SourceError or StoreError; bad records are rejected, not raised.
    """
    config = _with(config or Config(), store, format).check()
    if config.validation.timing == "only":
        return validate(source, config=config)
    files, values = _input(source)
    if config.validation.timing == "before":
        checked = _check_before(files, values, config)
        if checked is not None:
            return checked
    with (
        _session(config, dry_run=dry_run, wait=wait) as session,
        Stop().listening() as stop,
        collected_by_batch(),
    ):
        raws = _raws(files, values, config, Checkpoint())
        raws, format_name = _detected(raws, config)
        first_key = session.store.next_key()
        run = session.store.begin_run(
            kind="load",
            parent=None,
            format=format_name,
            sources=_json({"files": files, "first_memory": first_key}),
            config=_json(to_plain(config)),
        )
        batches = prepared(raws, session.prepare(format_name), config.batch.workers, session.clock)
        outcome = session.loader(run, first_key).load(batches, stop, observers=observers)
        session.finish(run, outcome.status)
        return _report(session.store, run, config)


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
    config = _with(config or Config(), store, None)
    with open_once(config.store) as reader:
        row = _resumable(reader.runs(), run)
        if row is None:
            return None
        config = _resumed_config(row, config)
    with _session(config, wait=wait) as session, Stop().listening() as stop, collected_by_batch():
        begun = msgspec.json.decode(row.sources)
        files = msgspec.convert(begun["files"], list[SourceFile])
        number, checkpoint = checkpoint_of(session.store, row.run)
        _refuse_changed(files[checkpoint.source :], row.run, force)
        earlier = [_tally(batch.tally) for batch in session.store.batches(row.run)]
        if Breaker(config.tolerance, earlier).is_broken():
            raise ConfigError(
                f"run {row.run} stopped because its tolerance was reached: resume it with a raised "
                "--max-errors or --max-error-rate"
            )
        session.store.reopen_run(row.run, _json(to_plain(config)))
        raws = _raws(files, None, config, checkpoint)
        batches = prepared(raws, session.prepare(row.format), config.batch.workers, session.clock)
        loader = session.loader(row.run, MemoryKey(begun["first_memory"]))
        outcome = loader.load(batches, stop, first_number=number, earlier=earlier, observers=observers)
        session.finish(row.run, outcome.status, resumed_from=msgspec.to_builtins(checkpoint))
        return _report(session.store, row.run, config)


def retry(
    run: int,
    *,
    store: str | None = None,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
    wait: bool = False,
    observers: Sequence[Observer] = (),
) -> Report:
    """Send the open rejects of a run through again, as a new run; each success marks its reject resolved."""
    config = _with(config or Config(), store, None).check()
    with _session(config, wait=wait) as session, Stop().listening() as stop, collected_by_batch():
        row = next((row for row in session.store.runs() if row.run == run), None)
        if row is None:
            raise ConfigError(f"there is no run {run} in {hide_password(config.store)}: see `membatch runs`")
        if row.status == "undone":
            raise ConfigError(f"run {run} was undone: its rejects count as absent")
        rejects = [
            reject
            for reject in session.store.rejects(run)
            if reject.resolved_by is None and reject.raw_length is None and reject.raw
        ]
        begun = msgspec.json.decode(row.sources)
        first_key = session.store.next_key()
        new_run = session.store.begin_run(
            kind="retry",
            parent=run,
            format=format or row.format,
            sources=_json({"files": begun["files"], "first_memory": first_key}),
            config=_json(to_plain(config)),
        )
        numbers: dict[Position, int] = {}

        def batches() -> Iterator[Batch]:
            for name, raw in _raws_of_rejects(rejects, row.format, format, batch_size(config), numbers):
                yield session.prepare(name)(raw)

        def resolve(plan: Plan) -> list[int]:
            return [
                numbers[plan.batch.positions[step.record]]
                for step in plan.steps
                if not isinstance(step, Reject) and plan.batch.positions[step.record] in numbers
            ]

        forgive = frozenset(session.store.conflicting_digests())
        loader = session.loader(new_run, first_key, forgive=forgive)
        outcome = loader.load(batches(), stop, observers=observers, resolve=resolve)
        session.finish(new_run, outcome.status)
        return _report(session.store, new_run, config)


def validate(
    source: Input,
    *,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
) -> Report:
    """Check all records of a source and return the report; no store is touched."""
    config = _with(config or Config(), None, format).check()
    files, values = _input(source)
    clock, resources, started = Clock(), Resources(), now()
    with Stop().listening() as stop, collected_by_batch():
        raws, format_name = _detected(_raws(files, values, config, Checkpoint()), config)
        breaker = Breaker(config.tolerance)
        tallies: list[Tally] = []
        samples: list[dict[str, Any]] = []
        status = "done"
        names = [file.path for file in files]
        for batch in prepared(raws, Prepare(config, format_name), config.batch.workers, clock):
            cut = breaker.count([_category(batch.rejections.get(record)) for record in range(len(batch))])
            steps = [Reject(record, rejection) for record, rejection in batch.rejections.items()]
            tally = tally_of(Plan(batch=batch, steps=steps, refusals={}, scores={}))
            tally.counts.read = tally.size = len(batch) if cut is None else cut
            if cut is not None:
                kept = [step for step in steps if step.record < cut]
                tally = tally_of(Plan(batch=batch, steps=kept, refusals={}, scores={}))
                tally.counts.read = tally.size = cut
                steps = kept
            tally.counts.valid = tally.counts.read - tally.counts.rejected
            tally.counts.warnings = _warnings(tally, batch, tally.counts.read)
            tally.stages, tally.seconds, tally.cpu_percent = clock.lap()
            tally.rss_bytes = resources.resident_bytes()
            tallies.append(tally)
            for step in steps[: MAX_SAMPLES - len(samples)]:
                samples.append(_live_sample(step.rejection, batch.positions[step.record], names, config.redact))
            if cut is not None:
                status = "stopped"
                break
            if stop.requested:
                status = "interrupted"
                break
    return report_of(
        Account(
            run_id=None,
            kind="validate",
            status=status,
            started_at=started,
            finished_at=now(),
            sources=names,
            store=None,
            config=to_plain(config),
            batches=tallies,
            samples=samples,
            ending={"seconds": clock.seconds(), "resources": resources.used()},
        )
    )


def report(run: int | None = None, *, store: str | None = None, redact: bool = False) -> Report:
    """Return the report of a run (by default the latest) from the store."""
    config = _with(Config(redact=redact), store, None)
    with open_once(config.store) as reader:
        rows = reader.runs()
        if not rows:
            raise ConfigError(f"there is no run in {hide_password(config.store)} yet")
        numbers = [row.run for row in rows]
        wanted = numbers[-1] if run is None else run
        if wanted not in numbers:
            raise ConfigError(f"there is no run {wanted} in {hide_password(config.store)}: see `membatch runs`")
        return _report(reader, wanted, config)


def list_runs(url: str) -> list[dict[str, Any]]:
    """Return all runs of a store with their counts, the oldest first."""
    found = []
    with open_once(url) as reader:
        for row in reader.runs():
            total = Tally()
            for batch in reader.batches(row.run):
                add(total, _tally(batch.tally))
            found.append(
                {
                    "run_id": row.run,
                    "kind": row.kind,
                    "status": status_of(row),
                    "parent": row.parent,
                    "started_at": row.started_at,
                    "finished_at": row.finished_at,
                    "counts": msgspec.to_builtins(total.counts),
                }
            )
    return found


def list_rejects(run: int | None, url: str) -> Iterator[str]:
    """Yield the rejected records of a run (by default of the latest) as JSON lines."""
    with open_once(url) as reader:
        rows = reader.runs()
        row = next((row for row in reversed(rows) if run is None or row.run == run), None)
        if row is None:
            raise ConfigError(f"there is no run {run or ''} in {hide_password(url)}: see `membatch runs`")
        names = [file["path"] for file in msgspec.json.decode(row.sources)["files"]]
        for reject in reader.rejects(row.run):
            entry = reject._asdict()
            entry["source"] = names[reject.source]
            entry["errors"] = msgspec.json.decode(reject.errors)
            entry["advice"] = CODES[reject.code].advice if reject.code in CODES else None
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


def status_of(row: RunRow, is_held: bool = False) -> str:
    """Return the status of a run; one that says it is running while nobody writes was interrupted."""
    return "interrupted" if row.status == "running" and not is_held else row.status


def _with(config: Config, store: str | None, format_name: str | None) -> Config:
    if store is not None:
        config = msgspec.structs.replace(config, store=store)
    if format_name is not None:
        config = msgspec.structs.replace(config, format=format_name)
    if config.format is not None and config.format not in known_formats():
        raise ConfigError(f"unknown format {config.format!r}: known are {', '.join(known_formats())}")
    return config


def _input(source: Input) -> tuple[list[SourceFile], Iterable[Any] | None]:
    if isinstance(source, str | os.PathLike):
        source = [source]
    if isinstance(source, Sequence) and all(isinstance(name, str | os.PathLike) for name in source):
        if not source:
            raise SourceError("no source was named")
        return [sources.look_at(path) for path in sources.expand(source)], None
    return [SourceFile(ITERABLE)], source


def _raws(
    files: list[SourceFile], values: Iterable[Any] | None, config: Config, after: Checkpoint
) -> Iterator[RawBatch]:
    def size() -> int:
        return batch_size(config)

    if values is None:
        return sources.read(files, after, config.source, size)
    chunks = sources.chunks_of(values, config.source.max_record_bytes)
    return sources.batches(chunks, after, size)


def _detected(raws: Iterator[RawBatch], config: Config) -> tuple[Iterator[RawBatch], str]:
    """Return the raw batches, and the format: the one that is named, else `membatch` unless one is unmistakable."""
    if config.format is not None:
        return raws, config.format
    first = next(raws, None)
    if first is None:
        return iter(()), NATIVE
    raws = itertools.chain([first], raws)
    for number, item in enumerate(first.items):
        if number in first.rejected:
            continue
        try:
            value = msgspec.json.decode(item)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        fits = [name for name, format_ in known_formats().items() if format_.recognises(value)]
        if NATIVE in fits or not fits:
            return raws, NATIVE
        if len(fits) > 1:
            raise ConfigError(f"the source could be {' or '.join(fits)}: say which with --format")
        return raws, fits[0]
    return raws, NATIVE


def _check_before(files: list[SourceFile], values: Iterable[Any] | None, config: Config) -> Report | None:
    """Return the report of a validation that broke the tolerance, or None if the load may begin."""
    if values is not None or any(file.path == STANDARD_INPUT for file in files):
        raise ConfigError('validation.timing = "before" reads the source twice: name files, not a stream')
    checked = validate([file.path for file in files], config=config)
    return checked if checked.status != "done" else None


def _resumable(rows: list[RunRow], run: int | None) -> RunRow | None:
    open_rows = [row for row in rows if row.kind == "load" and status_of(row) in ("interrupted", "stopped")]
    if run is None:
        return open_rows[-1] if open_rows else None
    row = next((row for row in rows if row.run == run), None)
    if row is None:
        raise ConfigError(f"there is no run {run}: see `membatch runs`")
    if row.kind == "retry":
        raise ConfigError(f"run {run} is a retry: retry run {row.parent} again, what succeeded is marked")
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


def _refuse_changed(files: list[SourceFile], run: int, force: bool) -> None:
    for file in files:
        if file.path in (ITERABLE, STANDARD_INPUT):
            raise SourceError(
                f"run {run} read a stream, which cannot be read again: run the whole input again, what is stored "
                "will be recognised"
            )
        change = None if force else sources.changes(file)
        if change is not None:
            raise SourceError(f"{change}: resume would skip or repeat records; use --force if you know it is safe")


def _raws_of_rejects(
    rejects: list[Any], run_format: str, given: str | None, size: int, numbers: dict[Position, int]
) -> Iterator[tuple[str, RawBatch]]:
    """Yield rejects as raw batches, each with its format, noting which position is which reject."""

    def kind(reject: Any) -> tuple[str, bool]:
        if reject.format == ROW:
            return given or run_format, True
        return (reject.format or given or run_format), False

    for (name, flat), group in itertools.groupby(rejects, key=kind):
        for some in _batched(group, size):  # itertools.batched came with Python 3.12
            positions = [Position(item.source, item.line, item.offset, item.item_index) for item in some]
            numbers.update(zip(positions, [item.reject for item in some], strict=True))
            yield (
                name,
                RawBatch(
                    items=[item.raw for item in some],
                    positions=positions,
                    rejected={},
                    skip=0,
                    after=Checkpoint(),
                    flat=flat,
                ),
            )


def _batched(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    iterator = iter(items)
    while some := tuple(itertools.islice(iterator, size)):
        yield some


def _report(store: Store, run: int, config: Config) -> Report:
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
    return report_of(
        Account(
            run_id=run,
            kind=row.kind,
            status=status_of(row),
            started_at=row.started_at,
            finished_at=row.finished_at,
            sources=names,
            store=hide_password(config.store),
            config=msgspec.json.decode(row.config),
            batches=[_tally(batch.tally) for batch in store.batches(run)],
            samples=samples,
            ending=msgspec.json.decode(row.summary) if row.summary else {},
        )
    )


def _tally(text: str) -> Tally:
    return msgspec.json.decode(text, type=Tally)


def _category(rejection: Rejection | None) -> Any:
    return None if rejection is None else rejection.category


def _warnings(tally: Tally, batch: Batch, read: int) -> int:
    tally.warnings = {}
    count = 0
    for record, warnings in batch.warnings.items():
        if record < read:
            count += len(warnings)
            for warning in warnings:
                tally.warnings[warning.code] = tally.warnings.get(warning.code, 0) + 1
    return count


def _live_sample(rejection: Rejection, position: Position, names: list[str], redact: bool) -> dict[str, Any]:
    return sample_of(
        names[position.source],
        position.line,
        position.offset,
        category=rejection.category,
        code=rejection.code,
        message=rejection.message,
        errors=msgspec.to_builtins(rejection.errors),
        raw=rejection.raw,
        redact=redact,
    )


__all__ = ["MembatchError", "Observer", "process", "report", "resume", "retry", "validate"]
