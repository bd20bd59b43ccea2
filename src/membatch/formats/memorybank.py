"""Format `memorybank`: MemoryBank files (zhongwanjun/MemoryBank-SiliconFriend): people by name, their days of talk.

Rule: each day of a person is a conversation of two, the person and the assistant, and the person is the user and
the namespace; a day names no hour and counts as its first in UTC. What a person's entry says besides is kept with
the first record of the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.fields import UNREADABLE_TIME, WARNS, WRONG_KIND, Fields, time_of
from membatch.formats.messages import PER, Conversation, Message, entry_fields, kept, records_of
from membatch.layout import Document, Sample

SYSTEM: Final = "memorybank"
ASSISTANT: Final = {"id": "assistant", "role": "assistant"}


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, dict) or not item:
        raise ValueError("not a memory bank: it is no object with people")
    for person, entry in item.items():
        fields = Fields(entry, f"/{person}")
        history = fields.take("history")
        if not isinstance(history, dict):
            raise ValueError(f"{person!r} has no history")
        scope = {"user_id": person, "namespace": person}
        rest, warnings = fields.rest(), fields.warnings
        for day, talk in history.items():
            if not isinstance(talk, list):
                raise ValueError(f"the history of {person!r} on {day} is no list")
            messages = list(_messages(person, day, talk))
            name = f"{person}/{day}"
            found = Conversation(SYSTEM, name, {**scope, "session_id": name}, messages, rest, warnings=warnings)
            for converted in records_of(found, document.per):
                yield converted
                rest, warnings = {}, []


def _messages(person: str, day: str, talk: list[Any]) -> Iterator[Message]:
    time = time_of(f"{day}T00:00:00Z")
    speakers = {"query": {"id": person, "name": person, "role": "user"}, "response": ASSISTANT}
    for number, pair in enumerate(talk, 1):
        fields = entry_fields(pair, f"/{person}/history/{day}/{number - 1}")
        for name, speaker in speakers.items():
            text = fields.text(name)
            rest = kept({"number": number, "day": day if time is None else None})
            if name == "response":
                rest |= fields.rest()
            yield Message(f"{number}/{name}", text or "", speaker, time, rest=rest, warnings=fields.warnings)
            fields.warnings = []


def _recognises(sample: Sample) -> str | None:
    for item in sample.items():
        histories = [entry.get("history") for entry in item.values() if isinstance(entry, dict)]
        days = [day for history in histories if isinstance(history, dict) for day in history.values()]
        if any(isinstance(day, list) and day and isinstance(day[0], dict) and "query" in day[0] for day in days):
            return "its people have a history of queries by day"
    return None


FORMAT = Format(
    name="memorybank",
    describes="MemoryBank files: people by name, with their queries and responses by day",
    records=_records,
    recognises=_recognises,
    per=PER,
    maps={
        "the name of a person": "scope.user_id, scope.namespace, participants",
        "history: the day": "occurred_at, scope.session_id",
        "history[][].query, .response": "summary, a record each",
    },
    rest="summary, personality and meta_information of a person: metadata.conversation of the first record",
    warns={code: WARNS[code] for code in (UNREADABLE_TIME, WRONG_KIND)},
    example={
        "Ann": {
            "name": "Ann",
            "summary": {},
            "personality": {},
            "history": {"2023-04-27": [{"query": "I adopted a cat.", "response": "What is its name?"}]},
            "meta_information": {"hobbies": "reading"},
        }
    },
)
