"""Format `graphiti`: facts, episodes and entities of a Graphiti or Zep graph (getzep/graphiti).

Rule: a fact (an edge between two entities) is a record with its validity, its episodes its sources; an episode
is a record of what was said, an entity one of its summary. The group is the namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample

_MEMBERS: Final = ("/edges", "/facts", "/nodes", "/episodes", "/communities")


def _records(item: Any, document: Document) -> Iterator[Converted]:
    whole = Fields(item)
    if "fact" in whole:
        yield _fact(whole)
    elif "content" in whole:
        yield _episode(whole)
    elif "name" in whole:
        yield _entity(whole)
    elif "source_node_uuid" in whole:
        raise ValueError("an edge without a fact, a mention or a membership, holds no memory")
    else:
        raise ValueError("neither a fact, an episode nor an entity: expected fact, content or name")


def _common(whole: Fields) -> dict[str, Any]:
    identifier, group = whole.identifier("uuid"), whole.identifier("group_id")
    return {
        "scope": {"namespace": group} if group else {},
        "created_at": whole.time("created_at"),
        "source": {"system": "graphiti", **({"external_id": identifier} if identifier else {})},
    }


def _fact(whole: Fields) -> Converted:
    text = whole.text("fact")
    if text is None:
        raise ValueError("the fact is no text")
    ends = [whole.identifier("source_node_uuid"), whole.identifier("target_node_uuid")]
    record = {
        **f.shortened(text),
        "kind": "fact",
        "subject": ends[0],
        "participants": [{"id": end} for end in f.united(ends)],
        "source_message_ids": whole.texts("episodes"),
        "valid_from": whole.time("valid_at"),
        "valid_until": whole.time("invalid_at"),
        **_common(whole),
    }
    return whole.converted(record)


def _episode(whole: Fields) -> Converted:
    text = whole.text("content")
    if text is None:
        raise ValueError("the content of the episode is no text")
    record = {**f.shortened(text), "kind": "episode", "occurred_at": whole.time("valid_at"), **_common(whole)}
    return whole.converted(record)


def _entity(whole: Fields) -> Converted:
    name = whole.text("name")
    if name is None:
        raise ValueError("the name of the entity is no text")
    common = _common(whole)
    identifier = common["source"].get("external_id", name[:500])
    record = {
        **f.shortened(whole.text("summary") or name),
        "kind": "entity",
        "subject": identifier,
        "participants": [{"id": identifier, "name": name}],
        "tags": whole.tags("labels"),
        **common,
    }
    return whole.converted(record)


def _recognises(sample: Sample) -> str | None:
    for item in sample.items(*_MEMBERS):
        if {"uuid", "fact"} <= item.keys():
            return "its items hold uuid and fact"
        if {"uuid", "content", "source_description"} <= item.keys():
            return "its items hold uuid, content and source_description"
        if {"uuid", "group_id", "labels", "summary"} <= item.keys():
            return "its items hold uuid, group_id, labels and summary"
    return None


FORMAT: Final = Format(
    name="graphiti",
    describes="facts with their validity, episodes and entities of Graphiti and Zep",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS, own=("uuid", "fact")),
    maps={
        "fact, content or summary": "summary, of kind fact, episode or entity",
        "uuid": "source.external_id",
        "group_id": "scope.namespace",
        "valid_at, invalid_at of a fact": "valid_from, valid_until",
        "valid_at of an episode": "occurred_at",
        "episodes": "source_message_ids",
        "source_node_uuid, target_node_uuid": "participants, the first the subject",
        "labels": "tags",
    },
    warns=f.WARNS,
    example={
        "edges": [
            {
                "uuid": "5f1a9f7c-33f2-4b11-9b5c-1f5e3a3c9d10",
                "group_id": "family",
                "fact": "Anna lives in Oslo",
                "name": "LIVES_IN",
                "episodes": ["0c2b7f8e-1d0a-4f7e-8f5b-6a7d1c2e3f40"],
                "valid_at": "2024-05-08T00:00:00Z",
                "invalid_at": None,
            }
        ]
    },
)
