"""Law 3 over whole lives of a join: loaded, asked, kept in part, retired, in any order; against brute force.

Few words make lists long within and across batches; texts beyond 255 words reach the limits of what entries hold.
"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from membatch.plan import MemoryKey
from membatch.similarity.join import Join

THRESHOLDS = ["0.3", "0.5", "0.6", "2/3", "0.7", "0.8", "0.9", "0.95", "1", "0.123456789", "0.8000000001"]
# How many words there are, and the most of one text; the last kind shares most words with all others.
KINDS = [(12, 8), (50, 10), (300, 40), (900, 400), (400, 0)]
Pair = tuple[int, int, int, int]


class Writer:
    """Makes texts, as sets of word numbers; some are others with a few words changed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.words, self._longest = rng.choice(KINDS)
        self._template = set(rng.sample(range(self.words), min(self.words, 20)))
        self._kept: list[set[int]] = [set()]
        hashes = np.arange(1, self.words + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03)
        self._hashes = (hashes ^ (hashes >> np.uint64(29))) & ~np.uint64(1)

    def text(self) -> set[int]:
        """Return the words of another text."""
        rng = self._rng
        if rng.random() < 0.3:
            made = rng.choice(self._kept) ^ set(rng.sample(range(self.words), rng.choice([0, 1, 1, 2, 3])))
        elif not self._longest:
            made = self._template | set(rng.sample(range(self.words), rng.randint(0, 4)))
        else:
            made = set(rng.sample(range(self.words), rng.randint(0, self._longest)))
        self._kept.append(made)
        if len(self._kept) > 60:
            self._kept.pop(rng.randrange(60))
        return made

    def tokens(self, text: set[int]) -> bytes:
        """Return what the join takes for a text."""
        return np.sort(self._hashes[sorted(text)]).tobytes()

    def columns(self, some: list[set[int]]) -> npt.NDArray[np.int64]:
        """Return for each text which words it has."""
        found = np.zeros((len(some), self.words), np.int64)
        for number, text in enumerate(some):
            found[number, sorted(text)] = 1
        return found


class Life:
    """A join and the plain lists that it is held against."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._threshold = Fraction(self._rng.choice(THRESHOLDS))
        self._writer = Writer(self._rng)
        self._join = Join(self._threshold)
        self._texts = self._writer.columns([])
        self._scopes: list[int] = []
        self._alive: list[bool] = []

    def _made(self, most: int) -> tuple[list[set[int]], list[int]]:
        some = [self._writer.text() for _ in range(self._rng.randint(1, most))]
        return some, [self._rng.randrange(2) for _ in some]

    def _found(self, some: list[set[int]], scopes: list[int]) -> None:
        self._texts = np.concatenate([self._texts, self._writer.columns(some)])
        self._scopes += scopes
        self._alive += [True] * len(some)

    def load(self) -> None:
        """Open with founders."""
        some, scopes = self._made(900)
        tokens = np.frombuffer(b"".join(map(self._writer.tokens, some)), np.uint64)
        sizes = np.array([len(text) for text in some])
        self._join.load(tokens, sizes, np.array(scopes, np.int32), np.arange(1, len(some) + 1), len(some))
        self._join.enter_all()
        self._found(some, scopes)

    def ask(self) -> tuple[set[Pair], set[Pair]]:
        """Ask about a batch and keep a part of it; return what was found and what there is to be found."""
        some, scopes = self._made(self._rng.choice([1, 40, 700]))
        first = len(self._alive)
        result = self._join.find(
            list(map(self._writer.tokens, some)), np.array(scopes, np.int32), np.ones(len(some), np.bool_)
        )
        share = self._rng.choice([0.05, 0.6, 1])
        kept = [record for record in range(result.length) if self._rng.random() < share]
        self._join.keep(np.array(kept, np.int64), np.arange(first + 1, first + 1 + len(kept)))
        expected = self._brute_force(some, scopes, result.length)
        self._found([some[record] for record in kept], [scopes[record] for record in kept])
        pairs = [(record, row, shared, union) for record, row, shared, union in result.hits.tolist()]
        assert len(pairs) == len(set(pairs))
        return set(pairs), expected

    def _brute_force(self, some: list[set[int]], scopes: list[int], length: int) -> set[Pair]:
        mine = self._writer.columns(some)
        others = np.concatenate([self._texts, mine])
        shared = mine @ others.T
        union = mine.sum(1)[:, None] + others.sum(1)[None, :] - shared
        is_pair = (shared * self._threshold.denominator >= union * self._threshold.numerator) & (union > 0)
        is_pair &= np.array(scopes)[:, None] == np.array(self._scopes + scopes)[None, :]
        is_pair &= np.array(self._alive + [True] * len(some))[None, :]
        is_pair &= np.arange(len(others))[None, :] < len(self._texts) + np.arange(len(some))[:, None]
        found = zip(*map(np.ndarray.tolist, np.nonzero(is_pair[:length])), strict=True)
        return {(record, row, int(shared[record, row]), int(union[record, row])) for record, row in found}

    def retire(self) -> None:
        """Let some founders be replaced."""
        gone = self._rng.sample(range(len(self._alive)), min(len(self._alive), self._rng.choice([1, 30])))
        self._join.retire([MemoryKey(row + 1) for row in gone])
        for row in gone:
            self._alive[row] = False


def live(seed: int) -> None:
    """Lead one life, and hold each answer against brute force."""
    life, rng = Life(seed), random.Random(~seed)
    if rng.random() < 0.5:
        life.load()
    for _ in range(8):
        found, expected = life.ask()
        assert found == expected
        if rng.random() < 0.3:
            life.retire()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happened_before_each_pair_is_found_and_no_other(seed: int) -> None:
    live(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_whatever_happened_before_in_two_thousand_lives_each_pair_is_found(first: int) -> None:
    for seed in range(first, first + 100):
        live(seed)
