"""Batches written and committed by another thread, beside the interpreter's work.

Rule: what is the interpreter's work is done by the thread that decides: in two threads at once it takes longer than
one after the other. The database works without the interpreter's lock.
Data in: plans, in order. Data out: futures that are done when the plan is committed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final, TypeVar

from membatch import signals
from membatch.monitor import Clock
from membatch.plan import Checkpoint, Plan
from membatch.store import Transaction, Write
from membatch.threads import other_thread

SWITCH_SECONDS: Final = 0.00005

Result = TypeVar("Result")


class Writer:
    """Another thread that writes one batch after the other; what it is given to do comes after that."""

    def __init__(self, thread: ThreadPoolExecutor, clock: Clock) -> None:
        self._thread, self._clock = thread, clock
        self._block = ExitStack()  # of the transaction that is being ended
        self._is_ending = False
        self.locked = self.waited = 0.0  # seconds that the last transaction took, and that its commit waited

    @contextmanager
    def begin(
        self, transaction: AbstractContextManager[Transaction], plan: Plan, checkpoint: Checkpoint
    ) -> Iterator[Callable[[bytes, Iterable[int]], Future[None]]]:
        """Begin to write a plan; what the block is given takes its tally and resolved rejects, and ends the writing.

        The new memories are written already while the block works these out. Raises what opening a transaction and
        laying out raise; what writing raises, the future does.
        """
        opened, self._is_ending = time.perf_counter(), False
        with ExitStack() as block:
            with self._clock.stage("write"):
                entered = block.enter_context(transaction)
                write = entered.lay_out(plan, checkpoint)
                block.callback(self._wait)  # before there is anything to wait for: a signal may come in between
                first = self._thread.submit(_timed, write)

            def end(tally: bytes, resolved: Iterable[int]) -> Future[None]:
                with self._clock.stage("write"):
                    rest = entered.lay_out_rest(tally, resolved)
                self._block = block.pop_all()  # kept, whatever comes: dropped, it would be rolled back
                return self._thread.submit(self._end, self._block, first, rest, opened)

            yield end

    def then(self, function: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Have something done after all that was begun."""
        return self._thread.submit(function, *arguments)

    def _wait(self) -> None:
        """Wait until the other thread is idle, so that nothing is rolled back under it; no signal ends that."""
        if not self._is_ending:
            with signals.ignored():
                self._thread.submit(int).result()

    def _end(self, block: ExitStack, first: Future[tuple[float, float]], rest: Write, opened: float) -> None:
        self._is_ending = True
        with block:
            for seconds, cpu_seconds in (first.result(), _timed(rest)):
                self._clock.add("write", seconds, cpu_seconds)
            begun, cpu = time.perf_counter(), time.thread_time()
        ended, cpu = time.perf_counter(), time.thread_time() - cpu
        self._clock.add("commit", ended - begun, cpu)
        self.locked, self.waited = ended - opened, ended - begun - cpu


def _timed(write: Write) -> tuple[float, float]:
    """Return how many seconds writing took, and how many of CPU."""
    begun, cpu = time.perf_counter(), time.thread_time()
    write()
    return time.perf_counter() - begun, time.thread_time() - cpu


@contextmanager
def writer_thread(clock: Clock) -> Iterator[Writer]:
    """Give a thread that writes batches.

    In the main thread others get their turn more often meanwhile: the writer needs the interpreter seldom, and then
    for moments. Measured (`benchmarks/load.py`): at Python's 5 ms it waits longer than it works.
    """
    before, is_main = sys.getswitchinterval(), threading.current_thread() is threading.main_thread()
    if is_main:
        sys.setswitchinterval(min(before, SWITCH_SECONDS))
    try:
        with other_thread("writer") as thread:  # nobody may close the connection under it
            yield Writer(thread, clock)
    finally:
        if is_main:
            sys.setswitchinterval(before)
