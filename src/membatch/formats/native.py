"""Format `membatch`: records as docs/reference describes them; rows of a table with dotted column names too.

Rule: a row's cell is read as what its field is: a number, a list or an object where the field is one, else
text. An empty cell is an absent field. A JSON file may hold its records in a list of a usual name.
"""

from __future__ import annotations

import json
import math
import re
import typing
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import msgspec

from membatch.formats.declare import Converted, Format
from membatch.layout import Document, Layout, Sample
from membatch.memory import Memory
from membatch.spelling import CAMEL, FIELDS, NESTED, STRUCTS


def from_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the record that a row of a table holds: `scope.user_id` is a member, `participants.0.id` an item.

    A cell that should be JSON or a number and is not stays text, so that validation can say so.
    """
    record: dict[str, Any] = {}
    dotted: list[tuple[str, Any]] = []
    for column, cell in row.items():
        if cell is None or cell == "":
            continue
        if "." in column and _kind(Memory, column.partition(".")[0]) == "json":
            dotted.append((column, cell))
        else:
            record[column] = read_cell(cell, _kind(Memory, column))
    for column, cell in dotted:
        if not _place(record, column.split("."), cell):
            record[column] = cell  # another column says what stands there: both are kept
    return typing.cast(dict[str, Any], _with_lists(record)) if dotted else record


class _Holder(dict[str, Any]):
    """An object that dotted columns make, unlike one that a cell holds."""


def read_cell(cell: Any, kind: str) -> Any:
    """Return a cell's value; `kind` is "number", "json" or "text", or "any" where it is no field of a record.

    A whole number that stands for a text, as the id of a row of a database does, becomes one.
    """
    if not isinstance(cell, str):
        return str(cell) if kind == "text" and type(cell) is int else cell
    if kind in ("text", "any"):
        return cell
    if kind == "number" and _NUMBER.fullmatch(cell):
        number = float(cell)
        is_whole = cell.strip().isdigit() and number < _LARGEST_EXACT_INTEGER
        return int(cell) if is_whole else number if math.isfinite(number) else cell
    if kind == "json" and cell.lstrip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(cell)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return cell
    return cell


_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_LARGEST_EXACT_INTEGER: Final = 2**53


def _place(record: dict[str, Any], path: list[str], cell: Any) -> bool:
    """Put a cell where its column's path leads; return whether nothing else stands there."""
    struct: type[msgspec.Struct] | None = Memory
    holder = record
    kind = "text"
    for number, name in enumerate(path):
        if _is_index(name):
            kind = "text"
        else:
            kind = _kind(struct, name) if struct is not None else "any"
            struct = _nested(struct, name)
        if number == len(path) - 1:
            break
        inner = holder.setdefault(name, _Holder())
        if not isinstance(inner, dict):
            return False
        holder = inner
    if path[-1] in holder:
        return False
    holder[path[-1]] = read_cell(cell, kind)
    return True


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < _LONGEST_INDEX


_LONGEST_INDEX: Final = 10


_MEMBERS: Final = ("/memories", "/records", "/data", "/items", "/results")
_NAMES: Final = FIELDS[Memory] | CAMEL[Memory].keys()


def _with_lists(value: Any) -> Any:
    """Return the value with each object that columns made, and whose names are 0, 1, 2 …, turned into a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(item) for name, item in value.items()}
    if isinstance(value, _Holder) and inner and all(map(_is_index, inner)):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


@cache
def _kind(struct: type[msgspec.Struct], name: str) -> str:
    name = CAMEL[struct].get(name, name)
    if name not in FIELDS[struct]:
        return "any"
    schema = msgspec.json.schema(struct)
    own = schema["$defs"][struct.__name__]["properties"][name]
    text = json.dumps(own)
    if '"number"' in text or '"integer"' in text:
        return "number"
    return "json" if '"array"' in text or '"object"' in text or "$ref" in text else "text"


def _nested(struct: type[msgspec.Struct] | None, name: str) -> type[msgspec.Struct] | None:
    if struct is None or struct not in STRUCTS:
        return None
    nested = NESTED[struct].get(CAMEL[struct].get(name, name))
    return nested.type if nested is not None else None


def _records(item: Any, document: Document) -> Iterable[Converted]:
    return [Converted(item)]


def _recognises(sample: Sample) -> str | None:
    """Say so where the first object, or that in a wrapper, has a summary and nothing that a record does not know."""
    for value in sample.items(*_MEMBERS) or sample.values:
        if not isinstance(value, dict) or not isinstance(value.get("summary"), str):
            return None
        known = {name.split(".")[0] for name in value} <= _NAMES
        confidence = value.get("confidence")
        in_bounds = not isinstance(confidence, int | float) or 0 <= confidence <= 1
        return "its fields are those of a record" if known and in_bounds else None
    return None


FORMAT = Format(
    name="membatch",
    describes="memory records: one JSON object each, or a row with dotted columns",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS, alone=("summary",)),
    scale="0 to 1",
    rest="metadata, under its own name",
    example={"summary": "Anna moved to Oslo", "confidence": 0.9, "colour": "blue"},
    is_native=True,
)
