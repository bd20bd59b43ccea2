"""Plan → the rows of one transaction, for any SQL store.

Rule: pure; a survivor's patches are folded and it is written once, however many records it absorbed.
Data in: a Plan and the rows as they were before it. Data out: `Rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from membatch.patch import Operation, apply
from membatch.plan import Batch, Duplicate, Hold, Insert, MemoryKey, Merge, Plan, Position, Reject, StoredRow

_encode = encode_record = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.decode

Row = tuple[Any, ...]


class Rows(msgspec.Struct, kw_only=True):
    """What one transaction writes, table by table; the columns of each row are those of its query."""

    memories: list[Row] = []
    founders: list[Row] = []  # fingerprints of new memories that nothing else of the batch touches
    fingerprints: list[Row] = []
    merges: list[Row] = []
    updates: list[Row] = []  # survivors that were stored before
    superseded: list[Row] = []  # replaced memories: their stored fingerprints stop leading by content
    closed: list[Row] = []  # replaced memories: their stored open pairs close
    duplicates: list[Row] = []
    reviews: list[Row] = []
    rejects: list[Row] = []


def rows_of(plan: Plan, batch_key: int, next_merge: int) -> Rows:
    """Return the rows of a plan."""
    return _Writer(plan.batch, batch_key, next_merge).write(plan)


class _Writer:
    def __init__(self, batch: Batch, batch_key: int, next_merge: int) -> None:
        self._batch, self._key, self._merge = batch, batch_key, next_merge
        self._rows = Rows()
        self._patches: dict[MemoryKey, list[Operation]] = {}
        self._stated: dict[MemoryKey, str | None] = {}
        self._inserted: dict[MemoryKey, int] = {}
        self._new_fingerprints: dict[MemoryKey, list[list[Any]]] = {}
        self._new_reviews: list[list[Any]] = []
        self._has_tokens = bool(batch.tokens)
        self._id_hashes = memoryview(b"".join(batch.id_hashes)).cast("q")

    def write(self, plan: Plan) -> Rows:
        rows, batch = self._rows, self._batch
        touched = {step.memory for step in plan.others if isinstance(step, Merge)}
        ids, scopes, records = batch.ids, batch.scopes, batch.records
        digests, content_hashes, id_hashes = batch.digests, batch.content_hashes, self._id_hashes
        add_memory, add_founder, batch_key = rows.memories.append, rows.founders.append, self._key
        scope: str | None = None
        tokens: bytes | None = None
        for step in plan.steps:
            if type(step) is Insert and step.key not in touched:
                record, key = step.record, step.key
                add_memory((key, ids[record], scopes[record], batch_key, None, records[record].decode()))
                if self._has_tokens:
                    scope, tokens = scopes[record], batch.tokens[record]
                add_founder((key, digests[record], content_hashes[record], id_hashes[record], scope, tokens))
            elif isinstance(step, Duplicate):
                place = _place(batch.positions[step.record])
                rows.duplicates.append((step.memory, self._key, ids[step.record], batch.digests[step.record], *place))
            elif isinstance(step, Merge):
                self._absorb(step)
            elif isinstance(step, Reject):
                self._reject(step)
            else:
                self._insert(step.record, step.key)
                if isinstance(step, Hold):
                    self._hold(step)
        self._fold(plan.before)
        for memory, record in self._inserted.items():
            document, stated = records[record], None
            if memory in self._patches:
                document, stated = self._after(memory, document), self._stated[memory]
            rows.memories.append((memory, ids[record], scopes[record], self._key, stated, document.decode()))
        rows.fingerprints.extend([tuple(row) for new in self._new_fingerprints.values() for row in new])
        rows.reviews = [tuple(row) for row in self._new_reviews]
        return rows

    def _founding(self, record: int, key: MemoryKey) -> Row:
        batch = self._batch
        digest, content_hash = batch.digests[record], batch.content_hashes[record]
        scope = batch.scopes[record] if self._has_tokens else None
        return (key, 0, 1, None, digest, content_hash, self._id_hashes[record], scope, self._tokens(record))

    def _tokens(self, record: int) -> bytes | None:
        return self._batch.tokens[record] if self._has_tokens else None

    def _insert(self, record: int, key: MemoryKey) -> None:
        self._inserted[key] = record
        self._new_fingerprints[key] = [list(self._founding(record, key))]

    def _absorb(self, step: Merge) -> None:
        batch, number, memory = self._batch, self._merge, step.memory
        self._merge += 1
        self._patches.setdefault(memory, []).extend(step.forward)
        self._stated[memory] = step.stated
        record = step.record
        self._rows.merges.append(
            (
                number,
                memory,
                self._key,
                step.step,
                step.shared,
                step.union,
                step.replaces,
                batch.ids[record],
                batch.records[record].decode(),
                *_place(batch.positions[record]),
                _text(step.rules),
                _text(step.conflicts),
                _text(step.guards),
                _text(step.reverse),
                step.stated_before,
                None,
                step.next_key,
            )
        )
        fingerprints = self._new_fingerprints.setdefault(memory, [])
        if step.replaces:
            self._rows.superseded.append((number, memory))
            self._rows.closed.append((number, memory, memory))
            for row in fingerprints:
                row[3] = row[3] or number
            for row in self._new_reviews:
                if memory in row[:2] and row[-1] is None:
                    row[-2:] = ["closed", number]
        scope = tokens = None
        if step.replaces and self._has_tokens:
            scope, tokens = batch.scopes[record], self._tokens(record)
        hashes = (batch.digests[record], batch.content_hashes[record])
        fingerprints.append([memory, number, int(step.replaces), None, *hashes, 0, scope, tokens])

    def _hold(self, step: Hold) -> None:
        row = [
            step.memory,
            step.key,
            self._key,
            step.step,
            step.shared,
            step.union,
            _text(step.guards),
            "open",
            None,
        ]
        self._new_reviews.append(row)

    def _reject(self, step: Reject) -> None:
        why = step.rejection
        self._rows.rejects.append(
            (
                self._key,
                *_place(self._batch.positions[step.record]),
                why.category,
                why.code,
                why.message,
                _text(why.errors),
                why.exception,
                why.raw,
                why.raw_length,
                why.raw_sha256,
                why.format,
                why.digest,
                why.id,
            )
        )

    def _fold(self, before: Mapping[MemoryKey, StoredRow]) -> None:
        for memory in self._patches:
            if memory not in self._inserted:
                document = self._after(memory, before[memory].record)
                self._rows.updates.append((self._stated[memory], document.decode(), memory))

    def _after(self, memory: MemoryKey, document: bytes) -> bytes:
        return _encode(apply(_decode(document), self._patches[memory]))


def _place(position: Position) -> tuple[int, int, int | None, int]:
    return (position.source, position.line, position.offset, position.index)


def _text(value: Any) -> str:
    return _encode(value).decode()
