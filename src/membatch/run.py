"""The loop: batches, retries, isolation, tolerance, checkpoint; it alone joins core and I/O.

Rule: nothing is decided before the batch before it has committed; what was not committed never happened.
"""

from __future__ import annotations

import gc
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from membatch import signals
from membatch.config import Config
from membatch.decide import UndecidedError, decide
from membatch.errors import RefusedError, SurroundingsError, TransientError
from membatch.isolation import refused_step, without
from membatch.monitor import COLLECTING, Clock
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
from membatch.store import Store, Transaction
from membatch.threads import other_thread
from membatch.tolerance import Breaker

if TYPE_CHECKING:
    from membatch.similarity.index import Index

MAX_ATTEMPTS: Final = 6
_ENDLESS: Final = 1 << 62
_LEAST_REACH: Final = 8
FIRST_BACKOFF_SECONDS: Final = 0.1
SWITCH_SECONDS: Final = 0.0002

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
def writer_thread() -> Iterator[ThreadPoolExecutor]:
    """Give a thread that writes batches.

    In the main thread others get their turn more often meanwhile: the writer needs the interpreter seldom, and then
    for moments. Measured (`benchmarks/load.py`): at Python's 5 ms it waits longer than it works.
    """
    before, is_main = sys.getswitchinterval(), threading.current_thread() is threading.main_thread()
    if is_main:
        sys.setswitchinterval(min(before, SWITCH_SECONDS))
    try:
        with other_thread("writer") as writer:  # nobody may close the connection under it
            yield writer
    finally:
        if is_main:
            sys.setswitchinterval(before)


@contextmanager
def collected_by_batch() -> Iterator[None]:
    """Keep the garbage collector out of the hot loops: what is there is frozen, what comes is collected by batch.

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


class Ahead:
    """An iterator whose next item can be worked out before it is asked for, while something else is waited for."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)
        self._ready: Batch | None = None
        self._fault: BaseException | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._ready is None:
            self.prefetch()
        if self._fault is not None:
            raise self._fault
        batch, self._ready = self._ready, None
        if batch is None:
            raise StopIteration
        return batch

    def prefetch(self) -> None:
        """Work the next item out; what goes wrong is raised when it is asked for."""
        if self._ready is None and self._fault is None:
            try:
                self._ready = next(self._batches, None)
            except Exception as fault:
                self._fault = fault


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
        self._compared = 0
        self._reach = _ENDLESS  # records that are looked at at once; fewer where the plan of a batch ended early
        self._isolated = self._refusals = 0  # of the batch in hand
        self._locked = self._waited = 0.0  # seconds that the last transaction took, and that its commit waited
        self._next_key = store.next_key()
        self._merged_away = store.merged_away()
        self._ahead = Ahead(())

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
        self._ahead = Ahead(batches)
        tallies: list[Tally] = []
        with writer_thread() as self._writer:
            for whole in self._ahead:
                start = 0
                while start < len(whole):
                    batch = sliced(whole, start, start + min(self._sizer.size, self._reach))
                    plan, tally, is_broken = self._commit(batch, breaker, first_number + len(tallies), origin)
                    start += len(plan.steps)
                    is_whole = len(plan.steps) == len(batch)
                    self._reach = 2 * (self._reach if is_whole else max(_LEAST_REACH, len(plan.steps)))
                    tallies.append(tally)
                    for observer in observers:
                        observer(plan, tally)
                    del batch, plan  # what is gone need not be looked through
                    gc.collect(1)
                    self._resize(tally, len(whole))
                    if is_broken:
                        return Outcome("stopped", tallies)
                    if stop.requested:
                        return Outcome("interrupted", tallies)
        return Outcome("done", tallies)

    def _resize(self, tally: Tally, prepared: int) -> None:
        cost = tally.cpu_seconds + self._waited
        held, read = tally.rss_bytes, tally.read_bytes
        seen = Observation(tally.counts.read, cost, self._locked, held, read, tally.retries, prepared)
        changed = self._sizer.observe(seen)
        if changed is not None:
            self._change = Change(*changed)

    def _commit(self, batch: Batch, breaker: Breaker, number: int, origin: Origin | None) -> tuple[Plan, Tally, bool]:
        with self._clock.stage("match"):
            oldest = self._first_of_run if self._rules.only_run else MemoryKey(1)
            hits = self._index.find(batch, self._store.fetch, oldest, self._others)
            batch, self._compared = sliced(batch, 0, hits.length), hits.compared
            rows = self._store.fetch(hits.memories())
        self._isolated = self._refusals = 0
        plan = self._decide(batch, hits, rows)
        while True:
            try:
                plan, tally, is_broken = self._write(plan, breaker, number, origin)
                break
            except RefusedError as error:
                if self._config.batch.isolation == "run":
                    raise
                self._refusals += 1
                guilty, why = refused_step(self._store, plan, error)
                plan = self._decide(self._without(plan.batch, guilty, why), hits, rows)
        self._next_key = MemoryKey(self._next_key + tally.counts.inserted + tally.counts.held)
        with self._clock.stage("match"):
            self._index.advance(plan)
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
        breaker: Breaker,
        number: int,
        origin: Origin | None,
    ) -> tuple[Plan, Tally, bool]:
        trial = breaker.copy()
        rejected = [step for step in plan.others if isinstance(step, Reject)]
        cut = trial.count(len(plan.steps), [(step.record, step.rejection.category) for step in rejected])
        if cut is not None:
            plan = plan.prefix(cut)
        tally = tally_of(plan, breaker.read)
        tally.isolated = self._isolated
        tally.rollbacks = self._refusals
        tally.pairs_compared = self._compared
        tally.target, tally.change = self._sizer.size, self._change
        tally.measured(self._clock.lap())
        for attempt in range(MAX_ATTEMPTS):
            tally.retries = attempt
            try:
                writing = self._begin_writing(plan, number, tally, origin)
                self._ahead.prefetch()  # the database works without the interpreter's lock
                writing.result()
                break
            except TransientError as error:
                if attempt == MAX_ATTEMPTS - 1:
                    message = f"{error}: {MAX_ATTEMPTS} attempts failed; resume when the store is free"
                    raise SurroundingsError(message) from error
                tally.rollbacks += 1
                time.sleep(FIRST_BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        breaker.become(trial)
        for step in rejected[: tally.counts.rejected]:
            if step.rejection.code == "id-conflict" and step.rejection.digest:
                self._refused.add(step.rejection.digest)
        return plan, tally, cut is not None

    def _begin_writing(self, plan: Plan, number: int, tally: Tally, origin: Origin | None) -> Future[None]:
        """Lay out the transaction of a plan and its tally, and have it written and committed by the other thread.

        What is the interpreter's work is done here: in two threads at once it takes longer than one after the other.
        """
        encoded, opened = msgspec.json.encode(tally), time.perf_counter()
        with ExitStack() as block, self._clock.stage("write"):
            transaction = block.enter_context(self._store.transaction(self._run, number))
            transaction.lay_out(plan, plan.checkpoint() if origin is None else origin.checkpoint(plan), encoded)
            if origin is not None:
                transaction.resolve(origin.resolved(plan))
            return self._writer.submit(self._end_writing, block.pop_all(), transaction, opened)

    def _end_writing(self, block: ExitStack, transaction: Transaction, opened: float) -> None:
        with block:
            with self._clock.stage("write"):
                transaction.apply()
            begun, cpu = time.perf_counter(), time.thread_time()
        ended, cpu = time.perf_counter(), time.thread_time() - cpu
        self._clock.add("commit", ended - begun, cpu)
        self._locked, self._waited, self._change = ended - opened, ended - begun - cpu, None


def checkpoint_of(store: Store, run: int) -> tuple[int, Checkpoint]:
    """Return the number of a run's next batch, and where it goes on."""
    last = store.last_batch(run)
    return (1, Checkpoint()) if last is None else (last[0] + 1, last[1])
