"""Format `mnemosyne`: memories of mnemosyne (nathanvale/mnemosyne) in its four shapes.

Rule: each shape is brought to one, the newest, by a small step of its own; then that is a record. V1 tells of
text, sender and mood; the legacy shape of content and messages; database rows hold JSON in their texts and scales
from 1 to 10; the newest nests author, emotions and dynamics, with scales from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from membatch.formats import emotions
from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample
from membatch.memory import MAX_PARTICIPANTS
from membatch.plan import Migration

_MEMBERS: Final = ("/memories",)
_JSON_COLUMNS: Final = (
    "sourceMessageIds",
    "participants",
    "deduplicationMetadata",
    "clusteringMetadata",
    "emotionalContext",
    "relationshipDynamics",
    "author",
    "metadata",
    "tags",
)
_JSON_OF_CONTEXT: Final = ("themes", "emotionalMarkers", "contextualEvents", "temporalPatterns")
_JSON_OF_DYNAMICS: Final = ("overallDynamics", "participantDynamics", "communicationPatterns", "interactionQuality")


class _Scales(NamedTuple):
    """The scales that a shape declares for its numbers."""

    confidence: f.Scale
    intensity: f.Scale


_ROWS: Final = _Scales(f.ONE_TO_TEN, f.ONE_TO_TEN)
_NEWEST: Final = _Scales(f.UNIT, f.UNIT)


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, dict):
        raise ValueError("a memory is an object")
    item = _decoded(item)
    before = item
    migration: Migration | None = None
    if "text" in item and ("sender" in item or "mood" in item):
        item, scales = _from_v1(item), _NEWEST
        migration = Migration("mnemosyne 1.0", tuple(name for name in _V1 if name in before))
    elif "author" in item or "timestamp" in item:
        scales = _NEWEST
    else:
        item, scales = _from_legacy(item), _ROWS
        scaled = [name for name in ("confidence", "intensity") if name in before]
        migration = Migration("mnemosyne legacy", (*scaled, *(("messages",) if "messages" in before else ())))
    yield _converted(Fields(item), scales, document)._replace(migration=migration)


def _decoded(item: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the JSON in its texts decoded; what is no JSON stays text."""
    made = dict(item)
    for name in _JSON_COLUMNS:
        made[name] = _json_in(made.get(name))
    for name, columns in (("emotionalContext", _JSON_OF_CONTEXT), ("relationshipDynamics", _JSON_OF_DYNAMICS)):
        if isinstance(made[name], dict):
            made[name] = {key: _json_in(value) if key in columns else value for key, value in made[name].items()}
    return {name: value for name, value in made.items() if value is not None}


def _json_in(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return value
    return value


def _from_v1(item: dict[str, Any]) -> dict[str, Any]:
    """Return a memory of the first version in the newest shape; sentiment is its valence, mood its emotion."""
    made = {name: value for name, value in item.items() if name not in _V1}
    recipients = item.get("recipients")
    context = {"primaryEmotion": item.get("mood"), "valence": item.get("sentiment")}
    made |= {
        "content": item.get("text"),
        "timestamp": item.get("date"),
        "author": item.get("sender"),
        "participants": [item.get("sender"), *(recipients if isinstance(recipients, list) else [recipients])],
        "tags": item.get("categories"),
        "emotionalContext": {name: value for name, value in context.items() if value is not None},
    }
    return {name: value for name, value in made.items() if value not in (None, [], {}, [None])}


_V1: Final = ("text", "date", "sender", "recipients", "mood", "sentiment", "categories")


def _from_legacy(item: dict[str, Any]) -> dict[str, Any]:
    """Return a legacy memory or a row in the newest shape; its messages are kept as they are."""
    made = dict(item)
    if not made.get("summary") and not made.get("content"):
        messages = made.get("messages")
        texts = [_text_in(message) for message in messages] if isinstance(messages, list) else []
        made["content"] = "\n".join(text for text in texts if text)
    return made


def _text_in(message: Any) -> str:
    if isinstance(message, str):
        return message
    found = message.get("content", message.get("text")) if isinstance(message, dict) else None
    return found if isinstance(found, str) else ""


def _converted(whole: Fields, scales: _Scales, document: Document) -> Converted:
    short, text = whole.text("summary"), whole.text("content")
    if short is None and text is None:
        raise ValueError("the memory has no text: expected summary, content, text or messages")
    record: dict[str, Any] = f.shortened(short or text or "")
    if short is not None and text is not None:
        record["content"] = text
    identifier = whole.identifier("id")
    if identifier is not None and not f.is_own(identifier):
        identifier = f.qualified(document.name, identifier)
    metadata = Fields(whole.metadata(), "/metadata", whole.warnings)
    sure = whole.number("confidence", scales.confidence)
    record |= {
        "participants": _participants(whole, metadata),
        "source_message_ids": _message_ids(whole, document),
        "confidence": metadata.number("confidence") if sure is None else sure,
        "occurred_at": whole.time("timestamp"),
        "extracted_at": whole.time("extractedAt") or metadata.time("processedAt", "processed"),
        "created_at": whole.time("createdAt"),
        "updated_at": whole.time("updatedAt"),
        "tags": whole.tags("tags"),
        "emotional_context": _emotions(whole, scales),
        "relationship_dynamics": _dynamics(whole),
        "source": {"system": "mnemosyne", **({"external_id": identifier} if identifier else {})},
        "metadata": metadata.rest(),
    }
    return whole.converted(record)


def _participants(whole: Fields, metadata: Fields) -> list[dict[str, Any]]:
    listed, author = whole.take("participants"), whole.take("author")
    people, left = f.people([*(listed if isinstance(listed, list) else [listed] if listed else [])])
    first, left_of_author = f.people(author) if author is not None else ([], [])
    known = {person["id"] for person in people}
    known_names = {person.get("name") for person in people}
    for person in first:
        if person["id"] not in known and person.get("name") not in known_names:
            people.insert(0, person)
    left = [entry for entry in left + left_of_author if entry not in (None, "") and not isinstance(entry, str)]
    record_left = {"participants": left} if left else {}
    if first:
        record_left["author"] = author
    for name, value in record_left.items():
        metadata.keep(name, value)
    return people[:MAX_PARTICIPANTS]


def _message_ids(whole: Fields, document: Document) -> list[str]:
    found = []
    value = whole.peek("sourceMessageIds")
    if isinstance(value, list) and all(isinstance(item, str | int) and not isinstance(item, bool) for item in value):
        whole.take("sourceMessageIds")
        found = [str(item) for item in value]
    return [item if f.is_own(item) else f.qualified(document.name, item) for item in found if item]


def _emotions(whole: Fields, scales: _Scales) -> dict[str, Any] | None:
    inside = whole.inner("emotionalContext")
    if inside is None:
        return None
    context: dict[str, Any] = {}
    word = inside.text("primaryEmotion", "primaryMood")
    if word is not None:
        context, warning = emotions.felt(word)
        if warning is not None:
            inside.warn(warning, "primaryEmotion")
    context |= {
        "secondary": inside.texts("secondaryEmotions"),
        "intensity": inside.number("intensity", scales.intensity),
        "valence": inside.polarity("valence"),
        "themes": inside.texts("themes") if _are_texts(inside.peek("themes")) else [],
        "events": inside.texts("contextualEvents") if _are_texts(inside.peek("contextualEvents")) else [],
        "temporal": inside.metadata("temporalPatterns"),
        "markers": _markers(inside),
    }
    return {name: value for name, value in context.items() if value not in (None, [], {})} or None


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _markers(inside: Fields) -> list[dict[str, Any]]:
    """Take the markers that are a type and a text; where one says more, all stay as they were."""
    markers = inside.peek("emotionalMarkers")
    plain = ({"type", "text"}, {"type", "text", "confidence"})
    if not isinstance(markers, list) or not all(isinstance(item, dict) and set(item) in plain for item in markers):
        return []
    for item in markers:
        sure = item.get("confidence", 0)
        if not isinstance(item["type"], str) or not isinstance(item["text"], str):
            return []
        if isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 1:
            return []
    inside.take("emotionalMarkers")
    return markers


def _dynamics(whole: Fields) -> dict[str, Any] | None:
    inside = whole.inner("relationshipDynamics")
    if inside is None:
        return None
    dynamics = {
        "pattern": inside.text("communicationPattern"),
        "quality": inside.text("interactionQuality") if isinstance(inside.peek("interactionQuality"), str) else None,
        "strength": inside.number("connectionStrength"),
    }
    return {name: value for name, value in dynamics.items() if value is not None} or None


def _recognises(sample: Sample) -> str | None:
    for item in sample.items(*_MEMBERS):
        if {"text", "sender", "mood"} <= item.keys():
            return "its items hold text, sender and mood"
        if "summary" in item and "contentHash" in item and "sourceMessageIds" in item:
            return "its items hold summary, contentHash and sourceMessageIds"
        if {"content", "author", "emotionalContext"} <= item.keys():
            return "its items hold content, author and emotionalContext"
    return None


FORMAT: Final = Format(
    name="mnemosyne",
    describes="memories of mnemosyne: its first version, the legacy shape, database rows, the newest",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS),
    scale="1 to 10 in legacy records and rows, 0 to 1 in the newest",
    maps={
        "summary, else content, text or messages": "summary",
        "id": "source.external_id",
        "participants, author, sender, recipients": "participants",
        "sourceMessageIds": "source_message_ids",
        "emotionalContext": "emotional_context; primaryEmotion, primaryMood or mood by the table of emotions",
        "sentiment": "emotional_context.valence, -1 to 1",
        "relationshipDynamics": "relationship_dynamics; power, attachment and health stay in metadata",
        "categories": "tags",
        "timestamp, date": "occurred_at",
        "extractedAt, processedAt": "extracted_at",
    },
    warns={**f.WARNS, **emotions.WARNS},
    example={
        "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "text": "Anna moved to Oslo",
        "date": "2024-05-08T13:56:00Z",
        "sender": "Anna",
        "recipients": ["Tom"],
        "mood": "happy",
        "sentiment": 0.6,
        "categories": ["places"],
    },
)
