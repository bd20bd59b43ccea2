"""Tables and queries of a database → items: each row as a JSON object of its columns, in the order of one of them.

Rule: where reading goes on is a value of the order column and how many rows with it were read, never a number of
rows; so rows that are added behind it are read, those that repeat a value are read once, and nobody waits for us
longer than a page takes where an index gives the order.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from membatch.config import SourceSettings, hide_password
from membatch.errors import SourceError
from membatch.plan import Checkpoint, Reached, Rejection
from membatch.source import sqlite
from membatch.source.chunk import BYTES_PER_CHUNK, Chunk
from membatch.source.selection import Selection
from membatch.source.stream import Unreadable
from membatch.source.unreadable import remainder, too_long
from membatch.source.values import has_infinity, infinite, text_of

ROWS_PER_PAGE: Final = 2000
_OPTIONS: Final = ("table", "query", "order")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NEXT_OPTION: Final = re.compile(r"&(?=\w+=)")


class Database(Protocol):
    """An open table or query; whatever keeps it from being read raises SourceError, a damage of it Unreadable.

    `order` names the order column, None where there is none. `is_paged` says that it costs little to begin reading
    anywhere, so that rows are read page by page and nothing is held open between pages.
    """

    columns: list[str]
    order: str | None
    is_paged: bool

    def rows(self, reached: Reached | None) -> Generator[tuple[Any, ...]]:
        """Yield the rows from a value of the order column on, those with it too; its value comes last in a row."""

    def counts(self, reached: Reached) -> tuple[int, int]:
        """Return how many rows come before a value of the order column, and how many others there are."""

    def close(self) -> None:
        """Close it."""


# By the scheme of the URL.
DATABASES: Final[Mapping[str, Callable[[Selection], Database]]] = {"sqlite": sqlite.opened}


def is_database(name: str) -> bool:
    """Return whether the name of a source is the URL of a database that can be read."""
    match = _URL.match(name)
    return match is not None and match[1].lower() in DATABASES


def selection_of(url: str) -> Selection:
    """Return what the URL of a database names; raises SourceError where it is not SCHEME:///FILE?table=NAME or so."""
    shown = hide_password(url)
    scheme, _, rest = url.partition("://")
    place, _, options = rest.partition("?")
    if not place.startswith("/") or len(place) < 2:
        raise SourceError(f"{shown} names no file: write {scheme}:///FILE.db?table=NAME")
    path = place[1:] if "%" not in place or _exists(place[1:]) else unquote(place[1:])
    found: dict[str, str] = {}
    for option in filter(None, _NEXT_OPTION.split(options)):
        name, _, value = option.partition("=")
        if name not in _OPTIONS or name in found or not value:
            fault = "is given twice" if name in found else "has no value" if name in _OPTIONS else "is unknown"
            nearest = difflib.get_close_matches(name, _OPTIONS, n=1)
            remedy = (
                f"did you mean {nearest[0]}?" if nearest and nearest[0] != name else "known are table, query, order"
            )
            raise SourceError(f"{shown}: {name!r} {fault}: {remedy} (a & within a query needs a space behind it)")
        found[name] = _as_written(value) if name == "query" else unquote(value)
    if "table" in found and "query" in found:
        raise SourceError(f"{shown} names a table and a query: name one of them")
    return Selection(shown, path, found.get("table"), found.get("query"), found.get("order"))


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False


def _as_written(query: str) -> str:
    """Return a query, which may be encoded as URLs have it: one with white space in it is not."""
    if re.search(r"\s", query):
        return query
    return unquote(query) if "%20" in query else unquote_plus(query)


def name_of(url: str) -> str:
    """Return what the rows are known by, wherever the database lies: the name of the table, "" for a query."""
    return selection_of(url).table or ""


def seen_from(folder: Path, url: str) -> str:
    """Return the URL with its file as it was seen from a folder."""
    scheme, _, rest = url.partition("://")
    _, mark, options = rest.partition("?")
    return f"{scheme}:///{quote(str(folder / selection_of(url).path))}{mark}{options}"


def opened(url: str) -> Database:
    """Return the database that a URL names, open for reading; raises SourceError."""
    return DATABASES[_URL.match(url)[1].lower()](selection_of(url))  # type: ignore[index]


def columns_of(url: str) -> list[str]:
    """Return the columns of what a URL names; raises SourceError where it cannot be read."""
    with closing(opened(url)) as database:
        return database.columns


def changes(url: str, columns: list[str], after: Checkpoint) -> str | None:
    """Return why rows might be skipped or repeated by reading on after a checkpoint, or None.

    Rows that were added behind it are no change, they are read.
    """
    shown = hide_password(url)
    with closing(opened(url)) as database:
        if database.columns != columns:
            return f"{shown} had the columns {', '.join(columns)} and now has {', '.join(database.columns)}"
        read = after.line - 1
        if not read:
            return None
        if database.order is None or after.reached is None:
            return (
                f"{shown} names no order column to go on by (run it again with &order=COLUMN, what is stored will "
                "be recognised)"
            )
        before, behind = database.counts(after.reached)
    now = before + min(behind, after.reached.count)
    if now != read:
        return f"{shown} had {read:,} rows up to where the run stopped and now has {now:,}"
    return None


def read(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the rows of what a URL names from the checkpoint on; a row's number stands as its line."""
    with closing(opened(path)) as database:
        pages = _Pages(database, after, settings.max_record_bytes)
        try:
            is_over = False
            while not is_over:
                chunk, is_over = pages.next()
                if chunk.items:
                    yield chunk
        finally:
            pages.close()


class _Pages:
    """The state of reading: the row that comes next, how far the order column is read, the rows at hand."""

    def __init__(self, database: Database, after: Checkpoint, limit: int) -> None:
        self._database, self._limit = database, limit
        self._row, self._reached = after.line, after.reached
        self._rows = self._from_here() if database.order is not None else self._numbered(after.line)

    def _from_here(self) -> Generator[tuple[Any, ...]]:
        """Yield the rows that are left; of those that have the value that was reached, some were read."""
        reached = self._reached
        left = 0 if reached is None else reached.count
        with closing(self._database.rows(reached)) as rows:
            for row in rows:
                if left and reached is not None and (row[-1] == reached.key or not _can_be_kept(row[-1])):
                    left -= 1
                    continue
                left = 0
                yield row

    def _numbered(self, first: int) -> Generator[tuple[Any, ...]]:
        with closing(self._database.rows(None)) as rows:
            for row in itertools.islice(rows, first - 1, None):
                yield (*row, None)

    def next(self) -> tuple[Chunk, bool]:
        """Return the next page, and whether it is the last one."""
        items: list[bytes] = []
        rejected: dict[int, Rejection] = {}
        reached = [self._reached]
        held, is_over, is_damaged = 0, False, False
        while len(items) < ROWS_PER_PAGE and held < BYTES_PER_CHUNK:
            try:
                row = next(self._rows, None)
            except Unreadable as fault:
                rejected[len(items)] = remainder(fault.code, str(fault))
                items.append(b"")
                reached.append(self._reached)
                is_over = is_damaged = True
                break
            if row is None:
                is_over = True
                break
            item = self._item(row[:-1])
            if isinstance(item, Rejection):
                rejected[len(items)] = item
                item = b""
            items.append(item)
            held += len(item)
            if self._database.order is not None:
                self._reached = self._beyond(row[-1])
            reached.append(self._reached)
        lines = list(range(self._row, self._row + len(items)))
        self._row += len(items)
        if self._database.is_paged and not is_over and self._reached != reached[0]:
            self._begin_again(reached[0])
        return Chunk(items, lines, None, rejected, self._row, 0, is_damaged, None, reached), is_over

    def _begin_again(self, before: Reached | None) -> None:
        """Let go of the database until the next page, unless this one was of a single value: it would be skipped."""
        if before is None or self._reached is None or before.key != self._reached.key:
            self.close()
            self._rows = self._from_here()

    def close(self) -> None:
        """Let go of the rows."""
        self._rows.close()

    def _beyond(self, key: Any) -> Reached:
        """Return how far the order column is read after a row; a value that no checkpoint holds counts as one more."""
        if self._reached is not None and (self._reached.key == key or not _can_be_kept(key)):
            return Reached(self._reached.key, self._reached.count + 1)
        return Reached(key, 1) if _can_be_kept(key) else Reached(None, 1)

    def _item(self, cells: tuple[Any, ...]) -> bytes | Rejection:
        columns = self._database.columns
        row = {name: text_of(cell) if type(cell) is bytes else cell for name, cell in zip(columns, cells, strict=True)}
        try:
            item = msgspec.json.encode(row)
        except UnicodeEncodeError:
            raw = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogateescape")
            return Rejection(
                category="source", code="encoding", message="the row holds text that is not UTF-8", raw=raw
            )
        if len(item) > self._limit:
            return too_long(item, len(item), hashlib.sha256(item).hexdigest(), self._limit)
        endless = next((name for name, cell in row.items() if has_infinity(cell)), None)
        return item if endless is None else infinite(row, endless)


def _can_be_kept(key: Any) -> bool:
    """Return whether a checkpoint can hold a value of the order column: no bytes, infinity, text but UTF-8."""
    if isinstance(key, str):
        try:
            key.encode()
        except UnicodeEncodeError:
            return False
    return not isinstance(key, bytes) and (not isinstance(key, float) or math.isfinite(key))
