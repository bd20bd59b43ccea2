"""Format `evermem`: group and solo chats of EverMemOS (EverMind-AI/EverMemOS, conversation_list with session_meta).

Rule: ids are qualified by the file's name and the group, since translations of a chat share both its group and
its message ids; one that occurs twice in a chat is numbered. What the chat says of itself and of its people is
kept with its first record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.fields import UNREADABLE_TIME, WARNS, WRONG_KIND, Fields, qualified
from membatch.formats.messages import PER, Conversation, Message, entry_fields, kept, records_of
from membatch.layout import Document, Sample

SYSTEM: Final = "evermem"


def _records(item: Any, document: Document) -> Iterator[Converted]:
    fields = Fields(item)
    listed = fields.take("conversation_list")
    if not isinstance(listed, list):
        raise ValueError("not a chat: it has no conversation_list")
    about = fields.inner("session_meta")
    group = about.text("group_id") if about is not None else None
    people = about.peek("user_details") if about is not None else None
    roles = people if isinstance(people, dict) else {}
    messages = [_message(number, entry, roles) for number, entry in enumerate(listed)]
    name = qualified(document.name, group) or "chat"
    scope = {"namespace": group or name, "session_id": group or name}
    yield from records_of(
        Conversation(SYSTEM, name, scope, messages, fields.rest(), warnings=fields.warnings), document.per
    )


def _message(number: int, entry: Any, roles: dict[str, Any]) -> Message:
    fields = entry_fields(entry, f"/conversation_list/{number}")
    identity = fields.identifier("message_id") or str(number)
    sender, name = fields.identifier("sender"), fields.text("sender_name")
    known = roles.get(sender) if sender is not None else None
    role = known.get("role") if isinstance(known, dict) else None
    speaker = kept({"id": sender or name, "name": name, "role": role if isinstance(role, str) else None})
    text, time = fields.text("content") or "", fields.time("create_time")
    rest = fields.rest()
    return Message(identity, text, speaker if "id" in speaker else None, time, rest=rest, warnings=fields.warnings)


def _recognises(sample: Sample) -> str | None:
    fits = any("conversation_list" in item or {"session_meta", "version"} <= item.keys() for item in sample.items())
    return "it has session_meta and conversation_list" if fits else None


FORMAT = Format(
    name="evermem",
    describes="EverMemOS chats: team_chat and solo_chat files with session_meta and conversation_list",
    records=_records,
    recognises=_recognises,
    per=PER,
    maps={
        "session_meta.group_id": "scope.namespace, scope.session_id; before each message's id",
        "conversation_list[].message_id": "source_message_ids, source.external_id",
        "conversation_list[].content": "summary",
        "conversation_list[].sender, .sender_name": "subject, participants, with the role that user_details gives",
        "conversation_list[].create_time": "occurred_at",
    },
    rest="metadata.message; the chat's own fields: metadata.conversation of the first record",
    warns={code: WARNS[code] for code in (UNREADABLE_TIME, WRONG_KIND)},
    example={
        "version": "1.0.0",
        "session_meta": {
            "group_id": "g1",
            "name": "Trip",
            "user_details": {"u1": {"full_name": "Ann", "role": "user"}},
        },
        "conversation_list": [
            {
                "message_id": "m1",
                "create_time": "2025-02-01T02:00:00Z",
                "sender": "u1",
                "sender_name": "Ann",
                "type": "text",
                "content": "I booked the train to Bergen.",
                "refer_list": [],
            }
        ],
    },
)
