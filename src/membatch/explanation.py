"""Why fields are not acceptable: the errors of a record by its JSON Schema, and those that rules add.

Rule: the schema is generated from the record's types, so that what decides and what explains cannot part.
Data in: a record in canonical names. Data out: field errors.
"""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from itertools import islice
from typing import Any, Final

import msgspec

from membatch.errors import FIELD_KINDS
from membatch.memory import json_schema
from membatch.plan import FieldError

SHOWN_VALUE_LENGTH: Final = 80
MOST_ERRORS: Final = 100  # of one record: a list of a million wrong items is told by its first ones
_MOST_ITEMS: Final = 5_000  # in all lists together; of a record with more, each list is looked at no further than
_LOOKED_AT: Final = 100  # so many items

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


def schema_errors(document: dict[str, Any], raw: bytes) -> list[FieldError]:
    """Return everything that the schema finds wrong with a record, whose text is `raw`, up to `MOST_ERRORS`.

    The explainer gathers all errors before it gives the first, at a kilobyte or two each.
    """
    most = raw.count(b",") + raw.count(b"[")  # items in all lists together, or fewer
    looked_at = document if most <= _MOST_ITEMS or _items_in(document) <= _MOST_ITEMS else _cut(document)
    found = [_by_schema(error) for error in islice(_explainer().iter_errors(looked_at), MOST_ERRORS)]
    if looked_at is document:
        return found
    return [_with_whole_count(error, document) for error in found]


def _items_in(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_items_in, value.values()))
    return len(value) + sum(map(_items_in, value)) if isinstance(value, list) else 0


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    return [_cut(item) for item in value[:_LOOKED_AT]] if isinstance(value, list) else value


def _with_whole_count(error: FieldError, document: dict[str, Any]) -> FieldError:
    whole = document.get(error.pointer[1:])
    if not error.code.endswith("-count") or not isinstance(whole, list):
        return error
    return msgspec.structs.replace(error, message=f"has {len(whole)} items")


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


def _by_schema(error: Any) -> FieldError:
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
    pointer = "".join("/" + escaped(part) for part in path)
    return field_error(kind, pointer, value, message, _expected(tuple(error.schema_path)))


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


# What is below these is named by the record's author.
_FREE_FORM: Final = ("metadata", "temporal")


def field_error(kind: str, pointer: str, value: Any, message: str, expected: str) -> FieldError:
    """Return one field error; its code is made of the field's name and the kind, never of a name below metadata."""
    names = [part for part in pointer.split("/") if part and not part.isdigit()]
    free = next((number for number, name in enumerate(names) if name in _FREE_FORM), len(names))
    names = names[: free + 1]
    shown = "" if value is None and kind in ("missing", "nul") else _shown(value)
    return FieldError(
        code=f"{names[-1] if names else 'record'}-{kind}",
        pointer=pointer,
        message=message,
        value=shown,
        expected=expected,
        advice=FIELD_KINDS[kind][1],
    )


def _shown(value: Any) -> str:
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_VALUE_LENGTH else text[: SHOWN_VALUE_LENGTH - 1] + "…"


def _type_name(value: Any) -> str:
    names = {str: "text", int: "number", float: "number", bool: "boolean", list: "list", dict: "object"}
    return names.get(type(value), "null")


def escaped(name: str) -> str:
    """Return a name as a JSON pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
