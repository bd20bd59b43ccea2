"""The texts that `matching.py` compares, and the truth about them.

Rule: shares no code with the product; an exact inverted index, itself held against comparing each with each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from generate import summary, vocabulary

Numbers = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]  # sorted, each later << 32 | earlier
Texts = list[str]
MOST_PAIRS = 200_000_000  # that are compared


def texts(count: int, templated: bool, near: float = 0.1) -> Texts:
    """Return texts; a share repeats an earlier one with a word more."""
    rng = random.Random(11)
    words, weights = vocabulary(rng)
    found: Texts = []
    for _ in range(count):
        if found and rng.random() < near:
            found.append(f"{rng.choice(found)} {rng.choice(words)}")
        else:
            found.append(summary(rng, words, weights, templated))
    return found


class Truth(NamedTuple):
    """What there is to find. None: not known, or too many to compare."""

    dropped: Numbers  # texts with an earlier partner that is not dropped itself
    amount: int | None  # of pairs
    pairs: Pairs | None
    later: Numbers | None  # texts with an earlier partner
    both: Numbers | None  # texts with any


def the_truth(some: Texts, threshold: str, of_pairs: bool = True) -> Truth:
    """Return which texts would be dropped, and the pairs, or where these are more than MOST_PAIRS the texts in them."""
    dropped = np.array([text for text, _ in true_pairs(some, threshold, of_founders=True)], np.int64)
    if not of_pairs:
        return Truth(dropped, None, None, None, None)
    count, parts = 0, [np.zeros(0, np.int64)]
    later, earlier = np.zeros(len(some), np.bool_), np.zeros(len(some), np.bool_)
    for text, others in true_pairs(some, threshold):
        count += len(others)
        later[text] = True
        earlier[others] = True
        if count <= MOST_PAIRS:
            parts.append((text << 32) | others)
        else:
            parts.clear()
    pairs = np.sort(np.concatenate(parts)) if parts else None
    return Truth(dropped, count, pairs, np.flatnonzero(later), np.flatnonzero(later | earlier))


class _Holders:
    """For each word the texts that were entered under it, and the place that it has in them."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._columns: dict[int, npt.NDArray[np.int64]] = {}

    def of(self, word: int) -> npt.NDArray[np.int64]:
        """Return texts and places, as two rows."""
        count = self._counts.get(word, 0)
        return self._columns[word][:, :count] if count else np.zeros((2, 0), np.int64)

    def enter(self, word: int, text: int, place: int) -> None:
        count = self._counts.get(word, 0)
        columns = self._columns.setdefault(word, np.zeros((2, 4), np.int64))
        if count == columns.shape[1]:
            columns = self._columns[word] = np.concatenate([columns, columns], axis=1)
        columns[:, count] = text, place
        self._counts[word] = count + 1


def true_pairs(some: Texts, threshold: str, of_founders: bool = False) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield each text with its earlier partners: by an inverted index over its rarest words, all compared exactly.

    If `of_founders`, a text with a partner is nobody's partner.
    """
    ratio = Fraction(threshold)
    top, bottom = ratio.numerator, ratio.denominator
    frequency = Counter(word for text in some for word in set(text.split()))
    order = {word: number for number, (word, _) in enumerate(frequency.most_common()[::-1])}
    bags = [frozenset(order[word] for word in text.split()) for text in some]
    sizes = np.array([len(bag) for bag in bags], np.int64)
    holders = _Holders()
    for later, bag in enumerate(bags):
        size, candidates = len(bag), []
        rarest = sorted(bag)[: size + (-top * size // bottom) + 1]
        for place, word in enumerate(rarest):
            others, places = holders.of(word)
            if len(others):
                lengths = sizes[others]
                # No more words than these can be shared, of which this is the first, if it is the first at all.
                most = np.minimum(size - place, lengths - places)
                candidates.append(others[most * (top + bottom) >= top * (size + lengths)])
        found = np.unique(np.concatenate(candidates)).tolist() if candidates else []
        shared = [len(bag & bags[other]) for other in found]
        right = [
            other
            for other, both in zip(found, shared, strict=True)
            if both * bottom >= (size + len(bags[other]) - both) * top
        ]
        if right:
            yield later, np.array(right, np.int64)
        if not (right and of_founders):
            for place, word in enumerate(rarest):
                holders.enter(word, later, place)


def brute_force(some: Texts, threshold: str) -> Pairs:
    """Compare each with each: count the shared words of each text with all before it."""
    ratio = Fraction(threshold)
    holders: dict[str, list[int]] = {}
    sizes = np.array([len(set(text.split())) for text in some], np.int64)
    parts = [np.zeros(0, np.int64)]
    for later, text in enumerate(some):
        words = set(text.split())
        before = [other for word in words for other in holders.get(word, ())]
        shared = np.bincount(np.array(before, np.int64), minlength=later)
        union = sizes[later] + sizes[:later] - shared
        parts.append((later << 32) | np.flatnonzero(shared * ratio.denominator >= union * ratio.numerator))
        for word in words:
            holders.setdefault(word, []).append(later)
    return np.sort(np.concatenate(parts))


def dropped_of(pairs: Pairs) -> Numbers:
    """Return the texts that are dropped, if all pairs are known: those with an earlier partner that is not."""
    dropped: set[int] = set()
    for later, earlier in zip((pairs >> 32).tolist(), (pairs & 0xFFFFFFFF).tolist(), strict=True):
        if earlier not in dropped:
            dropped.add(later)
    return np.array(sorted(dropped), np.int64)
