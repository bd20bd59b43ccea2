"""Format `mcp-memory`: the knowledge graph of the MCP memory server (modelcontextprotocol/servers, memory.jsonl).

Rule: each observation of an entity is a record about that entity; an entity without any is one itself; a
relation is a record of kind relation. Lines stand alone, so that a broken one costs itself only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample

_MEMBERS: Final = ("/entities", "/relations")
_SOURCE: Final = {"system": "mcp-memory"}


def _records(item: Any, document: Document) -> Iterator[Converted]:
    whole = Fields(item)
    kind = whole.take("type")
    if kind == "relation" or "relationType" in whole:
        yield _relation(whole)
    elif kind == "entity" or "entityType" in whole:
        yield from _observations(whole)
    else:
        raise ValueError("neither an entity nor a relation: expected type, entityType or relationType")


def _observations(whole: Fields) -> Iterator[Converted]:
    name = whole.identifier("name")
    if name is None:
        raise ValueError("the entity has no name")
    role = whole.text("entityType")
    about = {"subject": name, "participants": [{"id": name, "name": name, **({"role": role} if role else {})}]}
    texts = whole.texts("observations")
    if not texts:
        yield whole.converted({"summary": name, "kind": "entity", **about, "source": _SOURCE})
    more = whole.rest()
    for number, text in enumerate(texts):
        record = {**f.shortened(text), "kind": "observation", **about, "source": _SOURCE, "metadata": more}
        yield Converted(
            {key: value for key, value in record.items() if value}, tuple(whole.warnings) if number == 0 else ()
        )


def _relation(whole: Fields) -> Converted:
    start, end = whole.identifier("from"), whole.identifier("to")
    name = whole.peek("relationType")
    if start is None or end is None or not isinstance(name, str):
        raise ValueError("a relation needs from, to and relationType")
    record = {
        "summary": f"{start} {name} {end}",
        "kind": "relation",
        "subject": start,
        "participants": [{"id": person, "name": person} for person in f.united((start, end))],
        "source": _SOURCE,
    }
    return whole.converted(record)


def _recognises(sample: Sample) -> str | None:
    for item in sample.items(*_MEMBERS):
        if "entityType" in item and "observations" in item:
            return "its items hold entityType and observations"
        if {"from", "to", "relationType"} <= item.keys():
            return "its items hold from, to and relationType"
    return None


FORMAT: Final = Format(
    name="mcp-memory",
    describes="the MCP memory server's memory.jsonl: each observation is a memory of its entity",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS),
    maps={
        "each of observations": "summary, of kind observation",
        "name, entityType": "the participant and subject, its role",
        "from, relationType, to": "summary, of kind relation",
    },
    warns=f.WARNS,
    example={"type": "entity", "name": "Anna", "entityType": "person", "observations": ["Lives in Oslo"]},
)
