"""Guards: may this record and this memory be one, although they look alike?

Rule: a guard is a small pure function of two `Facts` that says "same", "different" or "unsure"; any different
decides, else any unsure. A guard that fires too often costs a merge, one that fires too seldom a memory.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final, Literal, NamedTuple

from membatch.config import suggest
from membatch.errors import ConfigError
from membatch.extension import extensions
from membatch.patch import Document
from membatch.similarity import places
from membatch.similarity.text import NO_CONTENT, TextFacts, Told, lazy, told_by_difference
from membatch.similarity.variants import are_spellings, are_variants
from membatch.similarity.words import (
    ALIKE,
    COUNTERPARTS,
    FUNCTION_CHARACTERS,
    FUTURE,
    PASSIVES,
    PREPOSITIONS,
    WEIGHTY,
)

ENTRY_POINTS: Final = "membatch.guards"
FIELDS: Final = ("subject", "participants", "emotional_context", "occurred_at", "valid_from", "valid_until")
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
    """Different if each has a capitalised word that the other lacks in any case.

    A plural is no other name, nor is one without its accents.
    """
    if mine.letters - other.letters and other.letters - mine.letters:
        return "different"
    mine_only = set(mine.capitalised) - other.word_set
    other_only = set(other.capitalised) - mine.word_set
    if not mine_only or not other_only:
        return "same"
    if all(_is_known_in(word, other) for word in mine_only):
        return "same"
    return "same" if all(_is_known_in(word, mine) for word in other_only) else "different"


def _is_known_in(word: str, text: TextFacts) -> bool:
    if f"{word}s" in text.word_set or (word.endswith("s") and word[:-1] in text.word_set):
        return True
    others = text.accented if word.isascii() else text.word_set  # of two spellings one has no accents
    return any(are_spellings(word, other) for other in others)


def symbols(mine: TextFacts, other: TextFacts) -> Verdict:
    """Different if each has a free-standing symbol that the other lacks."""
    return "different" if mine.symbols - other.symbols and other.symbols - mine.symbols else "same"


def substitution(mine: TextFacts, other: TextFacts) -> Verdict:
    """Unsure if each has a content word that the other lacks, or one says the contrary of a word of the other.

    A word more on one side is an elaboration.
    """
    if mine.contrasted != other.contrasted and _are_opposed(Counter(mine.contrasted), Counter(other.contrasted)):
        return "unsure"
    if mine.agents != other.agents and mine.content_words == other.content_words:
        if _is_passive_of(mine.agents, other.agents) or _is_passive_of(other.agents, mine.agents):
            return "unsure"
    mine_words, other_words = mine.words_beside(other), other.words_beside(mine)
    mine_only, other_only = mine_words - other_words - NO_CONTENT, other_words - mine_words - NO_CONTENT
    if mine_only and other_only:
        if _lacks_variant(mine_only, other_only) and _lacks_variant(other_only, mine_only):
            return "unsure"
        if not FUTURE.isdisjoint(mine_only | other_only):
            return "unsure"
    if mine.words != other.words and (_is_replaced(mine, other) or _is_replaced(other, mine)):
        return "unsure"
    if mine.content_characters or other.content_characters:
        if mine.content_characters - other.content_characters and other.content_characters - mine.content_characters:
            return "unsure"
        if _is_character_replaced(mine, other) or _is_character_replaced(other, mine):
            return "unsure"
    return "same"


def _lacks_variant(words: Set[str], others: Set[str]) -> bool:
    """Return whether one of the words is no inflection or other spelling of any of the others."""
    return not all(any(are_variants(word, other) for other in others) for word in words)


def _are_opposed(mine: Counter[str], other: Counter[str]) -> bool:
    """Return whether of two contraries one text has more of the one, and the other text more of the other."""
    for word in mine - other:
        for one, contrary in COUNTERPARTS[word]:
            if _count(one, mine) > _count(one, other) and _count(contrary, mine) < _count(contrary, other):
                return True
    return False


def _count(words: Set[str], counts: Counter[str]) -> int:
    return sum([counts[word] for word in words])


def _is_replaced(mine: TextFacts, other: TextFacts) -> bool:
    """Return whether the other text has another word in the place of a word of grammar that is no ornament."""
    gone = (mine.word_set - other.word_set) & WEIGHTY
    if not gone:
        return False
    replaced = [(word, other.frames.get(place, "")) for place, word in mine.frames.items() if word in gone]
    return any(
        not are_variants(word, instead) if instead in other.content_words else _are_prepositions_apart(word, instead)
        for word, instead in replaced
        if instead not in mine.word_set
    )


def _is_character_replaced(mine: TextFacts, other: TextFacts) -> bool:
    """Return whether the other text has a character of grammar in the place of one of content: 从北京, 在北京."""
    gone = mine.content_characters.keys() - set(other.unspaced)
    return bool(gone) and any(
        other.unspaced_frames.get(place) in FUNCTION_CHARACTERS
        for place, character in mine.unspaced_frames.items()
        if character in gone and place in other.unspaced_frames
    )


def _are_prepositions_apart(word: str, other: str) -> bool:
    """Return whether two words are prepositions of which one may not stand for the other."""
    one, two = PREPOSITIONS.get(word), PREPOSITIONS.get(other)
    if one is None or two is None or one == two:
        return False
    return not any({one, two} == first | second for first, second in ALIKE)


def _is_passive_of(mine: Set[str], other: Set[str]) -> bool:
    """Return whether one text has both words of a passive, and the other text neither."""
    return any(by & mine and was & mine and not by & other and not was & other for by, was in PASSIVES)


def order(mine: TextFacts, other: TextFacts) -> Verdict:
    """Unsure if what both have comes in another order: names, numbers, contraries, phrases, unspaced characters."""
    for have_changed in places.QUESTIONS:
        if have_changed(mine, other):
            return "unsure"
    return "same"


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
    return all([mine(name) == other(name) for name in FIELDS])  # noqa: C419 (a generator takes longer)


def _told_by_difference(record: Document, memory: Document) -> Told | None:
    """Return what all guards on texts say, where it is told without their facts: a short cut."""
    told = told_by_difference(record["summary"], memory["summary"])
    mine, other = record.get("content"), memory.get("content")
    if told is None or mine is None or other is None or mine == other:
        return told
    contents = told_by_difference(mine, other)
    return told if contents == "same" else contents


def judge(guards: Mapping[str, GuardRow], record: Facts, memory: Facts, *, equal_hashes: bool) -> Judgement:
    """Return what the guards say of a record and a memory as it now stands."""
    unsure: dict[str, str] = {}
    fields_say_same = _have_equal_fields(record.document, memory.document)
    told: Told | None = "same" if equal_hashes else None  # by all guards on texts
    has_looked = equal_hashes
    for name, row in guards.items():
        if fields_say_same and not row.asks_equal_fields:
            continue
        if not row.asks_equal_hashes:
            if not has_looked:
                has_looked = True
                has_facts = "summary" in record.__dict__ and "summary" in memory.__dict__
                told = None if has_facts else _told_by_difference(record.document, memory.document)  # facts are quicker
            if told == name:
                unsure[name] = "unsure"
            if told is not None:
                continue
        verdict = row.judge(record, memory)
        if verdict == "different":
            return Judgement("different", {name: verdict})
        if verdict == "unsure":
            unsure[name] = verdict
    return Judgement("unsure" if unsure else "same", unsure)
