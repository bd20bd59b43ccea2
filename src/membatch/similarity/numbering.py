"""Token hashes → small numbers, private to one open index.

Rule: a number is never given twice; higher numbers are rarer tokens, as far as the index has seen when it ranks them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from membatch.similarity import kernels


class Numbering:
    """The number of each token hash, and which tokens have a digit; a new hash gets the next number."""

    def __init__(self) -> None:
        self._keys = np.zeros(1 << 12, np.uint64)
        self._numbers = np.zeros(1 << 12, np.int32)
        self._count = 0
        self.has_digit = np.zeros(1 << 11, np.uint8)

    def __len__(self) -> int:
        return self._count

    def number(self, hashes: npt.NDArray[np.uint64], numbers: npt.NDArray[np.int32]) -> None:
        """Write the number of each hash."""
        at = 0
        while True:
            at, self._count = kernels.number_tokens(
                hashes, at, self._keys, self._numbers, self._count, self.has_digit, numbers
            )
            if at == len(hashes):
                return
            self._grow()

    def _grow(self) -> None:
        keys, numbers = np.zeros(2 * len(self._keys), np.uint64), np.zeros(2 * len(self._keys), np.int32)
        kernels.rehash(self._keys, self._numbers, keys, numbers)
        self._keys, self._numbers = keys, numbers
        self.has_digit = np.concatenate([self.has_digit, np.zeros_like(self.has_digit)])

    def rank(self, frequency: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Number all tokens anew, frequent ones low; return the new number of each old one."""
        rank = np.empty(self._count, np.int32)
        rank[np.argsort(-frequency, kind="stable")] = np.arange(self._count, dtype=np.int32)
        used = self._keys != 0
        self._numbers[used] = rank[self._numbers[used]]
        self.has_digit[rank] = self.has_digit[: self._count].copy()
        return rank
