"""bytes → Memory, or every field error at once.

Rule: msgspec decides, at C speed; only for a record that fails does jsonschema-rs, on the schema generated
from the same types, explain all that is wrong with it. Cross-field rules are written once, on the Memory.
Data in: the JSON text of one record. Data out: `Valid` or `Invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from membatch.consistency import Invalid, Valid, invalid, is_plain, settled, too_deep
from membatch.errors import CODES, FIELD_KINDS
from membatch.explanation import field_error, schema_errors
from membatch.memory import Memory
from membatch.plan import FieldError, FieldWarning
from membatch.spelling import Spelling, canonical

_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


# What decoding raises for a record that is unusual or wrong.
REFUSALS: Final = (msgspec.MsgspecError, ValueError, RecursionError)
NUL: Final = b"\\u0000"


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
            memory = self.decoder(raw)
        except REFUSALS:
            return self.second_look(raw)
        return Valid(memory, (), False) if is_plain(memory) and NUL not in raw else self.settled(memory, raw)

    @property
    def decoder(self) -> Callable[[bytes], Memory]:
        """What decodes a record or raises one of `REFUSALS`; another one after a second look that learned."""
        return self._spelling.decode

    def settled(self, memory: Memory, raw: bytes) -> Valid | Invalid:
        """Return a decoded record settled, or what its fields say against one another."""
        return self.second_look(raw) if memory.summary.isspace() else settled(memory, self._max_depth, raw)

    def second_look(self, raw: bytes) -> Valid | Invalid:
        """Take the slow path: the record is unusual, or wrong."""
        if raw.count(b"{") + raw.count(b"[") > self._max_depth and depth(raw) > self._max_depth:
            return too_deep(self._max_depth)
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
        if memory.summary.isspace():
            return explain(regular, "the summary is blank", self._max_depth, raw)
        return settled(memory, self._max_depth, raw)


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
    found = schema_errors(document, raw)
    errors = [error for error in found if not (error.code.endswith("-length") and error.value == '""')]
    summary = document.get("summary")
    if isinstance(summary, str) and summary.isspace() and all(error.pointer != "/summary" for error in errors):
        # White space to Python, and not to the patterns of JSON Schema: U+001C and its like.
        expected = "a text of 1 to 50,000 characters, not blank"
        errors.append(field_error("blank", "/summary", summary, "is blank", expected))
    if not errors:
        pointer = "/" + "/".join(re.findall(r"\.(\w+)", decided.partition(" - at `$")[2]))
        errors = [field_error("value", pointer.rstrip("/"), None, decided.partition(" - at ")[0], "see the message")]
    wrong = {error.pointer.split("/")[1] for error in errors if error.pointer}
    rest = {name: value for name, value in document.items() if name not in wrong}
    if "summary" in wrong or "summary" not in rest:
        rest["summary"] = "-"
    try:
        memory = msgspec.convert(rest, Memory)
    except (msgspec.MsgspecError, ValueError):
        pass  # what is wrong is already said
    else:
        outcome = settled(memory, max_depth, raw, blind="participants" in wrong)
        if isinstance(outcome, Invalid):
            errors.extend(outcome.errors)
    errors.sort(key=lambda error: error.pointer)
    return invalid(errors)


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
