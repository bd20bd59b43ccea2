"""Crowds of founders with the same words but for those with a digit, and where the join finds them.

Rule: as exact as the join. A pair at or above the threshold shares a token that is in the prefix of both (Chaudhuri,
Ganti and Kaushik, ICDE 2006); a crowd is entered under the prefix of its common words and all its words with a digit,
which holds the prefix of each of its members.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from membatch.similarity import kernels
from membatch.similarity.crowd import Crowd

MOST_DIGITS: Final = 8  # words with a digit in one text; a text with more is in no crowd
_MIX: Final = 0x9E3779B97F4A7C15
_64_BITS: Final = (1 << 64) - 1
Numbers = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """The rows of a join: where the tokens of each are, its scope, which tokens have a digit."""

    tokens: Any
    offsets: Any
    scopes: Any
    has_digit: Any


class Touches(NamedTuple):
    """Rows that could be similar to members of crowds, and how many of the common words of the crowd each has."""

    rows: Numbers
    crowds: Numbers
    shared: Numbers


class Families:
    """The crowds of a join, and their postings."""

    def __init__(self, numerator: int, denominator: int) -> None:
        self._numerator, self._denominator = numerator, denominator
        self.crowds: list[Crowd] = []
        self._keys = np.empty(0, np.uint64)  # of the crowds, sorted
        self._numbers = np.empty(0, np.int64)  # and which crowd has which
        self._bases: list[npt.NDArray[np.int32]] = []
        self._scopes: list[int] = []
        # Postings: token keys, sorted, with a crowd each; `pairs` are hashes of both, sorted by themselves.
        self._posted = np.empty(0, np.uint64)
        self._holders = np.empty(0, np.int64)
        self._pairs = np.empty(0, np.uint64)

    def keys_of(self, which: Numbers, rows: Rows) -> npt.NDArray[np.uint64]:
        """Return the key of the crowd that each row belongs to, if there is one; 0 for a row that can be in none."""
        keys = np.empty(len(which), np.uint64)
        kernels.base_keys(which, rows, MOST_DIGITS, keys)
        return keys

    def of(self, keys: npt.NDArray[np.uint64]) -> Numbers:
        """Return the crowd of each key, -1 where there is none."""
        if not self.crowds:
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._numbers[at], -1)

    def create(self, key: np.uint64, row: int, rows: Rows) -> None:
        """Make the crowd of a key; `row` is one of its rows."""
        number = len(self.crowds)
        tokens = rows.tokens[rows.offsets[row] : rows.offsets[row + 1]]
        base = tokens[rows.has_digit[tokens] == 0]
        at = int(np.searchsorted(self._keys, key))
        self._keys, self._numbers = np.insert(self._keys, at, key), np.insert(self._numbers, at, number)
        self.crowds.append(Crowd(len(tokens), len(tokens) - len(base)))
        self._bases.append(base.copy())
        self._scopes.append(int(rows.scopes[row]))
        least = -(-self._numerator * len(tokens) // self._denominator)
        self._post(number, base[: len(tokens) - least + 1])

    def digits_of(self, number: int, which: Numbers, rows: Rows) -> npt.NDArray[np.int32]:
        """Return the tokens with a digit of rows that belong to a crowd, and enter it under them."""
        digits = np.empty((len(which), self.crowds[number].width), np.int32)
        kernels.digits_of(which, rows, digits)
        self._post(number, np.unique(digits))
        return digits

    def _post(self, number: int, tokens: npt.NDArray[np.int32]) -> None:
        keys = np.empty(len(tokens), np.uint64)
        kernels.token_keys(self._scopes[number], tokens, keys)
        pairs = keys ^ np.uint64((number + 1) * _MIX & _64_BITS)
        is_new = ~np.isin(pairs, self._pairs)
        keys, pairs = np.sort(keys[is_new]), np.sort(pairs[is_new])
        at = np.searchsorted(self._posted, keys)
        self._posted, self._holders = np.insert(self._posted, at, keys), np.insert(self._holders, at, number)
        self._pairs = np.insert(self._pairs, np.searchsorted(self._pairs, pairs), pairs)

    def touched(self, which: Numbers, rows: Rows) -> Touches:
        """Return which crowds could hold founders that are similar to rows, crowd by crowd."""
        sizes = np.diff(rows.offsets)[which]
        room = int(sizes.sum())
        keys, holders = np.empty(room, np.uint64), np.empty(room, np.int64)
        count = kernels.prefix_keys(which, rows, self._numerator, self._denominator, keys, holders)
        left = np.searchsorted(self._posted, keys[:count])
        times = np.searchsorted(self._posted, keys[:count], "right") - left
        within = np.arange(int(times.sum())) - np.repeat(np.cumsum(times) - times, times)
        crowds = self._holders[np.repeat(left, times) + within]
        both = np.unique(crowds << 32 | np.repeat(holders[:count], times))
        crowds, found = both >> 32, both & 0xFFFFFFFF
        shared = np.empty(len(both), np.int64)
        base_sizes = np.array([len(base) for base in self._bases], np.int64)
        offsets = np.concatenate([[0], np.cumsum(base_sizes)])
        kernels.overlaps(found, crowds, rows, np.concatenate(self._bases), offsets, shared)
        widths = np.array([crowd.width for crowd in self.crowds])[crowds]
        total = np.diff(rows.offsets)[found] + base_sizes[crowds] + widths
        needed = -(-self._numerator * total // (self._numerator + self._denominator))
        stays = shared + widths >= needed
        return Touches(found[stays], crowds[stays], shared[stays])

    def touched_by(self, touches: Touches) -> dict[int, Crowd]:
        """Return the crowds of touches, by number."""
        return {number: self.crowds[number] for number in np.unique(touches.crowds).tolist()}
