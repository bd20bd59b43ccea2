"""A hash table over columns: from a 64-bit key to the row that holds it, a whole batch at a time.

Rule: open addressing with linear probing, without wrapping round; a slot holds a row number, FREE when it holds none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from membatch.similarity import kernels
from membatch.similarity.kernels import FREE

UInts = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

MAX_LOAD: Final = 0.7
GROWTH: Final = 1.3
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(32)
_LOWER: Final = np.uint64(2**32 - 1)
_UPPER: Final = ~_LOWER
_MARGIN: Final = 1024  # slots behind the last home
_BLOCK: Final = 1 << 16


class Slots:
    """Which row holds a key; the keys themselves are the caller's columns."""

    def __init__(self) -> None:
        self._capacity = 1024
        self._rows = np.full(self._capacity + _MARGIN, FREE, np.int32)
        self._used = 0

    def find(self, columns: tuple[UInts, ...], wanted: tuple[UInts, ...]) -> tuple[Rows, Rows]:
        """Return, for each wanted key, the row whose columns (one or two) equal it and its slot, -1 where none does."""
        found, places = np.empty(len(wanted[0]), np.int64), np.empty(len(wanted[0]), np.int64)
        checks = (columns[1], wanted[1]) if len(columns) > 1 else (None, None)
        kernels.find_keys(self._rows, self._capacity, columns[0], checks[0], wanted[0], checks[1], found, places)
        return found, places

    def put(self, keys: UInts, rows: Rows) -> None:
        """Enter rows under keys that are not in the table, each key once; `keys` is the caller's whole column."""
        self._used += len(rows)
        if self._used > MAX_LOAD * self._capacity:
            self._rebuild(keys, int(self._used / MAX_LOAD * GROWTH))
        while not kernels.enter_keys(self._rows, self._capacity, keys, rows):
            self._rebuild(keys, int(self._capacity * GROWTH))

    def fill(self, in_order: UInts) -> None:
        """Lay the table out for rows as `in_home_order` gives them, each key once; what it held before is forgotten."""
        self._used = len(in_order)
        self._capacity = max(1024, int(self._used / MAX_LOAD * GROWTH))
        self._rows = np.full(self._capacity + _MARGIN, FREE, np.int32)
        next_free = 0
        for start in range(0, len(in_order), _BLOCK):
            block = in_order[start : start + _BLOCK]
            steps = np.arange(len(block))
            homes = ((block >> _HALF) * np.uint64(self._capacity) >> _HALF).astype(np.int64)
            places = np.maximum.accumulate(np.maximum(homes - steps, next_free)) + steps
            next_free = int(places[-1]) + 1
            if next_free >= len(self._rows):  # the last slot stays free, it ends every search
                self._rows = np.concatenate([self._rows, np.full(next_free + _MARGIN, FREE, np.int32)])
            self._rows[places] = rows_of(block)

    def _rebuild(self, keys: UInts, capacity: int) -> None:
        """Lay the table out anew, larger; block by block, so that it takes no memory but the new table's."""
        old, self._capacity = self._rows, max(self._capacity, capacity)
        while True:
            self._rows = np.full(self._capacity + _MARGIN, FREE, np.int32)
            blocks = (old[start : start + _BLOCK] for start in range(0, len(old), _BLOCK))
            entered = (block[block != FREE].astype(np.int64) for block in blocks)
            if all(kernels.enter_keys(self._rows, self._capacity, keys, rows) for rows in entered):
                return
            self._capacity = int(self._capacity * GROWTH)

    def move(self, places: Rows, rows: Rows) -> None:
        """Let slots that are taken hold other rows of the same keys."""
        self._rows[places] = rows


def in_home_order(keys: UInts) -> UInts:
    """Return all rows of a column of keys in the order of their homes: half of the mixed key, half the row."""
    order = keys * _MIX
    order &= _UPPER
    order |= np.arange(len(keys), dtype=np.uint64)
    order.sort()
    return order


def rows_of(in_order: UInts) -> Rows:
    """Return the rows that `in_home_order` has put in order."""
    return (in_order & _LOWER).astype(np.int64)


def share_home(in_order: UInts) -> npt.NDArray[np.bool_]:
    """Return where rows of `in_home_order` may have equal keys: half of their mixed keys is the same."""
    halves = in_order >> _HALF
    same = np.zeros(len(halves) + 1, np.bool_)  # as the one before
    same[1:-1] = halves[1:] == halves[:-1]
    shared: npt.NDArray[np.bool_] = same[1:] | same[:-1]
    return shared
