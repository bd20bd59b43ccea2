"""The postings of a join: under each prefix token of a match scope the rows that have it.

Rule: what is entered for the time of a batch ends the lists, and is taken out again before anything is entered for
good. Data in: rows. Data out: lists to probe.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from membatch.similarity import kernels
from membatch.similarity.halves import half_of, in_halves
from membatch.similarity.kernels import (
    CAPACITY,
    END,
    GROWN,
    LENGTH,
    LISTS,
    LONG,
    ROOM,
    SORTED,
    START,
    STATES,
    TABLE_WIDTH,
    UNSPLIT,
)


class Rows(NamedTuple):
    """The rows of a join."""

    tokens: Any  # int32, highest and so rarest first in each row
    offsets: Any  # int64, one more
    scopes: Any  # int32
    signatures: Any  # uint64 (n, 2): two bitmaps of the tokens
    alive: Any  # bool
    numerator: int  # of the threshold
    denominator: int


class Lists(NamedTuple):
    """The postings: a table from (scope, token) to the number of a list, and where its entries are."""

    keys: Any  # uint64, 0 where a slot is free
    numbers: Any  # int32
    # int32 (n, 7): start in pairs of entries, length, capacity, how many are sorted (UNSPLIT where it is not split),
    # how many of these are for all seconds, what the least size lacks to 255, the longest reach
    table: Any
    slab: Any  # uint64, the entries
    free: Any  # int64: by size, the first of the places that lists have left; each leads to the next
    state: Any  # int64: how many lists, the end of the slab, where to go on, what room is missing, how many have grown


class Places(NamedTuple):
    """For each row from `first` on the numbers of its lists, one for each prefix token; none where it is not wanted."""

    first: int
    starts: Any  # int64, one more than rows
    lists: Any  # int32


class Room(NamedTuple):
    """What a join works in when it looks for hits, and where it puts them."""

    seen: Any  # int32, a stamp for each row that was met
    met: Any  # uint64, entries
    fits: Any  # uint8, which of a list's entries fit
    found: Any  # int32 (n, 4): record, row, shared, union
    counted: Any  # int64: rows met, pairs verified


class Postings:
    """The lists, and where in them the rows in hand belong."""

    def __init__(self) -> None:
        self.lists = Lists(
            keys=np.zeros(1 << 14, np.uint64),
            numbers=np.zeros(1 << 14, np.int32),
            table=np.zeros((1 << 13, TABLE_WIDTH), np.int32),
            slab=np.zeros(1 << 15, np.uint64),
            free=np.full(64, -1, np.int64),
            state=np.zeros(STATES, np.int64),
        )
        self.places = Places(0, np.zeros(1, np.int64), np.empty(0, np.int32))
        self._long = np.empty((0, 2), np.int32)  # lists that have become long, with their tokens, some repeatedly

    def take(self, first: int, wanted: npt.NDArray[np.bool_], rows: Rows) -> None:
        """Take rows in hand: look up the lists of those that are wanted."""
        stop = first + len(wanted)
        sizes = np.diff(rows.offsets[first : stop + 1])[wanted]
        room = int((sizes - -(-sizes * rows.numerator // rows.denominator)).sum() + len(sizes))
        self._grow(int(self.lists.state[LISTS]) + room)
        self.places = Places(first, np.empty(len(wanted) + 1, np.int64), np.empty(room, np.int32))
        kernels.place_rows(wanted, rows, self.lists, self.places)

    def narrow(self, stays: npt.NDArray[np.bool_]) -> None:
        """Keep only some of the rows in hand, which now follow one another."""
        first, starts, lists = self.places
        counts = np.diff(starts)
        kept = lists[: starts[-1]][np.repeat(stays, counts)]
        self.places = Places(first, np.concatenate([[0], np.cumsum(counts[stays])]), kept)

    def insert(self, first: int, stop: int, rows: Rows) -> None:
        """Enter those of some rows in hand that are alive, for the time of the batch."""
        row, self._long = first, np.empty((len(self.places.lists), 2), np.int32)
        self.lists.state[GROWN] = 0
        while row < stop:
            row = kernels.insert_rows(row, stop, self.places, rows, self.lists, self._long)
            if row < stop:
                self._make_room()

    def keep(self, rows: Rows) -> None:
        """Let what was entered last stay for good: lists that have become long are split or sorted."""
        # All of these are too long: `insert` notes them anew each time.
        numbers, of = self._long[: self.lists.state[GROWN]].T
        lists, places = np.unique(numbers, return_index=True)
        if not len(lists):
            return
        of, at, table = of[places], 0, self.lists.table
        old = np.empty(table[lists, LENGTH].max(), np.uint64)
        while (at := kernels.split_lists(at, lists, of, rows, self.lists, old)) < len(lists):
            self._make_room()
        starts, slab = table[lists, START].astype(np.uint32).astype(np.int64) << 1, self.lists.slab
        tails, ends = starts + table[lists, SORTED], starts + table[lists, LENGTH]
        _sort_parts(slab, tails, ends)
        kernels.merge_tails(lists, table, slab, np.empty((ends - tails).max(), np.uint64))

    def _make_room(self) -> None:
        room = len(self.lists.slab) + int(self.lists.state[ROOM])
        self.lists = self.lists._replace(slab=grown(self.lists.slab, room))

    def enter_all(self, stop: int, rows: Rows) -> None:
        """Enter rows 0..stop for good, into lists that are empty: each gets the room that it needs, and a sixteenth."""
        state, half = self.lists.state, half_of(stop)
        self._count(0, half, rows)
        before = self.lists.table[: state[LISTS], [LENGTH, CAPACITY]]  # a copy: entries of the first half
        self._count(half, stop, rows)
        lists = self.lists.table[: state[LISTS]]
        is_split = lists[:, LENGTH] >= LONG
        lengths = np.where(is_split, lists[:, CAPACITY], lists[:, LENGTH])
        room = (lengths + lengths // 16 + 1) // 2 * 2
        ends = np.cumsum(room, dtype=np.int64)
        starts = ends - room
        lists[:, START], lists[:, LENGTH], lists[:, CAPACITY] = starts >> 1, lengths, room
        lists[:, SORTED] = np.where(is_split, lengths, UNSPLIT)
        state[END] = ends[-1] if len(ends) else 0
        self.lists = to_fill = self.lists._replace(slab=grown(self.lists.slab, int(state[END])))
        longest = int(np.diff(rows.offsets[: stop + 1]).max(initial=0))
        reaches = np.arange(longest + 1) * (rows.numerator + rows.denominator) // rows.numerator
        begins = starts.copy(), starts.copy()  # where in each list the rows of each half go
        begins[1][: len(before)] += np.where(is_split[: len(before)], before[:, 1], before[:, 0])
        in_halves(
            stop,
            lambda first, last: kernels.fill_lists(first, last, rows, to_fill, is_split, reaches, begins[first > 0]),
        )
        split = np.flatnonzero(is_split)
        _sort_parts(self.lists.slab, starts[split], starts[split] + lengths[split])
        kernels.count_all(split, self.lists.table, self.lists.slab)

    def _count(self, first: int, stop: int, rows: Rows) -> None:
        """Count the entries of some rows, and make the tables as long as their lists are many."""
        row, offsets = first, rows.offsets
        while (row := kernels.count_entries(row, stop, rows, self.lists)) < stop:
            self._grow(int(self.lists.state[LISTS]) + int(offsets[row + 1] - offsets[row]))

    def probe(self, row: int, stop: int, rows: Rows, room: Room, stamp: int) -> tuple[int, int, int, int]:
        """Return what `find_similar` does of rows row..stop, which are in hand."""
        return kernels.find_similar(row, stop, self.places, rows, self.lists, room, stamp)

    def take_out(self, first: int, stop: int, rows: Rows) -> None:
        """Take rows out again that were entered for the time of the batch."""
        kernels.take_out_rows(first, stop, self.places, rows, self.lists.table)

    def purge(self, which: npt.NDArray[np.int64], rows: Rows) -> None:
        """Take what is no longer alive out of the lists of some rows."""
        kernels.purge_rows(which, rows, self.lists, np.zeros(int(self.lists.state[LISTS]), np.bool_))

    def _grow(self, lists: int) -> None:
        keys, numbers, size = self.lists.keys, self.lists.numbers, len(self.lists.keys)
        while 2 * lists > size:
            size *= 2
        if size > len(keys):
            keys, numbers = np.zeros(size, np.uint64), np.zeros(size, np.int32)
            kernels.rehash(self.lists.keys, self.lists.numbers, keys, numbers)
        self.lists = self.lists._replace(keys=keys, numbers=numbers, table=grown(self.lists.table, lists))


def _sort_parts(slab: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
    """Sort parts of the entries, each by itself; numpy does it many times faster than compiled loops can."""
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        slab[start:end].sort()


def grown(array: Any, size: int) -> Any:
    """Return an array with room for so many rows; it doubles."""
    if size <= len(array):
        return array
    larger = np.zeros((2 * size, *array.shape[1:]), array.dtype)  # pages that nobody touched cost no memory
    larger[: len(array)] = array
    return larger
