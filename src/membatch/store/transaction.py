"""One batch on its way into a SQLite store.

Rule: many rows a statement; where the database refuses a row, the error names the step of the plan that made it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import msgspec

from membatch.errors import RefusedError, StoreError
from membatch.plan import Checkpoint, Plan
from membatch.store.blame import step_of
from membatch.store.driver import ours, translated
from membatch.store.packing import packed, pieces
from membatch.store.queries import query
from membatch.store.reading import next_keys
from membatch.store.rows import Founding, Row, rows_of

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


class SqliteTransaction:
    """One batch on its way into the store."""

    def __init__(self, connection: sqlite3.Connection, run: int, number: int) -> None:
        self._connection, self._run, self._number = connection, run, number

    def apply(self, plan: Plan, checkpoint: Checkpoint, tally: bytes) -> None:
        """Write everything that the plan says; raises RefusedError where the database refuses a row."""
        _, next_merge, batch_key = next_keys(self._connection)
        try:
            rows = rows_of(plan, batch_key, next_merge)
        except (TypeError, ValueError, RecursionError) as error:  # what a rule or format made cannot be written
            raise RefusedError(f"it cannot be written: {type(error).__name__}: {error}") from error
        place = msgspec.json.encode(checkpoint).decode()
        with ours():
            if rows.updates:
                self._connection.execute(f"PRAGMA cache_size = -{_SURVIVORS_CACHE_KIB}")
            self._connection.execute(query("insert_batch"), (batch_key, self._run, self._number, place, tally.decode()))
            self._found(plan, rows.new, batch_key)
            self._update("state_memories", rows.stated)
            self._insert(plan, "insert_merge", rows.merges)
            self._update("update_memories", rows.updates)
            self._connection.executemany(query("supersede_fingerprints"), rows.superseded)
            self._connection.executemany(query("close_reviews"), rows.closed)
            self._insert(plan, "insert_fingerprint", rows.fingerprints)
            self._insert(plan, "insert_duplicate", rows.duplicates)
            self._insert(plan, "insert_review", rows.reviews)
            self._insert(plan, "insert_reject", rows.rejects)

    def _found(self, plan: Plan, new: Founding, batch_key: int) -> None:
        """Insert new memories with what leads to them: thousands with one statement, or row by row in UTF-16."""
        is_utf_8 = self._connection.execute(query("encoding")).fetchone()[0] == "UTF-8"  # as `packed` says
        self._insert(plan, "insert_memory", [] if is_utf_8 else new.memories(batch_key))
        self._insert(plan, "insert_founder", [] if is_utf_8 else new.founders())
        for piece in pieces(new) if is_utf_8 else ():
            values = packed(piece, batch_key)
            try:
                self._connection.execute(query("insert_memories"), values)
            except sqlite3.Error as error:
                raise self._refusal(error, plan, "insert_memory", piece.memories(batch_key)) from error
            try:
                self._connection.execute(query("insert_founders"), values)
            except sqlite3.Error as error:
                raise self._refusal(error, plan, "insert_founder", piece.founders()) from error

    def _update(self, name: str, rows: list[Row]) -> None:
        """Update rows, many with one statement."""
        for run in _runs(rows):
            self._connection.execute(_many(query(name), len(run)), _flat(rows[run.start : run.stop]))

    def _insert(self, plan: Plan, name: str, rows: list[Row]) -> None:
        """Insert rows, many with one statement: fewer crossings."""
        one = query(name)
        self._connection.executemany(one, ())  # where its table is missing, that is no row's fault
        for run in _runs(rows):
            try:
                self._connection.execute(_many(one, len(run)), _flat(rows[run.start : run.stop]))
            except sqlite3.Error as error:
                raise self._refusal(error, plan, name, rows, run) from error

    def _refusal(
        self, error: sqlite3.Error, plan: Plan, name: str, rows: list[Row], numbers: range | None = None
    ) -> StoreError:
        """Return our error for one of the driver's; where it refuses one of some rows, with the step that gave it."""
        refused = translated(error)
        if isinstance(refused, RefusedError):
            number = self._refused_row(query(name), rows, range(len(rows)) if numbers is None else numbers)
            refused.step = None if number is None else step_of(plan, name, rows, number)
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

    def resolve(self, rejects: Iterable[int]) -> None:
        """Mark rejects of an earlier run as resolved by this one."""
        with ours():
            self._connection.executemany(query("resolve_reject"), [(self._run, reject) for reject in rejects])
