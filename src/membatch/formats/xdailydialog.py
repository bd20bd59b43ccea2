"""Format `xdailydialog`: dialogues in four languages (liuzeming01/XDailyDialog, *_human.txt), one a line.

Rule: a line is utterances joined by __eou__, the topic, the dialogue acts and the emotions, tab-separated. Two
speakers, named by nobody, take turns: A and B. A dialogue has no id: its file's name and a hash of its line name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.emotions import WARNS as EMOTION_WARNS
from membatch.formats.messages import PER, Conversation, Message, feeling, name_of, records_of
from membatch.layout import Document, Layout, Sample

SYSTEM: Final = "xdailydialog"
END: Final = "__eou__"

EMOTIONS: Final = ("no_emotion", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
ACTS: Final = ("", "inform", "question", "directive", "commissive")
TOPICS: Final = (
    *("", "ordinary life", "school life", "culture and education", "attitude and emotion"),
    *("relationship", "tourism", "health", "work", "politics", "finance"),
)


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, str):
        raise ValueError("not a line of text")
    cells = item.split("\t")
    if len(cells) != 4:
        raise ValueError(f"a dialogue has 4 cells, tab-separated; this line has {len(cells)}")
    texts = [text.strip() for text in cells[0].split(END)]
    if texts[-1] == "":
        texts.pop()
    acts, emotions = cells[2].split(), cells[3].split()
    if not len(texts) == len(acts) == len(emotions):
        counts = f"{len(texts)} utterances, {len(acts)} acts and {len(emotions)} emotions"
        raise ValueError(f"the line has {counts}")
    messages = [_message(number, *said) for number, said in enumerate(zip(texts, acts, emotions, strict=True))]
    name = name_of(item, document)
    rest = {"topic": cells[1], "topic_name": _word(cells[1], TOPICS)}
    yield from records_of(
        Conversation(SYSTEM, name, {"namespace": name, "session_id": name}, messages, rest), document.per
    )


def _message(number: int, text: str, act: str, emotion: str) -> Message:
    word = _word(emotion, EMOTIONS)
    context, warnings = feeling(word or emotion, f"/emotions/{number}")
    rest = {"act": act, "emotion": emotion}
    named = _word(act, ACTS)
    if named:
        rest["act_name"] = named
    return Message(str(number), text, {"id": "AB"[number % 2]}, emotion=context, rest=rest, warnings=warnings)


def _word(code: str, words: tuple[str, ...]) -> str | None:
    return words[int(code)] or None if code.isascii() and code.isdigit() and int(code) < len(words) else None


def _recognises(sample: Sample) -> str | None:
    lines = [line for value in sample.values if isinstance(value, str) for line in value.split("\n", 1)[:1]]
    fits = any(END in line and line.count("\t") == 3 for line in lines)
    return "its lines join utterances with __eou__, before three more cells" if fits else None


FORMAT = Format(
    name="xdailydialog",
    describes="XDailyDialog: dialogues with topic, acts and emotions, one a line",
    records=_records,
    recognises=_recognises,
    layout=Layout(names=("*_human.txt",), suffixes=(".txt",), lines=True),
    per=PER,
    maps={
        "the utterances": "summary",
        "their order": "subject, participants: A and B take turns",
        "emotions": "emotional_context.primary; 0 no emotion, 1 anger, 2 disgust, 3 fear, 4 happiness, 5 sadness, "
        "6 surprise",
        "the file's name and a hash of the line": "scope.namespace, scope.session_id; before each number",
    },
    rest="acts and emotion numbers: metadata.message; the topic: metadata.conversation of the first record",
    warns=EMOTION_WARNS,
    example=f"Did you get the ticket ? {END} Yes , I did ! {END}\t6\t2 1\t0 4",
)
