"""A survivor and a record → the survivor after, with lineage.

Rule: pure; values are chosen or united, never invented (weighted numbers aside); what is not kept is a
recorded conflict, and every change comes with its reverse. A null loses to any value.
Data in: two records as JSON objects and what they stated. Data out: `Merged`, or None where the result would
break a limit of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

import msgspec

from membatch.errors import ConfigError
from membatch.memory import MAX_PARTICIPANTS, MAX_TAGS
from membatch.patch import Document, Json, Operation, apply

ENTRY_POINTS: Final = "membatch.merge_rules"

# The weight of a value whose record states no confidence.
UNSTATED_WEIGHT: Final = 0.5

Path = tuple[str | int, ...]


class Stated(msgspec.Struct, omit_defaults=True):
    """What a memory's records said that merging hides: later rules compare with this, not with the result."""

    updated_at: str | None = None  # the founder's
    confidence: float | None = None  # the largest stated by any
    sources: bool = False  # whether any record named its messages
    weights: dict[str, float] = {}  # by field: the sum of the weights in a weighted value


class Pair(msgspec.Struct, frozen=True):
    """What a rule may look at besides the two values."""

    field: str
    survivor: Document
    record: Document
    survivor_confidence: float | None
    record_confidence: float | None
    survivor_weight: float

    @property
    def record_is_surer(self) -> int:
        """1 if the record is the more confident one, -1 if the survivor is, 0 for a tie; given beats absent."""
        mine = -1.0 if self.survivor_confidence is None else self.survivor_confidence
        other = -1.0 if self.record_confidence is None else self.record_confidence
        return (other > mine) - (other < mine)


# A rule gets the survivor's value and the record's, both given and unequal, and returns the one to keep.
Rule = Callable[[Json, Json, Pair], Json]


def confident(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the value of the more confident record; ties: the survivor's, for texts the one with more words."""
    if pair.record_is_surer == 0 and pair.field == "summary":
        return longest(mine, other, pair)
    return other if pair.record_is_surer > 0 else mine


def longest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the text with more words; ties: the survivor's."""
    return other if len(str(other).split()) > len(str(mine).split()) else mine


def survivor(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the survivor's value."""
    return mine


def incoming(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the record's value."""
    return other


def earliest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the earlier of two times."""
    return other if sortable(other) < sortable(mine) else mine


def latest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the later of two times."""
    return other if sortable(other) > sortable(mine) else mine


def largest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the larger number."""
    return max(mine, other)


def corroborated(mine: Json, other: Json, pair: Pair) -> Json:
    """Return 1 - (1-a)(1-b), the noisy-or of two confidences (Pearl 1988), where both have sources and share none.

    It takes the two records for independent witnesses; repeated extractions of one message are not.
    """
    mine_from = set(pair.survivor.get("source_message_ids", ()))
    other_from = set(pair.record.get("source_message_ids", ()))
    if mine_from and other_from and not mine_from & other_from:
        return 1 - (1 - mine) * (1 - other)
    return max(mine, other)


def weighted(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the mean of two numbers, weighted by the confidences of all records that gave one."""
    weight = weight_of(pair.record_confidence)
    total = pair.survivor_weight + weight
    return (mine * pair.survivor_weight + other * weight) / total if total else (mine + other) / 2


RULES: Final[Mapping[str, Rule]] = {
    "confident": confident,
    "longest": longest,
    "survivor": survivor,
    "incoming": incoming,
    "earliest": earliest,
    "latest": latest,
    "max": largest,
    "corroborated": corroborated,
    "weighted": weighted,
}

# The rule of each field with a single value; lists and objects are always united.
DEFAULT_RULES: Final[Mapping[str, str]] = {
    "summary": "confident",
    "kind": "confident",
    "subject": "confident",
    "extracted_at": "confident",
    "source": "confident",
    "occurred_at": "earliest",
    "created_at": "earliest",
    "valid_from": "earliest",
    "updated_at": "latest",
    "valid_until": "latest",
    "confidence": "max",
    "intensity": "weighted",
    "valence": "weighted",
    "strength": "weighted",
    "primary": "confident",
    "primary_raw": "confident",
    "pattern": "confident",
    "quality": "confident",
    "balance": "confident",
    "name": "confident",
    "role": "confident",
}

_CHOOSERS: Final = frozenset({"confident", "longest", "survivor", "incoming"})
_SILENT: Final = frozenset({"summary", "extracted_at"})  # a difference here is no disagreement
_TOP: Final = (
    "kind",
    "subject",
    "extracted_at",
    "source",
    "occurred_at",
    "created_at",
    "valid_from",
    "updated_at",
    "valid_until",
)
_LISTS: Final = ("source_message_ids", "tags")
_FELT: Final = ("primary", "primary_raw", "intensity", "valence")
_FELT_LISTS: Final = ("secondary", "themes", "events")
_RELATED: Final = ("pattern", "quality", "strength", "balance")


class Merged(msgspec.Struct):
    """What a merge changes, how to take it back, and what it could not keep."""

    forward: list[Operation]
    reverse: list[Operation]
    stated: Stated
    rules: list[str]
    conflicts: list[dict[str, Json]]


class Rules:
    """The merge rules of a run, resolved once."""

    def __init__(self, chosen: Mapping[str, str]) -> None:
        known = dict(RULES)
        for point in entry_points(group=ENTRY_POINTS):
            known[point.name] = _of_its_kind(point.name, point.load())
        self.names = dict(DEFAULT_RULES)
        for field, name in chosen.items():
            if field not in DEFAULT_RULES:
                raise ConfigError(f"merge.{field}: no such field: known are {', '.join(DEFAULT_RULES)}")
            if name not in known:
                raise ConfigError(f"merge.{field} = {name!r}: no such rule: known are {', '.join(known)}")
            self.names[field] = name
        self.functions = {field: known[name] for field, name in self.names.items()}


def _of_its_kind(name: str, rule: Rule) -> Rule:
    """Return another package's rule, which raises where it gives a value of a kind that neither side has."""

    def checked(mine: Json, other: Json, pair: Pair) -> Json:
        value = rule(mine, other, pair)
        if type(value) not in (type(mine), type(other)):
            raise TypeError(f"merge rule {name!r} returns a {type(value).__name__} for {pair.field}")
        return value

    return checked


class Survivor:
    """A memory as it stands at some point of a batch; `merge` tells what would change, `take` changes it."""

    def __init__(self, document: Document, stated: str | None) -> None:
        self.document = document
        if stated is None:
            self.stated = stated_by(document)
        else:
            self.stated = msgspec.json.decode(stated, type=Stated)
        self.is_untouched = stated is None
        self._places: dict[Path, dict[Any, int]] = {}
        self._seen: dict[Path, int] = {}

    def stated_text(self) -> str | None:
        """Return what the store keeps beside the record, None while the founder says it all."""
        return None if self.is_untouched else msgspec.json.encode(self.stated).decode()

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
        self.stated = stated_by(document)
        self.is_untouched = True
        self._places.clear()
        self._seen.clear()


def stated_by(record: Document) -> Stated:
    """Return what one record states by itself."""
    confidence = record.get("confidence")
    weight = weight_of(confidence)
    felt, related = record.get("emotional_context", {}), record.get("relationship_dynamics", {})
    weights = {name: weight for name in ("intensity", "valence") if name in felt}
    if "strength" in related:
        weights["strength"] = weight
    return Stated(record.get("updated_at"), confidence, bool(record.get("source_message_ids")), weights)


def weight_of(confidence: float | None) -> float:
    """Return the weight of a value whose record states a confidence, or none."""
    return UNSTATED_WEIGHT if confidence is None else confidence


def sortable(time: str) -> str:
    """Return a UTC time, as records write it, in a form whose texts sort as the times do."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<6}"


def _evidence(marker: Document) -> tuple[str, str]:
    return marker["type"], marker["text"]


def merge(survivor: Survivor, record: Document, rules: Rules) -> Merged | None:
    """Return what absorbing the record does to the survivor, or None where it would break a limit."""
    return _Merger(survivor, record, rules).merged()


class _Merger:
    def __init__(self, survivor: Survivor, record: Document, rules: Rules) -> None:
        self._survivor, self._record, self._rules = survivor, record, rules
        self._document = survivor.document
        self._forward: list[Operation] = []
        self._reverse: list[Operation] = []
        self._conflicts: list[dict[str, Json]] = []
        self._used: dict[str, None] = {}
        self._confidence = record.get("confidence")
        self._weights = dict(survivor.stated.weights)

    def merged(self) -> Merged | None:
        document, record = self._document, self._record
        self._text()
        for name in _TOP:
            self._value((), name, document, record)
        self._value((), "confidence", document, record)
        for name in _LISTS:
            self._unite((name,), document.get(name), record.get(name))
        self._participants()
        self._object(("scope",), self._members_once)
        self._object(("metadata",), self._members_once)
        self._object(("emotional_context",), self._feelings)
        self._object(("relationship_dynamics",), self._dynamics)
        if self._breaks_a_limit():
            return None
        stated, weight = self._survivor.stated, weight_of(self._confidence)
        given = [number for number in (stated.confidence, self._confidence) if number is not None]
        for name, added in stated_by(record).weights.items():
            self._weights[name] = self._weights[name] + added if name in self._weights else weight
        after = Stated(
            stated.updated_at,
            max(given, default=None),
            stated.sources or bool(record.get("source_message_ids")),
            self._weights,
        )
        return Merged(self._forward, self._reverse[::-1], after, list(self._used), self._conflicts)

    def _pair(self, field: str) -> Pair:
        weight = self._survivor.stated.weights.get(field, weight_of(self._survivor.stated.confidence))
        return Pair(
            field=field,
            survivor=self._document,
            record=self._record,
            survivor_confidence=self._survivor.stated.confidence,
            record_confidence=self._confidence,
            survivor_weight=weight,
        )

    def _set(self, path: Path, holder: Document, value: Json) -> None:
        name = path[-1]
        self._forward.append(["set", list(path), value])
        self._reverse.append(["set", list(path), holder[name]] if name in holder else ["unset", list(path)])

    def _text(self) -> None:
        """Summary and content go together: whose summary is kept, his content is; equal summaries leave it to these."""
        mine, other = self._document["summary"], self._record["summary"]
        content = self._record.get("content")
        has_two = content is not None and self._document.get("content", content) != content
        takes = False
        if mine != other:
            takes = self._takes_text(mine, other)
            if takes:
                self._set(("summary",), self._document, other)
        elif has_two and content is not None:
            takes = self._takes_text(self._document["content"], content)
        if content is not None and ("content" not in self._document or (takes and has_two)):
            self._set(("content",), self._document, content)

    def _takes_text(self, mine: str, other: str) -> bool:
        self._used[f"summary:{self._rules.names['summary']}"] = None
        return bool(self._rules.functions["summary"](mine, other, self._pair("summary")) == other)

    def _value(self, above: Path, name: str, mine: Document, other: Document) -> None:
        value = other.get(name)
        if value is None or (mine.get(name) == value and name != "confidence"):  # equal ones may corroborate
            return
        path = (*above, name)
        if name not in mine:
            self._set(path, mine, value)
            return
        rule = self._rules.names[name]
        self._used[f"{name}:{rule}"] = None
        kept = self._rules.functions[name](mine[name], value, self._pair(name))
        if kept != mine[name]:
            self._set(path, mine, kept)
        if rule in _CHOOSERS and name not in _SILENT:
            lost = mine[name] if kept == value else value
            self._conflicts.append({"path": list(path), "kept": kept, "other": lost})

    def _unite(self, path: Path, mine: list[Any] | None, other: list[Any] | None) -> None:
        if not other:
            return
        known = self._survivor.places(path, mine) if mine else ()
        self._append(path, mine, [item for item in other if item not in known])

    def _append(self, path: Path, mine: list[Any] | None, new: list[Any]) -> None:
        if not new:
            return
        self._used[f"{path[-1]}:union"] = None
        self._forward.append(["append", list(path), new])
        self._reverse.append(["unset", list(path)] if mine is None else ["truncate", list(path), len(mine)])

    def _object(self, path: Path, unite: Callable[[Path, Document, Document], None]) -> None:
        name = path[-1]
        other = self._record.get(str(name))
        if not other:
            return
        mine = self._document.get(str(name))
        if mine is None:
            self._set(path, self._document, other)
        else:
            unite(path, mine, other)

    def _members_once(self, path: Path, mine: Document, other: Document) -> None:
        """Unite two objects at their top level; a clash keeps the survivor's value and records the other."""
        for name, value in other.items():
            if name not in mine:
                self._used[f"{path[-1]}:union"] = None
                self._set((*path, name), mine, value)
            elif mine[name] != value:
                self._conflicts.append({"path": [*path, name], "kept": mine[name], "other": value})

    def _inner(self, path: Path, name: str, mine: Document, other: Document) -> None:
        """Unite an object that is a member of another one."""
        if other.get(name):
            if name in mine:
                self._members_once((*path, name), mine[name], other[name])
            else:
                self._set((*path, name), mine, other[name])

    def _participants(self) -> None:
        mine = self._document.get("participants")
        new = self._by_id(("participants",), "id", mine, self._record.get("participants"), self._participant)
        self._append(("participants",), mine, new)

    def _by_id(
        self,
        path: Path,
        key: str,
        mine: list[Document] | None,
        other: list[Document] | None,
        unite: Callable[[Path, Document, Document], None],
    ) -> list[Document]:
        """Unite the entries that share an id; return those that are new."""
        places = {entry[key]: number for number, entry in enumerate(mine or ())}
        new = []
        for entry in other or ():
            number = places.get(entry[key])
            if number is None:
                new.append(entry)
            elif mine is not None and mine[number] != entry:
                unite((*path, number), mine[number], entry)
        return new

    def _participant(self, path: Path, mine: Document, other: Document) -> None:
        self._value(path, "name", mine, other)
        self._value(path, "role", mine, other)
        self._unite((*path, "aliases"), mine.get("aliases"), other.get("aliases"))
        self._inner(path, "metadata", mine, other)

    def _feelings(self, path: Path, mine: Document, other: Document) -> None:
        for name in _FELT:
            self._value(path, name, mine, other)
        for name in _FELT_LISTS:
            self._unite((*path, name), mine.get(name), other.get(name))
        self._markers((*path, "markers"), mine.get("markers"), other.get("markers"))
        self._inner(path, "temporal", mine, other)

    def _markers(self, path: Path, mine: list[Document] | None, other: list[Document] | None) -> None:
        """Unite evidence by type and text; where both have it, with the larger confidence."""
        if not other:
            return
        places = self._survivor.places(path, mine, _evidence) if mine else {}
        new = []
        for entry in other:
            number = places.get(_evidence(entry))
            if number is None:
                new.append(entry)
            elif mine is not None and entry.get("confidence", -1) > mine[number].get("confidence", -1):
                self._set((*path, number, "confidence"), mine[number], entry["confidence"])
        self._append(path, mine, new)

    def _dynamics(self, path: Path, mine: Document, other: Document) -> None:
        for name in _RELATED:
            self._value(path, name, mine, other)
        here = (*path, "participants")
        known = mine.get("participants")
        new = self._by_id(here, "participant_id", known, other.get("participants"), self._party)
        self._append(here, known, new)

    def _party(self, path: Path, mine: Document, other: Document) -> None:
        self._inner(path, "metadata", mine, other)

    def _breaks_a_limit(self) -> bool:
        limits = {"participants": MAX_PARTICIPANTS, "tags": MAX_TAGS}
        for operation in self._forward:
            if operation[0] == "append" and len(operation[1]) == 1 and operation[1][0] in limits:
                name = operation[1][0]
                if len(self._document.get(name, ())) + len(operation[2]) > limits[name]:
                    return True
        return False
