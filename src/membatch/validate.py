"""bytes → Memory, or every field error at once.

Rule: msgspec decides, at C speed; only for a record that fails does jsonschema-rs, on the schema generated
from the same types, explain all that is wrong with it. Cross-field rules are written once, on the Memory.
Data in: the JSON text of one record. Data out: `Valid` or `Invalid`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from membatch.errors import CODES, FIELD_KINDS, Category
from membatch.memory import (
    EMOTIONS,
    SCHEMA_VERSION,
    TIME_FIELDS,
    EmotionalContext,
    Memory,
    RelationshipDynamics,
    Scope,
    Source,
    json_schema,
)
from membatch.plan import FieldError, FieldWarning
from membatch.spelling import Spelling, canonical

SHOWN_VALUE_LENGTH: Final = 80

_KIND_OF_KEYWORD: Final = {
    "required": "missing",
    "type": "type",
    "minimum": "range",
    "maximum": "range",
    "minLength": "length",
    "maxLength": "length",
    "pattern": "blank",
    "maxItems": "count",
    "format": "format",
}
_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_EMPTY: Final = {
    "scope": Scope(),
    "source": Source(),
    "emotional_context": EmotionalContext(),
    "relationship_dynamics": RelationshipDynamics(),
}
_NO_WARNINGS: Final[tuple[FieldWarning, ...]] = ()
_LISTS_OF_UNIQUE: Final = ("source_message_ids", "tags")


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


class ValidationResult(NamedTuple):
    """What `validate_memory` found: the memory if the record is valid, else all its errors."""

    memory: Memory | None
    errors: tuple[FieldError, ...]
    warnings: tuple[FieldWarning, ...]

    @property
    def valid(self) -> bool:
        """Whether the record may be stored."""
        return self.memory is not None


class Validator:
    """Validates the records of one run; it learns the spellings that the run's input uses."""

    def __init__(self, *, max_depth: int = 100) -> None:
        self._spelling = Spelling()
        self._max_depth = max_depth

    def __call__(self, raw: bytes) -> Valid | Invalid:
        """Return the record that the JSON text holds, or everything that is wrong with it."""
        try:
            memory = self._spelling.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return self._second_look(raw)
        return _settled(memory, self._max_depth, raw)

    def _second_look(self, raw: bytes) -> Valid | Invalid:
        """Take the slow path: the record is unusual, or wrong."""
        if depth(raw) > self._max_depth:
            return _too_deep(self._max_depth)
        try:
            document = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError) as failure:
            return unreadable(raw, failure)
        if not isinstance(document, dict):
            kind = type(document).__name__.replace("NoneType", "null")
            return Invalid("conversion", "not-object", f"expected a JSON object, got {kind}")
        self._spelling.learn(document)
        regular = canonical(document)
        try:
            memory = msgspec.convert(regular, Memory)
        except (msgspec.MsgspecError, ValueError) as failure:
            return explain(regular, str(failure), self._max_depth, raw)
        return _settled(memory, self._max_depth, raw)


def validate_memory(data: dict[str, Any] | Memory | bytes | str) -> ValidationResult:
    """Return whether one record is valid, with all its errors and warnings; never raises for bad data.

    `data` is a dict, a Memory, or the JSON text of one record.
    """
    if isinstance(data, bytes):
        raw = data
    elif isinstance(data, str):
        raw = data.encode("utf-8", "surrogatepass")
    else:
        try:
            raw = msgspec.json.encode(data)
        except (TypeError, ValueError, RecursionError) as error:
            return ValidationResult(None, (_whole("value", f"the record cannot be written as JSON: {error}"),), ())
    outcome = Validator()(raw)
    if isinstance(outcome, Valid):
        return ValidationResult(outcome.memory, (), outcome.warnings)
    return ValidationResult(None, outcome.errors or (_whole(outcome.code, outcome.message),), ())


def depth(raw: bytes) -> int:
    """Return how deep the arrays and objects of a JSON text nest."""
    deepest = level = 0
    for match in _BRACKETS.finditer(raw):
        first = raw[match.start()]
        if first in b"{[":
            level += 1
            deepest = max(deepest, level)
        elif first in b"}]":
            level -= 1
    return deepest


def unreadable(raw: bytes, error: Exception) -> Invalid:
    """Return why bytes are not a JSON value, from what the decoder raised."""
    message = str(error)
    if isinstance(error, RecursionError):
        return Invalid("source", "too-deep", "the record nests too deep to be read")
    if isinstance(error, UnicodeDecodeError):
        return Invalid("source", "encoding", f"not UTF-8 at byte {error.start} of a text: {error.reason}")
    if "out of range" in message:
        return Invalid("source", "number-range", "a number is beyond 64 bits or beyond a double")
    if _LONE_SURROGATE.search(raw):
        return Invalid("source", "surrogate-lone", "an escape names half of a surrogate pair")
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        return Invalid("source", "encoding", f"not UTF-8 at byte {fault.start}: {fault.reason}")
    if "truncated" in message:
        return Invalid("source", "json-truncated", "the JSON text ends in the middle of a value")
    return Invalid("source", "json-malformed", message.replace("JSON is malformed", "not valid JSON"))


def explain(document: dict[str, Any], decided: str, max_depth: int, raw: bytes) -> Invalid:
    """Return all field errors of a record in canonical names that msgspec refused with the words `decided`."""
    errors = [_field_error(error) for error in _explainer().iter_errors(document)]
    errors = [error for error in errors if not (error.code.endswith("-length") and error.value == '""')]
    if not errors:
        pointer = "/" + "/".join(re.findall(r"\.(\w+)", decided.partition(" - at `$")[2]))
        errors = [_error("value", pointer.rstrip("/"), None, decided.partition(" - at ")[0], "see the message")]
    wrong = {error.pointer.split("/")[1] for error in errors if error.pointer}
    rest = {name: value for name, value in document.items() if name not in wrong}
    if "summary" in wrong or "summary" not in rest:
        rest["summary"] = "-"
    try:
        memory = msgspec.convert(rest, Memory)
    except (msgspec.MsgspecError, ValueError):
        pass  # what is wrong is already said
    else:
        outcome = _settled(memory, max_depth, raw, blind="participants" in wrong)
        if isinstance(outcome, Invalid):
            errors.extend(outcome.errors)
    errors.sort(key=lambda error: error.pointer)
    return _invalid(errors)


def _invalid(errors: list[FieldError]) -> Invalid:
    message = "; ".join(f"{error.pointer or '(record)'}: {error.message}" for error in errors[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return Invalid("validation", errors[0].code, message + more, tuple(errors))


def _too_deep(limit: int) -> Invalid:
    return Invalid("source", "too-deep", f"the record nests deeper than {limit} levels")


def _holds_long_integer(raw: bytes) -> bool:
    """Return whether a JSON text has a whole number that 64 bits cannot hold; decoding made a double of it."""
    found: list[str] = []
    json.loads(raw, parse_int=lambda digits: found.append(digits) if abs(int(digits)) >= 2 * _BEYOND_64_BITS else 0)
    return bool(found)


def _settled(memory: Memory, max_depth: int, raw: bytes, *, blind: bool = False) -> Valid | Invalid:
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
            return _too_deep(max_depth)
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
    for name in _LISTS_OF_UNIQUE:
        values = getattr(memory, name)
        if len(values) > 1 and len(set(values)) < len(values):
            setattr(memory, name, list(dict.fromkeys(values)))
            warnings.append(FieldWarning(f"{name}-repeated", f"/{name}"))
    if memory.schema_version is not None:
        if memory.schema_version != SCHEMA_VERSION:
            expected = f"{SCHEMA_VERSION} or absent"
            message = f"schema version {memory.schema_version} is not known here"
            errors.append(_error("value", "/schema_version", memory.schema_version, message, expected))
        memory.schema_version = None
    if b"\\" in raw and b"\\u0000" in raw:
        for pointer in _nuls(msgspec.to_builtins(memory), ""):
            errors.append(_error("nul", pointer, None, "holds U+0000", "text without U+0000"))
    if errors:
        return _invalid(errors)
    return Valid(memory, tuple(warnings) if warnings else _NO_WARNINGS, odd)


def _settle_times(memory: Memory, errors: list[FieldError], warnings: list[FieldWarning]) -> None:
    for name in TIME_FIELDS:
        value = getattr(memory, name)
        if value is not None and value.tzinfo is not dt.UTC:
            _to_utc(memory, name, value, errors, warnings)
    since, until = memory.valid_from, memory.valid_until
    if since is not None and until is not None and not errors and since > until:
        expected = "valid_from not after valid_until"
        errors.append(_error("order", "/valid_from", since, "lies after valid_until", expected))


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
_LARGEST_EXACT_INTEGER: Final = 2**53
_BEYOND_64_BITS: Final = 2**63


def _look_into(value: dict[str, Any] | list[Any], levels: int) -> int:
    """Return whether a value holds a number that is no small integer, or nests deeper than so many levels."""
    if levels <= 0:
        return _TOO_DEEP
    found = _PLAIN
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is float or (kind is int and not -_LARGEST_EXACT_INTEGER < item < _LARGEST_EXACT_INTEGER):
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
        errors.append(_error("range", f"/{name}", value, "is outside the years 1 to 9999 in UTC", expected))


def _check_references(memory: Memory, ids: set[str], errors: list[FieldError]) -> None:
    people = memory.participants
    if len(ids) < len(people):
        seen: set[str] = set()
        for number, person in enumerate(people):
            if person.id in seen:
                pointer = f"/participants/{number}/id"
                errors.append(_error("repeated", pointer, person.id, "occurs twice", "ids that differ"))
            seen.add(person.id)
    if memory.subject is not None and memory.subject not in ids:
        expected = "the id of a participant"
        errors.append(_error("unknown", "/subject", memory.subject, "names no participant", expected))
    if memory.relationship_dynamics is not None:
        for number, party in enumerate(memory.relationship_dynamics.participants):
            if party.participant_id not in ids:
                pointer = f"/relationship_dynamics/participants/{number}/participant_id"
                expected = "the id of a participant"
                errors.append(_error("unknown", pointer, party.participant_id, "names no participant", expected))


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
            place = f"{pointer}/{_escaped(name)}"
            found.extend([place] if "\0" in name else _nuls(item, place))
        return found
    return []


@cache
def _explainer() -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(_explained_schema(), formats={"date-time": _is_time}, validate_formats=True)


@cache
def _explained_schema() -> Any:
    return _without_null(json_schema())


def _is_time(text: str) -> bool:
    try:
        msgspec.convert(text, dt.datetime)
    except msgspec.ValidationError:
        return False
    return True


def _without_null(schema: Any) -> Any:
    # A null counts as absent and is left out before, so that "X or null" may be explained as X.
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        rest = [choice for choice in choices if choice != {"type": "null"}]
        if len(rest) == 1:
            others = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
            return _without_null({**rest[0], **others})
    return {key: _without_null(value) for key, value in schema.items()}


def _field_error(error: Any) -> FieldError:
    keyword = str(error.schema_path[-1])
    kind = _KIND_OF_KEYWORD.get(keyword, "value")
    path = [str(part) for part in error.instance_path]
    value, message = error.instance, error.message
    if keyword == "required":
        path.append(error.kind.property)
        value, message = None, "is missing"
    else:
        message = {
            "type": f"has the wrong type ({_type_name(value)})",
            "range": "is out of range",
            "length": f"has {len(value) if isinstance(value, str) else 0:,} characters",
            "blank": "is blank",
            "count": f"has {len(value) if isinstance(value, list) else 0} items",
            "format": "is not a time as RFC 3339 writes it",
        }.get(kind, message)
    pointer = "".join("/" + _escaped(part) for part in path)
    return _error(kind, pointer, value, message, _expected(tuple(error.schema_path)))


@cache
def _expected(schema_path: tuple[str | int, ...]) -> str:
    schema = _explained_schema()
    for part in schema_path[:-1]:
        schema = schema.get(part, {}) if isinstance(schema, dict) else schema[int(part)]
        while isinstance(schema, dict) and "$ref" in schema:
            schema = _explained_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    if schema_path[-1] == "required" or not isinstance(schema, dict):
        return "a value"
    words = {"string": "a text", "number": "a number", "integer": "a whole number", "array": "a list"}
    text = words.get(str(schema.get("type")), "an object")
    if schema.get("format") == "date-time":
        return "a time like 2024-05-08T13:56:00Z"
    if "minimum" in schema:
        text += f" from {schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        text += f" of {schema.get('minLength', 0)} to {schema['maxLength']:,} characters"
    if "pattern" in schema:
        text += ", not blank"
    if "maxItems" in schema:
        text += f" of at most {schema['maxItems']} items"
    return text


def _error(kind: str, pointer: str, value: Any, message: str, expected: str) -> FieldError:
    names = [part for part in pointer.split("/") if part and not part.isdigit()]
    shown = "" if value is None and kind in ("missing", "nul") else _shown(value)
    return FieldError(
        code=f"{names[-1] if names else 'record'}-{kind}",
        pointer=pointer,
        message=message,
        value=shown,
        expected=expected,
        advice=FIELD_KINDS[kind][1],
    )


def _whole(code: str, message: str) -> FieldError:
    advice = CODES[code].advice if code in CODES else FIELD_KINDS["value"][1]
    return FieldError(
        code=code,
        pointer="",
        message=message,
        value="",
        expected="a JSON object with a summary",
        advice=advice,
    )


def _shown(value: Any) -> str:
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_VALUE_LENGTH else text[: SHOWN_VALUE_LENGTH - 1] + "…"


def _type_name(value: Any) -> str:
    names = {str: "text", int: "number", float: "number", bool: "boolean", list: "list", dict: "object"}
    return names.get(type(value), "null")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
