"""Canonical texts → token hashes: words, symbols, and bigrams of scripts written without spaces.

Rule: as DESIGN.md says ("tokens of the summary"); hashes are 64 bits, sorted, each once.
Data in: canonical texts. Data out: 8 bytes a token for each text.
"""

from __future__ import annotations

import itertools
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from membatch.similarity import kernels

UNSPACED_RANGES: Final = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_ASSIGNED: Final = range(0x32400), range(0xE0000, 0xE0200)  # beyond these nothing is but private use


@cache
def character_classes() -> npt.NDArray[np.uint8]:
    """Return the class of each code point: separator, word, symbol or unspaced."""
    kinds = np.zeros(128, np.uint8)  # by the first letter of the category
    kinds[[*b"LNM"]] = kernels.WORD
    kinds[ord("S")] = kernels.SYMBOL
    classes = np.zeros(sys.maxunicode + 1, np.uint8)
    for assigned in _ASSIGNED:
        categories = "".join(map(unicodedata.category, map(chr, assigned))).encode()
        classes[assigned.start : assigned.stop] = kinds[np.frombuffer(categories, np.uint8)[::2]]
    classes[[*b"#%&@"]] = kernels.SYMBOL
    for first, last in UNSPACED_RANGES:
        part = classes[first : last + 1]
        part[part == kernels.WORD] = kernels.UNSPACED
    return classes


def tokenize(texts: Sequence[str]) -> list[bytes]:
    """Return the token hashes of each canonical text, 8 bytes each."""
    return kernels.hash_tokens(texts, character_classes())


def are_same(stored: bytes, tokens: bytes) -> bool:
    """Return whether token hashes are the same but for their lowest bits, which do not tell words apart."""
    if len(stored) != len(tokens):
        return False
    one, other = np.frombuffer(stored, np.uint64), np.frombuffer(tokens, np.uint64)
    return bool(np.array_equal(one | np.uint64(1), other | np.uint64(1)))


def words_of(text: str) -> set[str]:
    """Return the tokens of one canonical text as a person reads them; what `tokenize` hashes."""
    classes = character_classes()
    found: set[str] = set()
    for kind, run in itertools.groupby(text, key=lambda character: int(classes[ord(character)])):
        part = "".join(run)
        if kind == kernels.SYMBOL:
            found.update(part)
        elif kind == kernels.WORD:
            found.add(part)
        elif kind == kernels.UNSPACED:
            found.update(part[at : at + 2] for at in range(len(part) - 1))
            if len(part) == 1:
                found.add(part)
    return found
