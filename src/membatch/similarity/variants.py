"""Whether two words are inflections or spellings of one.

Rule: two words are variants if they share something of which both may be an inflection or a spelling.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from membatch.similarity.words import IRREGULAR

_IGNORED_MARKS: Final = frozenset("\u0300\u0301\u0302\u0327")  # grave, acute, circumflex, cedilla
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae"})
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_BRAZILIAN: Final = re.compile("ê(?=[mn]|$)|ô(?=[mn])")  # which Portugal writes é and ó
_ENDINGS: Final = ("ing", "ed", "es", "s")
_SHORT: Final = re.compile(
    r"(?:^|[^aeiou])[aeiouy][^aeiouwxy]$"
)  # an end of which inflections may double the last letter
_DOUBLES: Final = re.compile(r"[^aeiou]*[aeiouy][^aeiouwxy]")  # a stem of which they do: one syllable
_LONG_WORD_ENDINGS: Final = ("en", "es", "em", "e", "n", "x")
_VERB_ENDINGS: Final = ("ten", "te", "en", "er", "es", "em", "st", "e", "t")  # of which both words have one


def are_variants(one: str, other: str) -> bool:
    """Return whether two words are inflections or spellings of one: a missing accent is a spelling, another is not."""
    keeps_marks = not one.isascii() and not other.isascii()
    return not _stems(one, keeps_marks).isdisjoint(_stems(other, keeps_marks))


def stems_of(word: str) -> frozenset[str]:
    """Return what an ASCII word may be an inflection of: two such words are variants if they share one."""
    return _stems(word, False)


def are_spellings(one: str, other: str) -> bool:
    """Return whether two words are one, written with and without accents: José, Jose; Müller, Mueller."""
    return one.isascii() != other.isascii() and not _spellings(one).isdisjoint(_spellings(other))


def _spellings(word: str) -> set[str]:
    return {_plain(word), word.translate(_UMLAUTS)}


@lru_cache(maxsize=1 << 16)
def _stems(word: str, keeps_marks: bool) -> frozenset[str]:
    """Return what a word may be an inflection or a spelling of; two words are variants if they share one."""
    plain = _BRAZILIAN.sub(lambda vowel: "é" if vowel[0] == "ê" else "ó", word) if keeps_marks else _plain(word)
    found = {plain, IRREGULAR.get(plain, plain)}
    if not keeps_marks:
        found.add(word.translate(_UMLAUTS))
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
    decomposed = unicodedata.normalize("NFD", word.translate(_LIGATURES))
    kept = "".join(mark for mark in decomposed if mark not in _IGNORED_MARKS)
    return unicodedata.normalize("NFC", kept)
