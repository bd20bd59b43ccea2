"""Format `esconv`: emotional support conversations (thu-coai/Emotional-Support-Conversation, ESConv.json).

Rule: what the seeker feels (emotion_type) is the emotional context of each of the seeker's messages; its intensity
(initial_emotion_intensity, 1 to 5) that of the first. A conversation has no id: its file's name and a hash of what
it says name it. Dialogs with text, usr and sys in place of content, seeker and supporter are read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.emotions import WARNS as EMOTION_WARNS
from membatch.formats.fields import OUT_OF_SCALE, WARNS, WRONG_KIND, Fields, Scale
from membatch.formats.messages import PER, Conversation, Message, entry_fields, feeling, kept, name_of, records_of
from membatch.layout import Document, Sample

SYSTEM: Final = "esconv"
INTENSITY: Final = Scale(1, 5)

# Who seeks support; FailedESConv.json says speaker and listener, the copy on the Hugging Face hub usr and sys.
_SEEKERS: Final = ("seeker", "speaker", "usr")


def _records(item: Any, document: Document) -> Iterator[Converted]:
    fields = Fields(item)
    dialog = fields.take("dialog")
    if not isinstance(dialog, list):
        raise ValueError("not a conversation: it has no dialog")
    name = name_of(item, document)
    word = fields.text("emotion_type")
    context, warnings = feeling(word, "/emotion_type") if word is not None else ({}, [])
    survey = Fields(_inside(item, "survey_score", "seeker"), "/survey_score/seeker", fields.warnings)
    intensity = survey.number("initial_emotion_intensity", INTENSITY)
    messages = []
    for number, entry in enumerate(dialog):
        message = _message(number, entry)
        if context and message.speaker is not None and message.speaker["id"] in _SEEKERS:
            message = message._replace(emotion=kept({**context, "intensity": intensity}))
            intensity = None
        messages.append(message)
    scope = {"namespace": name, "session_id": name}
    rest = {**fields.rest(), "emotion_type": word}
    yield from records_of(
        Conversation(SYSTEM, name, scope, messages, rest, warnings=[*fields.warnings, *warnings]), document.per
    )


def _message(number: int, entry: Any) -> Message:
    fields = entry_fields(entry, f"/dialog/{number}")
    who, text = fields.text("speaker"), fields.text("content", "text")
    speaker = {"id": who, "role": who} if who is not None else None
    return Message(str(number), text or "", speaker, rest=fields.rest(), warnings=fields.warnings)


def _inside(value: Any, *names: str) -> dict[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _recognises(sample: Sample) -> str | None:
    marks = {"dialog", "emotion_type", "problem_type"}
    fits = any(marks <= item.keys() for item in sample.items())
    return "it has dialog, emotion_type and problem_type" if fits else None


FORMAT = Format(
    name="esconv",
    describes="ESConv: emotional support conversations with strategies, feedback and surveys",
    records=_records,
    recognises=_recognises,
    per=PER,
    maps={
        "dialog[].content": "summary",
        "dialog[].speaker": "subject, participants",
        "emotion_type": "emotional_context.primary of the seeker's messages",
        "survey_score.seeker.initial_emotion_intensity": "emotional_context.intensity of the first one; 1 to 5",
    },
    rest="strategy and feedback: metadata.message; problem, situation, survey, questions: metadata.conversation",
    scale="none; intensity 1 to 5",
    warns={**{code: WARNS[code] for code in (OUT_OF_SCALE, WRONG_KIND)}, **EMOTION_WARNS},
    example={
        "experience_type": "Current Experience",
        "emotion_type": "anxiety",
        "problem_type": "job crisis",
        "situation": "I may lose my job.",
        "survey_score": {"seeker": {"initial_emotion_intensity": "5", "final_emotion_intensity": "2"}},
        "dialog": [
            {"speaker": "seeker", "annotation": {}, "content": "I cannot sleep since the layoffs began."},
            {"speaker": "supporter", "annotation": {"strategy": "Question"}, "content": "Since when?"},
        ],
    },
)
