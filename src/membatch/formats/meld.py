"""Format `meld`: utterances of Friends with emotions, MELD and EmoryNLP CSV (declare-lab/MELD), a row each.

Rule: a row is a message, and its dialogue is its namespace. MELD numbers dialogues anew in each file, so the
file's name qualifies them; EmoryNLP numbers scenes anew in each episode, so season and episode do. The sentiment
is a word without a scale and stays one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Final

from membatch.formats.declare import Converted, Format
from membatch.formats.emotions import WARNS as EMOTION_WARNS
from membatch.formats.fields import Fields, qualified
from membatch.formats.messages import Conversation, Message, feeling, records_of
from membatch.layout import Document, Sample

SYSTEM: Final = "meld"
_MARKS: Final = {"Utterance", "Speaker", "Emotion", "Utterance_ID"}


def _records(item: Any, document: Document) -> Iterator[Converted]:
    fields = Fields(item)
    missing = [name for name in ("Utterance", "Utterance_ID") if name not in fields]
    if missing or not ("Dialogue_ID" in fields or "Scene_ID" in fields):
        raise ValueError(f"not an utterance: it has no {missing[0] if missing else 'Dialogue_ID or Scene_ID'}")
    dialogue, scene = fields.identifier("Dialogue_ID"), fields.identifier("Scene_ID")
    if dialogue is not None:
        name = qualified(document.name, f"dia{dialogue}")
    else:
        name = f"sea{fields.peek('Season')}_ep{fields.peek('Episode')}_sc{scene}"
    text, utterance = fields.text("Utterance"), fields.identifier("Utterance_ID")
    speakers = _speakers(fields.text("Speaker"))
    word = fields.text("Emotion")
    context, warnings = feeling(word, "/Emotion") if word is not None else ({}, [])
    message = Message(
        f"utt{utterance}",
        text or "",
        _person(speakers[0]) if len(speakers) == 1 else None,
        emotion=context,
        rest=fields.rest(),
        warnings=[*fields.warnings, *warnings],
    )
    scope = {"namespace": name, "session_id": name}
    for converted in records_of(Conversation(SYSTEM, name, scope, [message]), "message"):
        if len(speakers) > 1:
            converted.record["participants"] = [_person(speaker) for speaker in speakers]
        yield converted


def _person(name: str) -> dict[str, Any]:
    return {"id": name, "name": name}


def _speakers(cell: str | None) -> list[str]:
    """Return the speakers of a cell: a name, or as EmoryNLP writes it a list of names in brackets."""
    if cell is None:
        return []
    if cell.startswith("["):
        try:
            names = ast.literal_eval(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return [cell]
        if isinstance(names, list) and names and all(isinstance(name, str) and name for name in names):
            return list(dict.fromkeys(names))
    return [cell]


def _recognises(sample: Sample) -> str | None:
    for item in sample.items():
        if item.keys() >= _MARKS and ("Dialogue_ID" in item or "Scene_ID" in item):
            return "it has the columns Utterance, Speaker, Emotion and Dialogue_ID or Scene_ID"
    return None


FORMAT = Format(
    name="meld",
    describes="MELD and EmoryNLP tables: an utterance a row, with speaker and emotion",
    records=_records,
    recognises=_recognises,
    per=("message",),
    maps={
        "Utterance": "summary",
        "Speaker": "subject, participants; several speak where EmoryNLP lists several",
        "Emotion": "emotional_context.primary",
        "the file's name and Dialogue_ID, or Season, Episode and Scene_ID": "scope.namespace, scope.session_id",
        "Utterance_ID": "source_message_ids, source.external_id, after the dialogue",
    },
    rest="metadata.message: Sentiment, Season, Episode, StartTime, EndTime and all other columns",
    warns=EMOTION_WARNS,
    example={
        "Sr No.": "1",
        "Utterance": "I got the part!",
        "Speaker": "Joey",
        "Emotion": "joy",
        "Sentiment": "positive",
        "Dialogue_ID": "0",
        "Utterance_ID": "3",
        "Season": "4",
        "Episode": "7",
        "StartTime": "00:20:57,256",
        "EndTime": "00:21:00,049",
    },
)
