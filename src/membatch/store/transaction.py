"""One batch on its way into a SQLite store.

Rule: many rows a statement; where the database refuses a row, the error names the step of the plan that made it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Final, NamedTuple

import msgspec

from membatch.errors import RefusedError, StoreError
from membatch.plan import Checkpoint, Plan
from membatch.store.blame import step_of
from membatch.store.driver import ours, translated
from membatch.store.packing import packed, pieces
from membatch.store.queries import query
from membatch.store.reading import next_keys
from membatch.store.rows import Founding, Row, founding_of, rows_of

_MOST_ROWS: Final = 256  # of one statement; no row has so many columns that SQLite cannot number the values
# A batch comes back to the pages of its survivors several times. Measured: with the 2 MB that SQLite keeps by itself
# writing took a quarter longer. Loads that merge nothing need no more.
_SURVIVORS_CACHE_KIB: Final = 32_000


@cache
def _many(statement: str, rows: int) -> str:
    """Return a statement that takes one row of values as one of many."""
    head, values, rest = statement.partition("VALUES ")
    row, end, rest = rest.partition(")")
    return head + values + ", ".join([row + end] * rows) + rest


def _runs(rows: list[Row]) -> Iterator[range]:
    """Yield runs of rows, each as long as a power of two: few lengths, so that their statements are prepared once."""
    start = 0
    while start < len(rows):
        size = min(_MOST_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        yield range(start, start + size)
        start += size


def _flat(rows: list[Row]) -> list[Any]:
    values: list[Any] = []
    for row in rows:
        values += row  # measured: a third of the time of itertools.chain
    return values


class _Inserted(NamedTuple):
    """What a statement inserts: rows of the query that inserts one."""

    name: str
    rows: Callable[[], list[Row]]
    numbers: range  # of those rows


class _Statement(NamedTuple):
    """One statement with its values, or with the values of each time that it is executed."""

    text: str
    values: Any
    inserted: _Inserted | None
    is_each: bool


@contextmanager
def _told() -> Iterator[None]:
    """Tell what cannot be written, of what a rule or format made."""
    try:
        yield
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedError(f"it cannot be written: {type(error).__name__}: {error}") from error


class SqliteTransaction:
    """One batch on its way into the store; see `membatch.store.Transaction` for its face."""

    def __init__(self, connection: sqlite3.Connection, run: int, number: int) -> None:
        self._connection, self._run, self._number = connection, run, number
        self._statements: list[_Statement] = []

    def lay_out(self, plan: Plan, checkpoint: Checkpoint) -> Callable[[], None]:
        """Return what writes the batch and its new memories; raises RefusedError where a value cannot be written."""
        self._plan = plan
        _, self._next_merge, self._batch = next_keys(self._connection)
        with _told():
            new = founding_of(plan)
        place = msgspec.json.encode(checkpoint).decode()
        with ours():
            is_utf_8 = self._connection.execute(query("encoding")).fetchone()[0] == "UTF-8"  # as `packed` says
        self._add(query("insert_batch"), (self._batch, self._run, self._number, place, ""))
        self._insert("insert_memory", [] if is_utf_8 else new.memories(self._batch))
        self._insert("insert_founder", [] if is_utf_8 else new.founders())
        if is_utf_8:
            self._found(new)
        return self._laid_out()

    def lay_out_rest(self, tally: bytes, resolved: Iterable[int] = ()) -> Callable[[], None]:
        """Return what writes the rest: lineage, what was known or held or rejected, the tally, resolved rejects.

        Raises RefusedError where a value cannot be written.
        """
        with _told():
            rows = rows_of(self._plan, self._batch, self._next_merge)
        if rows.updates:
            self._add(f"PRAGMA cache_size = -{_SURVIVORS_CACHE_KIB}")
        self._update("state_memories", rows.stated)
        self._insert("insert_merge", rows.merges)
        self._update("update_memories", rows.updates)
        self._add(query("supersede_fingerprints"), rows.superseded, is_each=True)
        self._add(query("close_reviews"), rows.closed, is_each=True)
        self._insert("insert_fingerprint", rows.fingerprints)
        self._insert("insert_duplicate", rows.duplicates)
        self._insert("insert_review", rows.reviews)
        self._insert("insert_reject", rows.rejects)
        self._add(query("resolve_reject"), [(self._run, reject) for reject in resolved], is_each=True)
        self._add(query("set_tally"), (tally.decode(), self._batch))
        return self._laid_out()

    def _laid_out(self) -> Callable[[], None]:
        statements, self._statements = self._statements, []
        return partial(self._apply, statements)

    def _apply(self, statements: list[_Statement]) -> None:
        """Execute statements, the interpreter's lock mostly left to others."""
        with ours():
            for statement in statements:
                if not self._connection.in_transaction:  # each statement would commit by itself
                    raise StoreError("the transaction of a batch was rolled back while it was written: resume the run")
                try:
                    if statement.is_each:
                        self._connection.executemany(statement.text, statement.values)
                    else:
                        self._connection.execute(statement.text, statement.values)
                except sqlite3.Error as error:
                    raise self._refusal(error, statement.inserted) from error

    def _add(self, text: str, values: Any = (), inserted: _Inserted | None = None, *, is_each: bool = False) -> None:
        self._statements.append(_Statement(text, values, inserted, is_each))

    def _found(self, new: Founding) -> None:
        """Insert new memories with what leads to them: thousands with one statement."""
        for piece in pieces(new):
            values, every = packed(piece, self._batch), range(len(piece.ids))
            memories = partial(piece.memories, self._batch)
            self._add(query("insert_memories"), values, _Inserted("insert_memory", memories, every))
            self._add(query("insert_founders"), values, _Inserted("insert_founder", piece.founders, every))

    def _update(self, name: str, rows: list[Row]) -> None:
        """Update rows, many with one statement."""
        for run in _runs(rows):
            self._add(_many(query(name), len(run)), _flat(rows[run.start : run.stop]))

    def _insert(self, name: str, rows: list[Row]) -> None:
        """Insert rows, many with one statement: fewer crossings."""
        one = query(name)
        self._add(one, is_each=True)  # where its table is missing, that is no row's fault
        for run in _runs(rows):
            self._add(_many(one, len(run)), _flat(rows[run.start : run.stop]), _Inserted(name, lambda: rows, run))

    def _refusal(self, error: sqlite3.Error, inserted: _Inserted | None) -> StoreError:
        """Return our error for one of the driver's; where it refuses one of some rows, with the step that gave it."""
        refused = translated(error)
        if isinstance(refused, RefusedError) and inserted is not None:
            rows = inserted.rows()
            number = self._refused_row(query(inserted.name), rows, inserted.numbers)
            refused.step = None if number is None else step_of(self._plan, inserted.name, rows, number)
        return refused

    def _refused_row(self, one: str, rows: list[Row], numbers: range) -> int | None:
        """Return the first row of a statement that fails alone; the rows before it are inserted, to be rolled back."""
        for number in numbers:
            if not self._connection.in_transaction:  # what refuses may roll back itself
                return None
            try:
                self._connection.execute(one, rows[number])
            except sqlite3.Error:
                return number
        return None
