"""Format `goemotions`: Reddit comments with emotions (google-research/google-research, goemotions).

Rule: a row of train.tsv, dev.tsv, test.tsv or the full table is a comment, and its id is its own, whichever file it
is in. Labels are of equal rank: one is primary, several are all secondary. In the full table a row is one rater's
view of a comment; the rows of a comment share its id and become one memory, with the raters in its lineage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.emotions import WARNS as EMOTION_WARNS
from membatch.formats.fields import UNREADABLE_TIME, WARNS, Fields, time_of
from membatch.formats.messages import feelings, kept
from membatch.layout import Document, Layout, Sample

SYSTEM: Final = "goemotions"
COLUMNS: Final = ("text", "emotions", "id")

# In the order of emotions.txt there, by which the numbers in the tsv files count.
LABELS: Final = (
    *("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion"),
    *("curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment", "excitement"),
    *("fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism"),
    *("pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral"),
)
_NUMBERS: Final = re.compile(r"\d{1,2}(,\d{1,2})*")
_SECONDS: Final = re.compile(r"\d{1,11}(\.\d*)?")
_MARKS: Final = {"text", "id", "rater_id", "example_very_unclear"}


def _records(item: Any, document: Document) -> Iterator[Converted]:
    fields = Fields(item)
    text, identity = fields.text("text"), fields.identifier("id")
    if text is None or identity is None:
        raise ValueError(f"not a comment: it has no {'text' if text is None else 'id'}")
    numbers = fields.peek("emotions")
    if numbers is not None:
        labels = _named(numbers)
    else:
        labels = [label for label in LABELS if str(fields.peek(label)) == "1"]
        for label in LABELS:
            fields.take(label)
    context, warnings = feelings(labels, "/emotions")
    author, time = fields.text("author"), _time(fields)
    record: dict[str, Any] = {
        "summary": text,
        "kind": "message",
        "subject": author,
        "participants": [{"id": author, "name": author}] if author is not None else [],
        "source_message_ids": [f"{SYSTEM}/{identity}"],
        "occurred_at": time,
        "emotional_context": context,
        "source": {"system": SYSTEM, "external_id": identity},
        "metadata": kept({"message": fields.rest()}),
    }
    yield Converted(kept(record), (*fields.warnings, *warnings))


def _time(fields: Fields) -> str | None:
    """Take the time of a comment: seconds since 1970, which a cell holds as a text."""
    seconds = fields.peek("created_utc")
    time = time_of(float(seconds)) if isinstance(seconds, str) and _SECONDS.fullmatch(seconds) else None
    if time is None:
        return fields.time("created_utc")
    fields.take("created_utc")
    return time


def _named(numbers: Any) -> list[str]:
    """Return the labels of a cell like "4,27"."""
    if not isinstance(numbers, str) or not _NUMBERS.fullmatch(numbers):
        raise ValueError("the second cell is no list of emotion numbers like 4,27")
    found = [int(number) for number in numbers.split(",")]
    if max(found) >= len(LABELS):
        raise ValueError(f"emotion number {max(found)} is unknown: they go from 0 to {len(LABELS) - 1}")
    return [LABELS[number] for number in found]


def _recognises(sample: Sample) -> str | None:
    rows = sample.items()  # of a tsv file, the first row stands as their names
    if rows and ".tsv" in sample.name.lower() and all(map(_is_unnamed, [{k: k for k in rows[0]}, *rows])):
        return "its rows are a text, emotion numbers and an id"
    for item in sample.items():
        if item.keys() >= _MARKS and "admiration" in item:
            return "it has the columns rater_id, example_very_unclear and those of the emotions"
    return None


def _is_unnamed(row: dict[str, Any]) -> bool:
    cells = list(row.values())
    return len(cells) == len(COLUMNS) and isinstance(cells[1], str) and bool(_NUMBERS.fullmatch(cells[1]))


FORMAT = Format(
    name="goemotions",
    describes="GoEmotions: Reddit comments with emotions, train.tsv, dev.tsv, test.tsv or the full table",
    records=_records,
    recognises=_recognises,
    layout=Layout(columns=COLUMNS, unnamed=(".tsv",)),
    per=("message",),
    maps={
        "text": "summary",
        "id": "source.external_id, source_message_ids",
        "emotion numbers, or the emotions' columns": "emotional_context: primary, or secondary if there are several",
        "author": "subject, participants",
        "created_utc": "occurred_at",
    },
    rest="metadata.message",
    warns={UNREADABLE_TIME: WARNS[UNREADABLE_TIME], **EMOTION_WARNS},
    example={"text": "Thank you, that made my day!", "emotions": "15,17", "id": "abc1234"},
)
