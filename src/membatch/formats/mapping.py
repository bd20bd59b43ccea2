"""Format `mapping`: any JSON or table, as the settings under `[mapping]` say.

Rule: `fields` gives for each field of a record where its value stands: a JSON pointer, a column's name, or a
table of `from` with `scale`, `time` or `split`, or a `constant`. What is not mapped goes to metadata. Nothing is
guessed: a value that does not fit its rule stays where it was, and warns.
"""

from __future__ import annotations

import copy
import datetime as dt
import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from membatch.errors import ConfigError
from membatch.formats import emotions
from membatch.formats import fields as f
from membatch.formats.declare import Converted, Format
from membatch.formats.fields import Fields
from membatch.formats.native import from_row
from membatch.layout import Document, Layout, Sample
from membatch.memory import Memory
from membatch.plan import FieldWarning
from membatch.spelling import CAMEL

_LISTS: Final = ("tags", "source_message_ids", "emotional_context.secondary", "emotional_context.themes")
_POLARITIES: Final = ("emotional_context.valence",)
_PRIMARY: Final = "emotional_context.primary"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """Where a field's value stands and how it is read."""

    source: str | None = None
    constant: Any = None
    scale: tuple[float, float] | None = None
    time: str | None = None
    split: str | None = None


class Mapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings under `[mapping]`."""

    fields: dict[str, Any]
    items: tuple[str, ...] = ()
    system: str | None = None
    columns: tuple[str, ...] = ()
    quoted: bool = True
    unmapped: Literal["metadata"] = "metadata"


def layout_of(settings: Mapping[str, Any]) -> Layout:
    """Return where the items stand, as the settings say; raises ConfigError where these are not acceptable."""
    mapped, _ = _parsed(settings)
    return Layout(members=mapped.items, columns=mapped.columns, quoted=mapped.quoted)


def _parsed(settings: Mapping[str, Any]) -> tuple[Mapped, dict[str, Rule]]:
    return _parse(msgspec.json.encode(settings))


@lru_cache(maxsize=4)
def _parse(settings: bytes) -> tuple[Mapped, dict[str, Rule]]:
    try:
        mapped = msgspec.json.decode(settings, type=Mapped, strict=False)
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"format mapping: the settings under [mapping] are not acceptable: {error}; it needs at least "
            '[mapping.fields] with summary = "/where/the/text/stands"'
        ) from None
    rules = {name: _rule(name, value) for name, value in _flat(mapped.fields).items()}
    if "summary" not in rules:
        raise ConfigError("format mapping: [mapping.fields] must say where the summary stands")
    return mapped, rules


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the rules by dotted field name; a table with none of a rule's names is an inner object."""
    found = {}
    names = {"from", *Rule.__struct_fields__} - {"source"}
    for name, value in fields.items():
        if isinstance(value, Mapping) and not names & value.keys():
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found


def _rule(name: str, value: Any) -> Rule:
    head = name.split(".")[0]
    if CAMEL[Memory].get(head, head) not in Memory.__struct_fields__:
        nearest = difflib.get_close_matches(head, Memory.__struct_fields__, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else "see `membatch schema`"
        raise ConfigError(f"format mapping: {head!r} is no field of a record: {hint}")
    try:
        rule = Rule(source=value) if isinstance(value, str) else msgspec.convert(value, Rule, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"format mapping: the rule for {name} is not acceptable: {error}") from None
    if (rule.source is None) == (rule.constant is None):
        raise ConfigError(f"format mapping: the rule for {name} needs either from or constant")
    if rule.scale is not None and rule.scale[0] >= rule.scale[1]:
        raise ConfigError(f"format mapping: the scale of {name} must rise, as in [0, 100]")
    return rule


def _records(item: Any, document: Document) -> Iterator[Converted]:
    if not isinstance(item, dict):
        raise ValueError("the item is no object")
    mapped, rules = _parsed(document.mapping)
    warnings: list[FieldWarning] = []
    flat: dict[str, Any] = {}
    taken: list[list[str]] = []
    for name, rule in rules.items():
        if rule.source is None:
            flat[name] = rule.constant
            continue
        path = path_of(rule.source)
        value = _at(item, path)
        if value in (None, ""):
            continue
        made, is_whole, warning = _read(name, value, rule)
        if warning is not None:
            warnings.append(FieldWarning(warning, rule.source if rule.source.startswith("/") else f"/{rule.source}"))
        if made is not None:
            flat.update(made)
            if is_whole:
                taken.append(path)
    record = from_row(flat)
    if mapped.system is not None:
        record["source"] = {"system": mapped.system, **record.get("source", {})}
    yield Fields(_without(item, taken), "", warnings).converted(record)


def _read(name: str, value: Any, rule: Rule) -> tuple[dict[str, Any] | None, bool, str | None]:
    """Return what a value gives the record, whether it is all there is to it, and a warning."""
    if rule.scale is not None:
        holder = Fields({"x": value})
        scale = f.Scale(*rule.scale)
        number = holder.polarity("x", scale) if name in _POLARITIES else holder.number("x", scale)
        warning = holder.warnings[0].code if holder.warnings else None
        return (None if number is None else {name: number}), "x" not in holder, warning
    if rule.time is not None:
        time = _time(value, rule.time)
        return (None, False, f.UNREADABLE_TIME) if time is None else ({name: time}, True, None)
    if rule.split is not None and isinstance(value, str):
        return {name: [part.strip() for part in value.split(rule.split) if part.strip()]}, False, None
    if name in _LISTS and isinstance(value, str):
        return {name: [value]}, True, None
    if name == _PRIMARY and isinstance(value, str):
        found = emotions.emotion(value)
        made = {_PRIMARY: found.primary, "emotional_context.primary_raw": found.raw}
        return {key: entry for key, entry in made.items() if entry is not None}, True, found.warning
    return {name: value}, True, None


def _time(value: Any, form: str) -> str | None:
    if form in ("epoch-seconds", "epoch-milliseconds"):
        try:
            seconds = float(value) / (1000 if form == "epoch-milliseconds" else 1)
        except (TypeError, ValueError):
            return None
        return f.time_of(seconds)
    if form == "iso":
        return f.time_of(value) if isinstance(value, str) else None
    try:
        return dt.datetime.strptime(str(value).strip(), form).isoformat()  # noqa: DTZ007  the form says its zone
    except ValueError:
        return None


def path_of(pointer: str) -> list[str]:
    """Return the names of a JSON pointer; what does not begin with a slash is one name, a column's."""
    if not pointer.startswith("/"):
        return [pointer]
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _without(item: dict[str, Any], taken: list[list[str]]) -> dict[str, Any]:
    """Return an item without what was taken; objects and lists that are empty then are gone too."""
    left = copy.deepcopy(item)
    for path in taken:
        holder = _at(left, path[:-1])
        if isinstance(holder, dict):
            holder.pop(path[-1], None)
        elif isinstance(holder, list):
            holder[int(path[-1])] = None
    return {name: value for name, entry in left.items() if (value := _pruned(entry)) not in (None, "", [], {})}


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        inside = {name: _pruned(item) for name, item in value.items()}
        return {name: item for name, item in inside.items() if item not in (None, [], {})}
    if isinstance(value, list):
        inside_list = [_pruned(item) for item in value]
        return inside_list if any(item not in (None, [], {}) for item in inside_list) else []
    return value


def _recognises(sample: Sample) -> str | None:
    return None  # only the user knows


FORMAT: Final = Format(
    name="mapping",
    describes="any JSON or table, as the settings under [mapping] say",
    records=_records,
    recognises=_recognises,
    layout_from=layout_of,
    scale="as each rule says",
    maps={"[mapping.fields]": "says which value becomes which field"},
    warns={**f.WARNS, **emotions.WARNS},
    example={"text": "Anna moved to Oslo", "score": 80, "when": "08.05.2024", "labels": "home; places", "by": "tom"},
    example_mapping={
        "system": "notes",
        "fields": {
            "summary": "/text",
            "confidence": {"from": "/score", "scale": [0, 100]},
            "occurred_at": {"from": "/when", "time": "%d.%m.%Y"},
            "tags": {"from": "/labels", "split": ";"},
        },
    },
)
