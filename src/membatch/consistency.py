"""What the fields of a record say of one another, and how a record is settled before it is fingerprinted.

Rule: written once, on the decoded record; `is_plain` is a quick look that finds most records in order, and
never says so of one that `settled` would refuse, change or remark on.
Data in: a decoded Memory. Data out: `Valid` or `Invalid`.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final, NamedTuple

import msgspec

from membatch.errors import Category
from membatch.explanation import MOST_ERRORS, escaped, field_error
from membatch.memory import (
    EMOTIONS,
    SCHEMA_VERSION,
    TIME_FIELDS,
    EmotionalContext,
    Memory,
    RelationshipDynamics,
    Scope,
    Source,
)
from membatch.plan import FieldError, FieldWarning

_EMPTY: Final = {
    "scope": Scope(),
    "source": Source(),
    "emotional_context": EmotionalContext(),
    "relationship_dynamics": RelationshipDynamics(),
}
_NO_SCOPE, _NO_SOURCE, _NO_FEELING, _NO_DYNAMICS = _EMPTY.values()
_NO_WARNINGS: Final[tuple[FieldWarning, ...]] = ()
_TEXTS: Final = ("content", "kind")  # an empty one says nothing, like one that is absent
_LISTS_OF_UNIQUE: Final = ("source_message_ids", "tags")
_UTC: Final = dt.UTC
_EXACT: Final = 2**53  # a double holds all whole numbers below it


class Valid(NamedTuple):
    """A record that may be stored, what deserves a look, and whether free-form fields hold unusual numbers."""

    memory: Memory
    warnings: tuple[FieldWarning, ...]
    odd_numbers: bool


class Invalid(NamedTuple):
    """Why a record may not be stored."""

    category: Category
    code: str
    message: str
    errors: tuple[FieldError, ...] = ()


def is_plain(memory: Memory) -> bool:
    """Return True only if nothing about a record needs to be settled; U+0000 is not looked for.

    Every record goes through it: what few records have is looked at together, and short lists without making sets.
    """
    if memory.summary.isspace() or memory.content == "" or memory.kind == "":
        return False
    created, occurred = memory.created_at, memory.occurred_at
    if (created is not None and created.tzinfo is not _UTC) or (occurred is not None and occurred.tzinfo is not _UTC):
        return False
    if memory.updated_at is not None or memory.extracted_at is not None or memory.valid_from is not None:
        for time in (memory.updated_at, memory.extracted_at, memory.valid_from):
            if time is not None and time.tzinfo is not _UTC:
                return False
    if memory.valid_until is not None or memory.schema_version is not None or memory.relationship_dynamics is not None:
        return False
    subject, ids = memory.subject, []
    for person in memory.participants:
        if person.metadata or person.id in ids:
            return False
        ids.append(person.id)
    if subject is not None and subject not in ids:
        return False
    scope, source = memory.scope, memory.source
    if (scope is not None and scope == _NO_SCOPE) or (source is not None and source == _NO_SOURCE):
        return False
    for values in (memory.source_message_ids, memory.tags):
        count = len(values)
        if count > 1 and (values[0] == values[1] if count == 2 else len(set(values)) < count):
            return False
    for value in memory.metadata.values():
        kind = type(value)
        if kind is not str and kind is not bool and (kind is not int or not -_EXACT < value < _EXACT):
            return False
    context = memory.emotional_context
    if context is None:
        return True
    if context.temporal or (context.primary is not None and context.primary not in EMOTIONS):
        return False
    intensity, valence = context.intensity, context.valence
    if intensity is not None and valence is not None:
        return abs(valence) <= intensity + 0.5
    return context != _NO_FEELING


def invalid(errors: list[FieldError]) -> Invalid:
    """Return the verdict on a record with these field errors."""
    message = "; ".join(f"{error.pointer or '(record)'}: {error.message}" for error in errors[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    if len(errors) >= MOST_ERRORS:
        errors, more = errors[:MOST_ERRORS], f" (and more; the first {MOST_ERRORS} are listed)"
    return Invalid("validation", errors[0].code, message + more, tuple(errors))


def too_deep(limit: int) -> Invalid:
    """Return the verdict on a record that nests deeper than the limit."""
    return Invalid("source", "too-deep", f"the record nests deeper than {limit} levels")


def _holds_long_integer(raw: bytes) -> bool:
    """Return whether a JSON text has a whole number that 64 bits cannot hold; decoding made a double of it."""
    found: list[str] = []
    json.loads(raw, parse_int=lambda digits: found.append(digits) if abs(int(digits)) >= 2 * _BEYOND_64_BITS else 0)
    return bool(found)


def settled(memory: Memory, max_depth: int, raw: bytes, *, blind: bool = False) -> Valid | Invalid:
    """Apply the cross-field rules; bring times to UTC and empty parts to their absence, in place.

    `blind` leaves out what refers to participants, because these are known to be wrong.
    """
    errors: list[FieldError] = []
    warnings: list[FieldWarning] = []
    _settle_times(memory, errors, warnings)
    people, dynamics = memory.participants, memory.relationship_dynamics
    if not blind and (people or memory.subject is not None or dynamics is not None):
        ids = {person.id for person in people}
        if len(ids) < len(people) or (memory.subject is not None and memory.subject not in ids) or dynamics:
            _check_references(memory, ids, errors)
    odd = False
    for free in _free_form(memory):
        state = _look_into(free, max_depth - 1)
        if state == _TOO_DEEP:
            return too_deep(max_depth)
        if state == _HUGE and _holds_long_integer(raw):
            return Invalid("source", "number-range", "a whole number is beyond 64 bits")
        odd = odd or state > _PLAIN
    context = memory.emotional_context
    if context is not None:
        _settle_emotions(context, warnings)
    for name, empty in _EMPTY.items():
        part = getattr(memory, name)
        if part is not None and part == empty:
            setattr(memory, name, None)
    for name in _TEXTS:
        if getattr(memory, name) == "":
            setattr(memory, name, None)
    for name in _LISTS_OF_UNIQUE:
        values = getattr(memory, name)
        if len(values) > 1 and len(set(values)) < len(values):
            setattr(memory, name, list(dict.fromkeys(values)))
            warnings.append(FieldWarning(f"{name}-repeated", f"/{name}"))
    if memory.schema_version is not None:
        if memory.schema_version != SCHEMA_VERSION:
            expected = f"{SCHEMA_VERSION} or absent"
            message = f"schema version {memory.schema_version} is not known here"
            errors.append(field_error("value", "/schema_version", memory.schema_version, message, expected))
        memory.schema_version = None
    if b"\\" in raw and b"\\u0000" in raw:
        for pointer in _nuls(msgspec.to_builtins(memory), "")[:MOST_ERRORS]:
            errors.append(field_error("nul", pointer, None, "holds U+0000", "text without U+0000"))
    if errors:
        return invalid(errors)
    return Valid(memory, tuple(warnings) if warnings else _NO_WARNINGS, odd)


def _settle_times(memory: Memory, errors: list[FieldError], warnings: list[FieldWarning]) -> None:
    for name in TIME_FIELDS:
        value = getattr(memory, name)
        if value is not None and value.tzinfo is not dt.UTC:
            _to_utc(memory, name, value, errors, warnings)
    since, until = memory.valid_from, memory.valid_until
    if since is not None and until is not None and not errors and since > until:
        expected = "valid_from not after valid_until"
        errors.append(field_error("order", "/valid_from", since, "lies after valid_until", expected))


def _free_form(memory: Memory) -> list[dict[str, Any]]:
    """Return the objects of a record that may hold anything; typed fields are neither deep nor odd."""
    free = [person.metadata for person in memory.participants if person.metadata]
    if memory.metadata:
        free.append(memory.metadata)
    if memory.emotional_context is not None and memory.emotional_context.temporal:
        free.append(memory.emotional_context.temporal)
    if memory.relationship_dynamics is not None:
        free.extend(party.metadata for party in memory.relationship_dynamics.participants if party.metadata)
    return free


_PLAIN, _ODD, _HUGE, _TOO_DEEP = range(4)
_BEYOND_64_BITS: Final = 2**63


def _look_into(value: dict[str, Any] | list[Any], levels: int) -> int:
    """Return whether a value holds a number that is no small integer, or nests deeper than so many levels."""
    if levels <= 0:
        return _TOO_DEEP
    found = _PLAIN
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is float or (kind is int and not -_EXACT < item < _EXACT):
            found = max(found, _HUGE if abs(item) >= _BEYOND_64_BITS else _ODD)
        elif kind is dict or kind is list:
            found = max(found, _look_into(item, levels - 1))
    return found


def _to_utc(
    memory: Memory, name: str, value: dt.datetime, errors: list[FieldError], warnings: list[FieldWarning]
) -> None:
    if value.tzinfo is None:
        warnings.append(FieldWarning("time-naive", f"/{name}"))
        setattr(memory, name, value.replace(tzinfo=dt.UTC))
        return
    try:
        setattr(memory, name, value.astimezone(dt.UTC))
    except OverflowError:
        expected = "a time in the years 1 to 9999, in UTC"
        errors.append(field_error("range", f"/{name}", value, "is outside the years 1 to 9999 in UTC", expected))


def _check_references(memory: Memory, ids: set[str], errors: list[FieldError]) -> None:
    people = memory.participants
    if len(ids) < len(people):
        seen: set[str] = set()
        for number, person in enumerate(people):
            if person.id in seen:
                pointer = f"/participants/{number}/id"
                errors.append(field_error("repeated", pointer, person.id, "occurs twice", "ids that differ"))
            seen.add(person.id)
    if memory.subject is not None and memory.subject not in ids:
        expected = "the id of a participant"
        errors.append(field_error("unknown", "/subject", memory.subject, "names no participant", expected))
    if memory.relationship_dynamics is not None:
        for number, party in enumerate(memory.relationship_dynamics.participants):
            if party.participant_id not in ids and len(errors) < MOST_ERRORS:
                pointer = f"/relationship_dynamics/participants/{number}/participant_id"
                expected = "the id of a participant"
                errors.append(field_error("unknown", pointer, party.participant_id, "names no participant", expected))


def _settle_emotions(context: EmotionalContext, warnings: list[FieldWarning]) -> None:
    primary = context.primary
    if primary is not None and primary not in EMOTIONS:
        folded = primary.strip().casefold()
        if context.primary_raw is None:
            context.primary_raw = primary
        elif context.primary_raw != primary:
            context.secondary = [*context.secondary, primary]
        context.primary = folded if folded in EMOTIONS else None
        warnings.append(FieldWarning("primary-unknown", "/emotional_context/primary"))
    if context.intensity is not None and context.valence is not None:
        if abs(context.valence) > context.intensity + 0.5:
            warnings.append(FieldWarning("valence-intensity", "/emotional_context/valence"))


def _nuls(value: Any, pointer: str) -> list[str]:
    if isinstance(value, str):
        return [pointer] if "\0" in value else []
    if isinstance(value, list):
        return [found for number, item in enumerate(value) for found in _nuls(item, f"{pointer}/{number}")]
    if isinstance(value, dict):
        found = []
        for name, item in value.items():
            place = f"{pointer}/{escaped(name)}"
            found.extend([place] if "\0" in name else _nuls(item, place))
        return found
    return []
