"""A table or a query of a SQLite file, opened for reading only.

Rule: nothing is written, neither values nor names can become SQL, and what could become another order is made plain:
values of the order column are compared as bytes, whatever the collation of the column.
"""

from __future__ import annotations

import difflib
import sqlite3
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from membatch.errors import SourceError
from membatch.plan import Reached
from membatch.source.selection import Selection
from membatch.source.stream import Unreadable

_BUSY_SECONDS: Final = 5.0
_ROWID_NAMES: Final = ("rowid", "_rowid_", "oid")
_MOST_NAMED: Final = 10
# These together are a store of ours.
_STORE_TABLES: Final = frozenset({"meta", "run", "batch", "memory", "fingerprint", "merge", "reject"})
_DAMAGED: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_WORDS: Final = {
    "SQLITE_BUSY": "another program holds it locked: wait until it has done",
    "SQLITE_READONLY_DIRECTORY": "WAL mode needs a folder that may be written to: copy it into one of your own",
    "SQLITE_READONLY": "a change that another program did not finish has to be undone first: open it with that program",
    "SQLITE_CANTOPEN": "it cannot be opened: check that it may be read, or copy it into a folder of your own",
    "SQLITE_NOTADB": "it is no SQLite database, or it is encrypted",
    "SQLITE_CORRUPT": "it is damaged: recover what there is with the .recover command of the sqlite3 shell",
}


def opened(selection: Selection) -> SqliteDatabase:
    """Return what a URL names, open for reading; raises SourceError.

    It is not looked into but through SQLite: who closes a file lets go of all locks that his process has on it.
    """
    try:
        if stat.S_ISDIR(Path(selection.path).stat().st_mode):
            raise SourceError(f"{selection.path} is a folder: name a database file in it")
        return SqliteDatabase(selection)
    except FileNotFoundError:
        raise SourceError(f"no such file: {selection.path}") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {selection.path}: {getattr(error, 'strerror', error)}") from None


class SqliteDatabase:
    """An open table or query; see `membatch.source.sql.Database` for its face."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        with _told(selection.path):
            self._connection = sqlite3.connect(
                f"file:{quote(str(Path(selection.path).absolute()))}?mode=ro",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with _told(selection.path):
                self._connection.text_factory = _text
                self._connection.execute("PRAGMA query_only = ON")
                self._connection.execute("PRAGMA cell_size_check = ON")  # so that a damage shows early
                self._describe()
        except BaseException:
            self._connection.close()
            raise

    def _describe(self) -> None:
        kinds = {name: (kind, without) for name, kind, without in self._ask(_TABLES)}
        if kinds.keys() >= _STORE_TABLES:
            file = self._selection.path
            raise SourceError(
                f"{file} is a store of membatch: `membatch export --store sqlite:///{file} --output FILE.jsonl` "
                "writes a file that can be loaded"
            )
        table = self._table(list(kinds)) if self._selection.query is None else ""
        named = _quoted(table) if table else f"(\n{_without_end(self._selection.query or '')}\n)"
        self._from = f"{named} AS source"
        self.columns = self._columns()
        rowids = [name for name in _ROWID_NAMES if name not in map(str.lower, self.columns)]
        has_rowid = bool(table) and kinds[table] == ("table", 0)
        self._key = self._order(rowids if has_rowid else [])
        self.order = self._selection.order if self._selection.order else "rowid" if self._key else None
        self.is_paged = self._key is not None and self._is_cheap_to_begin()

    def _table(self, names: list[str]) -> str:
        """Return the name of the table as the database has it."""
        wanted = self._selection.table
        shown = f"sqlite:///{self._selection.path}?table="
        if wanted is None:
            which = ", ".join(f"'{shown}{quote(name)}'" for name in names[:_MOST_NAMED]) or "it holds none"
            raise SourceError(f"{self._selection.shown} names no table, and no query: {which}")
        found = _named(wanted, names)
        if found is None:
            raise SourceError(f"{self._selection.path} has no table {wanted}: {_meant(wanted, names, 'tables')}")
        return found

    def _columns(self) -> list[str]:
        try:
            description = self._connection.execute(f"SELECT * FROM {self._from} LIMIT 0").description
        except (sqlite3.Error, sqlite3.Warning) as error:
            if self._selection.query is None or not _is_about_sql(error):
                raise
            reason = f"it has to be one SELECT, and SQLite says: {error}"
            raise SourceError(f"{self._selection.shown}: the query cannot be read: {reason}") from None
        return [column[0] for column in description]  # SQLite tells equal ones apart: id, id:1

    def _order(self, rowids: list[str]) -> str | None:
        """Return the order column as SQL has it: a table without another one is read in the order of its rowid."""
        wanted = self._selection.order
        if wanted is None:
            return f"source.{rowids[0]}" if rowids else None
        found = _named(wanted, self.columns)
        if found is not None:
            return f"source.{_quoted(found)}"
        if wanted.lower() in rowids:
            return f"source.{wanted.lower()}"
        meant = _meant(wanted, self.columns, "columns")
        raise SourceError(f"{self._selection.shown} has no column {wanted} to order by: {meant}")

    def _is_cheap_to_begin(self) -> bool:
        """Return whether an index gives the order, so that nothing is read or sorted before the first row."""
        plan = [row[3] for row in self._ask(f"EXPLAIN QUERY PLAN {self._statement(True)}", [0])]
        costly = ("TEMP B-TREE", "CO-ROUTINE", "MATERIALIZE", "UNION")
        return any(">?" in step for step in plan) and not any(word in step for step in plan for word in costly)

    def _statement(self, has_start: bool) -> str:
        if self._key is None and self._selection.query is not None:
            return _without_end(self._selection.query)  # its own order counts
        # A name alone would be a text, should its column be gone by now; a star would give columns that are new.
        columns = ", ".join(f"source.{_quoted(name)}" for name in self.columns)
        if self._key is None:
            return f"SELECT {columns} FROM {self._from}"
        where = f" WHERE {self._key} COLLATE BINARY >= ?" if has_start else ""
        return f"SELECT {columns}, {self._key} FROM {self._from}{where} ORDER BY {self._key} COLLATE BINARY"

    def rows(self, reached: Reached | None) -> Generator[tuple[Any, ...]]:
        """Yield the rows from a value of the order column on, those with it too; its value comes last in a row."""
        has_start = reached is not None and reached.key is not None  # rows without a value come first
        with _told(self._selection.path, is_reading=True):
            cursor = self._connection.execute(
                self._statement(has_start), [reached.key] if has_start and reached is not None else []
            )
            try:
                yield from cursor
            finally:
                cursor.close()

    def counts(self, reached: Reached) -> tuple[int, int]:
        """Return how many rows come before a value of the order column, and how many others there are."""
        count = f"SELECT count(*) FROM {self._from}"
        with _told(self._selection.path):
            total = int(self._ask(count)[0][0])
            if reached.key is None:
                return 0, total
            others = int(self._ask(f"{count} WHERE {self._key} COLLATE BINARY >= ?", [reached.key])[0][0])
            return total - others, others

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _ask(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


_TABLES: Final = """
SELECT name, type, wr FROM pragma_table_list
WHERE schema = 'main' AND type <> 'shadow' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name
"""


@contextmanager
def _told(path: str, *, is_reading: bool = False) -> Iterator[None]:
    """Let the driver's errors leave the block as ours: a damage that is met while reading ends what can be read."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        words = next((text for prefix, text in _WORDS.items() if name.startswith(prefix)), str(error))
        if is_reading and name.startswith(_DAMAGED):
            raise Unreadable("sql-malformed", f"the database is damaged: {error}") from None
        remedy = "; when it can be read again, go on with `membatch resume`" if is_reading else ""
        raise SourceError(f"cannot read {path}: {words}{remedy}") from None


def _is_about_sql(error: Exception) -> bool:
    return getattr(error, "sqlite_errorname", None) in (None, "SQLITE_ERROR", "SQLITE_AUTH", "SQLITE_READONLY")


def _text(data: bytes) -> str:
    """Return a text; bytes in it that are no UTF-8 stay as they are, to be found when it is encoded again."""
    return data.decode("utf-8", "surrogateescape")


def _named(wanted: str, names: list[str]) -> str | None:
    """Return the name that is meant: the same one, else the one that differs in case only."""
    alike = [name for name in names if name.lower() == wanted.lower()]
    return wanted if wanted in alike else next(iter(alike), None)


def _without_end(query: str) -> str:
    return query.strip().rstrip(";").rstrip()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _meant(wanted: str, names: list[str], what: str) -> str:
    """Return which name may have been meant, and which there are."""
    nearest = difflib.get_close_matches(wanted, names, n=1)
    if nearest:
        return f"did you mean {nearest[0]}?"
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"its {what} are {', '.join(names[:_MOST_NAMED])}{more}" if names else f"it has no {what}"
