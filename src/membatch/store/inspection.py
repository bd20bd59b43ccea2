"""What checking a store looks at: rows with all that must agree with them, streamed.

Rule: reading only, of one moment; nothing is held in memory whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from membatch.store.driver import ours
from membatch.store.queries import query

# The tables whose rows each came with a batch.
TABLES: Final = ("memory", "merge", "duplicate", "review", "reject")


class CheckedBatch(NamedTuple):
    """A batch with what its run is, and how many rows of each table name it."""

    batch: int
    run: int
    number: int
    kind: str
    status: str
    tally: str
    rows: dict[str, int]


class CheckedFingerprint(NamedTuple):
    """The fingerprint of one record as it is stored; all None where it is missing."""

    founder: int | None
    digest: bytes | None
    content_hash: bytes | None
    id_hash: int | None
    match_scope: str | None
    tokens: bytes | None


class CheckedMemory(NamedTuple):
    """A memory with the fingerprint of its first founder."""

    memory: int
    id: str
    scope: str
    record: str
    stated: str | None
    fingerprint: CheckedFingerprint


class CheckedMerge(NamedTuple):
    """A merge with the fingerprint of the record that it absorbed."""

    memory: int
    merge: int
    record: str
    reverse: str
    moved: str | None
    documents: tuple[str | None, ...]  # the rest of what it holds as JSON
    fingerprint: CheckedFingerprint


class Contradiction(NamedTuple):
    """Something in a store that must not be: which rule, where, what."""

    rule: str
    where: str
    message: str


_RULES: Final = {
    "check_ids": "an id belongs to several memories of one match scope",
    "check_digests": "a digest leads to several records",
    "check_first": "a memory has no first fingerprint",
    "check_founders": "a memory does not have exactly one fingerprint that leads to it as its founder's",
    "check_superseded": "a fingerprint is superseded by a merge that replaced nothing or belongs elsewhere",
    "check_strays": "a fingerprint belongs to no memory or merge",
    "check_duplicates": "a duplicate leads to a memory that does not know it",
    "check_reviews": "a pair is not an older and a younger memory, or its state is unknown",
    "check_numbers": "the batches of a run are not numbered 1, 2, 3",
    "check_resolved": "a reject is resolved by a run that is no retry of its run",
}


class Inspection:
    """A store as it is at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def facts(self) -> dict[str, str]:
        """Return the facts about the store itself: versions, dedup scope."""
        with ours():
            return dict(self._execute(query("facts")))

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield damage of the file, and rows that contradict each other."""
        with ours():
            for (text,) in self._execute("PRAGMA integrity_check(1000)"):
                if text != "ok":
                    yield Contradiction("file", "database", text)
            for table, row, parent, _ in self._execute("PRAGMA foreign_key_check"):
                yield Contradiction("reference", f"{table} row {row}", f"names a row of {parent} that is not there")
            for name, message in _RULES.items():
                for (where,) in self._execute(query(name)):
                    yield Contradiction(name.removeprefix("check_"), where, message)

    def batches(self) -> Iterator[CheckedBatch]:
        """Yield all batches by number."""
        with ours():
            counts = {
                table: _Counts(self._execute(f"SELECT batch, count(*) FROM {table} GROUP BY 1 ORDER BY 1"))
                for table in TABLES
            }
            for row in self._execute(query("check_batches")):
                rows = {table: count.of(row[0]) for table, count in counts.items()}
                yield CheckedBatch._make([*row, rows])

    def accepted(self) -> dict[int, int]:
        """Return for each batch how many of its memories a review merged into another."""
        with ours():
            return dict(self._execute(query("check_accepted")))

    def memories(self) -> Iterator[CheckedMemory]:
        """Yield all memories, the youngest first."""
        with ours():
            for row in self._execute(query("check_memories")):
                yield CheckedMemory._make([*row[:5], CheckedFingerprint._make(row[5:])])

    def refused(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rejects whose digest was kept, each with its raw record."""
        with ours():
            yield from self._execute(query("refused"))

    def merges(self) -> Iterator[CheckedMerge]:
        """Yield all lineage: by memory, the youngest first, the newest merge of each first."""
        with ours():
            for row in self._execute(query("check_merges")):
                yield CheckedMerge._make([*row[:5], row[5:9], CheckedFingerprint._make(row[9:])])


class _Counts:
    """Counts by batch, read alongside the batches."""

    def __init__(self, rows: Iterator[tuple[int, int]]) -> None:
        self._rows = rows
        self._next: tuple[int, int] | None = next(rows, None)

    def of(self, batch: int) -> int:
        while self._next is not None and self._next[0] < batch:
            self._next = next(self._rows, None)
        return self._next[1] if self._next is not None and self._next[0] == batch else 0
