"""What has changed places between two texts: names, numbers, contraries, phrases, and whose something is.

Rule: each question is a small pure function of two `TextFacts`, the same either way round; any True is an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from membatch.similarity.text import NO_CONTENT, TextFacts
from membatch.similarity.words import ARTICLES, COORDINATORS, OPPOSITES, PREPOSITIONS, SHORT_S

LONGEST_EXCHANGED: Final = 8  # words of a phrase that changes places with another


def characters(mine: TextFacts, other: TextFacts) -> bool:
    """Scripts without spaces show no names: there the longer text is to be the shorter one with more in it.

    If it lacks a character of it, that is what the guard `substitution` asks about.
    """
    if not mine.content_run or not other.content_run:
        return False
    shorter, longer = sorted((mine, other), key=lambda text: len(text.content_run))
    if shorter.content_characters - longer.content_characters:
        return False
    rest = iter(longer.content_run)
    return not all(character in rest for character in shorter.content_run)


def cases(mine: TextFacts, other: TextFacts) -> bool:
    """Japanese particles of case come in another order after the same words."""
    if mine.cases == other.cases or mine.content_run != other.content_run:
        return False
    return sorted(mine.cases) == sorted(other.cases)


def numbers(mine: TextFacts, other: TextFacts) -> bool:
    """Numbers come in another order, and not together with what they count."""
    if len(mine.numbers) < 2 or [number for number, _ in mine.counted] == [number for number, _ in other.counted]:
        return False
    return sorted(mine.counted) != sorted(other.counted)


def contraries(mine: TextFacts, other: TextFacts) -> bool:
    """Words that say the contrary of each other come in another order."""
    if mine.opposed == other.opposed or len(mine.opposed) < 2 or len(other.opposed) < 2:
        return False
    for one, contrary in OPPOSITES:
        if not any(side.isdisjoint(words) for side in (one, contrary) for words in (mine.opposed, other.opposed)):
            if mine.sides(one, contrary) != other.sides(one, contrary):
                return True
    return False


def phrases(mine: TextFacts, other: TextFacts) -> bool:
    """Of the same words, two phrases have changed places over what is between them, or *not* stands elsewhere."""
    if mine.word_set != other.word_set or mine.words == other.words or sorted(mine.words) != sorted(other.words):
        return False
    return mine.negated != other.negated or _have_changed_places(mine.steps, other.steps)


def _have_changed_places(left: Sequence[str], right: Sequence[str]) -> bool:
    """Return whether one, between, other has become other, between, one; the members of a list may."""
    start, stop = 0, min(len(left), len(right))
    while start < stop and left[start] == right[start]:
        start += 1
    end = 0
    while end < stop - start and left[-end - 1] == right[-end - 1]:
        end += 1
    left, right, rest = left[start : len(left) - end], right[start : len(right) - end], left[len(left) - end :]
    size = len(left)
    lengths = range(1, min(LONGEST_EXCHANGED + 1, size))
    for first in [length for length in lengths if left[:length] == right[-length:]]:
        for last in [length for length in lengths if left[-length:] == right[:length]]:
            between = left[first : size - last]
            if between and between == right[last : len(right) - first] and not _is_list(between, rest):
                if _kind(left[:first]) == _kind(left[size - last :]):
                    return True
    return False


def _is_list(between: Sequence[str], rest: Sequence[str]) -> bool:
    """Return whether what is between two phrases joins the members of a list, be it only with what comes after."""
    joins = [word for word in between if word not in ARTICLES]
    if not joins or joins[-1] not in COORDINATORS:
        return False
    return joins[0] in COORDINATORS or rest[: len(between) - 1] == between[:-1]


def _kind(phrase: Sequence[str]) -> tuple[bool, bool]:
    """Return whether a phrase is but grammar, and whether it tells where or when: two kinds may change places."""
    return NO_CONTENT.issuperset(phrase), phrase[0] in PREPOSITIONS


def owners(mine: TextFacts, other: TextFacts) -> bool:
    """Only in one text something is somebody's: Anna's doctor told her, Anna told her doctor."""
    if mine.owners == other.owners or mine.words == other.words:
        return False
    for one, two in ((mine, other), (other, mine)):
        if any(word in two.word_set and two.governed.get(word) != "of" for word in one.owners - two.owners):
            if all(one.words.count(word) == two.words.count(word) for word in SHORT_S):
                return True
    return False


def names(mine: TextFacts, other: TextFacts) -> bool:
    """Two capitalised words that both have come in another order; one may move with the preposition before it."""
    both = set(mine.capitalised).intersection(other.capitalised)
    if len(both) < 2:
        return False
    bare = {word for word in both if word not in mine.governed or mine.governed[word] != other.governed.get(word)}
    return [word for word in mine.capitalised if word in bare] != [word for word in other.capitalised if word in bare]


QUESTIONS: Final[tuple[Callable[[TextFacts, TextFacts], bool], ...]] = (
    characters,
    cases,
    numbers,
    contraries,
    phrases,
    owners,
    names,
)
