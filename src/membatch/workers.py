"""Batches prepared in this process, or ahead of it in worker processes.

Rule: batches come out in the order in which they went in; no worker outlives the main process.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from membatch import signals
from membatch.errors import SurroundingsError
from membatch.monitor import Clock
from membatch.plan import Batch, RawBatch
from membatch.prepare import Prepare

_worker: Prepare | None = None


def _start_worker(prepare: Prepare) -> None:
    global _worker
    _worker = prepare
    gc.disable()
    signals.ignore()  # the main process decides when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # where one worker has died, the pool ends the others by it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the main process is gone, however it went: it would wait for ever, and hold its locks."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(raw: RawBatch) -> Batch:
    if _worker is None:
        raise RuntimeError("the worker was not started")
    return _worker(raw)


def prepared(raws: Iterable[RawBatch], prepare: Prepare, workers: int, clock: Clock) -> Iterator[Batch]:
    """Yield the batches of raw batches in their order; with several workers the next ones are under way."""
    source = _timed(iter(raws), clock)
    if workers == 1:
        for raw in source:
            with clock.stage("decode"):
                batch = prepare(raw)
            yield batch
        return
    pool = ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(prepare,))
    try:
        ahead: list[Future[Batch]] = []
        for raw in source:
            ahead.append(pool.submit(_in_worker, raw))
            if len(ahead) > workers:
                with clock.stage("decode"):
                    batch = ahead.pop(0).result()
                yield batch
        for future in ahead:
            yield future.result()
    except BrokenProcessPool as error:
        message = "a worker process died, perhaps of too little memory: resume, with fewer --workers"
        raise SurroundingsError(message) from error
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # it is ending already
            pool.shutdown(cancel_futures=True)


def _timed(raws: Iterator[RawBatch], clock: Clock) -> Iterator[RawBatch]:
    while True:
        with clock.stage("read"):
            raw = next(raws, None)
        if raw is None:
            return
        yield raw
