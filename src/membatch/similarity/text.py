"""What the guards see in a text: numbers, codes, symbols, names, content words, negation.

Rule: a text is taken apart at white space, and each piece once for the whole run (pieces repeat as words do).
Data in: a text. Data out: `TextFacts`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Set
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from membatch.similarity.words import (
    AGENTS,
    ALWAYS,
    BETWEEN_NUMBERS,
    CONTRACTED_ENDINGS,
    CONTRACTIONS,
    CONTRASTED,
    FUNCTION_CHARACTERS,
    FUNCTION_WORDS,
    IRREGULAR,
    LONE_NUMERAL,
    NEGATION,
    NEGATION_PARTS,
    NUMBER_WORDS,
    NUMERALS,
    ONES,
    OPPOSED,
    RESERVATION_PARTS,
    RESERVATIONS,
    RESERVED,
    SHE,
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
_NUMERAL_RUN: Final = re.compile(f"[{''.join(sorted(NUMERALS))}{LONE_NUMERAL}]+")
_GLUED: Final = re.compile(r"(?<=\d)\s+(?=[€$£¥])|(?<=\d)\s*(?:(a)|p)\.?m\b\.?", re.IGNORECASE)
_COUNTED: Final = re.compile(rf"{_NUMBER.pattern}|{_NUMERAL_RUN.pattern}|[{UNSPACED}]|[^\W\d_]+")
_FLAG: Final = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_NO_HUNDREDTHS: Final = re.compile(r"([€$£¥]?-?\d+)[.,:]00")  # 15:00, $5.00
_TIME: Final = re.compile(r"([01]?\d|2[0-4]):(1[3-9]|[2-5]\d)")  # 15:30, not 10:05: 10.05 may be the tenth of May
_DECIMAL_COMMA: Final = re.compile(r"([€$£¥]?-?\d+),(\d\d?)")
_COMPOUND: Final = re.compile(r"(\d+)-([a-z]{3,}(?:-[a-z]{3,})*)")  # 5-year-old
_OPERATOR: Final = re.compile(r"(?=.*[<>=|&])[<>=|&!+*/%^~-]{2,}")  # ==, !=, >=
_SENTENCE_END: Final = tuple(".!?:;\"')”»…。！？")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_SYMBOLS_BESIDES: Final = frozenset("#%&@")
_SAME_CHARACTER: Final = str.maketrans({"−": "-", "–": "-", "’": "'", "‘": "'", "ʼ": "'", "＇": "'", "\ufe0f": None})
_NO_CONTENT: Final = FUNCTION_WORDS | NEGATION | NUMBER_WORDS.keys()
_NO_CONTENT_CHARACTERS: Final = FUNCTION_CHARACTERS | NUMERALS
_NO_CHARACTERS: Final[Counter[str]] = Counter()
_NO_LETTERS: Final[frozenset[str]] = frozenset()
_NO_RESERVATIONS: Final = (False,) * len(RESERVATIONS)
_UNSPACED_ALWAYS: Final = tuple(word for word in ALWAYS if not word.isascii())
_CURRENCIES: Final = frozenset("€$£¥")
_IGNORED_MARKS: Final = frozenset("\u0300\u0301\u0302\u0327")  # grave, acute, circumflex, cedilla
_ENDINGS: Final = ("ing", "ed", "es", "s")
_SHORT: Final = re.compile(
    r"(?:^|[^aeiou])[aeiouy][^aeiouwxy]$"
)  # an end of which inflections may double the last letter
_DOUBLES: Final = re.compile(r"[^aeiou]*[aeiouy][^aeiouwxy]")  # a stem of which they do: one syllable
_LONG_WORD_ENDINGS: Final = ("en", "es", "em", "e", "n", "x")
_VERB_ENDINGS: Final = ("ten", "te", "en", "er", "es", "em", "st", "e", "t")  # of which both words have one
_LOOKED_AT: Final = NEGATION | ALWAYS | ONES | CONTRASTED | AGENTS | RESERVED | {"p", "used"}


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
    acronyms: tuple[str, ...]  # function words all in capitals, casefolded: IT, US
    letters: tuple[str, ...]  # lone capitals
    numbers: tuple[str, ...]  # numbers, dates, number words, codes
    symbols: tuple[str, ...]  # free-standing ones
    unspaced: str  # characters of scripts written without spaces


class TextFacts:
    """The facts of one text; each is worked out when it is first asked for."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text).translate(_SAME_CHARACTER)
        text = _GLUED.sub(lambda match: "" if match[0].isspace() else "am" if match[1] else "pm", text)
        self._text, self._pieces = text, [_piece(part) for part in text.split()]

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
            _canonical(part.lstrip("+")) if part[-1].isdigit() else part
            for part in _COUNTED.findall(self._text.casefold())
        ]
        numbers = [part if part[-1].isdigit() or part[0] in NUMERALS else NUMBER_WORDS.get(part, "") for part in found]
        return [(number, after) for number, after in zip(numbers, [*found[1:], ""], strict=True) if number]

    @lazy
    def opposed(self) -> list[str]:
        """Words that have a contrary, in order."""
        return [word for word in self.words if word in OPPOSED]

    @lazy
    def contrasted(self) -> frozenset[str]:
        """Words that have a contrary, or a counterpart of another person, case, tense or mood."""
        return self.word_set & CONTRASTED

    @lazy
    def agents(self) -> frozenset[str]:
        """Words that a passive is made of."""
        return self.word_set & AGENTS

    @lazy
    def reservations(self) -> tuple[bool, ...]:
        """Which kinds of reservation there are: doubt, condition, nearly, no more."""
        if RESERVED.isdisjoint(self.word_set) and "used" not in self.word_set and not self.unspaced:
            return _NO_RESERVATIONS
        found = [not row.isdisjoint(self.word_set) for row in RESERVATIONS]
        if "used" in self.word_set and ("used", "to") in zip(self.words, self.words[1:], strict=False):
            found[-1] = True
        if self.unspaced:
            found = [
                there or any(part in self.unspaced for part in parts)
                for there, parts in zip(found, RESERVATION_PARTS, strict=True)
            ]
        return tuple(found)

    @lazy
    def negated(self) -> list[str]:
        """What comes next, grammar aside, after each word that negates."""
        found = [word for word in self.words if word in NEGATION or word not in _NO_CONTENT]
        return [after for word, after in zip(found, [*found[1:], ""], strict=True) if word in NEGATION]

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
    if start and left[start - 1][-1].isdigit():  # what comes next may belong to it: 3 pm
        return False
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
        if piece.numbers or piece.symbols or piece.capitalised or piece.acronyms or piece.letters or piece.unspaced:
            return _MUCH
        for word in piece.words:
            if word in _LOOKED_AT:
                return _MUCH
            if word not in _NO_CONTENT:
                heaviest = _CONTENT
    return heaviest


@lru_cache(maxsize=1 << 16)
def _piece(text: str) -> Piece:
    words: list[str] = []
    capitalised: list[str] = []
    acronyms: list[str] = []
    letters: list[str] = []
    numbers: list[str] = []
    symbols: list[str] = []
    unspaced = ""
    for number, part in enumerate(_SPLIT_UNSPACED.split(text)):
        if number % 2:
            unspaced += part
            numbers.extend(_numerals(part))
        elif part:
            _spaced(part, words, capitalised, numbers, symbols)
            acronyms.extend(_acronyms(part))
            letters.extend(
                word.casefold() for word in _WORD.findall(part) if len(word) == 1 and word.isupper() and word != "I"
            )
    return Piece(
        tuple(words),
        tuple(capitalised),
        tuple(acronyms),
        tuple(letters),
        tuple(numbers),
        tuple(symbols),
        unspaced,
    )


def _numerals(text: str) -> list[str]:
    return [run for run in _NUMERAL_RUN.findall(text) if run.strip(LONE_NUMERAL)]


def _acronyms(text: str) -> list[str]:
    found = [word.casefold() for word in _WORD.findall(text) if len(word) > 1 and word.isupper()]
    return [word for word in found if word in FUNCTION_WORDS]


def _spaced(text: str, words: list[str], capitalised: list[str], numbers: list[str], symbols: list[str]) -> None:
    start, end = 0, len(text)
    while start < end and _is_punctuation(text[start]) and not _is_sign(text, start):
        start += 1
    while end > start and _is_punctuation(text[end - 1]):
        end -= 1
    core = text[start:end]
    if _OPERATOR.fullmatch(text):
        symbols.append(text)
        return
    has_digit = any(character.isdigit() for character in core)
    marks = _FLAG.findall(core) + [character for character in _FLAG.sub("", core) if _is_symbol(character)]
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
    if compound := _COMPOUND.fullmatch(core):
        numbers.append(compound[1])
        _words(compound[2], words, [], numbers)
        return True
    unit = core[match.end() :].casefold().strip("-.'")
    if unit and unit not in UNITS:
        return False
    number = _canonical(match[0].lstrip("+"))
    if unit in ("am", "pm", "k"):  # 3 pm is not 3 am, and 50k not 50
        numbers.append(number + unit)
    elif unit in _CURRENCIES:  # 5€ is €5
        numbers.append(unit + number)
    elif unit.startswith("°") and len(unit) > 1:  # as where a space is before it
        numbers += [number, unit]
    else:
        numbers.append(number)
        symbols.extend(character for character in unit if _is_symbol(character))
        if unit.isalpha() and unit not in ("st", "nd", "rd", "th", "er", "e", "o", "a", "º", "ª"):
            words.append(unit)
    return True


def _canonical(number: str) -> str:
    """Return a number or code as all who mean it write it: 1,000 is 1000, 15.00 is 15:00 and 15, 3,5 is 3.5."""
    number = _THOUSANDS.sub("", number)
    if whole := _NO_HUNDREDTHS.fullmatch(number):
        return whole[1]
    if parts := _TIME.fullmatch(number) or _DECIMAL_COMMA.fullmatch(number):
        return f"{parts[1]}.{parts[2]}"
    return number


def _code(core: str, words: list[str], capitalised: list[str], numbers: list[str]) -> None:
    numbers.append(_canonical(core.casefold()))
    words.extend(word.casefold() for word in _WORD.findall(core) if not any(map(str.isdigit, word)))


def _words(core: str, words: list[str], capitalised: list[str], numbers: list[str]) -> None:
    whole = core.casefold()
    if whole in NUMBER_WORDS:
        numbers.append(NUMBER_WORDS[whole])
        words.append(whole)
        return
    if whole in RESERVED:  # peut-être
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
    after = text[at + 1 : at + 3]
    return text[at] in "+-" and (after[:1].isdigit() or (after[:1] in _CURRENCIES and after[1:].isdigit()))


def are_variants(one: str, other: str) -> bool:
    """Return whether two words are inflections or spellings of one: a missing accent is a spelling, another is not."""
    keeps_marks = not one.isascii() and not other.isascii()
    return not _stems(one, keeps_marks).isdisjoint(_stems(other, keeps_marks))


@lru_cache(maxsize=1 << 16)
def _stems(word: str, keeps_marks: bool) -> frozenset[str]:
    """Return what a word may be an inflection or a spelling of; two words are variants if they share one."""
    plain = word if keeps_marks else _plain(word)
    found = {plain, IRREGULAR.get(plain, plain)}
    for ending in _ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= 3:
            found |= _inflected(plain[: -len(ending)], ending)
    for ending in _LONG_WORD_ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= 5:
            found.add(plain[: -len(ending)])
    for ending in _VERB_ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= 4:
            found.add(plain[: -len(ending)] + "-")
    for british, american in (
        ("our", "or"),
        ("ise", "ize"),
        ("yse", "yze"),
        ("tre", "ter"),
        ("isation", "ization"),
    ):
        found |= {stem.replace(british, american) for stem in tuple(found) if len(stem) > 4}
    return frozenset(found)


def _inflected(stem: str, ending: str) -> set[str]:
    """Return what may have taken an English ending: scarred comes of scar, scared of scare."""
    found = {stem[:-1] + "y"} if stem.endswith("i") else set()
    if ending in ("ing", "ed"):
        found.add(stem + "e")
        if stem[-1] == stem[-2] and _SHORT.search(stem[:-1]):
            found.add(stem[:-1])
        elif _DOUBLES.fullmatch(stem):
            return found
    return found | {stem}


def _plain(word: str) -> str:
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word)
    kept = "".join(mark for mark in decomposed if mark not in _IGNORED_MARKS)
    return unicodedata.normalize("NFC", kept)
