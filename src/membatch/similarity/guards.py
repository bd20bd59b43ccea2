"""Guards: may this record and this memory be one, although they look alike?

Rule: a guard is a small pure function of two `Facts` that says "same", "different" or "unsure"; any different
decides, else any unsure. A guard that fires too often costs a merge, one that fires too seldom a memory.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final, Literal, NamedTuple

from membatch.config import suggest
from membatch.errors import ConfigError
from membatch.extension import extensions
from membatch.patch import Document
from membatch.similarity.text import TextFacts, differ_plainly, lazy
from membatch.similarity.variants import are_variants
from membatch.similarity.words import ARTICLES, COORDINATORS, COUNTERPARTS, OPPOSITES, PASSIVES

ENTRY_POINTS: Final = "membatch.guards"
LONGEST_EXCHANGED: Final = 8  # words of a phrase that changes places with another
ONE_DAY: Final = dt.timedelta(days=1)
OPPOSITE_VALENCE: Final = 0.5

Verdict = Literal["same", "different", "unsure"]


Guard = Callable[["Facts", "Facts"], Verdict]


_NOBODY: Final[frozenset[str]] = frozenset()


class Facts:
    """What guards ask about a record or a memory; each is worked out when it is first asked for."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @lazy
    def subject(self) -> str | None:
        """The participant it is about."""
        found: str | None = self.document.get("subject")
        return found

    @lazy
    def people(self) -> frozenset[str]:
        """The ids of those who took part."""
        people = self.document.get("participants")
        return frozenset([person["id"] for person in people]) if people else _NOBODY

    @lazy
    def occurred_at(self) -> dt.datetime | None:
        """When it happened."""
        return _time(self.document.get("occurred_at"))

    @lazy
    def valid_from(self) -> dt.datetime | None:
        """Since when it holds."""
        return _time(self.document.get("valid_from"))

    @lazy
    def valid_until(self) -> dt.datetime | None:
        """Until when it holds."""
        return _time(self.document.get("valid_until"))

    @lazy
    def valence(self) -> float | None:
        """How pleasant it was, from -1 to 1."""
        felt = self.document.get("emotional_context")
        return felt.get("valence") if felt else None

    @lazy
    def summary(self) -> TextFacts:
        """What its summary holds."""
        return TextFacts(self.document["summary"])

    @lazy
    def content(self) -> TextFacts | None:
        """What its content holds."""
        text = self.document.get("content")
        return None if text is None else TextFacts(text)


def _time(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def subject(record: Facts, memory: Facts) -> Verdict:
    """Different if both say whom they are about, and it is not the same."""
    mine, other = record.subject, memory.subject
    return "different" if mine is not None and other is not None and mine != other else "same"


def participants(record: Facts, memory: Facts) -> Verdict:
    """Different if both say who took part, and nobody took part in both."""
    mine, other = record.people, memory.people
    return "different" if mine and other and not mine & other else "same"


def when(record: Facts, memory: Facts) -> Verdict:
    """Different if they occurred more than a day apart, or never hold at one time."""
    mine, other = record.occurred_at, memory.occurred_at
    if mine is not None and other is not None and abs(mine - other) > ONE_DAY:
        return "different"
    for first, second in ((record, memory), (memory, record)):
        if first.valid_until is not None and second.valid_from is not None:
            if first.valid_until < second.valid_from:
                return "different"
    return "same"


def numbers(mine: TextFacts, other: TextFacts) -> Verdict:
    """Different if the numbers, dates, amounts, number words or codes are not the same."""
    return "same" if mine.numbers == other.numbers else "different"


def names(mine: TextFacts, other: TextFacts) -> Verdict:
    """Different if each has a capitalised word that the other lacks in any case; a plural is no other name."""
    if mine.letters - other.letters and other.letters - mine.letters:
        return "different"
    mine_only = set(mine.capitalised) - other.word_set
    other_only = set(other.capitalised) - mine.word_set
    if not mine_only or not other_only:
        return "same"
    if all(_is_plural_in(word, other.word_set) for word in mine_only):
        return "same"
    return "same" if all(_is_plural_in(word, mine.word_set) for word in other_only) else "different"


def _is_plural_in(word: str, words: Set[str]) -> bool:
    return f"{word}s" in words or (word.endswith("s") and word[:-1] in words)


def symbols(mine: TextFacts, other: TextFacts) -> Verdict:
    """Different if each has a free-standing symbol that the other lacks."""
    return "different" if mine.symbols - other.symbols and other.symbols - mine.symbols else "same"


def substitution(mine: TextFacts, other: TextFacts) -> Verdict:
    """Unsure if each has a content word that the other lacks, or one says the contrary of a word of the other.

    A word more on one side is an elaboration.
    """
    if mine.contrasted != other.contrasted and _are_opposed(mine.contrasted, other.contrasted):
        return "unsure"
    if mine.agents != other.agents and mine.content_words == other.content_words:
        if _is_passive_of(mine.agents, other.agents) or _is_passive_of(other.agents, mine.agents):
            return "unsure"
    mine_only = mine.content_words - other.word_set
    other_only = other.content_words - mine.word_set if mine_only else mine_only
    if mine_only and other_only and _lacks_variant(mine_only, other_only) and _lacks_variant(other_only, mine_only):
        return "unsure"
    if mine.content_characters or other.content_characters:
        if mine.content_characters - other.content_characters and other.content_characters - mine.content_characters:
            return "unsure"
    return "same"


def _lacks_variant(words: Set[str], others: Set[str]) -> bool:
    """Return whether one of the words is no inflection or other spelling of any of the others."""
    return not all(any(are_variants(word, other) for other in others) for word in words)


def _are_opposed(mine: Set[str], other: Set[str]) -> bool:
    """Return whether of two contraries one text has only the one, and the other text only the other."""
    for word in mine - other:
        for one, contrary in COUNTERPARTS[word]:
            if one.isdisjoint(other) and contrary.isdisjoint(mine) and not contrary.isdisjoint(other):
                return True
    return False


def _is_passive_of(mine: Set[str], other: Set[str]) -> bool:
    """Return whether one text has both words of a passive, and the other text neither."""
    return any(by & mine and was & mine and not by & other and not was & other for by, was in PASSIVES)


def order(mine: TextFacts, other: TextFacts) -> Verdict:
    """Unsure if what both have comes in another order: capitalised words, numbers, contraries, unspaced characters.

    Numbers may change their order together with what they count. Scripts written without spaces show no names: there
    the longer text is to be the shorter one with more in it; if it lacks a character of it, that is what
    `substitution` asks about.
    """
    shorter, longer = sorted((mine, other), key=lambda text: len(text.content_run))
    if shorter.content_run and not shorter.content_characters - longer.content_characters:
        rest = iter(longer.content_run)
        if not all(character in rest for character in shorter.content_run):
            return "unsure"
    if len(mine.numbers) > 1 and _are_exchanged(mine.counted, other.counted):
        return "unsure"
    if mine.opposed != other.opposed and len(mine.opposed) > 1 and len(other.opposed) > 1:
        for one, contrary in OPPOSITES:
            if not any(side.isdisjoint(words) for side in (one, contrary) for words in (mine.opposed, other.opposed)):
                if mine.sides(one, contrary) != other.sides(one, contrary):
                    return "unsure"
    if mine.word_set == other.word_set and mine.words != other.words and sorted(mine.words) == sorted(other.words):
        if mine.negated != other.negated or _have_changed_places(mine, other):
            return "unsure"
    both = set(mine.capitalised) & set(other.capitalised)
    if len(both) < 2:
        return "same"
    first = [word for word in mine.capitalised if word in both]
    return "same" if first == [word for word in other.capitalised if word in both] else "unsure"


def _are_exchanged(mine: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> bool:
    """Return whether numbers come in another order, and not together with what they count."""
    in_order = [number for number, _ in mine] == [number for number, _ in other]
    return not in_order and sorted(mine) != sorted(other)


def _have_changed_places(mine: TextFacts, other: TextFacts) -> bool:
    """Return whether two phrases have changed places over what is between them; the members of a list may."""
    left, right = mine.steps, other.steps
    start, stop = 0, min(len(left), len(right))
    while start < stop and left[start] == right[start]:
        start += 1
    end = 0
    while end < stop - start and left[-end - 1] == right[-end - 1]:
        end += 1
    left, right, rest = left[start : len(left) - end], right[start : len(right) - end], left[len(left) - end :]
    size = len(left)
    firsts = [n for n in range(1, LONGEST_EXCHANGED + 1) if n < size and left[:n] == right[-n:]]
    lasts = [n for n in range(1, LONGEST_EXCHANGED + 1) if n < size and left[-n:] == right[:n]]
    for first in firsts:
        for last in lasts:
            between = left[first : size - last]
            if not between or between != right[last : len(right) - first]:
                continue
            joins = [word for word in between if word not in ARTICLES]
            if joins and joins[-1] in COORDINATORS:
                if joins[0] in COORDINATORS or rest[: len(between) - 1] == between[:-1]:
                    continue
            if all(not mine.content_words.isdisjoint(words) for words in (left[:first], left[size - last :])):
                return True
    return False


def negation(mine: TextFacts, other: TextFacts) -> Verdict:
    """Unsure if one negates more often than the other, or one says always, perhaps, if, almost, formerly."""
    return "same" if mine.negations == other.negations and mine.reservations == other.reservations else "unsure"


def on_texts(guard: Callable[[TextFacts, TextFacts], Verdict]) -> Guard:
    """Return a guard that asks about the summaries, and about the contents where both have one."""

    def judge(record: Facts, memory: Facts) -> Verdict:
        verdict = guard(record.summary, memory.summary)
        if verdict == "different" or record.content is None or memory.content is None:
            return verdict
        contents = guard(record.content, memory.content)
        return verdict if contents == "same" else contents

    return judge


def valence(record: Facts, memory: Facts) -> Verdict:
    """Unsure if one was pleasant and the other unpleasant, half the scale or more apart."""
    mine, other = record.valence, memory.valence
    if mine is None or other is None or mine * other >= 0 or abs(mine - other) < OPPOSITE_VALENCE:
        return "same"
    return "unsure"


class GuardRow(NamedTuple):
    """A guard in the table; what is False says that equal content hashes, or equal fields, answer it already."""

    judge: Guard
    asks_equal_hashes: bool = True
    asks_equal_fields: bool = True


GUARDS: Final[Mapping[str, GuardRow]] = {
    "subject": GuardRow(subject, asks_equal_fields=False),
    "participants": GuardRow(participants, asks_equal_fields=False),
    "when": GuardRow(when, asks_equal_fields=False),
    "numbers": GuardRow(on_texts(numbers), asks_equal_hashes=False),
    "names": GuardRow(on_texts(names), asks_equal_hashes=False),
    "symbols": GuardRow(on_texts(symbols), asks_equal_hashes=False),
    "substitution": GuardRow(on_texts(substitution), asks_equal_hashes=False),
    "order": GuardRow(on_texts(order), asks_equal_hashes=False),
    "negation": GuardRow(on_texts(negation), asks_equal_hashes=False),
    "valence": GuardRow(valence, asks_equal_fields=False),
}

# Judged by trying the merge, after all others; it cannot be switched off.
LIMITS: Final = "limits"


class Judgement(NamedTuple):
    """What the guards say of a pair, and which ones did not say "same"."""

    verdict: Verdict
    fired: dict[str, str]


def resolve(names: Sequence[str]) -> dict[str, GuardRow]:
    """Return the guards of a run, in the order of the table; raises ConfigError for an unknown one."""
    known = dict(GUARDS)
    for point in extensions(ENTRY_POINTS):
        known[point.name] = GuardRow(point.load())
    for name in names:
        if name not in known and name != LIMITS:
            raise ConfigError(f"dedup.guards names {name!r}{suggest(name, (*known, LIMITS))}")
    return {name: row for name, row in known.items() if name in names}


def _have_equal_fields(record: Document, memory: Document) -> bool:
    """Return True only if all guards on fields say "same": a short cut that spares their facts."""
    mine, other = record.get, memory.get
    return (
        mine("subject") == other("subject")
        and mine("participants") == other("participants")
        and mine("emotional_context") == other("emotional_context")
        and mine("occurred_at") == other("occurred_at")
        and mine("valid_from") == other("valid_from")
        and mine("valid_until") == other("valid_until")
    )


def _differ_plainly(record: Document, memory: Document) -> bool:
    """Return True only if all guards on texts say "same": a short cut that spares their facts."""
    if not differ_plainly(record["summary"], memory["summary"]):
        return False
    mine, other = record.get("content"), memory.get("content")
    return mine is None or other is None or mine == other or differ_plainly(mine, other)


def judge(guards: Mapping[str, GuardRow], record: Facts, memory: Facts, *, equal_hashes: bool) -> Judgement:
    """Return what the guards say of a record and a memory as it now stands."""
    unsure: dict[str, str] = {}
    fields_say_same = _have_equal_fields(record.document, memory.document)
    texts_say_same: bool | None = True if equal_hashes else None
    for name, row in guards.items():
        if fields_say_same and not row.asks_equal_fields:
            continue
        if not row.asks_equal_hashes:
            if texts_say_same is None:  # where the facts of both are there already, they are quicker
                has_facts = "summary" in record.__dict__ and "summary" in memory.__dict__
                texts_say_same = not has_facts and _differ_plainly(record.document, memory.document)
            if texts_say_same:
                continue
        verdict = row.judge(record, memory)
        if verdict == "different":
            return Judgement("different", {name: verdict})
        if verdict == "unsure":
            unsure[name] = verdict
    return Judgement("unsure" if unsure else "same", unsure)
