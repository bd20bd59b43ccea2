"""Another thread for the length of a block.

Rule: the block is left when the thread has ended, so that nothing is closed under it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from membatch import signals


@contextlib.contextmanager
def other_thread(name: str) -> Iterator[ThreadPoolExecutor]:
    """Give a thread to submit work to; it is waited for at the end, and no signal ends that."""
    thread = ThreadPoolExecutor(1, f"membatch-{name}")
    try:
        yield thread
    finally:
        with signals.ignored():  # Python 3.11 takes a thread for ended whose `join` was interrupted
            thread.shutdown()
