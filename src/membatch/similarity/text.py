"""What the guards see in a text: numbers, codes, symbols, names, content words, negation.

Rule: a text is taken apart at white space (`pieces`); each fact is worked out when it is first asked for.
Data in: a text. Data out: `TextFacts`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence, Set
from itertools import pairwise
from typing import Final, Generic, Literal, TypeVar

from membatch.similarity.pieces import NUMBER, NUMERAL_RUN, RESOLVED, UNSPACED, Piece, canonical, piece_of, value
from membatch.similarity.variants import are_variants
from membatch.similarity.words import (
    AFTER_NE,
    AGENTS,
    ALWAYS,
    BETWEEN_NUMBERS,
    CASES,
    CONTRASTED,
    FUNCTION_CHARACTERS,
    FUNCTION_WORDS,
    NE,
    NEGATION,
    NEGATION_PARTS,
    NUMBER_WORDS,
    NUMERALS,
    ONES,
    OPPOSED,
    PHRASES,
    PLAINLY,
    PREPOSITIONS,
    RESERVATION_PARTS,
    RESERVATIONS,
    RESERVED,
    SHE,
    WEIGHTY,
)

Owner = TypeVar("Owner")
Value = TypeVar("Value")

_GLUED: Final = re.compile(
    r"(?<=\d)(?:\s+(?=[€$£¥])|\s*(?:(a)|p)\.?m\b\.?"
    r"|\s*(?P<percent>%|per ?cent\b|prozent\b|pour cent\b|per cento\b|por ciento\b|por cento\b))",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(rf"{NUMBER.pattern}|{NUMERAL_RUN.pattern}|[{UNSPACED}]|[^\W\d_]+")
_SENTENCE_END: Final = tuple(".!?:;\"')”»…。！？")
_SAME_CHARACTER: Final = str.maketrans({"−": "-", "–": "-", "’": "'", "‘": "'", "ʼ": "'", "＇": "'", "\ufe0f": None})
NO_CONTENT: Final = FUNCTION_WORDS | NEGATION | NUMBER_WORDS.keys()
_NO_CONTENT_CHARACTERS: Final = FUNCTION_CHARACTERS | NUMERALS
_NO_CHARACTERS: Final[Counter[str]] = Counter()
_NO_COMPOUNDS: Final[dict[str, str]] = {}
_NOBODY: Final[frozenset[str]] = frozenset()
_NO_LETTERS: Final[frozenset[str]] = frozenset()
_NO_RESERVATIONS: Final = (False,) * len(RESERVATIONS)
_UNSPACED_ALWAYS: Final = tuple(word for word in ALWAYS if not word.isascii())
_PHRASE_STARTS: Final = frozenset(start for start, _ in PHRASES)
_IN_PHRASES: Final = frozenset(word for phrase in PHRASES for word in phrase)
_LOOKED_AT: Final = NEGATION | ALWAYS | ONES | CONTRASTED | AGENTS | RESERVED | _IN_PHRASES | {"p", "s"}


class lazy(Generic[Owner, Value]):  # noqa: N801
    """A property that is worked out once; functools.cached_property takes a lock for it before Python 3.12."""

    def __init__(self, work_out: Callable[[Owner], Value]) -> None:
        self._work_out, self.__doc__ = work_out, work_out.__doc__

    def __get__(self, owner: Owner, kind: object = None) -> Value:
        value = owner.__dict__[self._work_out.__name__] = self._work_out(owner)
        return value


def _glued(unit: re.Match[str]) -> str:
    return "" if unit[0].isspace() else "%" if unit["percent"] else "am" if unit[1] else "pm"


class TextFacts:
    """The facts of one text; each is worked out when it is first asked for."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text).translate(_SAME_CHARACTER)
        text = _GLUED.sub(_glued, text)
        self._text, self._pieces = text, [piece_of(part) for part in text.split()]

    @lazy
    def words(self) -> list[str]:
        """All words, casefolded, in order."""
        return [word for piece in self._pieces for word in piece.words]

    @lazy
    def word_set(self) -> frozenset[str]:
        """All words, casefolded."""
        return frozenset(self.words)

    @lazy
    def accented(self) -> frozenset[str]:
        """Words that are not ASCII, casefolded."""
        return _NOBODY if self._text.isascii() else frozenset([word for word in self.words if not word.isascii()])

    @lazy
    def numbers(self) -> frozenset[str]:
        """Signed numbers, dates, amounts, number words, codes."""
        found = frozenset([number for piece in self._pieces for number in piece.numbers])
        return found | {"1"} if found and self._counts_one() else found

    def _counts_one(self) -> bool:
        """Return whether the word one stands beside another number: after it, or before one below ten."""
        if ONES.isdisjoint(self.word_set):
            return False
        words = [word for word in self.words if word in ONES or word not in BETWEEN_NUMBERS]
        amounts = ["", *[NUMBER_WORDS.get(word, "") for word in words], ""]
        return any(
            word in ONES and (before.isdigit() or (after.isdigit() and len(after) == 1))
            for before, word, after in zip(amounts, words, amounts[2:], strict=False)
        )

    @lazy
    def counted(self) -> list[tuple[str, str]]:
        """Each number in order, with what comes next: what it counts, mostly."""
        found = [
            canonical(part.lstrip("+")) if part[-1].isdigit() else part
            for part in _COUNTED.findall(self._text.casefold())
        ]
        numbers = [
            part
            if part[-1].isdigit()
            else value(part)
            if part[0] in NUMERALS
            else NUMBER_WORDS.get(part, "").strip("%")
            for part in found
        ]
        following = [*found, ""][1:]
        return [(number, after) for number, after in zip(numbers, following, strict=True) if number]

    @lazy
    def opposed(self) -> list[str]:
        """Words that have a contrary, in order."""
        return [word for word in self.words if word in OPPOSED]

    @lazy
    def contrasted(self) -> list[str]:
        """Words that have a contrary, or a counterpart of another person, case, tense or mood."""
        return [word for word in self.words if word in CONTRASTED]

    @lazy
    def agents(self) -> frozenset[str]:
        """Words that a passive is made of."""
        return self.word_set & AGENTS

    @lazy
    def reservations(self) -> tuple[bool, ...]:
        """Which kinds of reservation there are: doubt, condition, nearly, no more."""
        words = self.word_set
        if RESERVED.isdisjoint(words) and _PHRASE_STARTS.isdisjoint(words) and not self.unspaced:
            return _NO_RESERVATIONS
        if not _PHRASE_STARTS.isdisjoint(words):
            words |= {f"{one}_{next_one}" for one, next_one in pairwise(self.words) if (one, next_one) in PHRASES}
        found = [not row.isdisjoint(words) for row in RESERVATIONS]
        if self.unspaced:
            found = [
                there or any(part in self.unspaced for part in parts)
                for there, parts in zip(found, RESERVATION_PARTS, strict=True)
            ]
        return tuple(found)

    @lazy
    def negated(self) -> list[str]:
        """What comes next, grammar aside, after each word that negates."""
        found = [word for word in self.words if word in NEGATION or word not in NO_CONTENT]
        return [after for word, after in zip(found, [*found, ""][1:], strict=True) if word in NEGATION]

    @lazy
    def steps(self) -> list[str]:
        """All words in order, and the commas between them."""
        found: list[str] = []
        for part, piece in zip(self._text.split(), self._pieces, strict=True):
            found += piece.words
            if part.endswith(","):
                found.append(",")
        return found

    @lazy
    def letters(self) -> frozenset[str]:
        """Lone capitals within a sentence, casefolded, but for the pronoun: vitamin C, plan B."""
        if not any(piece.letters for piece in self._pieces) or self._text.isupper():
            return _NO_LETTERS
        parts = self._text.split()
        within = [False, *(not part.endswith(_SENTENCE_END) for part in parts)]
        return frozenset(
            [a for piece, inside in zip(self._pieces, within, strict=False) if inside for a in piece.letters]
        )

    def sides(self, one: Set[str], other: Set[str]) -> list[bool]:
        """Return in which order words of two sides come: True for the first."""
        return [word in one for word in self.words if word in one or word in other]

    @lazy
    def symbols(self) -> frozenset[str]:
        """Free-standing symbols."""
        return frozenset([symbol for piece in self._pieces for symbol in piece.symbols])

    @lazy
    def capitalised(self) -> list[str]:
        """Capitalised words, casefolded, function words left out, each once, in order."""
        found = [word for piece in self._pieces for word in piece.capitalised]
        if any(piece.acronyms for piece in self._pieces) and not self._text.isupper():
            found = [word for piece in self._pieces for word in piece.capitalised + piece.acronyms]
        return list(dict.fromkeys(found))

    @lazy
    def compounds(self) -> dict[str, str]:
        """Hyphenated words in one, and their parts with spaces between and around."""
        if "-" not in self._text:
            return _NO_COMPOUNDS
        return {piece.compound: f" {' '.join(piece.words)} " for piece in self._pieces if piece.compound}

    @lazy
    def vocabulary(self) -> frozenset[str]:
        """All words, casefolded, hyphenated ones in one."""
        if not self.compounds:
            return self.word_set
        return frozenset(
            [word for piece in self._pieces for word in ([piece.compound] if piece.compound else piece.words)]
        )

    @lazy
    def content_words(self) -> frozenset[str]:
        """Words that are neither function words nor numbers."""
        return self.vocabulary - NO_CONTENT

    def words_beside(self, other: TextFacts) -> frozenset[str]:
        """All words, hyphenated ones in one, or apart if the other text writes them apart."""
        if not self.compounds:
            return self.word_set
        line = f" {' '.join(other.words)} "
        apart = [compound for compound in self.compounds.keys() - other.vocabulary if self.compounds[compound] in line]
        parts = [part for compound in apart for part in self.compounds[compound].split()]
        return self.vocabulary.difference(apart).union(parts)

    @lazy
    def frames(self) -> dict[tuple[str, str], str]:
        """The word between each two words."""
        return _between(self.words)

    @lazy
    def unspaced_frames(self) -> dict[tuple[str, str], str]:
        """The character between each two characters of scripts written without spaces."""
        return _between(self.unspaced)

    @lazy
    def governed(self) -> dict[str, str]:
        """The last preposition before a content word, if nothing but grammar is between them."""
        found, preposition = {}, ""
        for piece in self._pieces:
            for word in piece.words:
                if word in PREPOSITIONS:
                    preposition = PREPOSITIONS[word]
                elif word not in NO_CONTENT:
                    if preposition:
                        found[word] = preposition
                    preposition = ""
            if piece.numbers:
                preposition = ""
        return found

    @lazy
    def owners(self) -> frozenset[str]:
        """Words with a possessive s, or a short is."""
        if "s" not in self.word_set:
            return _NOBODY
        pairs = [piece.words for piece in self._pieces if len(piece.words) == 2 and piece.words[1] == "s"]
        return frozenset([word for word, _ in pairs if word not in NO_CONTENT])

    @lazy
    def unspaced(self) -> str:
        """All characters of scripts written without spaces, Japanese in the plain style."""
        text = "".join([piece.unspaced for piece in self._pieces])
        for polite, plain in PLAINLY if text else ():
            text = text.replace(polite, plain)
        return text

    @lazy
    def cases(self) -> str:
        """The Japanese particles of case, in order."""
        return "".join([CASES[character] for character in self.unspaced if character in CASES])

    @lazy
    def content_run(self) -> str:
        """Characters of scripts written without spaces, in order, grammar, numerals and negation left out."""
        text = self.unspaced.replace(*SHE)
        if not text:
            return ""
        for part in NEGATION_PARTS:
            text = text.replace(part, "")
        return "".join([character for character in text if character not in _NO_CONTENT_CHARACTERS])

    @lazy
    def content_characters(self) -> Counter[str]:
        """How often each character of `content_run` is there."""
        return Counter(self.content_run) if self.content_run else _NO_CHARACTERS

    @lazy
    def negations(self) -> tuple[int, bool]:
        """How often the text negates, and whether it says always."""
        said = [] if NEGATION.isdisjoint(self.word_set) else [word for word in self.words if word in NEGATION]
        count = len(said)
        if count > 1 and NE in said:
            count -= min(said.count(NE), sum(1 for word in said if word in AFTER_NE))
        rest = self.unspaced
        if rest:
            for part in NEGATION_PARTS:
                count += rest.count(part)
                rest = rest.replace(part, " ")
        always = not ALWAYS.isdisjoint(self.word_set) or (rest != "" and any(word in rest for word in _UNSPACED_ALWAYS))
        return count, always


def _between(parts: Sequence[str]) -> dict[tuple[str, str], str]:
    around = ["", *parts, ""]
    return {(before, after): part for before, part, after in zip(around, around[1:], around[2:], strict=False)}


def told_by_difference(mine: str, other: str) -> Told | None:
    """Return what all guards on texts say of two texts, where a look at where they differ tells it.

    What both begin and end with says the same in both. If what is left has no number, symbol, name, negation or
    unspaced script, content words on one side only, and not the same words in another order, then nothing is for the
    guards to see; if it is one other word of content on each side, which no other place has, then it is so for all but
    the guard `substitution`.
    """
    if not (mine.isascii() and other.isascii()):
        return None
    start = _common_beginning(mine, other)
    if _may_be_gone_on_with(mine[:start]):
        return None
    end = _common_end(mine[start:], other[start:])
    left, right = mine[start : len(mine) - end].split(), other[start : len(other) - end].split()
    if _weight(left) + _weight(right) <= _CONTENT:
        return None if left and _words_of(left) == _words_of(right) else "same"  # who gets what, what gets who
    if len(left) == len(right) == 1 and _is_another_word(left[0], right[0], mine[:start] + mine[len(mine) - end :]):
        return "substitution"
    return None


def _is_another_word(part: str, other_part: str, around: str) -> bool:
    """Return whether two pieces are plain words, no names, that are not around them, and no inflections of one."""
    piece, other_piece = piece_of(part), piece_of(other_part)
    if piece.capitalised or other_piece.capitalised:
        return False
    if not is_plain_word(part, piece) or not is_plain_word(other_part, other_piece):
        return False
    word, other = piece.words[0], other_piece.words[0]
    return not _holds(around, word) and not _holds(around, other) and not are_variants(word, other)


def _holds(text: str, word: str) -> bool:
    """Return whether a word is one of those of an ASCII text, which is taken apart only where it may be."""
    if word not in text.lower() and "-" not in text and word not in RESOLVED:
        return False
    return any(word in words_in(piece_of(here)) for here in text.split())


def _words_of(parts: list[str]) -> list[str]:
    """Return the words of pieces, sorted."""
    return sorted([word for part in parts for word in piece_of(part).words])


def words_in(piece: Piece) -> tuple[str, ...]:
    """Return the words of a piece, and these in one where it is a hyphenated word."""
    return (*piece.words, piece.compound) if piece.compound else piece.words


def _may_be_gone_on_with(text: str) -> bool:
    """Return whether what comes after a text may belong to its end, for a guard: one and (two), five (per cent)."""
    while text := text.rstrip():
        start = text.rfind(" ") + 1
        piece, text = piece_of(text[start:]), text[:start]
        if may_go_on(piece) or not ONES.isdisjoint(piece.words):
            return True
        if not BETWEEN_NUMBERS.issuperset(piece.words):
            return False
    return False


def may_go_on(piece: Piece) -> bool:
    """Return whether the piece after this one may belong to it, for a guard."""
    return bool(piece.numbers) or not _GOES_ON.isdisjoint(piece.words)


def is_plain_word(part: str, piece: Piece) -> bool:
    """Return whether a piece is a word of content, or a name, of which guards see no more than that."""
    if not part.isalpha() or not part[1:].islower() or len(piece.words) != 1:
        return False
    if piece.numbers or piece.symbols or piece.acronyms or piece.letters or piece.unspaced:
        return False
    word = piece.words[0]
    return word not in _LOOKED_AT and word not in NO_CONTENT and word not in WEIGHTY and word not in BETWEEN_NUMBERS


def _common_beginning(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike, up to a gap between words."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low if one[low : low + 1] in _GAPS and other[low : low + 1] in _GAPS else one.rfind(" ", 0, low) + 1


def _common_end(one: str, other: str) -> int:
    """Return how many characters two texts end with alike, from a gap between words on."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.endswith(other[len(other) - middle :]) else (low, middle - 1)
    start, stop = len(one) - low, len(other) - low
    if one[start - 1 : start] in _GAPS and other[stop - 1 : stop] in _GAPS:
        return low
    gap = one.find(" ", start)
    return 0 if gap < 0 else len(one) - gap


_GAPS: Final = ("", " ")
_GOES_ON: Final = _PHRASE_STARTS | {"per", "por", "pour"}  # wants badly to, per cent
_NOTHING, _CONTENT, _MUCH = 0, 1, 2

# What all guards on texts say: "same", or the name of the only one that is unsure.
Told = Literal["same", "substitution"]


def _weight(pieces: list[str]) -> int:
    """Return whether pieces of a text hold nothing, a content word, or more that a guard looks at."""
    heaviest = _NOTHING
    for text in pieces:
        piece = piece_of(text)
        if piece.numbers or piece.symbols or piece.capitalised or piece.acronyms or piece.letters or piece.unspaced:
            return _MUCH
        for word in piece.words:
            if word in _LOOKED_AT:
                return _MUCH
            if word not in NO_CONTENT or word in WEIGHTY or word in PREPOSITIONS:
                heaviest = _CONTENT
    return heaviest
