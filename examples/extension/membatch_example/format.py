"""A format: what one person says of another in a visitors' book, `{"guest": …, "wrote": …, "sure": 1 to 10}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membatch.formats.declare import Converted, Format
from membatch.formats.fields import ONE_TO_TEN, Fields, shortened
from membatch.layout import Document, Sample


def records(item: Any, document: Document) -> Iterator[Converted]:
    """Yield the one record of an entry; raise ValueError for what is none, which rejects it with these words."""
    fields = Fields(item)
    text, guest = fields.text("wrote"), fields.text("guest")
    if text is None or guest is None:
        raise ValueError("an entry needs guest and wrote")
    record = {
        **shortened(text),
        "subject": guest,
        "participants": [{"id": guest, "name": guest}],
        "confidence": fields.number("sure", ONE_TO_TEN),
        "source": {"system": "visitors"},
    }
    yield fields.converted(record)  # what was not taken goes to metadata


def recognises(sample: Sample) -> str | None:
    """Return by what the beginning of a file is unmistakably a visitors' book, or None."""
    entries = sample.items()
    return "its items hold guest and wrote" if any({"guest", "wrote"} <= entry.keys() for entry in entries) else None


FORMAT = Format(
    name="visitors",
    describes="entries of a visitors' book",
    records=records,
    recognises=recognises,
    scale="1 to 10",
)
