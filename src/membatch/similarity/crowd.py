"""A crowd: memories that are all candidates of the same records, so many that no row of them is to be fetched.

Rule: facts are those of the memory as it now stands; those of a memory that changed are unknown until asked again.
A crowd holds the founders of one scope with the same words but for those with a digit, or the memories to which one
content hash leads. Data in: memories, and their rows when facts are missing. Data out: columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from membatch.plan import MemoryKey, StoredRow
from membatch.similarity.columns import Columns, Zones
from membatch.similarity.facts import Compact, Whos
from membatch.similarity.guards import Facts
from membatch.similarity.kernels import UNKNOWN, ZONE

LEAST: Final = 64  # hits of one record from which on they are looked for a crowd
_UNORDERED: Final = 0.25  # share of members that may stand at the end, out of order
_FETCHED_AT_ONCE: Final = 10_000

Fetch = Callable[[Iterable[MemoryKey]], Mapping[MemoryKey, StoredRow]]
_FACTS: Final = ("who", "time", "numbers", "contents")
_decode = msgspec.json.decode


class Crowd:
    """The members of one crowd, `size` tokens each, `width` of them with a digit; or those of one content hash."""

    def __init__(self, size: int, width: int, *, is_hash: bool = False) -> None:
        self.size, self.width, self.is_hash = size, width, is_hash
        self.count = 0
        self._columns = Columns(
            who=np.empty(0, np.int32),
            time=np.empty(0, np.int64),
            numbers=np.empty(0, np.int32),
            contents=np.empty(0, np.int32),
            hashes=np.empty(0, np.uint64),
            memories=np.empty(0, np.int64),
            digits=np.empty((0, width), np.int32),
        )
        self._unknown: list[tuple[int, int]] = []  # stretches of members that were added, facts unknown
        self._ordered = 0
        self._changes = 0  # how many of the changed memories were taken note of

    def add(self, memories: Any, hashes: Any, digits: Any) -> None:
        """Add memories with their content hashes and their tokens with a digit; their facts are unknown."""
        first, stop = self.count, self.count + len(memories)
        if stop > len(self._columns.who):
            grown = [np.empty((max(64, 2 * stop), *column.shape[1:]), column.dtype) for column in self._columns]
            for new, old in zip(grown, self._columns, strict=True):
                new[:first] = old[:first]
            self._columns = Columns(*grown)
        self._columns.who[first:stop] = UNKNOWN
        self._columns.memories[first:stop] = memories
        self._columns.hashes[first:stop] = hashes
        self._columns.digits[first:stop] = digits
        self._unknown.append((first, stop))
        self.count = stop

    def columns(self) -> Columns:
        """Return the facts of the members."""
        return Columns(*(column[: self.count] for column in self._columns))

    def settle(self) -> None:
        """Put the members, whose facts are known by now, in such an order that neighbours are alike."""
        if self.count * (1 - _UNORDERED) > self._ordered or self.count < 2 * ZONE:
            there = self.columns()
            order = np.lexsort((there.time, there.contents, there.numbers, there.who))
            for column in there:
                column[:] = column[order]
            self._ordered = self.count

    def retire(self, memories: list[MemoryKey]) -> None:
        """Take memories out: other records have replaced their founders."""
        there = self._columns.memories[: self.count]
        there[np.isin(there, memories)] = 0

    def unknown(self, changed: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the members whose facts are unknown, those of `changed` memories (all of the run) among them."""
        there = self._columns.memories[: self.count]
        found = [np.arange(*stretch) for stretch in self._unknown]
        if self._changes < len(changed):
            found.append(np.flatnonzero(np.isin(there, changed[self._changes :])))
            self._changes = len(changed)
        self._unknown = []
        missing = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
        still: npt.NDArray[np.int64] = missing[there[missing] != 0]
        return still

    def learn(self, members: npt.NDArray[np.int64], facts: list[Compact]) -> None:
        """Take note of the facts of members."""
        for name, values in zip(_FACTS, zip(*facts, strict=True), strict=True):
            getattr(self._columns, name)[members] = values


def zones_of(members: Columns) -> Zones:
    """Return room for what stretches of members have in common."""
    count, width = -(-len(members.who) // ZONE), members.digits.shape[1]

    def pairs(kind: Any, *shape: int) -> Any:
        return np.zeros((count, *shape, 2), kind)

    return Zones(
        who=np.zeros(count, np.int32),
        time=pairs(np.int64),
        given=np.zeros(count, np.int8),
        numbers=pairs(np.int32),
        contents=pairs(np.int32),
        hashes=pairs(np.uint64),
        memories=pairs(np.int64),
        digits=pairs(np.int32, width),
        hash_bits=np.zeros((count, 64), np.uint64),
        number_bits=np.zeros((count, 64), np.uint64),
        digit_bits=np.zeros((count, 64), np.uint64),
        is_done=np.zeros(count, np.bool_),
    )


def learn_missing(crowds: Iterable[Crowd], changed: npt.NDArray[np.int64], fetch: Fetch, whos: Whos) -> None:
    """Fetch the rows of all members whose facts are unknown, and take note of their facts."""
    for crowd in crowds:
        members = crowd.unknown(changed)
        for start in range(0, len(members), _FETCHED_AT_ONCE):
            part = members[start : start + _FETCHED_AT_ONCE]
            keys = crowd.columns().memories[part].tolist()
            rows = fetch(keys)
            crowd.learn(part, [whos.compact(Facts(_decode(rows[key].record))) for key in keys])
        crowd.settle()
