"""Changes of memory data that are no load, on SQLite: undo of runs, decisions of a review, forgetting.

Rule: all of one change is one transaction and one batch of its run; what is moved is written down, so that an
undo moves it back exactly.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from membatch.errors import CODES
from membatch.patch import Document, apply
from membatch.plan import MemoryKey, Merge, StoredRow
from membatch.store import ChangeTally, Said, now
from membatch.store.queries import query
from membatch.store.rows import encode_record

# In this order: what refers to a row goes before the row.
_UNDO: Final = (
    "undo_superseded",
    "undo_closed",
    "undo_decisions",
    "undo_fingerprints",
    "undo_reviews",
    "undo_duplicates",
    "undo_moved_duplicates",
    "undo_merges",
    "undo_memories",
    "undo_rejects",
    "undo_resolved",
    "mark_undone",
)

# In this order too.
_FORGET: Final = (
    "clear_closing",
    "forget_reverses",
    "forget_reviews",
    "forget_fingerprints",
    "forget_duplicates",
    "forget_merges",
    "forget_memory",
)

_INDEXES: Final = ("known_by_memory", "superseded_by_merge", "closed_by_merge")

_MOST_TAKEN_BACK: Final = 1000  # survivors that an undo holds before it writes them

# From so many rows on, what refers to them is found by an index. Loads do without it, so it stands for one change.
_MANY: Final = 50

# The fact that removed rows still leave traces in the files.
PURGE_IS_DUE: Final = "purge_is_due"

Fetch = Callable[[Iterable[MemoryKey]], Mapping[MemoryKey, StoredRow]]


class Changes:
    """One run that is no load, on its way into the store."""

    def __init__(self, connection: sqlite3.Connection, fetch: Fetch, run: int) -> None:
        self._execute = connection.execute
        self._fetch = fetch
        self._run = run
        self._batch = self._execute(query("next_keys")).fetchone()[2]
        self._taken_back: dict[MemoryKey, tuple[Document, str | None]] = {}
        self._is_indexed = False
        self.tally = ChangeTally()
        self._execute(query("insert_batch"), (self._batch, run, 1, "{}", "{}"))

    def close(self) -> None:
        """Write down what was done, and that the run has ended: either both happened or neither did."""
        if self._is_indexed:
            for name in _INDEXES:
                self._execute(query(f"drop_{name}"))
        text = msgspec.json.encode(self.tally).decode()
        self._execute("UPDATE batch SET tally = ? WHERE batch = ?", (text, self._batch))
        self._execute(query("finish_run"), ("done", now(), "{}", self._run))

    def expect(self, rows: int) -> None:
        """Make ready for a change that takes so many memories or merges away."""
        if rows >= _MANY and not self._is_indexed:
            for name in _INDEXES:
                self._execute(query(f"make_{name}"))
            self._is_indexed = True

    def undo(self, runs: Iterable[int]) -> None:
        """Take the rows of runs out again: merges in the order of their commits, the newest first, then the rest."""
        chosen = list(runs)
        self.expect(sum(self._execute(query("rows_to_undo"), (run,)).fetchone()[0] for run in chosen))
        self._execute("PRAGMA defer_foreign_keys = ON")  # a memory may go before its duplicates, which came before it
        last = self._execute(query("next_keys")).fetchone()[1]
        # Looked up one by one: taking a review back moves earlier merges to where they were.
        while row := self._execute(query("next_to_undo"), (_text(chosen), last)).fetchone():
            last, memory, reverse, stated, moved = row
            self._take_back(MemoryKey(memory), reverse, stated)
            if moved is not None:
                self._return(MemoryKey(memory), msgspec.json.decode(moved))
        self._write_back()
        for run in chosen:
            self.tally.undone.append(run)
            for (moved,) in self._execute(query("moved_by"), (run,)).fetchall():
                self._name(msgspec.json.decode(moved))
            for name in _UNDO:
                self._execute(query(name), (run,))

    def reject(self, review: int) -> None:
        """Note that the two memories of a pair are not the same."""
        self._execute(query("decide_review"), ("rejected", None, self._run, review))

    def accept(self, review: int, younger: MemoryKey, step: Merge, record: bytes) -> None:
        """Merge the younger memory of a pair, whose record is given, into the older as the step says."""
        execute, older = self._execute, step.memory
        number = execute(query("next_keys")).fetchone()[1]
        memory = execute(query("moved_memory"), (younger,)).fetchone()
        moved = {
            "memory": memory,
            "number": number,
            "fingerprints": execute(query("moved_fingerprints"), (younger,)).fetchall(),
            "merges": [row[0] for row in execute(query("moved_merges"), (younger,))],
            "reviews": execute(query("moved_reviews"), (younger,)).fetchall(),
        }
        texts = [encode_record(value).decode() for value in (step.rules, step.conflicts, step.guards, step.reverse)]
        place = (None, None, None, None)
        scores = (step.step, step.shared, step.union, step.replaces)
        absorbed = (memory[1], record.decode())
        row = (
            number,
            older,
            self._batch,
            *scores,
            *absorbed,
            *place,
            *texts,
            step.stated_before,
            _text(moved),
            step.next_key,
        )
        execute(query("insert_merge"), row)
        after = apply(msgspec.json.decode(self._fetch([older])[older].record), step.forward)
        execute(query("update_memory"), (step.stated, encode_record(after).decode(), older))
        execute(query("move_fingerprints"), (older, number, younger))
        execute(query("move_merges"), (older, younger))
        execute(query("move_duplicates"), (older, younger))
        execute(query("decide_review"), ("accepted", number, self._run, review))
        for pair, one, other, state, closed_by in moved["reviews"]:
            first, second = _followed(one, other, younger, older)
            if pair == review:
                state, closed_by = "accepted", number
            elif state == "open" and (first == second or self._is_known(first, second, pair)):
                state, closed_by = "closed", number
            execute(query("move_review"), (first, second, state, closed_by, pair))
        execute(query("delete_memory"), (younger,))
        self.tally.accepted += 1

    def unmerge(self, merge: int, identity: str, id_hash: int) -> None:
        """Take one merge back; what it absorbed is the youngest memory, one that a review merged is as it was."""
        execute = self._execute
        older, reverse, stated, moved = execute(query("merge_to_undo"), (merge,)).fetchone()
        self._take_back(MemoryKey(older), reverse, stated)
        self._write_back()
        if moved is not None:
            self._return(MemoryKey(older), _named(msgspec.json.decode(moved), identity, id_hash))
            execute(query("unmerge_decisions"))
        else:
            key = execute(query("next_keys")).fetchone()[0]
            execute(query("unmerge_superseded"), (merge,))
            execute(query("unmerge_closed"), (merge,))
            execute(query("unmerge_memory"), (key, identity, self._batch, merge))
            execute(query("unmerge_fingerprint"), (key, id_hash, older, merge))
            execute(query("unmerge_duplicates"), (key, older))
            self.tally.unmerged += 1
        execute(query("mark_unmerged"), (self._run, merge))

    def _take_back(self, memory: MemoryKey, reverse: str, stated: str | None) -> None:
        """Take one merge back in memory; `_write_back` writes each survivor once, however many merges it had."""
        known = self._taken_back.get(memory)
        if known is None:
            if len(self._taken_back) >= _MOST_TAKEN_BACK:
                self._write_back()
            document = msgspec.json.decode(self._fetch([memory])[memory].record)
        else:
            document = known[0]
        self._taken_back[memory] = (apply(document, msgspec.json.decode(reverse)), stated)

    def _write_back(self) -> None:
        for memory, (document, stated) in self._taken_back.items():
            self._execute(query("update_memory"), (stated, encode_record(document).decode(), memory))
        self._taken_back.clear()

    def forget(self, memory: MemoryKey, said: Said) -> None:
        """Remove a memory and all that was kept of it, also where rejects and wrappers say what it said."""
        execute = self._execute
        execute(query("begin_forgotten"))
        execute(query("clear_forgotten"))
        execute(query("note_forgotten"), {"memory": memory})
        for table, batch, count in execute(query("forgotten_rows"), {"memory": memory}).fetchall():
            self._removed(batch, table, count)
        for name in _FORGET:
            execute(query(name), {"memory": memory})
        execute(query("clear_forgotten"))
        for reject, batch, code, message, exception, raw in self._rejects():
            if said.is_said_by(raw):
                execute(query("forget_reject"), (reject,))
                self._removed(batch, "reject", 1)
            elif said.is_quoted_by(message) or said.is_quoted_by(exception or ""):
                execute(query("silence_reject"), (f"{_meaning(code)} (the rest is forgotten)", reject))
        for run, sources in execute(query("wrapped_sources")).fetchall():
            left = said.removed_from(sources)
            if left is not None:
                execute(query("set_sources"), (left, run))
        execute(query("set_meta"), (PURGE_IS_DUE, "1"))

    def _rejects(self) -> Iterator[tuple[int, int, str, str, str | None, bytes]]:
        after = 0
        while rows := self._execute(query("all_rejects"), (after,)).fetchall():
            yield from rows
            after = rows[-1][0]

    def _removed(self, batch: int, table: str, count: int) -> None:
        tables = self.tally.removed.setdefault(batch, {})
        tables[table] = tables.get(table, 0) + count

    def _is_known(self, first: int, second: int, review: int) -> bool:
        return bool(self._execute(query("same_pair"), (first, second, review)).fetchone()[0])

    def _return(self, older: MemoryKey, moved: dict[str, Any]) -> None:
        """Make a memory that was merged by a review what it was before."""
        execute, memory = self._execute, moved["memory"]
        execute(query("insert_memory"), memory)
        younger = memory[0]
        for number, founder, id_hash in moved["fingerprints"]:
            now = number or moved["number"]
            execute(query("return_fingerprint"), (younger, number, founder, id_hash, older, now))
        for merge in moved["merges"]:
            execute(query("return_merge"), (younger, merge))
        execute(query("return_duplicates"), (younger, older))
        for review, one, other, state, closed_by in moved["reviews"]:
            there = _followed(one, other, younger, older)
            execute(query("return_review"), (one, other, state, closed_by, review, *there))

    def _name(self, moved: dict[str, Any]) -> None:
        """Give a memory that came back from a review under another id its own again."""
        younger, identity = moved["memory"][:2]
        self._execute(query("rename_memory"), (identity, younger))
        for number, _, id_hash in moved["fingerprints"]:
            if number == 0:
                self._execute(query("rename_fingerprint"), (id_hash, younger))


def _followed(one: int, other: int, younger: MemoryKey, older: MemoryKey) -> list[int]:
    """Return the sides of a pair where the younger memory was merged into the older."""
    return sorted(older if side == younger else side for side in (one, other))


def _named(moved: dict[str, Any], identity: str, id_hash: int) -> dict[str, Any]:
    """Return what a review moved, under an id."""
    key, _, *rest = moved["memory"]
    fingerprints = [[number, founder, known if number else id_hash] for number, founder, known in moved["fingerprints"]]
    return {**moved, "memory": [key, identity, *rest], "fingerprints": fingerprints}


def _meaning(code: str) -> str:
    return CODES[code].meaning if code in CODES else code


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
