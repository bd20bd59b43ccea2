"""Format `basic-memory`: Markdown notes with front matter (basicmachines-co/basic-memory, docs/NOTE-FORMAT.md).

Rule: a note is a record with its text whole; each observation (`- [category] text #tag (context)`) and each
relation (`- type [[Target]]`, or a link in any line) in it is a record about the note. Code and quotations hold
none. The file's name stands for a missing title.
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
# Code and quotations are text only: neither observations nor relations.
_ASIDE: Final = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)|^[ \t]*>[^\n]*$", re.DOTALL | re.MULTILINE)
_BULLET: Final = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(\S.*)")
_OBSERVATION: Final = re.compile(r"\[([^\[\]()]+)\]\s+(\S.*)")
_RELATION: Final = re.compile(r"""(\S+|"[^"]+"|'[^']+')\s+\[\[([^\[\]]+)\]\](?:\s*\(([^()]*)\))?""")
_LINK: Final = re.compile(r"\[\[([^\[\]]+)\]\]")
_TAG: Final = re.compile(r"(?<!\S)#([^\s#]+)")
_CONTEXT: Final = re.compile(r"(.*\S)\s*\(([^()]*)\)")
_TIME: Final = r"\d{1,3}(?::\d\d){1,2}(?:[.,]\d{1,3})?"
_CLOCK: Final = re.compile(rf"{_TIME}(?:\s+-\s+{_TIME})?")
_TASK: Final = re.compile(r"\[(?:[xX]|[^\w\[\]()])\]\s.*")  # a box to tick
_SYSTEM: Final = "basic-memory"
NO_CATEGORY: Final = "Note"  # as there, what a list item with tags only is
LINKS: Final = "links_to"


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
    for made in _stated(_ASIDE.sub("", body), title):
        yield Fields({}).converted({**made, **about, "source": {"system": _SYSTEM}, "source_message_ids": [place]})


def _stated(body: str, title: str) -> Iterator[dict[str, Any]]:
    """Yield the observations and relations of a note's lines; a link elsewhere in them is a relation links_to."""
    linked: set[str] = set()
    for line in body.splitlines():
        bullet = _BULLET.fullmatch(line.rstrip())
        relation = _explicit(bullet[1]) if bullet is not None else None
        if relation is not None:
            yield _relation(title, *relation)
            continue
        observation = _observation(bullet[1]) if bullet is not None else None
        if observation is not None:
            yield observation
        for target in map(str.strip, _LINK.findall(line)):
            if target and target not in linked:
                linked.add(target)
                yield _relation(title, LINKS, target, None)


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
    """Return what a list item states under a category, or with tags and no category; None where it is neither."""
    found = _OBSERVATION.fullmatch(line)
    if _TASK.fullmatch(line) or (found is not None and _CLOCK.fullmatch(found[1].strip())):
        found = None
    if found is None and (line.startswith("[") or not _TAG.search(line)):
        return None
    kind, text = (found[1].strip(), found[2]) if found is not None else (NO_CATEGORY, line)
    context = None
    inside = _CONTEXT.fullmatch(text)
    if inside is not None:
        text, context = inside[1], inside[2].strip()
    tags = [tag for tag in dict.fromkeys(_TAG.findall(text)) if len(tag) <= f.LONGEST_TAG]
    metadata = {"context": context} if context else {}
    return {"summary": text, "kind": kind, "tags": tags[:20], "metadata": metadata}


def _explicit(line: str) -> tuple[str, str, str | None] | None:
    """Return the type, target and context that a list item gives as a relation, or None."""
    found = _RELATION.fullmatch(line)
    if found is None or found[1].startswith("["):
        return None
    return found[1].strip("\"'"), found[2].strip(), found[3]


def _relation(title: str, kind: str, target: str, context: str | None) -> dict[str, Any]:
    metadata = {"relation": kind, "target": target, **({"context": context} if context else {})}
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
        "- text #tag": "a record of kind Note",
        "- type [[Target]], else [[Target]] anywhere": "a record of kind relation; links_to where no type is given",
        "created, modified": "created_at, updated_at",
    },
    warns=f.WARNS,
    example="---\ntitle: Anna\ntype: person\npermalink: anna\n---\n- [home] Lives in Oslo #places (since May)\n",
)
