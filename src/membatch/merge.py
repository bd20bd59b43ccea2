"""A survivor and a record → the survivor after, with lineage.

Rule: pure; values are chosen or united, never invented (weighted numbers aside); what is not kept is a
recorded conflict, and every change comes with its reverse. A null loses to any value.
Data in: two records as JSON objects and what they stated. Data out: `Merged`, or None where the result would
not validate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from membatch.memory import MAX_PARTICIPANTS, MAX_TAGS, Memory
from membatch.merge_rules import Pair, Rules, sortable, weight_of
from membatch.patch import Document, Json, Operation, apply, copied

Path = tuple[str | int, ...]

_encode = msgspec.json.encode

_CHOOSERS: Final = frozenset({"confident", "longest", "survivor", "incoming"})
_SILENT: Final = frozenset({"summary", "extracted_at"})  # a difference here is no disagreement
_LIMITS: Final = {"participants": MAX_PARTICIPANTS, "tags": MAX_TAGS}
# What holds values of any kind: to Python true equals 1.
_FREE_FORM: Final = frozenset({"metadata", "temporal", "participants", "emotional_context", "relationship_dynamics"})
_SHORT: Final = 16  # items up to which a list is searched quicker than where they stand is remembered


class Stated(msgspec.Struct, omit_defaults=True):
    """What a memory's records said that merging hides: later rules compare with this, not with the result."""

    updated_at: str | None = None  # the founder's
    confidence: float | None = None  # the largest stated by any
    sources: bool = False  # whether any record named its messages
    weights: dict[str, float] = {}  # by field: the sum of the weights in a weighted value


class Merged(msgspec.Struct):
    """What a merge changes, how to take it back, and what it could not keep."""

    forward: list[Operation]
    reverse: list[Operation]
    stated: Stated
    rules: list[str]
    conflicts: list[dict[str, Json]]


class Survivor:
    """A memory as it stands at some point of a batch; `merge` tells what would change, `take` changes it."""

    def __init__(self, document: Document, stated: str | None) -> None:
        self.document = document
        if stated is None:
            self.stated = _stated_by(document)
        else:
            self.stated = msgspec.json.decode(stated, type=Stated)
        self.is_untouched = stated is None
        self._places: dict[Path, dict[Any, int]] = {}
        self._seen: dict[Path, int] = {}

    def stated_text(self) -> str | None:
        """Return what the store keeps beside the record, None while the founder says it all."""
        return None if self.is_untouched else _encode(self.stated).decode()

    def places(self, path: Path, items: list[Any], name: Callable[[Any], Any] | None = None) -> dict[Any, int]:
        """Return where each item of a list of the document stands, by its name if it has one.

        Lists only grow while a survivor lives, so each item is looked at once, however many merges there are.
        """
        places, seen = self._places.get(path), self._seen.get(path, 0)
        if places is None:
            places = self._places[path] = {}
        if seen != len(items):
            new = items[seen:] if name is None else map(name, items[seen:])
            places.update(zip(new, range(seen, len(items)), strict=True))
            self._seen[path] = len(items)
        return places

    def take(self, merged: Merged) -> None:
        """Become what the merge makes of it."""
        self.document = apply(self.document, merged.forward)
        self.stated = merged.stated
        self.is_untouched = False

    def become(self, document: Document) -> None:
        """Become another record whole."""
        self.document = document
        self.stated = _stated_by(document)
        self.is_untouched = True
        self._places.clear()
        self._seen.clear()


def merge(survivor: Survivor, record: Document, rules: Rules, stated: Stated | None = None) -> Merged | None:
    """Return what absorbing the record does to the survivor, or None where the result would not validate.

    `stated` is what a memory's records stated where that is absorbed; of a record it is what itself says.
    """
    merger = _Merger(survivor, record, rules, _stated_by(record) if stated is None else stated)
    merger.unite((), survivor.document, record, _MEMORY)
    return None if merger.breaks_a_limit() else merger.merged()


def _stated_by(record: Document) -> Stated:
    """Return what one record states by itself."""
    confidence = record.get("confidence")
    weights = _weights_of(record, weight_of(confidence))
    return Stated(record.get("updated_at"), confidence, bool(record.get("source_message_ids")), weights)


def _weights_of(record: Document, weight: float) -> dict[str, float]:
    """Return the weight of each number that a record gives and that is averaged."""
    felt, related = record.get("emotional_context"), record.get("relationship_dynamics")
    weights = {name: weight for name in ("intensity", "valence") if name in felt} if felt else {}
    if related and "strength" in related:
        weights["strength"] = weight
    return weights


def _numbered(entries: list[Document], key: str) -> Iterator[tuple[str, int]]:
    """Yield the id of each entry, and how many before it have the same."""
    seen: dict[str, int] = {}
    for entry in entries:
        identity = entry[key]
        number = seen.get(identity, 0)
        seen[identity] = number + 1
        yield identity, number


def _evidence(marker: Document) -> tuple[str, str]:
    return marker["type"], marker["text"]


# How one member of an object is united: (merger, its path, the survivor's object, the record's value).
Way = Callable[["_Merger", Path, Document, Json], None]


class _Merger:
    """Collects what one merge changes; the tables below say how each field is united."""

    def __init__(self, survivor: Survivor, record: Document, rules: Rules, stated: Stated) -> None:
        self._survivor, self._record, self._rules, self._stated = survivor, record, rules, stated
        self._forward: list[Operation] = []
        self._reverse: list[Operation] = []
        self._conflicts: list[dict[str, Json]] = []
        self._used: dict[str, None] = {}
        self._asked_if_equal = _FREE_FORM | {"confidence"} if rules.joins_equals else _FREE_FORM

    def unite(self, path: Path, mine: Document, other: Document, ways: Mapping[str, Way]) -> None:
        """Unite two objects, member by member; what is equal needs nothing, unless confidences corroborate."""
        differing = {name for name, value in other.items() if mine.get(name) != value or name in self._asked_if_equal}
        for name, way in ways.items():
            if name not in differing or other[name] is None:
                continue
            value = other[name]
            if name in _FREE_FORM and mine.get(name) == value and _says_same(mine[name], value):
                continue
            way(self, (*path, name), mine, value)

    def merged(self) -> Merged:
        """Return what was collected."""
        mine, other = self._survivor.stated, self._stated
        confidence, weights = other.confidence, mine.weights
        if other.weights:
            weights = weights | {name: weights.get(name, 0.0) + weight for name, weight in other.weights.items()}
        if mine.confidence is not None and (confidence is None or confidence < mine.confidence):
            confidence = mine.confidence
        after = Stated(mine.updated_at, confidence, mine.sources or other.sources, weights)
        return Merged(self._forward, self._reverse[::-1], after, list(self._used), self._conflicts)

    def text(self, path: Path, mine: Document, value: Json) -> None:
        """Unite summary and content: whose summary is kept, his content is; equal summaries leave it to these."""
        summary, content = self._record["summary"], self._record.get("content")
        takes, has_two = False, content is not None and mine.get("content", content) != content
        if mine["summary"] != summary:
            takes = self._takes_text(mine["summary"], summary)
            if takes:
                self._set(("summary",), mine, summary)
        elif has_two and content is not None:
            takes = self._takes_text(mine["content"], content)
        if content is not None and ("content" not in mine or (takes and has_two)):
            self._set(("content",), mine, content)

    def content(self, path: Path, mine: Document, value: Json) -> None:
        """Unite the contents, unless that was done with the summaries."""
        if mine["summary"] == self._record["summary"]:
            self.text(path, mine, value)

    def value(self, path: Path, mine: Document, value: Json) -> None:
        """Unite single values by the rule of their field."""
        name = str(path[-1])
        if name not in mine:
            self._set(path, mine, value)
            return
        rule = self._rules.names[name]
        self._used[f"{name}:{rule}"] = None
        kept = self._rules.functions[name](mine[name], value, self._pair(name))
        if kept != mine[name]:
            self._set(path, mine, kept)
        if rule in _CHOOSERS and name not in _SILENT and mine[name] != value:
            lost = mine[name] if kept == value else value
            self._conflicts.append({"path": list(path), "kept": kept, "other": lost})

    def items(self, path: Path, mine: Document, value: Json) -> None:
        """Unite lists of texts."""
        known: list[Any] = mine.get(str(path[-1]), [])
        there = known if len(known) <= _SHORT else self._survivor.places(path, known)
        self._append(path, mine, [item for item in value if item not in there])

    def markers(self, path: Path, mine: Document, value: Json) -> None:
        """Unite evidence by type and text; where both have it, or one has it twice, with the larger confidence."""
        known = mine.get(str(path[-1]), [])
        places = self._survivor.places(path, known, _evidence)
        surest: dict[tuple[str, str], Document] = {}  # a place is set once: a second time would have no way back
        for entry in value:
            evidence = _evidence(entry)
            if entry.get("confidence", -1) > surest.setdefault(evidence, entry).get("confidence", -1):
                surest[evidence] = entry
        new = []
        for evidence, entry in surest.items():
            number = places.get(evidence)
            if number is None:
                new.append(entry)
            elif entry.get("confidence", -1) > known[number].get("confidence", -1):
                self._set((*path, number, "confidence"), known[number], entry["confidence"])
        self._append(path, mine, new)

    def entries(self, path: Path, mine: Document, value: Json, key: str, ways: Mapping[str, Way]) -> None:
        """Unite objects of a list by their ids; of an id that occurs twice, the second with the second."""
        known = mine.get(str(path[-1]), [])
        places = {name: number for number, name in enumerate(_numbered(known, key))}
        new = []
        for name, entry in zip(_numbered(value, key), value, strict=True):
            number = places.get(name)
            if number is None:
                new.append(entry)
            else:
                self.unite((*path, number), known[number], entry, ways)
        self._append(path, mine, new)

    def members(self, path: Path, mine: Document, value: Json) -> None:
        """Unite objects at their top level; a clash keeps the survivor's value and records the other."""
        known = mine.get(str(path[-1]))
        if known is None:
            self._set(path, mine, value)
            return
        for name, item in value.items():
            here = known.get(name)
            if here is None and (item is not None or name not in known):
                self._used[f"{path[-1]}:union"] = None
                self._set((*path, name), known, item)
            elif item is not None and not _says_same(here, item):
                self._conflicts.append({"path": [*path, name], "kept": here, "other": item})

    def inside(self, path: Path, mine: Document, value: Json, ways: Mapping[str, Way]) -> None:
        """Unite objects whose members have ways of their own."""
        known = mine.get(str(path[-1]))
        if known is None:
            self._set(path, mine, value)
        else:
            self.unite(path, known, value, ways)

    def breaks_a_limit(self) -> bool:
        """Return whether the result would not validate."""
        document, touched = self._survivor.document, False
        for operation in self._forward:
            kind, path = operation[0], operation[1]
            if kind == "append" and path[0] in _LIMITS and len(path) == 1:
                if len(document.get(path[0], ())) + len(operation[2]) > _LIMITS[path[0]]:
                    return True
            touched = touched or path[0] in ("valid_from", "valid_until")
        if not touched and self._rules.are_ours:
            return False
        return _is_refused(apply(copied(document), self._forward))

    def _pair(self, field: str) -> Pair:
        mine, other = self._survivor.stated, self._stated
        return Pair(
            field=field,
            survivor=self._survivor.document,
            record=self._record,
            survivor_confidence=mine.confidence,
            record_confidence=other.confidence,
            survivor_weight=mine.weights.get(field, weight_of(mine.confidence)),
            record_weight=other.weights.get(field, weight_of(other.confidence)),
        )

    def _takes_text(self, mine: str, other: str) -> bool:
        self._used[f"summary:{self._rules.names['summary']}"] = None
        return bool(self._rules.functions["summary"](mine, other, self._pair("summary")) == other)

    def _set(self, path: Path, holder: Document, value: Json) -> None:
        name = path[-1]
        self._forward.append(["set", list(path), value])
        self._reverse.append(["set", list(path), holder[name]] if name in holder else ["unset", list(path)])

    def _append(self, path: Path, mine: Document, new: list[Any]) -> None:
        if new:
            name = str(path[-1])
            self._used[f"{name}:union"] = None
            self._forward.append(["append", list(path), new])
            self._reverse.append(["truncate", list(path), len(mine[name])] if name in mine else ["unset", list(path)])


def _says_same(one: Json, other: Json) -> bool:
    """Return whether two JSON values are equal; to Python true equals 1 too."""
    return _encode(one) == _encode(other) or _is_same(one, other)  # most that are equal are written alike


def _is_same(one: Json, other: Json) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_refused(document: Document) -> bool:
    begin, end = document.get("valid_from"), document.get("valid_until")
    if begin is not None and end is not None and sortable(begin) > sortable(end):
        return True
    try:
        return msgspec.convert(document, Memory).summary.isspace()
    except msgspec.ValidationError:
        return True


def _entries(key: str, ways: Mapping[str, Way]) -> Way:
    return lambda merger, path, mine, value: merger.entries(path, mine, value, key, ways)


def _inside(ways: Mapping[str, Way]) -> Way:
    return lambda merger, path, mine, value: merger.inside(path, mine, value, ways)


# How each field is united, in the order in which lineage tells it.
_PERSON: Final[Mapping[str, Way]] = {
    "name": _Merger.value,
    "role": _Merger.value,
    "aliases": _Merger.items,
    "metadata": _Merger.members,
}
_FEELINGS: Final[Mapping[str, Way]] = {
    **dict.fromkeys(("primary", "primary_raw", "intensity", "valence"), _Merger.value),
    **dict.fromkeys(("secondary", "themes", "events"), _Merger.items),
    "markers": _Merger.markers,
    "temporal": _Merger.members,
}
_DYNAMICS: Final[Mapping[str, Way]] = {
    **dict.fromkeys(("pattern", "quality", "strength", "balance"), _Merger.value),
    "participants": _entries("participant_id", {"metadata": _Merger.members}),
}
_MEMORY: Final[Mapping[str, Way]] = {
    "summary": _Merger.text,
    "content": _Merger.content,
    **dict.fromkeys(("kind", "subject", "extracted_at", "source"), _Merger.value),
    **dict.fromkeys(("occurred_at", "created_at", "valid_from", "updated_at", "valid_until"), _Merger.value),
    "confidence": _Merger.value,
    "source_message_ids": _Merger.items,
    "tags": _Merger.items,
    "participants": _entries("id", _PERSON),
    "scope": _Merger.members,
    "metadata": _Merger.members,
    "emotional_context": _inside(_FEELINGS),
    "relationship_dynamics": _inside(_DYNAMICS),
}
