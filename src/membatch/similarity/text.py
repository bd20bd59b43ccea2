"""What the guards see in a text: numbers, codes, symbols, names, content words, negation.

Rule: a text is taken apart at white space, and each piece once for the whole run (pieces repeat as words do).
Data in: a text. Data out: `TextFacts`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from membatch.similarity.words import (
    ALWAYS,
    CONTRACTED_ENDINGS,
    CONTRACTIONS,
    FUNCTION_CHARACTERS,
    FUNCTION_WORDS,
    IRREGULAR,
    NEGATION,
    NEGATION_PARTS,
    NUMBER_WORDS,
    NUMERALS,
    UNITS,
)

Owner = TypeVar("Owner")
Value = TypeVar("Value")

# The scripts written without spaces, as DESIGN.md lists them.
UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SPLIT_UNSPACED: Final = re.compile(f"([{UNSPACED}]+)")
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,:/-]\d+)*")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_SYMBOLS_BESIDES: Final = frozenset("#%&@")
_SAME_CHARACTER: Final = str.maketrans({"−": "-", "’": "'", "‘": "'", "ʼ": "'", "＇": "'", "\ufe0f": None})
_NO_CONTENT: Final = FUNCTION_WORDS | NEGATION | NUMBER_WORDS.keys()
_NO_CONTENT_CHARACTERS: Final = FUNCTION_CHARACTERS | NUMERALS
_NO_CHARACTERS: Final[Counter[str]] = Counter()
_UNSPACED_ALWAYS: Final = tuple(word for word in ALWAYS if not word.isascii())
_IGNORED_MARKS: Final = frozenset("\u0300\u0301\u0302\u0327")  # grave, acute, circumflex, cedilla
_ENDINGS: Final = ("ing", "ed", "es", "s", "d")
_LONG_WORD_ENDINGS: Final = ("ten", "te", "en", "er", "es", "em", "st", "e", "n", "t", "x")


class lazy(Generic[Owner, Value]):  # noqa: N801
    """A property that is worked out once; functools.cached_property takes a lock for it before Python 3.12."""

    def __init__(self, work_out: Callable[[Owner], Value]) -> None:
        self._work_out, self.__doc__ = work_out, work_out.__doc__

    def __get__(self, owner: Owner, kind: object = None) -> Value:
        value = owner.__dict__[self._work_out.__name__] = self._work_out(owner)
        return value


class Piece(NamedTuple):
    """What one piece of a text between white space holds."""

    words: tuple[str, ...]  # casefolded, contractions resolved, function words included
    capitalised: tuple[str, ...]  # casefolded, function words left out
    numbers: tuple[str, ...]  # numbers, dates, number words, codes
    symbols: tuple[str, ...]  # free-standing ones
    unspaced: str  # characters of scripts written without spaces


class TextFacts:
    """The facts of one text; each is worked out when it is first asked for."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text).translate(_SAME_CHARACTER)
        self._pieces = [_piece(part) for part in text.split()]

    @lazy
    def words(self) -> list[str]:
        """All words, casefolded, in order."""
        return [word for piece in self._pieces for word in piece.words]

    @lazy
    def word_set(self) -> frozenset[str]:
        """All words, casefolded."""
        return frozenset(self.words)

    @lazy
    def numbers(self) -> frozenset[str]:
        """Signed numbers, dates, amounts, number words, codes."""
        return frozenset([number for piece in self._pieces for number in piece.numbers])

    @lazy
    def symbols(self) -> frozenset[str]:
        """Free-standing symbols."""
        return frozenset([symbol for piece in self._pieces for symbol in piece.symbols])

    @lazy
    def capitalised(self) -> list[str]:
        """Capitalised words, casefolded, function words left out, each once, in order."""
        return list(dict.fromkeys([word for piece in self._pieces for word in piece.capitalised]))

    @lazy
    def content_words(self) -> frozenset[str]:
        """Words that are neither function words nor numbers."""
        return self.word_set - _NO_CONTENT

    @lazy
    def unspaced(self) -> str:
        """All characters of scripts written without spaces."""
        return "".join([piece.unspaced for piece in self._pieces])

    @lazy
    def content_run(self) -> str:
        """Characters of scripts written without spaces, in order, grammar, numerals and negation left out."""
        text = self.unspaced
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
        count = 0 if NEGATION.isdisjoint(self.word_set) else sum(1 for word in self.words if word in NEGATION)
        rest = self.unspaced
        if rest:
            for part in NEGATION_PARTS:
                count += rest.count(part)
                rest = rest.replace(part, " ")
        always = not ALWAYS.isdisjoint(self.word_set) or (rest != "" and any(word in rest for word in _UNSPACED_ALWAYS))
        return count, always


def differ_plainly(mine: str, other: str) -> bool:
    """Return True only if every guard on texts says "same" of two texts, found by a look at where they differ.

    What both begin and end with says the same in both; if what is left has no number, symbol, name, negation or
    unspaced script, and content words on one side only, then nothing is for the guards to see.
    """
    if not (mine.isascii() and other.isascii()):
        return False
    left, right = mine.split(), other.split()
    start, stop = 0, min(len(left), len(right))
    while start < stop and left[start] == right[start]:
        start += 1
    end, least = 1, stop - start
    while end <= least and left[-end] == right[-end]:
        end += 1
    weights = _weight(left[start : len(left) - end + 1]), _weight(right[start : len(right) - end + 1])
    return sum(weights) <= _CONTENT


_NOTHING, _CONTENT, _MUCH = 0, 1, 2


def _weight(pieces: list[str]) -> int:
    """Return whether pieces of a text hold nothing, a content word, or more that a guard looks at."""
    heaviest = _NOTHING
    for text in pieces:
        piece = _piece(text)
        if piece.numbers or piece.symbols or piece.capitalised or piece.unspaced:
            return _MUCH
        for word in piece.words:
            if word in NEGATION or word in ALWAYS:
                return _MUCH
            if word not in _NO_CONTENT:
                heaviest = _CONTENT
    return heaviest


@lru_cache(maxsize=1 << 16)
def _piece(text: str) -> Piece:
    words: list[str] = []
    capitalised: list[str] = []
    numbers: list[str] = []
    symbols: list[str] = []
    unspaced = ""
    for number, part in enumerate(_SPLIT_UNSPACED.split(text)):
        if number % 2:
            unspaced += part
            numbers.extend(_numerals(part))
        elif part:
            _spaced(part, words, capitalised, numbers, symbols)
    return Piece(tuple(words), tuple(capitalised), tuple(numbers), tuple(symbols), unspaced)


def _numerals(text: str) -> list[str]:
    runs = "".join(character if character in NUMERALS else " " for character in text)
    return runs.split()


def _spaced(text: str, words: list[str], capitalised: list[str], numbers: list[str], symbols: list[str]) -> None:
    start, end = 0, len(text)
    while start < end and _is_punctuation(text[start]) and not _is_sign(text, start):
        start += 1
    while end > start and _is_punctuation(text[end - 1]):
        end -= 1
    core = text[start:end]
    has_digit = any(character.isdigit() for character in core)
    marks = [character for character in core if _is_symbol(character)]
    if has_digit and _number(core, words, numbers, symbols):
        return
    if marks and not _WORD.search(core):
        symbols.extend(marks)
    elif has_digit or marks:
        _code(core, words, capitalised, numbers)
    else:
        _words(core, words, capitalised, numbers)


def _number(core: str, words: list[str], numbers: list[str], symbols: list[str]) -> bool:
    """Take a number with an optional unit apart; return False if the piece is something else."""
    match = _NUMBER.match(core)
    if match is None:
        return False
    unit = core[match.end() :].casefold().strip("-.'")
    if unit and unit not in UNITS:
        return False
    numbers.append(_THOUSANDS.sub("", match[0].lstrip("+")))
    symbols.extend(character for character in unit if _is_symbol(character))
    if unit.isalpha() and unit not in ("st", "nd", "rd", "th", "er", "e", "o", "a", "º", "ª"):
        words.append(unit)
    return True


def _code(core: str, words: list[str], capitalised: list[str], numbers: list[str]) -> None:
    numbers.append(core.casefold())
    words.extend(word.casefold() for word in _WORD.findall(core) if not any(map(str.isdigit, word)))


def _words(core: str, words: list[str], capitalised: list[str], numbers: list[str]) -> None:
    whole = core.casefold()
    if whole in NUMBER_WORDS:
        numbers.append(NUMBER_WORDS[whole])
        words.append(whole)
        return
    for word in _WORD.findall(core):
        for resolved in _resolved(word.casefold()):
            words.append(resolved)
            if resolved in NUMBER_WORDS:
                numbers.append(NUMBER_WORDS[resolved])
        if word[0].isupper():
            name = _resolved(word.casefold())[0]
            if name not in FUNCTION_WORDS and name not in NEGATION and name not in NUMBER_WORDS:
                capitalised.append(name)


def _resolved(word: str) -> tuple[str, ...]:
    """Return the words that a casefolded word stands for: don't is do not."""
    if word in CONTRACTIONS:
        return CONTRACTIONS[word]
    if "'" in word:
        for ending, meaning in CONTRACTED_ENDINGS.items():
            if word.endswith(ending) and len(word) > len(ending):
                return (word[: -len(ending)], meaning)
        return tuple(word.split("'"))
    return (word,)


def _is_symbol(character: str) -> bool:
    return character in _SYMBOLS_BESIDES or unicodedata.category(character)[0] == "S"


def _is_punctuation(character: str) -> bool:
    return character not in _SYMBOLS_BESIDES and unicodedata.category(character)[0] in "PZC"


def _is_sign(text: str, at: int) -> bool:
    return text[at] in "+-" and at + 1 < len(text) and text[at + 1].isdigit()


@lru_cache(maxsize=1 << 16)
def stems(word: str) -> frozenset[str]:
    """Return what a word may be an inflection or a spelling of; two words are variants if they share one."""
    plain = _plain(word)
    found = {plain, IRREGULAR.get(plain, plain)}
    for ending in _ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= 3:
            stem = plain[: -len(ending)]
            found.add(stem)
            if ending in ("ing", "ed"):
                found.add(stem + "e")
                if stem[-1] == stem[-2]:
                    found.add(stem[:-1])
            if stem.endswith("i"):
                found.add(stem[:-1] + "y")
    for ending in _LONG_WORD_ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= 5:
            found.add(plain[: -len(ending)])
    for british, american in (
        ("our", "or"),
        ("ise", "ize"),
        ("yse", "yze"),
        ("tre", "ter"),
        ("isation", "ization"),
    ):
        found |= {stem.replace(british, american) for stem in tuple(found) if len(stem) > 4}
    return frozenset(found)


def _plain(word: str) -> str:
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word)
    kept = "".join(mark for mark in decomposed if mark not in _IGNORED_MARKS)
    return unicodedata.normalize("NFC", kept)
