"""Small edits of a JSON document that can be applied, stored and reversed.

Rule: an operation is plain JSON, so that lineage can hold it; lists only ever grow at their end, so that
the reverse of an append is a length and not a copy.
    ["set", path, value]        give the member a value
    ["unset", path]             take the member away
    ["append", path, [items]]   add items to the end of a list (which is made if absent)
    ["truncate", path, length]  cut a list back to a length
    ["replace", document]       put another document in the place of the whole
A path is a list of keys and list indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Json = Any  # a JSON value; msgspec decodes and encodes it
Document = dict[str, Json]
Path = Sequence[str | int]
Operation = list[Json]


def apply(document: Document, operations: Iterable[Operation]) -> Document:
    """Return the document after the operations, in their order; the one given is changed in place."""
    for operation in operations:
        kind, place = operation[0], operation[1]
        if kind == "replace":
            document = copied(place)
            continue
        holder, name = parent(document, place), place[-1]
        if kind == "set":
            holder[name] = copied(operation[2])
        elif kind == "append":
            if isinstance(holder, dict) and name not in holder:
                holder[name] = []
            holder[name].extend(copied(operation[2]))
        elif kind == "truncate":
            del holder[name][operation[2] :]
        elif kind == "unset":
            del holder[name]
        else:
            raise ValueError(f"unknown patch operation {kind!r}")
    return document


def parent(document: Document, path: Path) -> Json:
    """Return the object or list that holds the member which the path names."""
    holder: Json = document
    for key in path[:-1]:
        holder = holder[key]
    return holder


def copied(value: Json) -> Json:
    """Return a JSON value that shares no list or object with the one given, so that a patch stays as written."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) if isinstance(item, dict | list) else item for item in value]
    return value
