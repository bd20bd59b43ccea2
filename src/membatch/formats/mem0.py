"""Format `mem0`: memories of mem0, as its API and its vector stores give them (mem0ai/mem0).

Rule: a memory is a record, its text the summary; user, agent and run make the scope. A vector store keeps the
text as `data` in a payload. What a search adds (score) and all custom metadata stay in metadata. A relation of
its graph is a record of kind relation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample

_MEMBERS: Final = ("/results", "/memories", "/relations")
_MARKS: Final = ("hash", "user_id", "agent_id", "run_id", "actor_id")


def _records(item: Any, document: Document) -> Iterator[Converted]:
    whole = Fields(item)
    if "memory" not in whole and isinstance(item.get("payload"), dict):
        whole = Fields({**{name: value for name, value in item.items() if name != "payload"}, **item["payload"]})
    if "relationship" in whole or ("relation" in whole and "source" in whole):
        yield _relation(whole)
        return
    text = whole.text("memory", "data", "text")
    if text is None:
        raise ValueError("the memory has no text: expected one under memory, or data in a payload")
    identifier = whole.identifier("id")
    if identifier is not None and not f.is_own(identifier):
        identifier = f.qualified(document.name, identifier)
    actor = whole.identifier("actor_id")
    role = whole.text("role") if actor is not None else None
    record = {
        **f.shortened(text),
        "participants": [{"id": actor, **({"role": role} if role else {})}] if actor is not None else [],
        "scope": _scope(whole),
        "created_at": whole.time("created_at"),
        "updated_at": whole.time("updated_at"),
        "valid_until": whole.time("expiration_date"),
        "tags": whole.tags("categories"),
        "source": {"system": "mem0", **({"external_id": identifier} if identifier else {})},
        "metadata": whole.metadata(),
    }
    yield whole.converted(record)


def _scope(whole: Fields) -> dict[str, str]:
    names = {"user_id": "user_id", "agent_id": "agent_id", "session_id": "run_id"}
    found = {ours: whole.identifier(theirs) for ours, theirs in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def _relation(whole: Fields) -> Converted:
    parts = [whole.peek(name) for name in ("source", "relationship", "relation", "destination", "target")]
    record = {
        "summary": " ".join(str(part) for part in parts if part is not None),
        "kind": "relation",
        "scope": _scope(whole),
        "source": {"system": "mem0"},
    }
    return whole.converted(record)


def _recognises(sample: Sample) -> str | None:
    for item in sample.items(*_MEMBERS):
        payload = item.get("payload")
        if isinstance(payload, dict) and isinstance(payload.get("data"), str) and "hash" in payload:
            return "its payloads hold data and hash"
        if isinstance(item.get("memory"), str) and "id" in item and any(mark in item for mark in _MARKS):
            return "its items hold id, memory and " + next(mark for mark in _MARKS if mark in item)
    return None


FORMAT: Final = Format(
    name="mem0",
    describes="memories of mem0: lists, results or memories wrappers, vector payloads",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS, own=("memory", "payload")),
    maps={
        "memory, or data in a payload": "summary",
        "id": "source.external_id",
        "user_id, agent_id, run_id": "scope.user_id, scope.agent_id, scope.session_id",
        "actor_id, role": "a participant",
        "categories": "tags",
        "expiration_date": "valid_until",
        "relations": "records of kind relation",
    },
    warns=f.WARNS,
    example={
        "results": [
            {
                "id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e",
                "memory": "Anna moved to Oslo",
                "hash": "9d2c",
                "user_id": "anna",
                "metadata": {"mood": "calm"},
                "categories": ["places"],
                "created_at": "2024-07-20T01:30:36.275141-07:00",
            }
        ]
    },
)
