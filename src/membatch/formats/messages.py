"""A conversation's messages → records: one a message, a turn or a conversation.

Rule: a message without text is no record; it and all else that belongs to no one message (title, survey, what is
off the live branch) is kept in the first record, under `metadata.conversation`: the first with a time, if any has
one, because a context without time that opens many conversations would merge. A text stays as it was said.
Data in: a `Conversation`. Data out: records as plain objects, with their warnings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from membatch.formats.declare import Converted
from membatch.formats.emotions import felt
from membatch.formats.fields import WRONG_KIND, Fields, qualified, shortened
from membatch.layout import Document, Per
from membatch.memory import MAX_PARTICIPANTS
from membatch.plan import FieldWarning

PER: Final[tuple[Per, ...]] = ("message", "turn", "conversation")

# A tool speaks within the turn of whoever called it.
TOOL: Final = "tool"

_NAME_LENGTH: Final = 12


class Message(NamedTuple):
    """What somebody said: `id` within its conversation, the text, the speaker as a participant, what else is known."""

    id: str
    text: str
    speaker: Mapping[str, Any] | None = None
    time: str | None = None
    emotion: Mapping[str, Any] | None = None
    rest: Mapping[str, Any] = {}
    warnings: Sequence[FieldWarning] = ()


class Conversation(NamedTuple):
    """Messages in order; `name` is unique across conversations.

    It qualifies the ids of its messages, unless they are unique in something larger: the `qualifier`.
    """

    system: str
    name: str
    scope: Mapping[str, str]
    messages: Sequence[Message]
    rest: Mapping[str, Any] = {}
    updated: str | None = None
    qualifier: str | None = None
    warnings: Sequence[FieldWarning] = ()


def records_of(conversation: Conversation, per: Per | None) -> Iterator[Converted]:
    """Yield the records of a conversation, a message each unless told otherwise; none if nothing in it has text."""
    spoken: list[Message] = []
    silent: list[Mapping[str, Any]] = []
    warnings = list(conversation.warnings)
    for message in with_unique_ids(conversation.messages):
        if message.text.strip():
            spoken.append(message)
        else:
            silent.append(around(message))
            warnings += message.warnings
    rest = kept({**conversation.rest, "messages_without_text": silent})
    groups = list(_groups(spoken, per or "message"))
    first = next((number for number, group in enumerate(groups) if group[0].time is not None), 0)
    for number, group in enumerate(groups):
        record = _record(conversation, group, per or "message")
        found = [warning for message in group for warning in message.warnings]
        if number == first:
            found += warnings
            if rest:
                record["metadata"] = {**record.get("metadata", {}), "conversation": rest}
        yield Converted(record, tuple(found))


def name_of(item: Any, document: Document) -> str:
    """Return the name of a conversation that has none: its file's name and a hash of what it says."""
    sha256 = hashlib.sha256(msgspec.json.encode(item, order="sorted"))
    return qualified(document.name, sha256.hexdigest()[:_NAME_LENGTH])


def with_unique_ids(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield messages with an id that occurs again marked: `7`, `7#2`, `7#3`."""
    seen: Counter[str] = Counter()
    for message in messages:
        seen[message.id] += 1
        yield message if seen[message.id] == 1 else message._replace(id=f"{message.id}#{seen[message.id]}")


def entry_fields(entry: Any, at: str) -> Fields:
    """Return the fields of one message; what is no object is kept among them, and warned of."""
    if isinstance(entry, dict):
        return Fields(entry, at)
    fields = Fields({"value": entry}, at)
    fields.warn(WRONG_KIND)
    return fields


def kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say something: null, and empty texts, lists and objects, count as absent."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}


def without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields that say something and are not of these names."""
    return kept({name: value for name, value in fields.items() if name not in names})


def feeling(word: str, at: str, **more: Any) -> tuple[dict[str, Any], list[FieldWarning]]:
    """Return the emotional_context for a word that stands at a place of the item, and its warning, if any."""
    context, code = felt(word, **more)
    return context, [] if code is None else [FieldWarning(code, at)]


def feelings(words: Sequence[str], at: str) -> tuple[dict[str, Any], list[FieldWarning]]:
    """Return the emotional_context for words of equal rank: one is primary, several are all secondary."""
    found = [feeling(word, at) for word in words]
    warnings = [warning for _, several in found for warning in several]
    context = together([context for context, _ in found]) or {}
    if len(words) > 1:
        context["primary_raw"] = ", ".join(words)
    return context, warnings


def together(contexts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what several emotional contexts say together: the one they agree on, else each as a secondary one."""
    if not contexts:
        return None
    if all(context == contexts[0] for context in contexts):
        return dict(contexts[0])
    named = list(dict.fromkeys(context["primary"] for context in contexts if context.get("primary")))
    if len(named) == 1 and all(context.get("primary") for context in contexts):
        return {"primary": named[0]}
    rest = [emotion for context in contexts for emotion in context.get("secondary", ())]
    return kept({"secondary": list(dict.fromkeys([*named, *rest]))})


def around(message: Message) -> dict[str, Any]:
    """Return what a message has besides its text."""
    speaker = None if message.speaker is None else message.speaker["id"]
    own = {"id": message.id, "speaker": speaker, "time": message.time, "emotional_context": message.emotion}
    return kept({**message.rest, **own})


def _groups(messages: Sequence[Message], per: Per) -> Iterator[list[Message]]:
    group: list[Message] = []
    for message in messages:
        if group and (per == "message" or (per == "turn" and not _goes_on(group[0], message))):
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def _goes_on(first: Message, message: Message) -> bool:
    if message.speaker is None or first.speaker is None:
        return message.speaker is first.speaker
    return message.speaker["id"] == first.speaker["id"] or message.speaker.get("role") == TOOL


def _record(conversation: Conversation, group: Sequence[Message], per: Per) -> dict[str, Any]:
    first = group[0]
    ids = [f"{conversation.qualifier or conversation.name}/{message.id}" for message in group]
    text = _transcript(group) if per == "conversation" else "\n".join(message.text for message in group)
    record: dict[str, Any] = {**shortened(text), "kind": per}
    speakers = {message.speaker["id"]: dict(message.speaker) for message in group if message.speaker is not None}
    if first.speaker is not None and per != "conversation":
        record["subject"] = first.speaker["id"]
    if speakers:  # no more than a record may have; metadata.messages names them all
        record["participants"] = list(speakers.values())[:MAX_PARTICIPANTS]
    record |= {"source_message_ids": ids, "scope": dict(conversation.scope)}
    time = next((message.time for message in group if message.time is not None), None)
    if time is not None:
        record["occurred_at"] = time
    emotion = together([message.emotion for message in group if message.emotion])
    if emotion:
        record["emotional_context"] = emotion
    external = {"message": ids[0], "turn": f"{ids[0]}+{len(ids) - 1}", "conversation": conversation.name}[per]
    record["source"] = {"system": conversation.system, "external_id": external}
    if per == "conversation":  # one that has grown replaces what it was
        times = [message.time for message in group if message.time is not None]
        record |= kept({"updated_at": conversation.updated or (times[-1] if times else None)})
    if per != "message":
        record["metadata"] = {"messages": [around(message) for message in group]}
    elif first.rest:
        record["metadata"] = {"message": dict(first.rest)}
    return record


def _transcript(group: Sequence[Message]) -> str:
    lines = []
    for message in group:
        speaker = message.speaker
        lines.append(f"{speaker.get('name') or speaker['id']}: {message.text}" if speaker else message.text)
    return "\n".join(lines)
