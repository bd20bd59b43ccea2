"""Sending rejects through again, as a new run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from membatch.config import Config, hide_password, to_plain
from membatch.errors import ConfigError
from membatch.layout import Document
from membatch.plan import Batch, Checkpoint, MemoryKey, Plan, Position, RawBatch, Reached, Reject
from membatch.prepare import ROW, Prepare
from membatch.report import Report
from membatch.report.tally import Tally
from membatch.run import Observer, Outcome, Stop, collected_by_batch
from membatch.runs.accounts import open_once, report_from
from membatch.runs.inputs import format_named, with_choices
from membatch.runs.session import Session, opened_session, to_json
from membatch.source import MOST_BYTES, SourceFile, document_of
from membatch.store import RejectRow, RunRow, Store


def retry(
    run: int,
    *,
    store: str | None = None,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
    wait: bool = False,
    observers: Sequence[Observer] = (),
) -> Report | None:
    """Send the open rejects of a run through again, as a new run; each success marks its reject resolved.

    Returns None where none is open. A reject of which only the beginning was kept (over the limit) stays as it is.
    """
    config = with_choices(config or Config(), store, None).check()
    if format is not None:
        format_named(format)
    with open_once(config.store) as reader:
        if _retryable(reader, run, config) is None:
            return None
    with opened_session(config, wait=wait) as session, Stop().listening() as stop, collected_by_batch():
        row = _retryable(session.store, run, config)
        if row is None:
            return None  # another retry brought them in while we waited for the lease
        begun = msgspec.json.decode(row.sources)
        config = session.config = _as_before(row.config, config)
        first_key = session.store.next_key()
        sources = {"files": begun["files"], "folder": begun.get("folder"), "first_memory": first_key}
        new_run = session.store.begin_run(
            kind="retry",
            parent=run,
            format=format or row.format,
            sources=to_json(sources),
            config=to_json(to_plain(config)),
        )
        row = next(row for row in session.store.runs() if row.run == new_run)
        outcome = retried(session, row, stop, observers=observers)
        session.finish(new_run, outcome.status)
        return report_from(session.store, new_run, config)


def retried(
    session: Session,
    row: RunRow,
    stop: Stop,
    *,
    after: tuple[int, Checkpoint] = (1, Checkpoint()),
    earlier: Sequence[Tally] = (),
    observers: Sequence[Observer] = (),
) -> Outcome:
    """Send the rejects of a retry's parent through, from batch and checkpoint on; return how it ended."""
    assert row.parent is not None, "a retry has a parent"
    number, checkpoint = after
    refused = session.store.conflicting_digests(row.run)  # what earlier runs refused gets another chance
    loader = session.loader(row.run, MemoryKey(msgspec.json.decode(row.sources)["first_memory"]), refused=refused)
    with open_once(session.config.store) as reader:  # reads ahead while the session writes
        begun = msgspec.convert(msgspec.json.decode(row.sources)["files"], list[SourceFile])
        again = _Again(reader.rejects(row.parent, checkpoint.line - 1), row, session.batch_size, checkpoint)
        batches = again.batches(session.prepare, {number: document_of(file) for number, file in enumerate(begun)})
        return loader.load(batches, stop, first_number=number, earlier=earlier, observers=observers, origin=again)


def _retryable(store: Store, run: int, config: Config) -> RunRow | None:
    """Return a run with rejects that can be sent through again, None where it has none; raises ConfigError."""
    row = next((row for row in store.runs() if row.run == run), None)
    if row is None:
        raise ConfigError(f"there is no run {run} in {hide_password(config.store)}: see `membatch runs`")
    if row.status == "undone":
        raise ConfigError(f"run {run} was undone: its rejects count as absent")
    return row if any(reject.resolved_by is None and _is_whole(reject) for reject in store.rejects(run)) else None


def _is_whole(reject: RejectRow) -> bool:
    return reject.raw_length is None and bool(reject.raw)


def _as_before(stored: str, given: Config) -> Config:
    """Return the settings with what the run said of how items are converted, where the call says nothing of it."""
    before = msgspec.json.decode(stored)
    return msgspec.structs.replace(
        given,
        per=given.per or before.get("per"),
        mapping=given.mapping or before.get("mapping") or {},
    )


class _Again:
    """The rejects of a run on their way through again; knows which record came from which reject.

    Positions are those in the run's sources; several rejects may stand in one item of these, and give several records
    each, so that `reached` says which reject a record came from, and which index its first one has. Checkpoints say,
    in `line`, which reject comes next, in `index` how many of its records are done.
    """

    def __init__(self, rejects: Iterator[RejectRow], row: RunRow, size: Callable[[], int], after: Checkpoint) -> None:
        self._rejects, self._format, self._size = rejects, row.format, size
        self._first, self._skip = after.line, after.index

    def batches(self, prepare: Callable[[str], Prepare], documents: dict[int, Document]) -> Iterator[Batch]:
        """Yield the rejects as prepared batches, each with its format; documents are those of the run's sources."""
        ready: dict[str, Prepare] = {}
        for some in self._groups():
            name, is_flat = self._kind(some[0])
            if name not in ready:
                ready[name] = prepare(name)
            raw = RawBatch(
                items=[item.raw for item in some],
                positions=[_position(item) for item in some],
                rejected={},
                skip=self._skip if some[0].reject == self._first else 0,
                after=Checkpoint(),
                flat=is_flat,
                documents=documents,
            )
            yield ready[name](raw)

    def _groups(self) -> Iterator[list[RejectRow]]:
        some: list[RejectRow] = []
        held = 0
        for reject in self._rejects:
            if not self._is_open(reject):
                continue
            if some and (len(some) >= self._size() or held > MOST_BYTES or self._kind(reject) != self._kind(some[0])):
                yield some
                some, held = [], 0
            some.append(reject)
            held += len(reject.raw)
        if some:
            yield some

    def _is_open(self, reject: RejectRow) -> bool:
        return _is_whole(reject) and (reject.resolved_by is None or (reject.reject == self._first and self._skip > 0))

    def _kind(self, reject: RejectRow) -> tuple[str, bool]:
        return (self._format, True) if reject.format == ROW else (reject.format or self._format, False)

    def resolved(self, plan: Plan) -> list[int]:
        """Return the rejects whose first record the plan brings in."""
        found = [_origin(plan.batch.positions[step.record]) for step in plan.steps if not isinstance(step, Reject)]
        return [reject for reject, record in found if record == 0]

    def checkpoint(self, plan: Plan) -> Checkpoint:
        """Return where the retry goes on after the plan: in the reject of its last record, after that record."""
        reject, record = _origin(plan.batch.positions[len(plan.steps) - 1])
        return Checkpoint(line=reject, index=record + 1)


def _position(item: RejectRow) -> Position:
    reached = Reached(item.reject, item.item_index)
    return Position(item.source, item.line, item.offset, item.item_index, reached=reached)


def _origin(position: Position) -> tuple[int, int]:
    """Return the reject that a record came from, and which of its records it is."""
    reached = position.reached
    assert reached is not None, "a retry reads rejects only"
    assert isinstance(reached.key, int), "which have numbers"
    return reached.key, position.index - reached.count
