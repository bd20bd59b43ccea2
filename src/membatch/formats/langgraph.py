"""Format `langgraph`: items of a LangGraph store, as its API or its tables give them (langchain-ai/langgraph).

Rule: an item is a record; its namespace is ours, joined by slashes, and with the key its id. The summary is the
text of the value, where LangMem and others put it; a value without such a text is written as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample

_MEMBERS: Final = ("/items",)
_TEXTS: Final = ("content", "text", "memory", "data", "summary")
MADE: Final = "summary-made"


def _records(item: Any, document: Document) -> Iterator[Converted]:
    whole = Fields(_with_value(item))
    namespace = whole.texts("namespace") or (whole.text("prefix") or "").split(".")
    key = whole.identifier("key")
    value = whole.inner("value")
    if key is None or value is None:
        raise ValueError("a store's item needs a key and a value that is an object")
    place = f.qualified(*namespace)
    text = _text_of(value)
    if text is None:
        text = msgspec.json.encode(item["value"], order="sorted").decode() if isinstance(item["value"], dict) else "{}"
        whole.warn(MADE, "value")
    record = {
        **f.shortened(text),
        "kind": value.text("kind"),
        "scope": {"namespace": place} if place else {},
        "created_at": whole.time("created_at"),
        "updated_at": whole.time("updated_at"),
        "source": {"system": "langgraph", "external_id": f.qualified(place, key)[-500:]},
    }
    yield whole.converted(record)


def _with_value(item: Any) -> Any:
    """Return a row of the store's table with its value decoded."""
    if isinstance(item, dict) and isinstance(item.get("value"), str):
        try:
            return {**item, "value": msgspec.json.decode(item["value"])}
        except msgspec.MsgspecError:
            raise ValueError("the value is a text that is not JSON") from None
    return item


def _text_of(value: Fields) -> str | None:
    if isinstance(value.peek("content"), dict):
        inside = value.inner("content")
        return inside.text(*_TEXTS) if inside is not None else None
    return next((found for name in _TEXTS if isinstance(value.peek(name), str) and (found := value.text(name))), None)


def _recognises(sample: Sample) -> str | None:
    for item in sample.items(*_MEMBERS):
        if isinstance(item.get("namespace"), list) and {"key", "value"} <= item.keys():
            return "its items hold namespace, key and value"
        if {"prefix", "key", "value"} <= item.keys():
            return "its rows hold prefix, key and value"
    return None


FORMAT: Final = Format(
    name="langgraph",
    describes="items of a LangGraph store, LangMem's memories among them",
    records=_records,
    recognises=_recognises,
    layout=Layout(members=_MEMBERS),
    maps={
        "value.content.content, value.content, text, memory, data or summary": "summary",
        "value.kind": "kind",
        "namespace, or prefix of a row": "scope.namespace, joined by slashes",
        "namespace and key": "source.external_id",
    },
    warns={**f.WARNS, MADE: "a value holds no text; it is the summary as JSON, and whole in metadata"},
    example={
        "namespace": ["memories", "anna"],
        "key": "0b6e",
        "value": {"kind": "Memory", "content": {"content": "Anna moved to Oslo"}},
        "created_at": "2024-05-08T13:56:00+00:00",
        "updated_at": "2024-05-08T13:56:00+00:00",
    },
)
