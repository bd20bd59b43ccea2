"""The incremental exact join: which founders have a summary with a Jaccard index at or above the threshold.

Rule: exact against brute force; a batch's rows are entered for the time of the batch only, then its founders
for good. Token numbers are private to one open index.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from membatch.errors import SurroundingsError
from membatch.plan import MemoryKey
from membatch.similarity import families, kernels
from membatch.similarity.families import Families, Numbers, Touches
from membatch.similarity.halves import in_halves
from membatch.similarity.kernels import FOUND, MOST_ROWS, RECORD
from membatch.similarity.numbering import Numbering
from membatch.similarity.postings import Postings, Room, Rows, grown

_MOST_HITS: Final = 1 << 20  # of one batch; past that the batch is decided in parts
_ROOM: Final = 1 << 16  # hits that are found at once
_SPARE: Final = 1.2  # times the tokens that a store's first founders let expect
_MOST_EXPECTED: Final = 64  # tokens a row, for which room is made before they come


_NOTHING: Final = np.empty(0, np.int64)
_NONE: Final = np.empty(0, np.bool_)


class Found(NamedTuple):
    """Hits as an array (n, 4) of record, row, shared, union; `length` records of the batch are covered.

    What crowds have to do with the batch is left to whoever knows their facts: `touches` has rows counted from the
    batch's first, and `crowds` the crowd of each record, -1 for none. `hidden` are the repeats that no hit names.
    """

    hits: npt.NDArray[np.int32]
    length: int
    touches: Touches = Touches(_NOTHING, _NOTHING, _NOTHING)
    crowds: npt.NDArray[np.int64] = _NOTHING
    hidden: npt.NDArray[np.bool_] = _NONE


def _no_hashes(memories: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    return np.zeros(len(memories), np.uint64)


class Join:
    """Rows of tokens with their postings; a row is a founder, or for the time of a batch a record.

    A record with `crowd` hits and more makes a crowd of those founders that look alike, if that is not 0.
    `hashes_of` gives the content hashes of founders that come into one.
    """

    def __init__(
        self,
        threshold: Fraction,
        crowd: int = 0,
        hashes_of: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint64]] = _no_hashes,
    ) -> None:
        self._numerator, self._denominator = threshold.numerator, threshold.denominator
        self._crowd, self._hashes_of = crowd, hashes_of
        self.families = Families(self._numerator, self._denominator)
        self._crowds = _NOTHING  # of the batch in hand, for each record the number of its crowd
        self._size = 0  # rows that are founders
        self._batch = 0  # rows of the batch in hand behind them
        self._tokens = np.zeros(1 << 16, np.int32)
        self._offsets = np.zeros(1 << 12, np.int64)
        self._scopes = np.zeros(1 << 12, np.int32)
        self._signatures = np.zeros((1 << 12, 2), np.uint64)
        self._memories = np.zeros(1 << 12, np.uint32)
        self._alive = np.zeros(1 << 12, np.bool_)
        self._seen = np.zeros(1 << 12, np.int32)
        self._stamp = 1  # each look-up has a number of its own, by which `seen` knows what it has met
        self._numbering = Numbering()
        self._postings = Postings()
        # Of the batch in hand: what is looked for, and what is not to be found, as an earlier record says the same.
        self._wanted = self._hidden = _NONE
        self._met, self._fits = np.empty(_ROOM, np.uint64), np.empty(_ROOM, np.uint8)
        self._found = np.empty((_ROOM, 4), np.int32)
        self._scope_numbers: dict[str, int] = {}
        self.counted = np.zeros(2, np.int64)

    def __len__(self) -> int:
        return self._size

    def scope_numbers(self, scopes: list[str]) -> npt.NDArray[np.int32]:
        """Return the number of each match scope; a new one gets the next number."""
        known = self._scope_numbers
        if scopes and scopes.count(scopes[0]) == len(scopes):
            return np.full(len(scopes), known.setdefault(scopes[0], len(known)), np.int32)
        for scope in dict.fromkeys(scopes):
            known.setdefault(scope, len(known))
        return np.fromiter(map(known.__getitem__, scopes), np.int32, len(scopes))

    def find(
        self,
        tokens: list[bytes],
        scopes: npt.NDArray[np.int32],
        wanted: npt.NDArray[np.bool_],
        repeats: npt.NDArray[np.bool_] = _NONE,
    ) -> Found:
        """Enter a batch for its time, and return what is similar to its wanted records.

        `repeats` have the tokens and the scope of an earlier record; where they are in no crowd, no hit names them.
        """
        first, count = self._size, len(tokens)
        is_first = not len(self._numbering)
        self._append(np.frombuffer(b"".join(tokens), np.uint64), np.fromiter(map(len, tokens), np.int64) // 8, scopes)
        here = self._tokens[self._offsets[first] : self._offsets[first + count]]
        if is_first:
            here[:] = self._numbering.rank(np.bincount(here))[here]
        kernels.sort_rows(self._tokens, self._offsets[first + 1 : first + count + 1], int(self._offsets[first]))
        kernels.sign_rows(first, first + count, self._tokens, self._offsets, self._signatures)
        self._batch = count
        self._wanted, self._hidden = wanted, repeats if len(repeats) else np.zeros(count, np.bool_)
        self._alive[first : first + count] = wanted & ~self._hidden
        self._crowds = self._known_crowds(wanted)
        self._postings.take(first, wanted, self._joined())
        self._postings.insert(first, first + count, self._joined())
        before = self.counted.copy()
        hits, length = self._similar()
        while len(keys := self._crowded(hits)):
            self.counted[:] = before
            self._regroup(keys)
            hits, length = self._similar()
        touches = Found(hits, length).touches
        if self.families.crowds:
            touches = self.families.touched(first + np.flatnonzero(wanted[:length]), self._rows())
            touches = touches._replace(rows=touches.rows - first)
        return Found(hits, length, touches, self._crowds, self._hidden & (self._crowds < 0))

    def digits(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Return, for the records of the batch in hand, their sizes, and their tokens with a digit with the starts."""
        rows, stop = self._rows(), self._size + self._batch
        sizes = np.diff(rows.offsets[self._size : stop + 1])
        starts, digits = np.empty(self._batch + 1, np.int64), np.empty(int(sizes.sum()), np.int32)
        kernels.flat_digits(self._size, stop, rows, starts, digits)
        return sizes, starts, digits[: starts[-1]]

    def _joined(self) -> Rows:
        return Rows(
            self._tokens,
            self._offsets,
            self._scopes,
            self._signatures,
            self._alive,
            self._numerator,
            self._denominator,
        )

    def _rows(self) -> families.Rows:
        stop = self._size + self._batch
        return families.Rows(self._tokens, self._offsets[: stop + 1], self._scopes[:stop], self._numbering.has_digit)

    def _known_crowds(self, wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return the crowd of each record of the batch; those in one are found by it and not by their postings."""
        crowds = np.full(self._batch, -1)
        if self.families.crowds:
            records = np.flatnonzero(wanted)
            crowds[records] = self.families.of(self.families.keys_of(self._size + records, self._rows()))
            self._leave_to_crowds(crowds)
        return crowds

    def _leave_to_crowds(self, crowds: npt.NDArray[np.int64]) -> None:
        self._alive[self._size : self._size + self._batch][crowds >= 0] = False
        for number in np.unique(crowds[crowds >= 0]).tolist():
            self.families.digits_of(number, self._size + np.flatnonzero(crowds == number), self._rows())

    def _crowded(self, hits: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
        """Return the keys of crowds to make: what many of the hits of one record have in common."""
        if not self._crowd or not len(hits):
            return np.empty(0, np.uint64)
        many = np.bincount(hits[:, RECORD], minlength=self._batch) >= self._crowd
        if not many.any():
            return np.empty(0, np.uint64)
        rows = np.unique(hits[many[hits[:, RECORD]], FOUND]).astype(np.int64)
        keys, counts = np.unique(self.families.keys_of(rows, self._rows()), return_counts=True)
        found: npt.NDArray[np.uint64] = keys[(counts >= self._crowd // 2) & (keys != 0)]
        return found

    def _regroup(self, keys: npt.NDArray[np.uint64]) -> None:
        """Make crowds of all founders and records that have some keys."""
        self._take_out()
        there = self._alive[: self._size + self._batch].copy()
        there[self._size :] |= self._hidden
        rows = np.flatnonzero(there)
        of_rows = self.families.keys_of(rows, self._rows())
        first = np.searchsorted(rows, self._size)
        is_there = np.isin(of_rows, keys)
        for key in keys:
            self.families.create(key, int(rows[np.argmax(of_rows == key)]), self._rows())
        numbers = self.families.of(of_rows)
        self._crowds[rows[first:] - self._size] = numbers[first:]
        self._leave_to_crowds(self._crowds)
        moved, numbers = rows[:first][is_there[:first]], numbers[:first][is_there[:first]]
        for number in np.unique(numbers).tolist():
            members = moved[numbers == number]
            memories = self._memories[members].astype(np.int64)
            digits = self.families.digits_of(number, members, self._rows())
            self.families.crowds[number].add(memories, self._hashes_of(memories), digits)
        self._alive[moved] = False
        self._postings.purge(moved, self._joined())
        self._postings.insert(self._size, self._size + self._batch, self._joined())

    def _similar(self) -> tuple[npt.NDArray[np.int32], int]:
        """Return the hits of the batch in hand, and how many of its records they are of."""
        first, count = self._size, self._batch
        parts: list[npt.NDArray[np.int32]] = []
        total, row = 0, first
        while row < first + count and total < _MOST_HITS:
            if self._stamp + count > np.iinfo(np.int32).max:
                self._seen[:] = 0
                self._stamp = 1
            row, hits, meets, finds = self._probe(row)
            self._stamp += count
            parts.append(self._found[:hits].copy())
            total += hits
            if meets > len(self._met):
                self._met, self._fits = np.empty(2 * meets, np.uint64), np.empty(2 * meets, np.uint8)
            if finds > len(self._found):
                self._found = np.empty((2 * finds, 4), np.int32)
        return np.concatenate(parts) if parts else np.empty((0, 4), np.int32), row - first

    def _probe(self, row: int) -> tuple[int, int, int, int]:
        stop, stamp = self._size + self._batch, self._stamp - self._size
        room = Room(self._seen, self._met, self._fits, self._found, self.counted)
        return self._postings.probe(row, stop, self._joined(), room, stamp)

    def memories_of(self, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint32]:
        """Return the memories of rows, 0 for records of the batch."""
        return np.where(rows < self._size, self._memories[rows], 0)

    @property
    def founders(self) -> int:
        """How many rows are founders; a hit's row from there on is a record of the batch."""
        return self._size

    def keep(self, records: Numbers, memories: Numbers, hashes: npt.NDArray[np.uint64] | None = None) -> None:
        """End the batch in hand: some records stay as founders of memories, its other rows go.

        `hashes` are the content hashes of the batch's records.
        """
        first = self._size
        crowds, entered = self._crowds[records], self._wanted & ~self._hidden
        if len(records) == self._batch and entered.all() and (crowds < 0).all():  # they stand as they are
            self._memories[first : first + self._batch][records] = memories
            self._size, self._batch = first + self._batch, 0
            self._postings.keep(self._joined())
            return
        self._take_out()
        for number in np.unique(crowds[crowds >= 0]).tolist():
            there = crowds == number
            digits = self.families.digits_of(number, first + records[there], self._rows())
            known = _no_hashes(records) if hashes is None else hashes[records]
            self.families.crowds[number].add(memories[there], known[there], digits)
        stays = np.zeros(self._batch, np.bool_)
        stays[records[crowds < 0]] = True
        self._narrow(stays)
        self._memories[first : self._size] = memories[crowds < 0]
        if entered[stays].all():
            self._postings.narrow(stays)
        else:
            self._postings.take(first, np.ones(self._size - first, np.bool_), self._joined())
        self._postings.insert(first, self._size, self._joined())
        self._postings.keep(self._joined())

    def _narrow(self, stays: npt.NDArray[np.bool_]) -> None:
        """Let some rows of the batch in hand be founders, one after the other, and forget the rest."""
        first, count = self._size, self._batch
        offsets = self._offsets[first : first + count + 1]
        sizes, begin, end = np.diff(offsets), int(offsets[0]), int(offsets[-1])
        kept = self._tokens[begin:end][np.repeat(stays, sizes)]
        self._tokens[begin : begin + len(kept)] = kept
        self._size, self._batch = first + int(stays.sum()), 0
        here = slice(first, self._size)
        self._offsets[first + 1 : self._size + 1] = begin + np.cumsum(sizes[stays])
        self._scopes[here] = self._scopes[first : first + count][stays]
        self._signatures[here] = self._signatures[first : first + count][stays]
        self._alive[here] = True

    def _take_out(self) -> None:
        """Take the rows of the batch in hand out of the postings."""
        self._postings.take_out(self._size, self._size + self._batch, self._joined())

    def retire(self, memories: list[MemoryKey]) -> None:
        """Take the founders of memories out: other records have replaced them."""
        self._alive[: self._size] &= ~np.isin(self._memories[: self._size], memories)
        for crowd in self.families.crowds:
            crowd.retire(memories)

    def load(
        self,
        hashes: npt.NDArray[np.uint64],
        sizes: Numbers,
        scopes: npt.NDArray[np.int32],
        memories: Numbers,
        ahead: int = 0,
    ) -> None:
        """Take down founders of a store, to be found once `enter_all` is called.

        `hashes` are those of the tokens of all of them, `sizes` how many each has; `ahead` are to be made room for.
        """
        if ahead:
            self._grow_rows(ahead)
            expected = min(_MOST_EXPECTED, _SPARE * len(hashes) / max(1, len(sizes)))
            self._tokens = grown(self._tokens, int(ahead * expected))
        first = self._size
        self._append(hashes, sizes, scopes)
        self._memories[first : first + len(sizes)] = memories
        self._size += len(sizes)

    def enter_all(self) -> None:
        """Enter all founders that were taken down."""
        stop = self._size
        if not stop:
            return
        frequency = np.zeros(len(self._numbering), np.int64)
        kernels.count_tokens(self._tokens[: self._offsets[stop]], frequency)
        columns = (self._tokens, self._offsets, self._numbering.rank(frequency), self._signatures)
        in_halves(stop, lambda first, last: kernels.rank_rows(first, last, *columns))
        self._alive[:stop] = True
        self._postings.enter_all(stop, self._joined())

    def _append(self, hashes: npt.NDArray[np.uint64], sizes: Numbers, scopes: npt.NDArray[np.int32]) -> None:
        """Number and write the tokens of rows behind all others, unsorted."""
        first, count = self._size, len(sizes)
        begin = int(self._offsets[first])
        self._grow_rows(first + count)
        self._tokens = grown(self._tokens, begin + len(hashes))
        self._numbering.number(hashes, self._tokens[begin : begin + len(hashes)])
        self._offsets[first + 1 : first + count + 1] = begin + np.cumsum(sizes)
        self._scopes[first : first + count] = scopes

    def _grow_rows(self, rows: int) -> None:
        if rows > MOST_ROWS:
            advice = 'use strategy = "exact", or keep match scopes in stores of their own'
            raise SurroundingsError(f"the index of similar memories holds at most {MOST_ROWS:,}; {advice}")
        self._offsets = grown(self._offsets, rows + 1)
        for name in ("_scopes", "_signatures", "_memories", "_alive", "_seen"):
            setattr(self, name, grown(getattr(self, name), rows))
