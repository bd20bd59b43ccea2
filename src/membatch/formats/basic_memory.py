"""Format `basic-memory`: Markdown notes with front matter (basicmachines-co/basic-memory, docs/NOTE-FORMAT.md).

Rule: a note is a record with its text whole; each observation (`- [category] text #tag (context)`) and each
relation (`- type [[Target]]`) in it is a record about the note. The file's name stands for a missing title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.layout import Document, Layout, Sample

_FRONT: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_BULLET: Final = re.compile(r"^\s*[-*+]\s+(.+?)\s*$", re.MULTILINE)
_OBSERVATION: Final = re.compile(r"\[([^\[\]()]+)\]\s+(\S.*)")
_RELATION: Final = re.compile(r"""(\S+|"[^"]+"|'[^']+')\s+\[\[([^\[\]]+)\]\](?:\s*\(([^()]*)\))?""")
_TAG: Final = re.compile(r"(?<!\S)#([^\s#]+)")
_CONTEXT: Final = re.compile(r"(.*\S)\s*\(([^()]*)\)")
_CLOCK: Final = re.compile(r"[\d:.,\s-]+")
_SYSTEM: Final = "basic-memory"


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, str):
        raise ValueError("a note is the text of a Markdown file")
    head, body = parted(item)
    if isinstance(head.get("tags"), str):
        head["tags"] = [tag.strip() for tag in head["tags"].split(",") if tag.strip()]
    whole = Fields(head)
    title = whole.text("title") or document.name or "note"
    place = whole.identifier("permalink") or document.name or title[:500]
    role = whole.text("type") or "note"
    about = {"subject": place, "participants": [{"id": place, "name": title, "role": role}]}
    note = {
        **f.shortened(title),
        "kind": "note",
        **about,
        "created_at": whole.time("created"),
        "updated_at": whole.time("modified"),
        "tags": whole.tags("tags"),
        "source": {"system": _SYSTEM, "external_id": place},
    }
    if body.strip():
        note["content"] = body.strip()
    yield whole.converted(note)
    for line in _BULLET.findall(body):
        record = _observation(line) or _relation(line, title)
        if record is not None:
            record = {**record, **about, "source": {"system": _SYSTEM}, "source_message_ids": [place]}
            yield Fields({}).converted(record)


def parted(text: str) -> tuple[dict[str, Any], str]:
    """Return the front matter of a Markdown text as texts, lists and objects, and what follows it."""
    front = _FRONT.match(text)
    if front is None:
        return {}, text
    import yaml  # only where there is some: a load of anything else starts without it

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(front[1], Loader=yaml.BaseLoader)):
            raise ValueError("the front matter refers to itself: write out what * stands for")
        head = yaml.load(front[1], Loader=yaml.BaseLoader)  # noqa: S506  the base loader makes texts only
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "not YAML"
        raise ValueError(f"the front matter cannot be read: {problem}") from None
    if not isinstance(head, dict):
        raise ValueError("the front matter is no list of names and values")
    return {str(name): value for name, value in head.items()}, text[front.end() :]


def _observation(line: str) -> dict[str, Any] | None:
    found = _OBSERVATION.fullmatch(line)
    if found is None or len(found[1].strip()) < 2 or _CLOCK.fullmatch(found[1]):
        return None  # a task's box, a time, or no category at all
    text, context = found[2], None
    inside = _CONTEXT.fullmatch(text)
    if inside is not None:
        text, context = inside[1], inside[2].strip()
    tags = [tag for tag in dict.fromkeys(_TAG.findall(text)) if len(tag) <= f.LONGEST_TAG]
    metadata = {"context": context} if context else {}
    return {"summary": text, "kind": found[1].strip(), "tags": tags[:20], "metadata": metadata}


def _relation(line: str, title: str) -> dict[str, Any] | None:
    found = _RELATION.fullmatch(line)
    if found is None or found[1].startswith("["):
        return None
    kind, target = found[1].strip("\"'"), found[2].strip()
    metadata = {"relation": kind, "target": target, **({"context": found[3]} if found[3] else {})}
    return {"summary": f"{title} {kind} {target}", "kind": "relation", "metadata": metadata}


def _recognises(sample: Sample) -> str | None:
    for value in sample.values:
        if not sample.name.lower().endswith(".md") or not isinstance(value, str):
            return None
        try:
            head, _ = parted(value)
        except ValueError:
            return None
        if "permalink" in head or {"title", "type"} <= head.keys():
            return "its front matter names " + ("a permalink" if "permalink" in head else "title and type")
    return None


FORMAT: Final = Format(
    name="basic-memory",
    describes="Markdown notes with front matter; each observation in them is a memory of its note",
    records=_records,
    recognises=_recognises,
    layout=Layout(suffixes=(".md",)),
    maps={
        "the note": "a record of kind note: title as summary, text as content",
        "permalink, or the file's name": "source.external_id, subject",
        "- [category] text #tag (context)": "a record: summary, kind, tags, metadata.context",
        "- type [[Target]]": "a record of kind relation",
        "created, modified": "created_at, updated_at",
    },
    warns=f.WARNS,
    example="---\ntitle: Anna\ntype: person\npermalink: anna\n---\n- [home] Lives in Oslo #places (since May)\n",
)
