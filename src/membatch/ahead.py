"""Batches worked out before they are asked for, and the pieces of them that come next.

Rule: what goes wrong while a batch is worked out is raised when that batch is asked for, not before.
Data in: an iterator of batches. Data out: pieces of one batch, in order, each seen before it is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from membatch.plan import Batch, sliced

MOST: Final = 3  # batches held: one being written, one being looked up, one being worked out


class Ahead:
    """The batches that come next; some are worked out already, while something else is waited for."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)
        self._ready: deque[Batch] = deque()
        self._start = 0  # records of the first that are done
        self._fault: Exception | None = None
        self._is_over = False

    @property
    def whole(self) -> int:
        """How many records the batch in hand has, whatever piece of it is looked at."""
        return len(self._ready[0])

    def work_out(self, most: int = MOST) -> None:
        """Work out one batch more, unless so many are there or the input is over."""
        if len(self._ready) < most and self._fault is None and not self._is_over:
            try:
                batch = next(self._batches, None)
            except Exception as fault:
                self._fault = fault
                return
            if batch is None:
                self._is_over = True
            elif len(batch):
                self._ready.append(batch)

    def piece(self, size: int) -> Batch | None:
        """Return the next records, at most so many and of one batch; None at the end of the input."""
        while not self._ready and not self._is_over:
            if self._fault is not None:
                raise self._fault
            self.work_out()
        return self.piece_behind(0, size)

    def piece_behind(self, count: int, size: int) -> Batch | None:
        """Return what comes after the next `count` records, of what is worked out; None where that is nothing."""
        start = self._start + count
        for batch in self._ready:
            if start < len(batch):
                return sliced(batch, start, min(start + size, len(batch)))
            start -= len(batch)
        return None

    def done(self, count: int) -> None:
        """Leave the next records behind."""
        self._start += count
        while self._ready and self._start >= len(self._ready[0]):
            self._start -= len(self._ready.popleft())
