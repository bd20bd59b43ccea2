"""Format `pam`: Portable AI Memory 1.0, memory stores and conversations (portable-ai-memory).

Rule: a memory object is a record of its owner; relations stand with the memory that they start from. What the
file says of itself (export, integrity, index) is kept with the run. What membatch wrote beside PAM's own fields
comes back from metadata.membatch. `pam_export` writes the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample

_MEMBERS: Final = ("/memories", "/messages")
KEPT: Final = "membatch"
MADE: Final = "summary-made"


def _records(item: Any, document: Document) -> Iterator[Converted]:
    whole = Fields(item)
    if "role" in whole and "content" in whole and not isinstance(item.get("provenance"), dict):
        yield _message(whole, document)
    else:
        yield _memory(whole, document)


def _memory(whole: Fields, document: Document) -> Converted:
    text, short = whole.text("content"), whole.text("summary")
    if text is None and short is None:
        raise ValueError("the memory has no content")
    identifier = whole.identifier("id")
    kind = whole.text("custom_type") or whole.text("type")
    summary = f.shortened(short or text or "")
    if short is not None and text is not None:
        summary["content"] = text
    confidence, temporal, provenance = (whole.inner(name) for name in ("confidence", "temporal", "provenance"))
    metadata = whole.metadata()
    kept = metadata.pop(KEPT, None)
    record: dict[str, Any] = {
        **summary,
        "kind": kind,
        "tags": whole.tags("tags"),
        "scope": _scope(document, provenance),
        "source": {"system": "pam", **({"external_id": identifier} if identifier else {})},
        "metadata": metadata,
    }
    if confidence is not None:
        record["confidence"] = confidence.number("current") if "current" in confidence else confidence.number("initial")
    if temporal is not None:
        for name in ("created_at", "updated_at", "valid_from", "valid_until"):
            record[name] = temporal.time(name)
    if provenance is not None:
        record["extracted_at"] = provenance.time("extracted_at")
        record["source_message_ids"] = _message_ids(provenance, record["scope"])
    relations = _relations(document).get(identifier or "")
    if relations:
        record["metadata"]["relations"] = relations
    if isinstance(kept, dict):
        return _restored(whole, record, kept, provenance)
    if kept is not None:
        metadata[KEPT] = kept
    return whole.converted(record)


def _restored(whole: Fields, record: dict[str, Any], kept: dict[str, Any], provenance: Fields | None) -> Converted:
    """Return the record that membatch wrote: what PAM has no place for as it was, what only PAM needs gone."""
    for name in ("type", "content_hash", *(("status",) if whole.peek("status") == "active" else ())):
        whole.take(name)
    if provenance is not None:
        provenance.take("platform")
    metadata = {**record["metadata"], **kept.get("metadata", {})} if isinstance(kept.get("metadata"), dict) else {}
    return whole.converted({**record, **kept, "metadata": metadata})


def _scope(document: Document, provenance: Fields | None) -> dict[str, str]:
    owner = document.rest.get("owner")
    user = owner.get("id") if isinstance(owner, dict) else None
    scope = {"user_id": user} if isinstance(user, str) and user else {}
    session = provenance.identifier("conversation_ref") if provenance is not None else None
    return {**scope, "session_id": session} if session else scope


def _message_ids(provenance: Fields, scope: dict[str, str]) -> list[str]:
    message = provenance.identifier("message_ref")
    return [f.qualified(scope.get("session_id"), message)] if message else []


@lru_cache(maxsize=4)
def _relations(document: Document) -> dict[str, list[dict[str, Any]]]:
    """Return the relations of a store by the memory that they start from."""
    found: dict[str, list[dict[str, Any]]] = {}
    relations = document.rest.get("relations")
    for item in relations if isinstance(relations, list) else []:
        if isinstance(item, dict) and isinstance(item.get("from"), str):
            more = {name: value for name, value in item.items() if name != "from" and value is not None}
            found.setdefault(item["from"], []).append(more)
    return found


def _message(whole: Fields, document: Document) -> Converted:
    conversation = document.rest.get("id")
    conversation = conversation if isinstance(conversation, str) and conversation else document.name
    identifier = whole.identifier("id")
    role = whole.text("role") or "unknown"
    content = whole.peek("content")
    text = _text_of(whole)
    if text is None:
        text = msgspec.json.encode(content, order="sorted").decode()
        whole.warn(MADE, "content")
    name = _name_of(role, document)
    place = f.qualified(conversation, identifier) if identifier else None
    record = {
        **f.shortened(text),
        "kind": "message",
        "subject": name,
        "participants": [{"id": name, "name": name, "role": role}],
        "scope": {"session_id": conversation} if conversation else {},
        "occurred_at": whole.time("created_at"),
        "source_message_ids": [place] if place else [],
        "source": {"system": "pam", **({"external_id": place} if place else {})},
    }
    title = document.rest.get("title")
    if isinstance(title, str) and title:
        record["metadata"] = {"conversation_title": title}
    return whole.converted(record)


def _name_of(role: str, document: Document) -> str:
    people = document.rest.get("participants")
    for person in people if isinstance(people, list) else []:
        if isinstance(person, dict) and person.get("role") == role and isinstance(person.get("name"), str):
            return str(person["name"])[:500] or role
    return role[:500]


def _text_of(whole: Fields) -> str | None:
    """Take the text of a message: one, or the parts that are texts; the parts themselves stay."""
    if isinstance(whole.peek("content"), str):
        return whole.text("content")
    content = whole.inner("content")
    if content is None:
        return None
    text = content.text("text")
    parts = content.peek("parts")
    if text is None and isinstance(parts, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        text = "\n".join(part for part in texts if isinstance(part, str) and part.strip()) or None
    return text


def _recognises(sample: Sample) -> str | None:
    for value in sample.values:
        if isinstance(value, dict):
            name = value.get("schema")
            if isinstance(name, str) and name.startswith("portable-ai-memory"):
                return f"it names its schema, {name[:40]}"
    return None


FORMAT: Final = Format(
    name="pam",
    describes="Portable AI Memory 1.0: memory stores and conversations; written by `export --format pam` too",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS),
    per=("message",),
    scale="0 to 1 (current, else initial)",
    maps={
        "content, or summary where there is one": "summary; content is kept whole then",
        "id": "source.external_id",
        "type, custom_type": "kind",
        "owner.id": "scope.user_id",
        "provenance.conversation_ref, message_ref": "scope.session_id, source_message_ids",
        "temporal": "created_at, updated_at, valid_from, valid_until",
        "relations": "metadata.relations of the memory that they start from",
        "messages of a conversation": "a record each, of kind message",
    },
    rest="metadata; what the file says of itself, with the run",
    warns={**f.WARNS, MADE: "a message holds no text; its content is the summary as JSON"},
    example={
        "schema": "portable-ai-memory",
        "schema_version": "1.0",
        "owner": {"id": "anna"},
        "memories": [
            {
                "id": "m1",
                "type": "fact",
                "content": "Anna moved to Oslo",
                "content_hash": "sha256:" + 64 * "0",
                "confidence": {"initial": 0.9, "current": 0.8},
                "temporal": {"created_at": "2024-05-08T13:56:00Z"},
                "provenance": {"platform": "chatgpt", "conversation_ref": "c1", "message_ref": "7"},
            }
        ],
        "relations": [{"id": "r1", "from": "m1", "to": "m2", "type": "supports", "created_at": "2024-05-08T13:56:00Z"}],
    },
)
