"""The loop: batches, retries, isolation, tolerance, checkpoint; it alone joins core and I/O.

Rule: nothing is decided before the batch before it has committed; what was not committed never happened.
"""

from __future__ import annotations

import gc
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from membatch import signals
from membatch.ahead import Ahead
from membatch.config import Config
from membatch.decide import UndecidedError, decide
from membatch.errors import RefusedError, SurroundingsError, TransientError
from membatch.isolation import refused_step, without
from membatch.monitor import COLLECTING, Clock, Lap
from membatch.plan import (
    Batch,
    Checkpoint,
    Digest,
    Hits,
    MemoryKey,
    Plan,
    Reject,
    StoredRow,
    sliced,
)
from membatch.report.tally import Change, Tally, tally_of
from membatch.rules import Rules
from membatch.sizing import Observation, Sizer
from membatch.store import Store
from membatch.tolerance import Breaker
from membatch.writing import writer_thread

if TYPE_CHECKING:
    from membatch.similarity.index import Index

MAX_ATTEMPTS: Final = 6
_ENDLESS: Final = 1 << 62
_LEAST_REACH: Final = 8
_COLLECTED_TOGETHER: Final = 4  # batches
FIRST_BACKOFF_SECONDS: Final = 0.1

# An observer gets each batch's plan and statistics after it has committed.
Observer = Callable[[Plan, Tally], None]


class Origin(Protocol):
    """Where the records of a run come from, if not straight from its sources: from rejects of an earlier one."""

    def resolved(self, plan: Plan) -> list[int]:
        """Return the rejects that a plan brings in."""

    def checkpoint(self, plan: Plan) -> Checkpoint:
        """Return where the run goes on after a plan."""


class Outcome(NamedTuple):
    """How the loop ended: done, stopped by the tolerance, or interrupted."""

    status: str
    tallies: list[Tally]


class Stop:
    """Whether somebody asked the run to end: the first signal ends it after the batch in hand, the second at once."""

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Listen inside the block, where the thread may; a hangup that `nohup` has switched off stays so."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        hangup = getattr(signal, "SIGHUP", None)
        heard = [number for number in signals.ENDING if number != hangup or signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._receive) for number in heard}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # What is raised in a callback of the collector is lost; it runs just before `requested` is looked at.
        if self.requested and (frame is None or frame.f_code is not COLLECTING):
            signals.ignore()
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def collected_by_batch() -> Iterator[None]:
    """Keep the garbage collector out of the hot loops: what is there is frozen, what comes is collected by batches.

    Measured (`benchmarks/sizing.py --collector`): its share of a load falls by more than half. Nothing is collected
    before the freeze: that would take as long as all batches of a small load together. The state is put back at
    the end.
    """
    was_on = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


class Found(NamedTuple):
    """Records with what could be the same; `asked` is how many were looked up."""

    batch: Batch
    hits: Hits
    asked: int


class Loader:
    """Loads prepared batches into an open store, one transaction each."""

    def __init__(
        self,
        store: Store,
        index: Index,
        rules: Rules,
        config: Config,
        *,
        run: int,
        first_of_run: MemoryKey,
        others: frozenset[MemoryKey],
        refused: set[Digest],
        clock: Clock,
        sizer: Sizer,
    ) -> None:
        self._store, self._index, self._rules, self._config = store, index, rules, config
        self._run, self._first_of_run, self._others, self._refused = run, first_of_run, others, refused
        self._clock, self._sizer = clock, sizer
        self._change: Change | None = None  # of the batch size, noted with the batch that comes next
        self._reach = _ENDLESS  # records that are looked at at once; fewer where the plan of a batch ended early
        self._isolated = self._refusals = 0  # of the batch in hand
        self._next_key = store.next_key()
        self._merged_away = store.merged_away()
        self._ahead, self._stop = Ahead(()), Stop()
        self._looking: Future[Found | None] | None = None  # gives what comes next, looked up

    def load(
        self,
        batches: Iterable[Batch],
        stop: Stop,
        *,
        first_number: int = 1,
        earlier: Iterable[Tally] = (),
        observers: Iterable[Observer] = (),
        origin: Origin | None = None,
    ) -> Outcome:
        """Decide and commit batch after batch until the input ends, the tolerance breaks or a stop is asked for."""
        breaker = Breaker(self._config.tolerance, earlier)
        self._ahead, self._looking, self._stop = Ahead(batches), None, stop
        tallies: list[Tally] = []
        with writer_thread(self._clock) as self._writer:
            while (found := self._next()) is not None:
                plan, tally, is_broken = self._commit(found, breaker, first_number + len(tallies), origin)
                prepared, self._reach = self._ahead.whole, self._reach_after(plan, found)
                self._ahead.done(len(plan.steps))
                tallies.append(tally)
                for observer in observers:
                    observer(plan, tally)
                del found, plan  # what is gone need not be looked through
                if len(tallies) % _COLLECTED_TOGETHER == 0:
                    gc.collect(1)
                self._resize(tally, prepared)
                if is_broken:
                    return Outcome("stopped", tallies)
                if stop.requested:
                    return Outcome("interrupted", tallies)
        return Outcome("done", tallies)

    def _reach_after(self, plan: Plan, found: Found) -> int:
        done = len(plan.steps)
        return 2 * (self._reach if done == found.asked else max(_LEAST_REACH, done))

    def _resize(self, tally: Tally, prepared: int) -> None:
        cost, locked = tally.cpu_seconds + self._writer.waited, self._writer.locked
        held, read = tally.rss_bytes, tally.read_bytes
        seen = Observation(tally.counts.read, cost, locked, held, read, tally.retries, prepared)
        changed = self._sizer.observe(seen)
        if changed is not None:
            self._change = Change(*changed)

    def _next(self) -> Found | None:
        found = None if self._looking is None else self._looking.result()
        if found is not None:
            return found
        piece = self._ahead.piece(min(self._sizer.size, self._reach))
        return None if piece is None else self._look_up(piece)

    def _look_up(self, piece: Batch) -> Found:
        with self._clock.stage("match"):
            oldest = self._first_of_run if self._rules.only_run else MemoryKey(1)
            hits = self._index.find(piece, self._store.fetch, oldest, self._others)
            return Found(sliced(piece, 0, hits.length), hits, len(piece))

    def _commit(self, found: Found, breaker: Breaker, number: int, origin: Origin | None) -> tuple[Plan, Tally, bool]:
        self._isolated = self._refusals = 0
        with self._clock.stage("match"):  # here, not where it was looked up: each row needs the interpreter
            rows = self._store.fetch(found.hits.memories())
        tidying = self._store.tidying(found.batch.read_bytes)
        tidied = None if tidying is None else self._writer.then(tidying)
        plan = self._decide(found.batch, found.hits, rows)
        if tidied is not None:
            tidied.result()
        while True:
            try:
                plan, tally, is_broken = self._write(plan, found, breaker, number, origin)
                break
            except RefusedError as error:
                if self._config.batch.isolation == "run":
                    raise
                self._refusals += 1
                guilty, why = refused_step(self._store, plan, error)
                plan = self._decide(self._without(plan.batch, guilty, why), found.hits, rows)
        self._next_key = MemoryKey(self._next_key + tally.counts.inserted + tally.counts.held)
        return plan, tally, is_broken

    def _decide(self, batch: Batch, hits: Hits, rows: dict[MemoryKey, StoredRow]) -> Plan:
        """Return the plan of a batch; a record about which deciding fails is isolated."""
        while True:
            try:
                with self._clock.stage("merge"):
                    return decide(
                        batch,
                        hits,
                        rows,
                        self._rules,
                        next_key=self._next_key,
                        first_of_run=self._first_of_run,
                        others=self._others,
                        refused=frozenset(self._refused),
                        merged_away=self._merged_away,
                    )
            except UndecidedError as undecided:
                cause = undecided.cause
                if self._config.batch.isolation == "run":
                    raise cause from None
                batch = self._without(batch, undecided.record, cause)

    def _without(self, batch: Batch, guilty: int, error: Exception) -> Batch:
        self._isolated += 1
        return without(batch, guilty, error, self._config.batch.isolation)

    def _write(
        self,
        plan: Plan,
        found: Found,
        breaker: Breaker,
        number: int,
        origin: Origin | None,
    ) -> tuple[Plan, Tally, bool]:
        trial = breaker.copy()
        rejected = [step for step in plan.others if isinstance(step, Reject)]
        cut = trial.count(len(plan.steps), [(step.record, step.rejection.category) for step in rejected])
        if cut is not None:
            plan = plan.prefix(cut)
        place = plan.checkpoint() if origin is None else origin.checkpoint(plan)
        lap = self._clock.lap()  # what writing takes is of the next one
        for attempt in range(MAX_ATTEMPTS):
            try:
                with self._writer.begin(self._store.transaction(self._run, number), plan, place) as end:
                    tally = self._tally(plan, found, breaker.read, lap)
                    tally.retries, tally.rollbacks = attempt, self._refusals + attempt
                    writing = end(msgspec.json.encode(tally), () if origin is None else origin.resolved(plan))
                self._go_on(writing, plan, found, is_last=cut is not None)
                break
            except TransientError as error:
                if attempt == MAX_ATTEMPTS - 1:
                    message = f"{error}: {MAX_ATTEMPTS} attempts failed; resume when the store is free"
                    raise SurroundingsError(message) from error
                time.sleep(FIRST_BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        self._change = None
        breaker.become(trial)
        for step in rejected[: tally.counts.rejected]:
            if step.rejection.code == "id-conflict" and step.rejection.digest:
                self._refused.add(step.rejection.digest)
        return plan, tally, cut is not None

    def _tally(self, plan: Plan, found: Found, before: int, lap: Lap) -> Tally:
        tally = tally_of(plan, before)
        tally.isolated = self._isolated
        tally.pairs_compared = found.hits.compared
        tally.target, tally.change = self._sizer.size, self._change
        tally.measured(lap)
        return tally

    def _go_on(self, writing: Future[None], plan: Plan, found: Found, *, is_last: bool) -> None:
        """Wait until a plan is committed; meanwhile prepare what comes, and have the next records looked up."""
        self._ahead.work_out(2)  # the first time there is none behind this one
        size = min(self._sizer.size, self._reach_after(plan, found))
        following = None if is_last else self._ahead.piece_behind(len(plan.steps), size)
        self._looking = self._writer.then(self._advance, writing, plan, following)
        self._ahead.work_out()
        writing.result()

    def _advance(self, writing: Future[None], plan: Plan, following: Batch | None) -> Found | None:
        """Make what was committed known, and look up what comes next; nothing where it could not be."""
        if writing.exception() is not None:
            return None
        with self._clock.stage("match"):
            self._index.advance(plan)
        return None if following is None or self._stop.requested else self._look_up(following)


def checkpoint_of(store: Store, run: int) -> tuple[int, Checkpoint]:
    """Return the number of a run's next batch, and where it goes on."""
    last = store.last_batch(run)
    return (1, Checkpoint()) if last is None else (last[0] + 1, last[1])
