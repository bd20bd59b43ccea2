"""The rule of each field: which of two values a merge keeps.

Rule: pure; a rule returns one of the values that it was given (weighted and corroborated numbers aside), never
new text. `[merge]` in the settings replaces a rule by name, an entry point adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from membatch.config import suggest
from membatch.errors import ConfigError
from membatch.extension import extensions
from membatch.patch import Document, Json

ENTRY_POINTS: Final = "membatch.merge_rules"

# The weight of a value whose record states no confidence.
UNSTATED_WEIGHT: Final = 0.5


class Pair(msgspec.Struct, frozen=True):
    """What a rule may look at besides the two values."""

    field: str
    survivor: Document
    record: Document
    survivor_confidence: float | None
    record_confidence: float | None
    survivor_weight: float
    record_weight: float

    @property
    def record_is_surer(self) -> int:
        """1 if the record is the more confident one, -1 if the survivor is, 0 for a tie; given beats absent."""
        mine = -1.0 if self.survivor_confidence is None else self.survivor_confidence
        other = -1.0 if self.record_confidence is None else self.record_confidence
        return (other > mine) - (other < mine)


# A rule gets the survivor's value and the record's, both given and unequal, and returns the one to keep.
Rule = Callable[[Json, Json, Pair], Json]


def confident(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the value of the more confident record; ties: the survivor's, for texts the one with more words."""
    if pair.record_is_surer == 0 and pair.field == "summary":
        return longest(mine, other, pair)
    return other if pair.record_is_surer > 0 else mine


def longest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the text with more words; ties: the survivor's."""
    return other if len(str(other).split()) > len(str(mine).split()) else mine


def survivor(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the survivor's value."""
    return mine


def incoming(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the record's value."""
    return other


def earliest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the earlier of two times."""
    return other if sortable(other) < sortable(mine) else mine


def latest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the later of two times."""
    return other if sortable(other) > sortable(mine) else mine


def largest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the larger number."""
    return max(mine, other)


def corroborated(mine: Json, other: Json, pair: Pair) -> Json:
    """Return 1 - (1-a)(1-b), the noisy-or of two confidences (Pearl 1988), where both have sources and share none.

    It takes the two records for independent witnesses; repeated extractions of one message are not.
    """
    mine_from = set(pair.survivor.get("source_message_ids", ()))
    other_from = set(pair.record.get("source_message_ids", ()))
    if mine_from and other_from and not mine_from & other_from:
        return 1 - (1 - mine) * (1 - other)
    return max(mine, other)


def weighted(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the mean of two numbers, weighted by the confidences of all records that gave one."""
    mine_weighs, other_weighs = pair.survivor_weight, pair.record_weight
    total = mine_weighs + other_weighs
    return (mine * mine_weighs + other * other_weighs) / total if total else (mine + other) / 2


RULES: Final[Mapping[str, Rule]] = {
    "confident": confident,
    "longest": longest,
    "survivor": survivor,
    "incoming": incoming,
    "earliest": earliest,
    "latest": latest,
    "max": largest,
    "corroborated": corroborated,
    "weighted": weighted,
}

# What each kind of value can be kept by; a rule of another package says of itself what it can do.
_ANY: Final = ("confident", "survivor", "incoming")
_TEXT: Final = (*_ANY, "longest")
_TIME: Final = (*_ANY, "earliest", "latest")
_NUMBER: Final = (*_ANY, "max", "weighted")

# The fields with a single value: the rules that fit, the default one first; lists and objects are always united.
FITTING: Final[Mapping[str, tuple[str, ...]]] = {
    "summary": _TEXT,
    "kind": _TEXT,
    "subject": _ANY,
    "extracted_at": _TIME,
    "source": _ANY,
    "occurred_at": ("earliest", *_TIME),
    "created_at": ("earliest", *_TIME),
    "valid_from": ("earliest", *_TIME),
    "updated_at": ("latest", *_TIME),
    "valid_until": ("latest", *_TIME),
    "confidence": ("max", *_ANY, "corroborated"),
    "intensity": ("weighted", *_NUMBER),
    "valence": ("weighted", *_NUMBER),
    "strength": ("weighted", *_NUMBER),
    "primary": _ANY,
    "primary_raw": _TEXT,
    "pattern": _TEXT,
    "quality": _TEXT,
    "balance": _TEXT,
    "name": _TEXT,
    "role": _TEXT,
}
DEFAULT_RULES: Final[Mapping[str, str]] = {field: fitting[0] for field, fitting in FITTING.items()}


def weight_of(confidence: float | None) -> float:
    """Return the weight of a value whose record states a confidence, or none."""
    return UNSTATED_WEIGHT if confidence is None else confidence


def sortable(time: str) -> str:
    """Return a UTC time, as records write it, in a form whose texts sort as the times do."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<6}"


class Rules:
    """The merge rules of a run, resolved once."""

    def __init__(self, chosen: Mapping[str, str]) -> None:
        added = {point.name: point.load() for point in extensions(ENTRY_POINTS)}
        known: dict[str, Rule] = {**RULES, **added}
        self.names = dict(DEFAULT_RULES)
        for field, name in chosen.items():
            if field not in FITTING:
                raise ConfigError(f"merge.{field}: no such field{suggest(field, FITTING)}")
            if name not in added and name not in FITTING[field]:
                what = f"does not fit {field}" if name in known else "no such rule"
                fitting = ", ".join(dict.fromkeys([*FITTING[field], *added]))
                raise ConfigError(f"merge.{field} = {name!r}: {what}: use one of {fitting}")
            self.names[field] = name
        self.functions = {field: known[name] for field, name in self.names.items()}
        self.joins_equals = self.names["confidence"] not in (*_ANY, "max")  # equal confidences may corroborate
        self.are_ours = not any(name in added for name in self.names.values())
