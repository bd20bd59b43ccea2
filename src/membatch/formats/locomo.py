"""Format `locomo`: LoCoMo conversations (snap-research/LoCoMo, data/locomo10.json); each observation is a memory.

Rule: the speaker an observation stands under is its subject, both speakers are participants, its dia_ids its
sources (qualified by the conversation, since D1:3 occurs in each), the session's date its occurred_at, and
the conversation its namespace. Session times name no zone; they count as UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from membatch.formats.declare import Converted, Format
from membatch.layout import Document, Sample

_SESSION = re.compile(r"(session_\d+)_observation")
_DIALOGUE_ID = re.compile(r"D\d+:\d+")


def _records(item: Any, document: Document) -> Iterator[Converted]:
    conversation, name = item["conversation"], item["sample_id"]
    speakers = [conversation["speaker_a"], conversation["speaker_b"]]
    for key, by_speaker in item["observation"].items():
        session = _SESSION.fullmatch(key)
        if session is None:
            raise ValueError(f"{key!r} is not the name of a session's observations")
        time = session_time(conversation[f"{session[1]}_date_time"])
        for speaker, observations in by_speaker.items():
            for text, evidence in observations:
                record = {
                    "summary": text,
                    "kind": "observation",
                    "subject": speaker,
                    "participants": [{"id": person, "name": person} for person in speakers],
                    "source_message_ids": [f"{name}/{dialogue}" for dialogue in dialogue_ids(evidence)],
                    "scope": {"namespace": name, "session_id": session[1]},
                    "occurred_at": time,
                    "source": {"system": "locomo"},
                }
                yield Converted(record)


def session_time(text: str) -> str:
    """Return the time of a session, given like "1:56 pm on 8 May, 2023", as RFC 3339."""
    return dt.datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=dt.UTC).isoformat()


def dialogue_ids(evidence: str | list[str]) -> list[str]:
    """Return the dialogue ids of an observation's evidence: one id, a list, or several in one text."""
    texts = [evidence] if isinstance(evidence, str) else evidence
    return list(dict.fromkeys(found for text in texts for found in _DIALOGUE_ID.findall(text) or [text]))


def _recognises(sample: Sample) -> str | None:
    marks = {"conversation", "observation", "sample_id"}
    fits = any(marks <= item.keys() for item in sample.items())
    return "it has conversation, observation and sample_id" if fits else None


FORMAT = Format(
    name="locomo",
    describes="LoCoMo conversations: each observation is a memory of its speaker",
    records=_records,
    recognises=_recognises,
)
