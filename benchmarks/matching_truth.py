"""The texts that `matching.py` compares, and the truth about them.

Rule: shares no code with the product; an exact inverted index, itself held against comparing each with each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numba
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


def true_pairs(some: Texts, threshold: str, of_founders: bool = False) -> Iterator[tuple[int, Numbers]]:
    """Yield each text with its earlier partners: by an inverted index over its rarest words, all compared exactly.

    If `of_founders`, a text with a partner is nobody's partner, and its first one is given alone.
    """
    ratio = Fraction(threshold)
    frequency = Counter(word for text in some for word in set(text.split()))
    order = {word: number for number, (word, _) in enumerate(frequency.most_common()[::-1])}
    bags = [sorted({order[word] for word in text.split()}) for text in some]
    sizes = np.array([len(bag) for bag in bags], np.int64)
    ends = np.cumsum(sizes)
    words = np.fromiter((word for bag in bags for word in bag), np.int64, int(ends[-1]))
    # Two partners share one of so many of their rarest words.
    rarest = sizes - -(-ratio.numerator * sizes // ratio.denominator) + 1
    amounts = np.zeros(len(order), np.int64)
    for bag, count in zip(bags, rarest.tolist(), strict=True):
        amounts[bag[:count]] += 1
    holders = _Holders(
        starts=np.cumsum(amounts) - amounts,
        counts=np.zeros(len(order), np.int64),
        texts=np.zeros(int(amounts.sum()), np.int64),
    )
    seen, found = np.full(len(some), -1, np.int64), np.empty(len(some), np.int64)
    for later in range(len(some)):
        count = _partners(
            later, words, ends, rarest, holders, seen, found, ratio.numerator, ratio.denominator, of_founders
        )
        if count:
            yield later, found[:count].copy()


class _Holders(NamedTuple):
    """For each word the texts that were entered under it: where they begin, how many there are, and they."""

    starts: Numbers
    counts: Numbers
    texts: Numbers


@numba.njit(cache=True)
def _partners(
    later: int,
    words: Numbers,
    ends: Numbers,
    rarest: Numbers,
    holders: _Holders,
    seen: Numbers,
    found: Numbers,
    top: int,
    bottom: int,
    of_founders: bool,
) -> int:  # pragma: no cover
    """Write a text's earlier partners to `found`, return how many there are, and enter the text."""
    begin = 0 if later == 0 else ends[later - 1]
    size, partners = ends[later] - begin, 0
    for word in words[begin : begin + rarest[later]]:
        start = holders.starts[word]
        for other in holders.texts[start : start + holders.counts[word]]:
            if seen[other] == later:
                continue
            seen[other] = later
            at, stop = (0 if other == 0 else ends[other - 1]), ends[other]
            mine, shared = begin, 0
            # So many words have to be shared; once they cannot be any more, the rest need not be looked at.
            needed = -(-top * (size + stop - at) // (top + bottom))
            while shared + min(stop - at, ends[later] - mine) >= needed and at < stop and mine < ends[later]:
                if words[at] == words[mine]:
                    shared += 1
                    at += 1
                    mine += 1
                elif words[at] < words[mine]:
                    at += 1
                else:
                    mine += 1
            if shared >= needed:
                found[partners] = other
                partners += 1
                if of_founders:
                    return partners
    for word in words[begin : begin + rarest[later]]:
        holders.texts[holders.starts[word] + holders.counts[word]] = later
        holders.counts[word] += 1
    return partners


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
