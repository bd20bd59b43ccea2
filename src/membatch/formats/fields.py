"""The fields of a foreign object, taken one by one; what nobody took goes to metadata.

Rule: nothing vanishes. A value that is not of the kind that was asked for is not taken, and a warning says so;
a value that was changed (scaled, cut) stays among the rest as it was. Null and empty count as absent.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from membatch.formats.declare import Converted
from membatch.memory import MAX_PARTICIPANTS, MAX_TAGS
from membatch.plan import FieldWarning
from membatch.spelling import add_unknown

LONGEST_SUMMARY: Final = 50_000
LONGEST_TAG: Final = 50

# Warnings of the helpers here; a format that uses them lists these codes among its own.
UNREADABLE_TIME: Final = "time-unreadable"
NO_ZONE: Final = "time-naive"
OUT_OF_SCALE: Final = "off-scale"
WRONG_KIND: Final = "kind-unexpected"
TOO_MANY_TAGS: Final = "tags-left-out"

WARNS: Final = {
    UNREADABLE_TIME: "a time could not be read; it is kept in metadata",
    OUT_OF_SCALE: "a number lies outside its scale; it is kept in metadata",
    WRONG_KIND: "a field holds another kind of value than expected; it is kept in metadata",
    TOO_MANY_TAGS: "more or longer tags than a record may have; all are kept in metadata",
}


class Scale(NamedTuple):
    """The lowest and the highest value of a foreign number, which become 0 and 1 (or -1 and 1)."""

    low: float
    high: float

    def to_unit(self, value: float) -> float:
        """Return a value as a number from 0 to 1, by a straight line."""
        return value if self == UNIT else round((value - self.low) / (self.high - self.low), 6)

    def to_polarity(self, value: float) -> float:
        """Return a value as a number from -1 to 1, by a straight line."""
        return value if self == POLARITY else round(2 * (value - self.low) / (self.high - self.low) - 1, 6)


UNIT: Final = Scale(0, 1)
POLARITY: Final = Scale(-1, 1)
ONE_TO_TEN: Final = Scale(1, 10)
ZERO_TO_TEN: Final = Scale(0, 10)
PERCENT: Final = Scale(0, 100)


class Fields:
    """What is left of an object while a format takes its fields."""

    def __init__(self, item: Any, at: str = "", warnings: list[FieldWarning] | None = None) -> None:
        if not isinstance(item, dict):
            raise ValueError(f"{at or 'the item'} is no object")
        self._left: dict[str, Any] = dict(item)
        self._at = at
        self._inner: dict[str, Fields] = {}
        self.warnings: list[FieldWarning] = [] if warnings is None else warnings

    def __contains__(self, name: str) -> bool:
        return self._left.get(name) is not None

    def warn(self, code: str, name: str = "") -> None:
        """Note that a field deserves a look."""
        self.warnings.append(FieldWarning(code, f"{self._at}/{name}".rstrip("/")))

    def peek(self, name: str) -> Any:
        """Return a field and leave it."""
        return self._left.get(name)

    def take(self, name: str) -> Any:
        """Return a field, whatever it is, and take it away; None where it is absent."""
        return self._left.pop(name, None)

    def text(self, *names: str) -> str | None:
        """Take the first of some fields that holds a text which is not blank."""
        return self._first(names, lambda value: value if isinstance(value, str) and value.strip() else None)

    def identifier(self, *names: str) -> str | None:
        """Take the first of some fields that holds an id, a text or a whole number, as a text."""

        def read(value: Any) -> str | None:
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
            return value if isinstance(value, str) and 0 < len(value) <= 500 else None

        return self._first(names, read)

    def _first(self, names: tuple[str, ...], read: Any) -> str | None:
        for name in names:
            value = self._left.get(name)
            if value in (None, ""):
                continue
            found: str | None = read(value)
            if found is not None:
                del self._left[name]
                return found
            self.warn(WRONG_KIND, name)
        return None

    def texts(self, name: str) -> list[str]:
        """Take a field that holds a list of texts, or one text."""
        value = self._left.get(name)
        if value in (None, "", []):
            return []
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            self.warn(WRONG_KIND, name)
            return []
        del self._left[name]
        return [item for item in values if item]

    def tags(self, *names: str) -> list[str]:
        """Take fields that hold texts as tags; where they are more or longer than may be, all stay too."""
        found: list[str] = []
        for name in names:
            kept = self._left.get(name)
            texts = list(dict.fromkeys(self.texts(name)))
            fitting = [text for text in texts if len(text) <= LONGEST_TAG and text not in found]
            room = MAX_TAGS - len(found)
            if len(fitting) > room or any(len(text) > LONGEST_TAG for text in texts):
                self._left[name] = kept
                self.warn(TOO_MANY_TAGS, name)
            found += fitting[:room]
        return found

    def number(self, name: str, scale: Scale = UNIT) -> float | None:
        """Take a number that lies on a scale as one from 0 to 1; where that changes it, it stays too."""
        value = self._on_scale(name, scale)
        if value is None:
            return None
        scaled = scale.to_unit(value)
        if scaled == value:
            del self._left[name]
        return scaled

    def polarity(self, name: str, scale: Scale = POLARITY) -> float | None:
        """Take a number that lies on a scale as one from -1 to 1; where that changes it, it stays too."""
        value = self._on_scale(name, scale)
        if value is None:
            return None
        scaled = scale.to_polarity(value)
        if scaled == value:
            del self._left[name]
        return scaled

    def _on_scale(self, name: str, scale: Scale) -> float | None:
        value = self._left.get(name)
        if value in (None, ""):
            return None
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not scale.low <= number <= scale.high:
            self.warn(WRONG_KIND if math.isnan(number) else OUT_OF_SCALE, name)
            return None
        return number

    def time(self, *names: str) -> str | None:
        """Take the first of some fields that holds a time: RFC 3339, a near form of it, or epoch seconds."""
        for name in names:
            value = self._left.get(name)
            if value in (None, ""):
                continue
            found = time_of(value)
            if found is not None:
                del self._left[name]
                return found
            self.warn(UNREADABLE_TIME, name)
        return None

    def inner(self, name: str) -> Fields | None:
        """Return the fields of an inner object; what is not taken of them stays under the name."""
        value = self._left.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.warn(WRONG_KIND, name)
            return None
        del self._left[name]
        self._inner[name] = Fields(value, f"{self._at}/{name}", self.warnings)
        return self._inner[name]

    def keep(self, name: str, value: Any) -> None:
        """Put a value among the rest."""
        self._left[name] = value

    def metadata(self, name: str = "metadata") -> dict[str, Any]:
        """Take an inner object that is free-form there too."""
        value = self._left.get(name)
        if not isinstance(value, dict):
            return {}
        del self._left[name]
        return dict(value)

    def rest(self) -> dict[str, Any]:
        """Return what nobody took."""
        left = {name: value for name, value in self._left.items() if value not in (None, "", [], {})}
        for name, fields in self._inner.items():
            inside = fields.rest()
            if inside:
                left[name] = inside
        return left

    def converted(self, record: dict[str, Any]) -> Converted:
        """Return the record with what nobody took in its metadata, and the warnings."""
        metadata = add_unknown(dict(record.get("metadata") or {}), self.rest())
        found = {name: value for name, value in record.items() if value not in (None, [], {}) and name != "metadata"}
        if metadata:
            found["metadata"] = metadata
        return Converted(found, tuple(self.warnings))


def time_of(value: Any) -> str | None:
    """Return a time as RFC 3339: from a text of ISO 8601 or HTTP form, or from epoch seconds; None if unreadable.

    A text that names no zone stays without one; validation takes it as UTC and warns.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_epoch(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        return msgspec.convert(text, dt.datetime).isoformat()
    except msgspec.ValidationError:
        pass
    try:
        return dt.datetime.fromisoformat(
            text.removesuffix(" UTC") + ("+00:00" if text.endswith(" UTC") else "")
        ).isoformat()
    except ValueError:
        return None


def _from_epoch(seconds: float) -> str | None:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def is_own(identifier: str) -> bool:
    """Return whether an id is unique anywhere by itself: a UUID, or as long and mixed as one."""
    return len(identifier) >= 20 and any(sign.isdigit() for sign in identifier) and not identifier.isdigit()


def people(value: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the participants that a list of objects or names tells of, and those entries that cannot be one."""
    found: dict[str, dict[str, Any]] = {}
    left: list[Any] = []
    for item in value if isinstance(value, list) else [value]:
        person = _person({"name": item} if isinstance(item, str) else item)
        if person is None or person["id"] in found or len(found) >= MAX_PARTICIPANTS:
            left.append(item)
        else:
            found[person["id"]] = person
    return list(found.values()), left


def _person(item: Any) -> dict[str, Any] | None:
    if not isinstance(item, dict):
        return None
    fields = Fields(item)
    identifier = fields.identifier("id")
    name = fields.text("name")
    identifier = identifier or name
    if identifier is None or len(identifier) > 500:
        return None
    more = fields.metadata()
    aliases = more.pop("aliases", None) or fields.take("aliases") or []
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        more["aliases"], aliases = aliases, []
    person: dict[str, Any] = {"id": identifier, "name": name, "role": fields.text("role"), "aliases": aliases}
    person["metadata"] = {**more, **fields.rest()}
    return {key: entry for key, entry in person.items() if entry not in (None, [], {})}


def shortened(text: str) -> dict[str, str]:
    """Return a text as summary; one that is longer than a summary may be begins there and is whole in content."""
    if len(text) <= LONGEST_SUMMARY:
        return {"summary": text}
    return {"summary": text[:LONGEST_SUMMARY], "content": text}


def qualified(*parts: str | None) -> str:
    """Return an id made unique by what goes before it: the parts that there are, joined by a slash."""
    return "/".join(part for part in parts if part)


def united(values: Iterable[str | None]) -> list[str]:
    """Return the texts that there are, each once, in order."""
    return list(dict.fromkeys(value for value in values if value))
