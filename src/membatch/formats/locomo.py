"""Format `locomo`: LoCoMo conversations (snap-research/LoCoMo, data/locomo10.json): observations, or the messages.

Rule: by itself each observation is a memory: the speaker it stands under is its subject, both speakers are
participants, its dia_ids its sources, the session's date its occurred_at, and the conversation its namespace. Asked
for messages, turns or conversations (a session each), the dialogue is converted instead. What is not converted is
kept with the first record of its session, or of the conversation. Session times name no zone; they count as UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from membatch.formats.declare import Converted, Format
from membatch.formats.messages import PER, Conversation, Message, kept, records_of, without
from membatch.layout import Document, Per, Sample

SYSTEM: Final = "locomo"
_SESSION: Final = re.compile(r"(session_\d+)(_date_time)?")
_OBSERVATION: Final = re.compile(r"(session_\d+)_observation")
_DIALOGUE_ID: Final = re.compile(r"D\d+:\d+")


class _Session(NamedTuple):
    """A session of a conversation: its time, and what the item says of it in its several parts."""

    name: str
    time: str | None
    turns: list[dict[str, Any]]
    observations: list[tuple[str, str, Any]]
    rest: dict[str, Any]

    @property
    def has_text(self) -> bool:
        """Whether anything was said in it."""
        return any(isinstance(turn.get("text"), str) and turn["text"].strip() for turn in self.turns)

    def content(self) -> dict[str, Any]:
        """Return what was said and observed in it, as far as there is any."""
        return kept({"messages": self.turns, "observation": [list(found) for found in self.observations]})


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, dict) or not isinstance(item.get("conversation"), dict):
        raise ValueError("not a conversation: it has no conversation")
    name = item.get("sample_id")
    if not isinstance(name, str):
        raise ValueError("the conversation has no sample_id")
    sessions, rest = _divided(item)
    heard = [session for session in sessions if (session.observations if document.per is None else session.has_text)]
    rest |= {session.name: session.rest | session.content() for session in sessions if session not in heard}
    made = _observations(item, name, heard) if document.per is None else _messages(name, heard, document.per)
    for converted in made:
        if rest:
            metadata = converted.record.get("metadata", {})
            about = {**metadata.get("conversation", {}), **rest}
            converted.record["metadata"] = {**metadata, "conversation": about}
            rest = {}
        yield converted


def _observations(item: Any, name: str, sessions: list[_Session]) -> Iterator[Converted]:
    people = [person for key in ("speaker_a", "speaker_b") if (person := item["conversation"].get(key))]
    for session in sessions:
        around = {**session.rest, **kept({"messages": session.turns})}
        for speaker, text, evidence in session.observations:
            record = {
                "summary": text,
                "kind": "observation",
                "subject": speaker,
                "participants": [{"id": person, "name": person} for person in people],
                "source_message_ids": [f"{name}/{dialogue}" for dialogue in dialogue_ids(evidence)],
                "scope": {"namespace": name, "session_id": session.name},
                "occurred_at": session.time,
                "source": {"system": SYSTEM},
                "metadata": kept({"session": around}),
            }
            yield Converted(kept(record))
            around = {}


def _messages(name: str, sessions: list[_Session], per: Per) -> Iterator[Converted]:
    for session in sessions:
        messages = [_message(turn, session.time) for turn in session.turns]
        observed = {"observation": [list(observation) for observation in session.observations]}
        scope = {"namespace": name, "session_id": session.name}
        rest = {**session.rest, **kept(observed)}
        conversation = Conversation(SYSTEM, f"{name}/{session.name}", scope, messages, rest, qualifier=name)
        yield from records_of(conversation, per)


def _message(turn: Any, time: str | None) -> Message:
    speaker, identity, text = (turn.get(name) for name in ("speaker", "dia_id", "text"))
    if not (isinstance(speaker, str) and isinstance(identity, str) and isinstance(text, str)):
        raise ValueError("a turn has no speaker, dia_id or text")
    rest = without(turn, "speaker", "dia_id", "text")
    return Message(identity, text, {"id": speaker, "name": speaker}, time, rest=rest)


def _divided(item: dict[str, Any]) -> tuple[list[_Session], dict[str, Any]]:
    """Return the sessions of a conversation in order, and what of it belongs to none."""
    conversation, parts = item["conversation"], {name: _object(item, name) for name in _PARTS}
    names = [found[1] for key in [*conversation, *parts["observation"]] if (found := _name_in(key))]
    sessions = []
    for name in dict.fromkeys(names):
        date = conversation.get(f"{name}_date_time")
        turns = conversation.get(name, [])
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise ValueError(f"conversation/{name} is no list of turns")
        observed = parts["observation"].pop(f"{name}_observation", {})
        rest = {
            "date_time": date,
            "summary": parts["session_summary"].pop(f"{name}_summary", None),
            "events": parts["event_summary"].pop(f"events_{name}", None),
        }
        time = session_time(date) if isinstance(date, str) else None
        sessions.append(_Session(name, time, turns, list(_observed(observed)), kept(rest)))
    own = {key: value for key, value in conversation.items() if not _SESSION.fullmatch(key)}
    return sessions, kept({**without(item, "conversation", *_PARTS), **kept(parts), **own})


_PARTS: Final = ("observation", "session_summary", "event_summary")


def _name_in(key: str) -> re.Match[str] | None:
    return _SESSION.fullmatch(key) or _OBSERVATION.fullmatch(key)


def _object(item: dict[str, Any], name: str) -> dict[str, Any]:
    value = item.get(name) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")
    odd = [key for key in value if name == "observation" and not _OBSERVATION.fullmatch(key)]
    if odd:
        raise ValueError(f"{odd[0]!r} is not the name of a session's observations")
    return dict(value)


def _observed(by_speaker: Any) -> Iterator[tuple[str, str, Any]]:
    if not isinstance(by_speaker, dict):
        raise ValueError("the observations of a session stand under no speakers")
    for speaker, observations in by_speaker.items():
        for observation in observations if isinstance(observations, list) else [observations]:
            if not isinstance(observation, list) or len(observation) != 2:
                raise ValueError(f"an observation of {speaker!r} is no text with its evidence")
            yield speaker, observation[0], observation[1]


def session_time(text: str) -> str:
    """Return the time of a session, given like "1:56 pm on 8 May, 2023", as RFC 3339."""
    return dt.datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=dt.UTC).isoformat()


def dialogue_ids(evidence: Any) -> list[str]:
    """Return the dialogue ids of an observation's evidence: one id, a list, or several in one text."""
    texts = [evidence] if isinstance(evidence, str) else evidence
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("the evidence of an observation is no dialogue id and no list of them")
    return list(dict.fromkeys(found for text in texts for found in _DIALOGUE_ID.findall(text) or [text]))


def _recognises(sample: Sample) -> str | None:
    marks = {"conversation", "observation", "sample_id"}
    fits = any(marks <= item.keys() for item in sample.items())
    return "it has conversation, observation and sample_id" if fits else None


FORMAT = Format(
    name="locomo",
    describes="LoCoMo conversations: each observation is a memory of its speaker; or their messages",
    records=_records,
    recognises=_recognises,
    per=PER,
    maps={
        "observation": "summary, by itself; the speaker it stands under: subject",
        "the evidence of an observation": "source_message_ids",
        "session_N[].text, .speaker": "summary, subject, with --per message, turn or conversation (a session)",
        "session_N_date_time": "occurred_at, in UTC",
        "sample_id": "scope.namespace; before each dia_id",
    },
    rest="messages, summary and events: metadata.session of its first observation; questions: metadata.conversation",
    example={
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Ben",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [{"speaker": "Ann", "dia_id": "D1:1", "text": "I adopted a cat last week!"}],
        },
        "observation": {"session_1_observation": {"Ann": [["Ann adopted a cat.", "D1:1"]], "Ben": []}},
        "session_summary": {"session_1_summary": "Ann tells Ben that she adopted a cat."},
        "event_summary": {"events_session_1": {"Ann": ["Ann adopts a cat."], "Ben": [], "date": "8 May, 2023"}},
        "qa": [{"question": "Which animal did Ann adopt?", "answer": "a cat", "evidence": ["D1:1"], "category": 1}],
    },
)
