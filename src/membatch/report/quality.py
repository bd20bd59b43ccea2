"""What the records of a run are like: what they lack, how sure and how long they are, in which scripts, what was felt.

Rule: the first records of a run are all looked at, later ones where their digest says so: a sample that does
not depend on batches, at a cost that stays under a microsecond a record (`benchmarks/sizing.py --overhead`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

import msgspec

from membatch.plan import Batch

ALL_OF_THE_FIRST: Final = 10_000  # records of a run
ONE_OF: Final = 16  # of those that follow; a divisor of 256

# Optional fields whose absence is counted.
OPTIONAL_FIELDS: Final = (
    "content",
    "kind",
    "subject",
    "participants",
    "source_message_ids",
    "scope",
    "confidence",
    "emotional_context",
    "relationship_dynamics",
    "occurred_at",
    "created_at",
    "tags",
    "source",
)

_LENGTHS: Final = (0, 20, 50, 100, 200, 500, 1_000, 5_000)
LENGTH_NAMES: Final = (
    *(f"{low or 1:,}-{high - 1:,}" for low, high in pairwise(_LENGTHS)),
    f"{_LENGTHS[-1]:,} and more",
)

# First code point → script, for the letters met most; what lies between two entries belongs to the first.
_SCRIPTS: Final = (
    (0x0000, "latin"),
    (0x0370, "greek"),
    (0x0400, "cyrillic"),
    (0x0530, "other"),
    (0x0590, "hebrew"),
    (0x0600, "arabic"),
    (0x0780, "other"),
    (0x0900, "devanagari"),
    (0x0980, "other"),
    (0x0E00, "thai"),
    (0x0E80, "other"),
    (0x1100, "hangul"),
    (0x1200, "other"),
    (0x1E00, "latin"),
    (0x1F00, "greek"),
    (0x2000, "other"),
    (0x3005, "han"),
    (0x3040, "japanese"),
    (0x3100, "other"),
    (0x3130, "hangul"),
    (0x3190, "other"),
    (0x31F0, "japanese"),
    (0x3200, "other"),
    (0x3400, "han"),
    (0xA000, "other"),
    (0xAC00, "hangul"),
    (0xD7B0, "other"),
    (0xF900, "han"),
    (0xFB00, "other"),
    (0xFF21, "latin"),
    (0xFF5B, "other"),
    (0xFF66, "japanese"),
    (0xFFA0, "other"),
    (0x20000, "han"),
    (0x40000, "other"),
)
_FIRSTS: Final = tuple(first for first, _ in _SCRIPTS)


_ABSENT: Final = msgspec.Raw()


class _Feeling(msgspec.Struct, gc=False):
    primary: str | None = None
    primary_raw: str | None = None


class _Looked(msgspec.Struct, gc=False):
    """A record, decoded no further than is needed; the order of the fields is that of `OPTIONAL_FIELDS`."""

    summary: str
    content: msgspec.Raw = _ABSENT
    kind: msgspec.Raw = _ABSENT
    subject: msgspec.Raw = _ABSENT
    participants: msgspec.Raw = _ABSENT
    source_message_ids: msgspec.Raw = _ABSENT
    scope: msgspec.Raw = _ABSENT
    confidence: float | None = None
    emotional_context: _Feeling | None = None
    relationship_dynamics: msgspec.Raw = _ABSENT
    occurred_at: msgspec.Raw = _ABSENT
    created_at: msgspec.Raw = _ABSENT
    tags: msgspec.Raw = _ABSENT
    source: msgspec.Raw = _ABSENT


class Quality(msgspec.Struct, omit_defaults=True):
    """Counts of the records looked at; all of them can be added up."""

    examined: int = 0
    missing: dict[str, int] = {}
    confidence: dict[str, int] = {}  # by tenth, "0" to "9"
    confidence_sum: float = 0.0
    text_length: dict[str, int] = {}  # characters of the summary, by the names of LENGTH_NAMES
    scripts: dict[str, int] = {}  # the script of most letters of the summary
    with_context: int = 0
    primary: dict[str, int] = {}


_decode_all = msgspec.json.Decoder(list[_Looked]).decode


def quality_of(batch: Batch, length: int, before: int) -> Quality:
    """Return what the first `length` records of a batch are like; `before` records of the run were read earlier."""
    every = min(length, max(0, ALL_OF_THE_FIRST - before))
    most = 256 // ONE_OF
    records = [record for record in batch.records[:every] if record]
    records += [
        record
        for record, digest in zip(batch.records[every:length], batch.digests[every:length], strict=True)
        if record and digest[0] < most
    ]
    if not records:
        return Quality()
    looked = _decode_all(b"[" + b",".join(records) + b"]")
    texts, *columns = zip(*map(msgspec.structs.astuple, looked), strict=True)
    by_name = dict(zip(OPTIONAL_FIELDS, columns, strict=True))
    sure = [value for value in by_name["confidence"] if value is not None]
    feelings = [value for value in by_name["emotional_context"] if value is not None]
    lengths = Counter(bisect_right(_LENGTHS, len(text)) - 1 for text in texts)
    return Quality(
        examined=len(records),
        missing={name: lacking for name, column in by_name.items() if (lacking := _absent(column))},
        confidence=dict(Counter(str(min(9, int(10 * value))) for value in sure)),
        confidence_sum=sum(sure),
        text_length={LENGTH_NAMES[number]: count for number, count in lengths.items()},
        scripts=dict(Counter(map(script_of, texts))),
        with_context=len(feelings),
        primary=dict(Counter(map(_primary, feelings))),
    )


def _absent(column: tuple[Any, ...]) -> int:
    return column.count(None) + column.count(_ABSENT)


def _primary(feeling: _Feeling) -> str:
    if feeling.primary is not None:
        return feeling.primary
    return "unstated" if feeling.primary_raw is None else "other"


def script_of(text: str) -> str:
    """Return the script that most letters of a text belong to; one with kana is Japanese, one without letters none."""
    if text.isascii():
        return "latin" if any(map(str.isalpha, text)) else "none"
    counts = Counter(_script(ord(character)) for character in text if character.isalpha())
    if not counts:
        return "none"
    if counts["japanese"]:
        counts["japanese"] += counts.pop("han", 0)
    return max(counts, key=lambda script: counts[script])


def _script(code_point: int) -> str:
    return _SCRIPTS[bisect_right(_FIRSTS, code_point) - 1][1]


def shares(counts: dict[str, int], names: Iterable[str]) -> dict[str, int]:
    """Return counts in the order of names, zero where there is none."""
    return {name: counts.get(name, 0) for name in names}
