"""Errors that many records share, in plain words, with what the records show about the cause.

Rule: a few rejections of each batch are looked at closer, for their shape only: names of fields, the size of
a number, which format would know the item; never a text that a record holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from membatch.errors import CODES, FIELD_KINDS
from membatch.layout import Sample
from membatch.plan import FieldError, Rejection

if TYPE_CHECKING:
    from membatch.formats import Format

LOOKED_AT: Final = 20  # rejections of a batch whose raw record is decoded for a hint
_FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
# A cell, what divides cells, and more: no name or item of indented JSON begins so.
_ROW: Final = re.compile(rb'\s*(?!"[^"]*"\s*:)(?:"[^"]*"|[^"\s{}\[\],;|][^"{}\[\],;\t|\n]*)[,;\t|][ \t]*\S')
_TABLE: Final = (
    "The lines look like rows of a table: give the file the suffix .csv or .tsv; standard input is read as JSON only, "
    "so save a table to such a file first."
)
_MOST_NAMES: Final = 6
_FREE_FORM: Final = re.compile(r"\b(metadata|temporal)\..*", re.DOTALL)  # below it, names are the author's
OTHER: Final = "(other)"  # stands for what is counted but not told apart

# Kind of field error → how a sentence about the field ends.
_WORDS: Final = {
    "missing": "is missing",
    "type": "has another JSON type than expected",
    "range": "is out of range",
    "length": "is too short or too long",
    "blank": "is blank",
    "count": "holds too many items",
    "format": "is not a time as RFC 3339 writes it",
    "repeated": "names one id twice",
    "unknown": "names a participant that the record does not list",
    "order": "has its two times the wrong way round",
    "nul": "holds a NUL character",
    "value": "is not acceptable",
}


def place_of(error: FieldError) -> str:
    """Return where a field error is, list positions left out: participants[].id, names below metadata too."""
    place = re.sub(r"/\d+(?=/|$)", "[]", error.pointer).lstrip("/").replace("/", ".")
    return _FREE_FORM.sub(r"\1.*", place)


def hints_of(rejection: Rejection) -> Iterator[str]:
    """Yield what a rejected record shows about the cause: `pattern<tab>hint`; each can be counted."""
    from membatch.formats.detect import NATIVE  # a look at a report needs no format

    try:
        value = msgspec.json.decode(rejection.raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        if rejection.code == "json-malformed" and _ROW.match(rejection.raw):
            yield f"{rejection.code}\ttable:row"
        return
    fits = sorted(_fitting_formats(value)) if rejection.format is None else []
    for error in rejection.errors:
        pattern = f"{error.code} {place_of(error)}"
        yield from (f"{pattern}\tformat:{name}" for name in fits)
        kind = error.code.rpartition("-")[2]
        if kind == "missing":
            # In a record that a format made, what the source has besides stands under metadata.
            has = _siblings(value, error.pointer if rejection.format != NATIVE else "/metadata/*")
            yield from (f"{pattern}\thas:{name}" for name in has)
        elif kind == "range" and (scale := _scale(error.value)):
            yield f"{pattern}\tscale:{scale}"
    if not rejection.errors:
        yield from (f"{rejection.code}\tformat:{name}" for name in fits)


def _fitting_formats(value: Any) -> Iterator[str]:
    from membatch.formats.detect import recognised

    for name, format_ in _formats().items():
        if recognised(format_, Sample("", (value,))):
            yield name


@cache
def _formats() -> dict[str, Format]:
    from membatch.formats import known_formats

    return dict(known_formats())  # it looks for those of other packages each time


def _siblings(value: Any, pointer: str) -> list[str]:
    """Return the names that stand beside a missing field."""
    for step in pointer.split("/")[1:-1]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (LookupError, ValueError, TypeError):
            return []
    if not isinstance(value, dict):
        return []
    return [name for name in value if isinstance(name, str) and _FIELD_NAME.fullmatch(name)][:_MOST_NAMES]


def _scale(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return ""
    return "10" if 1 < number <= 10 else "100" if 10 < number <= 100 else ""


def patterns(counted: dict[str, int], hints: dict[str, int]) -> list[dict[str, Any]]:
    """Return what is wrong with how many records, the most frequent first, each with advice and in plain words."""
    found = []
    for pattern, amount in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        code, _, place = pattern.partition(" ")
        if pattern == OTHER:
            meaning, advice = "other faults", "See `membatch rejects`."
        elif place:
            meaning, advice = FIELD_KINDS.get(code.rpartition("-")[2], ("", ""))
        else:
            meaning, advice = CODES[code].meaning, CODES[code].advice
        here = {hint.partition("\t")[2]: count for hint, count in hints.items() if hint.startswith(pattern + "\t")}
        entry = {"count": amount, "code": code, "field": place, "meaning": meaning, "advice": advice}
        found.append({**entry, "text": _in_words(entry, here)})
    return found


def _in_words(entry: dict[str, Any], hints: dict[str, int]) -> str:
    records = f"{entry['count']:,} record" + ("s" if entry["count"] != 1 else "")
    kind = entry["code"].rpartition("-")[2]
    what = f"{entry['field']} {_WORDS.get(kind, entry['meaning'])}" if entry["field"] else entry["meaning"]
    cause = _cause(entry["field"], hints)
    formats = [name for name in _named(hints, "format:") if name != "membatch"]
    advice = f"Use --format {formats[0]}." if formats else _rescaled(hints) or entry["advice"]
    if _named(hints, "table:"):
        advice = _TABLE
    return f"{records}: {what}{cause}. {advice}"


def _cause(field: str, hints: dict[str, int]) -> str:
    names = _named(hints, "has:")
    if not names:
        return ""
    listed = ", ".join(f"`{name}`" for name in names[:4]) + (" and others" if len(names) > 4 else "")
    where = " there" if "." in field else ""
    return f"; your source has {listed}{where}"


def _rescaled(hints: dict[str, int]) -> str:
    scales = _named(hints, "scale:")
    return f"The values look like a scale up to {scales[0]}: divide them by {scales[0]}." if scales else ""


def _named(hints: dict[str, int], prefix: str) -> list[str]:
    chosen = sorted(hints.items(), key=lambda item: (-item[1], item[0]))
    return [hint.removeprefix(prefix) for hint, _ in chosen if hint.startswith(prefix)]
