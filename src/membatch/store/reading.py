"""What can be asked of a SQLite store.

Rule: reads only; a long answer comes in blocks, so that memory use does not depend on the store.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from membatch.plan import Checkpoint, Digest, Fingerprints, MemoryKey, StoredRow
from membatch.store import (
    BatchRow,
    Blocker,
    FingerprintRow,
    MergeRow,
    OneMerge,
    RejectRow,
    ReviewRow,
    RunRow,
    Unmerged,
)
from membatch.store.driver import ours
from membatch.store.queries import query

_BLOCK: Final = 10_000  # rows that a processor's cache holds: measured against 4,000 and 50,000


def next_keys(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return the keys that the next memory, merge and batch get."""
    with ours():
        memory, merge, batch = connection.execute(query("next_keys")).fetchone()
    return memory, merge, batch


class Reading:
    """The reading half of a SQLite store; see `membatch.store.Store` for its face."""

    _connection: sqlite3.Connection

    def _meta(self, name: str) -> str | None:
        with ours():
            row = self._connection.execute(query("get_meta"), (name,)).fetchone()
        return None if row is None else str(row[0])

    def facts(self) -> dict[str, str]:
        """Return the facts about the store itself: versions, dedup scope."""
        with ours():
            return dict(self._connection.execute(query("facts")))

    def next_key(self) -> MemoryKey:
        """Return the key that the next memory gets."""
        return MemoryKey(next_keys(self._connection)[0])

    def own_memories(self, run: int) -> tuple[MemoryKey, frozenset[MemoryKey]]:
        """Return the key of a run's oldest memory (of the next one if it has none), and those of others from there."""
        with ours():
            first = self._connection.execute(query("first_memory"), (run,)).fetchone()[0]
            if first is None:
                return self.next_key(), frozenset()
            rows = self._connection.execute(query("others_memories"), (run, first)).fetchall()
        return MemoryKey(first), frozenset(MemoryKey(row[0]) for row in rows)

    def fetch(self, keys: Iterable[MemoryKey]) -> dict[MemoryKey, StoredRow]:
        """Return memories by key."""
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        with ours():
            rows = self._connection.execute(query("fetch_memories"), (json.dumps(wanted),)).fetchall()
        return {
            MemoryKey(key): StoredRow(MemoryKey(key), identity, scope, record.encode(), stated)
            for key, identity, scope, record, stated in rows
        }

    def fingerprints(self) -> Generator[Fingerprints]:
        """Yield all fingerprints, in blocks."""
        from membatch.store.fingerprints import fingerprint_blocks  # arrays: loaded only where they are used

        return fingerprint_blocks(self._connection)

    def fingerprints_of(self, memory: MemoryKey) -> list[FingerprintRow]:
        """Return the fingerprints that lead to one memory."""
        with ours():
            rows = self._connection.execute(query("fingerprints_of"), (memory,)).fetchall()
        return [FingerprintRow(*row) for row in rows]

    def _blocks(self, sql: str, *values: Any) -> Iterator[list[Any]]:
        with ours():
            cursor = self._connection.execute(sql, values)
            while rows := cursor.fetchmany(_BLOCK):
                yield rows

    def missing_tokens(self) -> list[tuple[int, int, str]]:
        """Return some founders without tokens: memory, number, summary; none if all have theirs."""
        with ours():
            return self._connection.execute(query("missing_tokens")).fetchall()

    def conflicting_digests(self, run: int | None = None) -> set[Digest]:
        """Return the digests of records refused because of their id, by one run or any, and not resolved since."""
        with ours():
            return {row[0] for row in self._connection.execute(query("conflicting_digests"), (run,))}

    def merged_away(self) -> dict[tuple[str, str], str]:
        """Return the match scope and id of each memory that a review merged, with the id of its survivor."""
        with ours():
            rows = self._connection.execute(query("merged_away")).fetchall()
        return {(scope, identity): survivor for scope, identity, survivor in rows}

    def runs(self) -> list[RunRow]:
        """Return all runs, the oldest first."""
        with ours():
            return [RunRow(*row) for row in self._connection.execute(query("runs"))]

    def batches(self, run: int) -> Iterator[BatchRow]:
        """Yield the committed batches of a run, in order."""
        for block in self._blocks(query("batches"), run):
            yield from (BatchRow(*row) for row in block)

    def last_batch(self, run: int) -> tuple[int, Checkpoint] | None:
        """Return the number and checkpoint of a run's newest batch."""
        with ours():
            row = self._connection.execute(query("last_batch"), (run,)).fetchone()
        return None if row is None else (row[0], msgspec.json.decode(row[1], type=Checkpoint))

    def rejects(self, run: int, after: int = 0) -> Iterator[RejectRow]:
        """Yield the rejected records of a run after a reject, in order; others may be written meanwhile."""
        while True:
            with ours():  # a cursor that stayed open would not outlive a rollback
                rows = self._connection.execute(query("rejects"), (run, after)).fetchall()
            if not rows:
                return
            yield from (RejectRow(*row) for row in rows)
            after = rows[-1][0]

    def beginnings(self, keys: Iterable[MemoryKey], length: int) -> list[tuple[MemoryKey, int, str]]:
        """Return the first characters of memories' summaries: memory, the run that made it, text."""
        with ours():
            return self._connection.execute(query("beginnings"), (json.dumps(sorted(keys)), length)).fetchall()

    def by_id(self, identity: str) -> list[StoredRow]:
        """Return the memories of an id; in other match scopes, those that absorbed or knew a record of it."""
        with ours():
            rows = self._connection.execute(query("by_id"), (identity,)).fetchall()
        return [
            StoredRow(MemoryKey(key), name, scope, record.encode(), stated) for key, name, scope, record, stated in rows
        ]

    def lineage(self, memory: MemoryKey) -> list[MergeRow]:
        """Return the merges into a memory, the oldest first, those that were taken back too."""
        with ours():
            return [MergeRow(*row) for row in self._connection.execute(query("lineage"), (memory,))]

    def merge(self, merge: int) -> OneMerge | None:
        """Return a merge by its number."""
        with ours():
            row = self._connection.execute(query("merge"), (merge,)).fetchone()
        return None if row is None else OneMerge(*row)

    def is_taken(self, identity: str, scope: str, merge: int) -> bool:
        """Return whether an id belongs to another memory than the one that a merge absorbed."""
        with ours():
            return bool(self._connection.execute(query("is_taken"), (identity, scope, merge)).fetchone()[0])

    def after_merge(self, merge: int) -> list[Blocker]:
        """Return what names the memory of a merge later than the merge did."""
        with ours():
            return [Blocker(*row) for row in self._connection.execute(query("after_merge"), (merge,))]

    def unmerged_from(self, memory: MemoryKey, batch: int | None = None) -> list[Unmerged]:
        """Return the merges whose taking back made a memory, or made it stand alone again."""
        with ours():
            return [Unmerged(*row) for row in self._connection.execute(query("unmerged_from"), (memory, batch))]

    def blockers(self, run: int, later: Sequence[int]) -> list[Blocker]:
        """Return what the later runs did that names memories which the run made or changed."""
        execute = self._connection.execute
        with ours():
            execute(query("begin_touched"))
            execute(query("clear_touched"))
            execute(query("touch"), (run,))
            names = ["blockers"]
            if execute(query("takes_away"), (run,)).fetchone():  # it looks through all memories
                names.append("id_blockers")
            return [
                Blocker(other, *row) for other in later for name in names for row in execute(query(name), (other, run))
            ]

    def reviews(self, state: str) -> list[ReviewRow]:
        """Return the pairs in a state, with both memories, the oldest first."""
        with ours():
            return [ReviewRow(*row) for row in self._connection.execute(query("reviews"), (state,))]

    def review(self, review: int) -> ReviewRow | None:
        """Return a pair by its number."""
        with ours():
            row = self._connection.execute(query("review"), (review,)).fetchone()
        return None if row is None else ReviewRow(*row)

    def export(self) -> Iterator[tuple[str, bytes]]:
        """Yield (id, record without id as JSON) of all memories, by age."""
        with ours():
            for identity, record in self._connection.execute(query("export")):
                yield identity, record.encode()
