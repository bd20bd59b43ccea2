"""What a format is: its declaration.

Rule: a format is data about a foreign shape and one pure function; docs/formats.md is written from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from membatch.layout import PLAIN, Document, Layout, Per, Sample
from membatch.plan import FieldWarning, Migration

NOTHING: Mapping[str, str] = MappingProxyType({})
NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


class Converted(NamedTuple):
    """A record that a format made of an item, and what deserves a look; warnings are counted with the run's.

    `migration` says of an item of an older version what had to change.
    """

    record: dict[str, Any]
    warnings: tuple[FieldWarning, ...] = ()
    migration: Migration | None = None


class Format(NamedTuple):
    """How one foreign shape becomes records.

    `records` gets an item (a line, an array element, a row, a text) as a decoded JSON value, with the document
    that it stands in, and gives the records it holds; what it raises rejects the item. `recognises` says by
    what a file's beginning is unmistakably of this format, or None. `layout` says where the items stand.

    The rest is for people: the `scale` that its confidence has, what `maps` to which field, where the `rest`
    goes, the codes that it `warns` with and when, an `example` of an item. `per` lists what a conversation
    can be divided into, the default first. `is_native` says that an item already is a record. `layout_from`
    gives the layout where the settings under `[mapping]` say it, `example_mapping` what they are in the example.
    """

    name: str
    describes: str
    records: Callable[[Any, Document], Iterable[Converted]]
    recognises: Callable[[Sample], str | None]
    layout: Layout = PLAIN
    per: tuple[Per, ...] = ()
    scale: str = "none"
    maps: Mapping[str, str] = NOTHING
    rest: str = "metadata"
    warns: Mapping[str, str] = NOTHING
    example: Any = None
    example_mapping: Mapping[str, Any] = NO_SETTINGS
    layout_from: Callable[[Mapping[str, Any]], Layout] | None = None
    is_native: bool = False
