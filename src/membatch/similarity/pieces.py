"""One piece of a text between white space: the words, names, numbers, codes and symbols that it holds.

Rule: each piece is taken apart once for the whole run, as pieces repeat like words do.
Data in: a piece, NFKC. Data out: `Piece`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from membatch.similarity.words import (
    CONTRACTED_ENDINGS,
    CONTRACTIONS,
    DIGITS,
    FUNCTION_WORDS,
    HALF,
    LONE_NUMERAL,
    NE,
    NEGATION,
    NUMBER_WORDS,
    NUMERALS,
    RESERVED,
    UNITS,
)

# The scripts written without spaces, as DESIGN.md lists them.
UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SPLIT_UNSPACED: Final = re.compile(f"([{UNSPACED}]+)")
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,:/-]\d+)*")
NUMERAL_RUN: Final = re.compile(f"[{''.join(sorted(NUMERALS))}{LONE_NUMERAL}]+")
_FLAG: Final = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_NO_HUNDREDTHS: Final = re.compile(r"([€$£¥]?-?\d+)[.,:]00")  # 15:00, $5.00
_TIME: Final = re.compile(r"([01]?\d|2[0-4]):(1[3-9]|[2-5]\d)")  # 15:30, not 10:05: 10.05 may be the tenth of May
_DECIMAL_COMMA: Final = re.compile(r"([€$£¥]?-?\d+),(\d\d?)")
_COMPOUND: Final = re.compile(r"(\d+)-([a-z]{3,}(?:-[a-z]{3,})*)")  # 5-year-old
_OPERATOR: Final = re.compile(r"(?=.*[<>=|&])[<>=|&!+*/%^~-]{2,}")  # ==, !=, >=
_IDENTIFIER: Final = re.compile(r"[^\W_]+(?:_[^\W_]+)+")
_OPTION: Final = re.compile(r"--[a-z][a-z-]*")  # --force
_HYPHENATED: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_BELOW_TEN_THOUSAND: Final = re.compile(
    "(?:(.?)千)?[零〇]?(?:(.?)百)?[零〇]?(?:(.?)十)?(.?)".replace(".", f"[{''.join(DIGITS)}]")
)
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_AROUND: Final = ".,;:!?()[]\"'“”„«»…¡¿"
_AROUND_WORDS: Final = '.,;:!?()"'
_SYMBOLS_BESIDES: Final = frozenset("#%&@")
_NOT_ITSELF: Final = CONTRACTIONS.keys() | NUMBER_WORDS.keys()  # words that stand for others, or for a number
# Words that a piece may hold without showing them: contractions stand for them.
RESOLVED: Final = frozenset({NE, *CONTRACTED_ENDINGS.values()}.union(*CONTRACTIONS.values()))
_CURRENCIES: Final = frozenset("€$£¥")


class Piece(NamedTuple):
    """What one piece of a text between white space holds."""

    words: tuple[str, ...]  # casefolded, contractions resolved, function words included
    capitalised: tuple[str, ...]  # casefolded, function words left out
    acronyms: tuple[str, ...]  # function words all in capitals, casefolded: IT, US
    letters: tuple[str, ...]  # lone capitals
    numbers: tuple[str, ...]  # numbers, dates, number words, codes
    symbols: tuple[str, ...]  # free-standing ones
    unspaced: str  # characters of scripts written without spaces
    compound: str  # its words in one, if it is a hyphenated word


@lru_cache(maxsize=1 << 16)
def piece_of(text: str) -> Piece:
    """Return what a piece holds."""
    core = text.strip(_AROUND_WORDS)
    if core.isascii() and core.isalpha() and core.islower() and core not in _NOT_ITSELF:  # most are
        return Piece((core,), (), (), (), (), (), "", "")
    return taken_apart(text)


def taken_apart(text: str) -> Piece:
    """Return what a piece of any kind holds."""
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
            acronyms.extend(word for word in _acronyms(part) if word in words)  # IS, but not in IS_ENABLED
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
        _compound(text, words),
    )


def _compound(text: str, words: list[str]) -> str:
    """Return a hyphenated word in one, as it is another word than its parts: mother-in-law, grand-mère, e-mail.

    One that ends in a word of grammar is none (chama-se, check-in), nor one with a number (two-week).
    """
    if "-" not in text or not words or words[-1] in FUNCTION_WORDS or not NUMBER_WORDS.keys().isdisjoint(words):
        return ""
    return "".join(words) if _HYPHENATED.fullmatch(text.strip(_AROUND)) else ""


def _numerals(text: str) -> list[str]:
    return [value(run) for run in NUMERAL_RUN.findall(text) if run.strip(LONE_NUMERAL)]


def value(numerals: str) -> str:
    """Return a run of Chinese numerals in digits, where it is plain: 二十 is 20, 二〇二四 is 2024."""
    if numerals == HALF:
        return NUMBER_WORDS["half"]
    if len(numerals) > 3 and all(numeral in DIGITS for numeral in numerals):
        return "".join([DIGITS[numeral] for numeral in numerals])
    match = _BELOW_TEN_THOUSAND.fullmatch(numerals)
    if match is None:
        return numerals
    places = [match.start(place) >= 0 and (DIGITS[match[place]] if match[place] else "1") for place in (1, 2, 3)]
    ones = DIGITS[match[4]] if match[4] else "0"
    return str(int("".join([place or "0" for place in places] + [ones])))


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
    if _OPTION.fullmatch(text):
        numbers.append(text)
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
    match = NUMBER.match(core)
    if match is None:
        return False
    if compound := _COMPOUND.fullmatch(core):
        numbers.append(compound[1])
        _words(compound[2], words, [], numbers)
        return True
    unit = core[match.end() :].casefold().strip("-.'")
    if unit and unit not in UNITS:
        return False
    number = canonical(match[0].lstrip("+"))
    if unit in ("am", "pm", "k"):  # 3 pm is not 3 am, and 50k not 50
        numbers.append(number + unit)
    elif unit in _CURRENCIES:  # 5€ is €5
        numbers.append(unit + number)
    elif unit == "%" or (unit.startswith("°") and len(unit) > 1):  # as where a space is before it
        numbers += [number, unit]
    else:
        numbers.append(number)
        symbols.extend(character for character in unit if _is_symbol(character))
        if unit.isalpha() and unit not in ("st", "nd", "rd", "th", "er", "e", "o", "a", "º", "ª"):
            words.append(unit)
    return True


def canonical(number: str) -> str:
    """Return a number or code as all who mean it write it: 1,000 is 1000, 15.00 is 15:00 and 15, 3,5 is 3.5."""
    number = _THOUSANDS.sub("", number)
    if whole := _NO_HUNDREDTHS.fullmatch(number):
        return whole[1]
    if parts := _TIME.fullmatch(number) or _DECIMAL_COMMA.fullmatch(number):
        return f"{parts[1]}.{parts[2]}"
    return number


def _code(core: str, words: list[str], capitalised: list[str], numbers: list[str]) -> None:
    numbers.append(canonical(core.casefold()))
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
    if _IDENTIFIER.fullmatch(core):  # get_user
        words.append(whole)
        capitalised.append(whole)
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
        before, *rest = word.split("'")
        return (NE if before == "n" else before, *rest)
    return (word,)


def _is_symbol(character: str) -> bool:
    return character in _SYMBOLS_BESIDES or unicodedata.category(character)[0] == "S"


def _is_punctuation(character: str) -> bool:
    return character not in _SYMBOLS_BESIDES and unicodedata.category(character)[0] in "PZC"


def _is_sign(text: str, at: int) -> bool:
    after = text[at + 1 : at + 3]
    return text[at] in "+-" and (after[:1].isdigit() or (after[:1] in _CURRENCIES and after[1:].isdigit()))
