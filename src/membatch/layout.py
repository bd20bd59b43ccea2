"""What formats and sources tell each other: where items stand in a file, and what a file says besides them.

Rule: plain data that both sides import, because formats (pure) and sources (I/O) never import each other.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

# What a conversation is divided into, a record each.
Per = Literal["conversation", "turn", "message"]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where the items of a format stand, if not as lines, array elements or rows alone.

    `members` are JSON pointers of the arrays in a wrapper object whose elements are the items; an object with one
    of the `own` names is an item itself where these are empty, a file's with one of the `alone` names in any case.
    Of a folder or an archive only files of these `names` (globs) are read. `suffixes` are kinds of text file that
    this format reads; such a file is one item, its text, or with `lines` each of its lines is. `columns` name the
    cells of a table that has no first row for it, if it is a file of the `unnamed` kinds; not `quoted` means that
    quotes in cells are nothing special.
    """

    members: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    lines: bool = False
    columns: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = (".csv", ".tsv")
    quoted: bool = True


PLAIN = Layout()


class Document(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an item's file says besides the item: its name without folder and suffix, what stands around the items.

    The name is "" where there is none (standard input, an iterable). `is_wrapper` says that the items were taken
    out of a wrapper object already. `per` and `mapping` are the settings of the
    run of these names. Compared by identity, so that a format can remember what it learned from one.
    """

    name: str = ""
    rest: dict[str, Any] = {}
    is_wrapper: bool = False
    per: Per | None = None
    mapping: dict[str, Any] = {}


class Sample(NamedTuple):
    """The beginning of a file: its name with suffix (no folder), and its first values as its kind gives them.

    A JSON file that holds one object has one value, cut short where the beginning ends.
    """

    name: str
    values: tuple[Any, ...]

    def items(self, *members: str) -> list[dict[str, Any]]:
        """Return the objects among the values, those under a wrapper's members (JSON pointers) in its place."""
        found = []
        for value in self.values:
            inside = unwrapped(value, members)
            found.extend(inside[0] if inside is not None else [value])
        return [item for item in found if isinstance(item, dict)]


def unwrapped(value: Any, members: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]] | None:
    """Return the elements under a wrapper's members and the rest of it, or None where it is no wrapper.

    A member without an object among its elements is a field of that name, not a list of items.
    """
    if not isinstance(value, dict):
        return None
    items: list[Any] = []
    rest, is_wrapper = value, False
    for pointer in members:
        path = pointer.strip("/").split("/")
        found = _at(rest, path)
        if isinstance(found, list) and any(isinstance(item, dict) for item in found):
            items.extend(found)
            rest, is_wrapper = _without(rest, path), True
    return (items, rest) if is_wrapper else None


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _without(value: dict[str, Any], path: list[str]) -> dict[str, Any]:
    head, *tail = path
    if not tail:
        return {name: item for name, item in value.items() if name != head}
    return {**value, head: _without(value[head], tail)}
