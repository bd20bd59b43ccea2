"""Format `chatgpt`: conversations.json, or conversations-000.json and on, of a ChatGPT data export, or its zip.

Rule: the messages of the live branch, from `current_node` up through the parents, are the records; nodes off it or
without text stay, whole, in the first one's `metadata.conversation.mapping`. Only parents are followed, so that
child links which newer exports leave out are not missed. Times are seconds since 1970; null and 0 are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.fields import UNREADABLE_TIME, WARNS, WRONG_KIND, Fields
from membatch.formats.messages import PER, Conversation, Message, kept, records_of, without
from membatch.layout import Document, Layout, Sample
from membatch.plan import FieldWarning

SYSTEM: Final = "chatgpt"

# Where the words of a content stand, by the fields that it has; its content_type says which.
_TEXTS: Final = (
    *("title", "text", "result", "summary", "content"),
    *("user_profile", "user_instructions", "model_set_context", "repo_summary"),
)
_THOUGHT: Final = ("summary", "content")


def live_branch(mapping: Mapping[str, Any], current: Any) -> list[str]:
    """Return the ids of the nodes from the root to the current one; without a current one, to the latest.

    Of a graph without any link all nodes are live, in their order.
    """
    parents = {child: name for name, node in mapping.items() for child in _list(node, "children")}
    parents |= {name: node["parent"] for name, node in mapping.items() if isinstance(node.get("parent"), str)}
    if not parents:
        return list(mapping)
    if not isinstance(current, str) or current not in mapping:
        current = max(mapping, key=lambda name: _seconds(mapping[name]))
    branch: dict[str, None] = {}
    while current in mapping and current not in branch:  # a graph may be a circle
        branch[current] = None
        current = parents.get(current)
    return list(reversed(branch))


def _records(item: Any, document: Document) -> Iterator[Converted]:
    whole = item.get("mapping") if isinstance(item, dict) else None
    if not isinstance(whole, dict):
        raise ValueError("not a conversation: it has no mapping of messages")
    mapping = {key: node for key, node in whole.items() if _is_node(node)}
    branch = live_branch(mapping, item.get("current_node"))
    name = item.get("conversation_id") or item.get("id") or next(iter(branch), None)  # else its root stands for it
    if not isinstance(name, str):
        raise ValueError("the conversation has neither a conversation_id nor an id nor a message")
    messages = [message for key in branch if (message := _message(key, mapping[key])).text.strip()]
    said = {message.id for message in messages}
    names = [other for other in ("conversation_id", "id") if item.get(other) == name]
    rest = {**without(item, *names), "mapping": {key: node for key, node in whole.items() if key not in said}}
    updated = _time(Fields(item), "update_time")
    odd = [FieldWarning(WRONG_KIND, f"/mapping/{key}") for key in whole.keys() - mapping.keys()]
    found = Conversation(SYSTEM, name, {"session_id": name}, messages, rest, updated, warnings=odd)
    yield from records_of(found, document.per)


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("message"), dict | None)


def _message(key: str, node: dict[str, Any]) -> Message:
    fields = Fields(node.get("message") or {}, f"/mapping/{key}/message")
    author = Fields(fields.take("author") if isinstance(fields.peek("author"), dict) else {})
    role, name = author.text("role"), author.text("name")
    speaker = kept({"id": name or role, "name": name, "role": role}) if name or role else None
    text, unsaid = _content(fields.take("content"))
    message_id = fields.take("id")
    own = {
        "node_id": node.get("id") if node.get("id") != key else None,
        "message_id": message_id if message_id != key else None,
        "author": author.rest(),
        "content": unsaid,
    }
    time = _time(fields, "create_time")
    rest = {**without(node, "id", "message", "children"), **fields.rest(), **own}
    return Message(key, text, speaker, time, rest=kept(rest), warnings=fields.warnings)


def _time(fields: Fields, name: str) -> str | None:
    return None if fields.peek(name) == 0 else fields.time(name)


def _content(content: Any) -> tuple[str, Any]:
    """Return the words of a content, and what else is in it."""
    if not isinstance(content, dict):
        return "", content
    texts: list[str] = []
    rest = dict(content)
    for name, words in (("parts", ("text",)), ("thoughts", _THOUGHT)):
        if isinstance(content.get(name), list):
            rest[name] = [left for part in content[name] if (left := _unsaid(part, words, texts))]
    texts += [rest.pop(name) for name in _TEXTS if isinstance(rest.get(name), str)]
    return "\n".join(filter(None, texts)), kept(rest)


def _unsaid(part: Any, words: tuple[str, ...], texts: list[str]) -> Any:
    """Add the words of a part to the texts and return what else is in it: an image is all else."""
    if isinstance(part, str):
        texts.append(part)
        return None
    if not isinstance(part, dict):
        return part
    said = [name for name in words if isinstance(part.get(name), str)]
    texts += [part[name] for name in said]
    return without(part, *said)


def _list(holder: dict[str, Any], name: str) -> list[str]:
    value = holder.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _seconds(node: dict[str, Any]) -> float:
    seconds = (node.get("message") or {}).get("create_time")
    return seconds if isinstance(seconds, int | float) else 0


def _recognises(sample: Sample) -> str | None:
    for item in sample.items():
        mapping = item.get("mapping")
        if isinstance(mapping, dict) and ("current_node" in item or _are_nodes(mapping)):
            return "its conversations have a mapping of messages"
    return None


def _are_nodes(mapping: dict[str, Any]) -> bool:
    return any(isinstance(node, dict) and "message" in node for node in mapping.values())


FORMAT = Format(
    name="chatgpt",
    describes="ChatGPT data export: conversations.json, conversations-000.json and on, or the zip they come in",
    records=_records,
    recognises=_recognises,
    layout=Layout(names=("conversations.json", "conversations-*.json")),
    per=PER,
    maps={
        "conversation_id, else id, else the first node": "scope.session_id; before each message's id",
        "mapping: the key of a node": "source_message_ids, source.external_id",
        "message.content": "summary: parts, text, result, thoughts, user_profile and the like, joined by newlines",
        "message.author.role, .name": "subject, participants: id is the name, else the role",
        "message.create_time": "occurred_at",
    },
    rest="metadata.message; title, times and nodes that are no record: metadata.conversation of the first",
    warns={code: WARNS[code] for code in (UNREADABLE_TIME, WRONG_KIND)},
    example={
        "conversation_id": "c1",
        "title": "Moving",
        "create_time": 1714480000.0,
        "current_node": "b",
        "mapping": {
            "a": {"id": "a", "message": None, "parent": None, "children": ["b"]},
            "b": {
                "id": "b",
                "parent": "a",
                "message": {
                    "id": "b",
                    "author": {"role": "user"},
                    "create_time": 1714480001.5,
                    "content": {"content_type": "text", "parts": ["I am moving to Oslo in May."]},
                },
            },
        },
    },
)
