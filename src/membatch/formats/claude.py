"""Format `claude`: conversations.json of a Claude data export, its memories and projects, old layout and new.

Rule: every message is a record (the export marks no live branch) unless `current_leaf_message_uuid` names one; a
memory text, of all conversations or of a project, is one record, never split by guess; so is a project, by its
name, description and instructions. users.json holds no records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.fields import UNREADABLE_TIME, WARNS, WRONG_KIND, Fields, shortened, time_of
from membatch.formats.messages import PER, Conversation, Message, entry_fields, kept, records_of, without
from membatch.layout import Document, Layout, Sample

SYSTEM: Final = "claude"
_ROLES: Final = {"human": "user", "user": "user", "assistant": "assistant"}
_MEMORIES: Final = ("conversations_memory", "project_memories", "memory_files")
_BY_UUID: Final = f"{'?' * 8}-{'?' * 4}-{'?' * 4}-{'?' * 4}-{'?' * 12}.json"  # memories/UUID.json, projects/UUID.json
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PROJECT: Final = {"uuid", "name", "docs"}
_LEAF: Final = "current_leaf_message_uuid"


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, dict):
        raise ValueError("no conversation, memories or project: it is no object")
    if isinstance(item.get("chat_messages"), list):
        yield from records_of(_conversation(item), document.per)
    elif any(name in item for name in _MEMORIES):
        yield from _memories(item, document)
    elif item.keys() >= _PROJECT:
        yield _project(item)
    else:
        raise ValueError("no conversation, memories or project: it has no chat_messages, conversations_memory or docs")


def _conversation(item: dict[str, Any]) -> Conversation:
    fields = Fields(item)
    name = fields.text("uuid")
    if name is None:
        raise ValueError("the conversation has no uuid")
    account = fields.inner("account")
    owner = account.text("uuid") if account is not None else None
    said = fields.take("chat_messages")
    live = _up_from(fields.peek(_LEAF), said)
    messages = [_message(number, message) for number, message in enumerate(said) if _is_live(message, live)]
    rest = {**fields.rest(), "messages_off_branch": [message for message in said if not _is_live(message, live)]}
    updated = time_of(item.get("updated_at"))
    scope = kept({"user_id": owner, "session_id": name})
    return Conversation(SYSTEM, name, scope, messages, rest, updated, warnings=fields.warnings)


def _up_from(leaf: Any, messages: list[Any]) -> set[str]:
    """Return the ids from a leaf up to the root; none where there is no such leaf."""
    parents = {_uuid(message): message.get("parent_message_uuid") for message in messages if _uuid(message)}
    branch: set[str] = set()
    while isinstance(leaf, str) and leaf in parents and leaf not in branch:
        branch.add(leaf)
        leaf = parents[leaf]
    return branch


def _uuid(message: Any) -> str | None:
    uuid = message.get("uuid") if isinstance(message, dict) else None
    return uuid if isinstance(uuid, str) else None


def _is_live(message: Any, live: set[str]) -> bool:
    return not live or _uuid(message) in live


def _message(number: int, item: Any) -> Message:
    fields = entry_fields(item, f"/chat_messages/{number}")
    uuid, sender, time = fields.text("uuid"), fields.text("sender"), fields.time("created_at")
    speaker = kept({"id": sender, "role": _ROLES.get(sender, sender)}) if sender is not None else None
    content = fields.take("content")
    blocks = content if isinstance(content, list) else [content]
    text = fields.text("text") or "\n".join(block["text"] for block in blocks if _is_text(block))
    unsaid = [left for block in blocks if (left := _unsaid(block, text))]
    rest = kept({**fields.rest(), "content": unsaid})
    return Message(uuid or str(number), text, speaker, time, rest=rest, warnings=fields.warnings)


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _unsaid(block: Any, text: str) -> Any:
    """Return what of a block of content is not in the message's text."""
    if not _is_text(block) or block["text"] not in text:
        return block
    left = without(block, "text")
    return left if left != {"type": "text"} else None


def _memories(item: dict[str, Any], document: Document) -> Iterator[Converted]:
    fields = Fields(item)
    account = fields.text("account_uuid") or (document.name if _UUID.fullmatch(document.name) else None)
    found: list[tuple[str | None, dict[str, Any]]] = [(fields.text("conversations_memory"), {})]
    projects = fields.inner("project_memories")
    if projects is not None:
        found += [(projects.text(uuid), {"project_uuid": uuid}) for uuid in item["project_memories"]]
    files = fields.take("memory_files")
    wordless = []
    for number, entry in enumerate(files if isinstance(files, list) else [files]):
        file = Fields(entry if isinstance(entry, dict) else {"content": entry}, f"/memory_files/{number}")
        text = file.text("content", "text")
        if text is None:
            wordless.append(entry)
        else:
            found.append((text, {"file": file.rest()}))
    rest = kept({**fields.rest(), "memory_files": [entry for entry in wordless if entry]})
    for text, about in found:
        if text is not None:
            metadata = kept({**about, "export": rest})
            record = {**shortened(text), "kind": "memory", "scope": kept({"user_id": account}), "metadata": metadata}
            yield Converted({**record, "source": {"system": SYSTEM}}, tuple(fields.warnings))
            rest, fields.warnings = {}, []


def _project(item: dict[str, Any]) -> Converted:
    fields = Fields(item)
    texts = [fields.text(name) for name in ("name", "description", "prompt_template")]
    if not any(texts):
        raise ValueError("the project has no name, description or prompt_template")
    creator = fields.inner("creator")
    record: dict[str, Any] = {
        **shortened("\n".join(text for text in texts if text)),
        "kind": "project",
        "scope": kept({"user_id": creator.text("uuid") if creator is not None else None}),
        "created_at": fields.time("created_at"),
        "updated_at": fields.time("updated_at"),
        "source": kept({"system": SYSTEM, "external_id": fields.identifier("uuid")}),
    }
    record["metadata"] = kept({"project": fields.rest()})
    return Converted(kept(record), tuple(fields.warnings))


def _recognises(sample: Sample) -> str | None:
    for item in sample.items():
        if "chat_messages" in item:
            return "its conversations have chat_messages"
        if any(name in item for name in _MEMORIES[:2]):
            return "it has conversations_memory or project_memories"
        if item.keys() >= _PROJECT and "prompt_template" in item:
            return "its projects have prompt_template and docs"
    return None


FORMAT = Format(
    name="claude",
    describes="Claude data export: conversations.json, memories and projects, or the zip they come in",
    records=_records,
    recognises=_recognises,
    layout=Layout(names=("conversations.json", "conversations-*.json", "memories.json", "projects.json", _BY_UUID)),
    per=PER,
    maps={
        "uuid of a conversation": "scope.session_id; before each message's uuid",
        "account.uuid, account_uuid": "scope.user_id",
        "chat_messages[].uuid": "source_message_ids, source.external_id",
        "chat_messages[].text, else its content of type text": "summary",
        "chat_messages[].sender": "subject, participants; human has the role user",
        "chat_messages[].created_at": "occurred_at",
        "conversations_memory, project_memories, memory_files": "summary, a record each of kind memory",
        "name, description, prompt_template of a project": "summary of a record of kind project",
    },
    rest="metadata.message, metadata.project; the fields of a conversation: metadata.conversation of the first record",
    warns={code: WARNS[code] for code in (UNREADABLE_TIME, WRONG_KIND)},
    example={
        "uuid": "c1",
        "name": "Moving",
        "account": {"uuid": "u1"},
        "chat_messages": [
            {
                "uuid": "m1",
                "sender": "human",
                "text": "I am moving to Oslo in May.",
                "created_at": "2024-04-30T14:20:01Z",
            }
        ],
    },
)
