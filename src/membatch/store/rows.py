"""Plan → the rows of one transaction, for any SQL store.

Rule: pure; a survivor's patches are folded and it is written once, however many records it absorbed.
Data in: a Plan and the rows as they were before it. Data out: `Founding`, which is new memories, the many, as
columns; `Rows`, which is all else and can be worked out while those are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any

import msgspec

from membatch.patch import Operation, apply
from membatch.plan import (
    Batch,
    ContentHash,
    Digest,
    Duplicate,
    Hold,
    Insert,
    MemoryKey,
    Merge,
    Plan,
    Position,
    Reject,
    StoredRow,
)

_encode = encode_record = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.decode

Row = tuple[Any, ...]


class Founding(msgspec.Struct, kw_only=True):
    """New memories with their founders' fingerprints, as columns; one key comes after the other."""

    first: int  # the key of the first one
    ids: list[str]
    scopes: list[str]
    documents: list[bytes]
    digests: list[Digest]
    content_hashes: list[ContentHash]
    id_hashes: list[int]
    tokens: list[bytes] | None  # None where they are not asked for

    def piece(self, start: int, stop: int) -> Founding:
        """Return some of them."""
        here = slice(start, stop)
        return Founding(
            first=self.first + start,
            ids=self.ids[here],
            scopes=self.scopes[here],
            documents=self.documents[here],
            digests=self.digests[here],
            content_hashes=self.content_hashes[here],
            id_hashes=self.id_hashes[here],
            tokens=None if self.tokens is None else self.tokens[here],
        )

    def memories(self, batch_key: int) -> list[Row]:
        """Return a row of each memory."""
        keys = range(self.first, self.first + len(self.ids))
        documents = [document.decode() for document in self.documents]
        return list(zip(keys, self.ids, self.scopes, repeat(batch_key), repeat(None), documents, strict=False))

    def founders(self) -> list[Row]:
        """Return a row of each founder's fingerprint."""
        keys = range(self.first, self.first + len(self.ids))
        scopes = repeat(None) if self.tokens is None else self.scopes
        tokens = repeat(None) if self.tokens is None else self.tokens
        return list(zip(keys, self.digests, self.content_hashes, self.id_hashes, scopes, tokens, strict=False))


class Rows(msgspec.Struct, kw_only=True):
    """What one transaction writes beside new memories; the columns of each row are those of its query."""

    stated: list[Row] = []  # new memories whose founders' words another record of the batch hides
    fingerprints: list[Row] = []  # of absorbed records
    merges: list[Row] = []
    updates: list[Row] = []  # survivors that were stored before
    superseded: list[Row] = []  # replaced memories: their stored fingerprints stop leading by content
    closed: list[Row] = []  # replaced memories: their stored open pairs close
    duplicates: list[Row] = []
    reviews: list[Row] = []
    rejects: list[Row] = []


def founding_of(plan: Plan) -> Founding:
    """Return the new memories of a plan, as they are after it."""
    batch = plan.batch
    made = [step for step in plan.steps if type(step) is Insert or type(step) is Hold]
    records = [step.record for step in made]
    id_hashes = memoryview(b"".join(batch.id_hashes)).cast("q")
    new = Founding(
        first=made[0].key if made else 0,
        ids=[batch.ids[record] for record in records],
        scopes=[batch.scopes[record] for record in records],
        documents=[batch.records[record] for record in records],
        digests=[batch.digests[record] for record in records],
        content_hashes=[batch.content_hashes[record] for record in records],
        id_hashes=[id_hashes[record] for record in records],
        tokens=[batch.tokens[record] for record in records] if batch.tokens else None,
    )
    patches: dict[MemoryKey, list[Operation]] = {}
    for step in plan.others:
        if isinstance(step, Merge) and step.memory not in plan.before:
            patches.setdefault(step.memory, []).extend(step.forward)
    for memory, operations in patches.items():
        place = memory - new.first
        new.documents[place] = _after(new.documents[place], operations)
    return new


def rows_of(plan: Plan, batch_key: int, next_merge: int) -> Rows:
    """Return the rows of a plan beside its new memories."""
    return _Writer(plan.batch, batch_key, next_merge).write(plan)


def _after(document: bytes, operations: list[Operation]) -> bytes:
    return _encode(apply(_decode(document), operations))


class _Writer:
    def __init__(self, batch: Batch, batch_key: int, next_merge: int) -> None:
        self._batch, self._key, self._merge = batch, batch_key, next_merge
        self._patches: dict[MemoryKey, list[Operation]] = {}
        self._stated: dict[MemoryKey, str | None] = {}
        self._absorbed: dict[MemoryKey, list[list[Any]]] = {}  # fingerprints
        self._put_aside: dict[MemoryKey, int] = {}  # how many of these the last replacement left behind
        self._new_reviews: list[list[Any]] = []
        self._open: dict[MemoryKey, list[list[Any]]] = {}  # those of a memory that no replacement has closed
        self._has_tokens = bool(batch.tokens)

    def write(self, plan: Plan) -> Rows:
        batch = self._batch
        self._rows = rows = Rows()
        for step in plan.others:
            if isinstance(step, Duplicate):
                place = _place(batch.positions[step.record])
                rows.duplicates.append(
                    (step.memory, self._key, batch.ids[step.record], batch.digests[step.record], *place)
                )
            elif isinstance(step, Merge):
                self._absorb(step)
            elif isinstance(step, Reject):
                self._reject(step)
            elif isinstance(step, Hold):
                self._hold(step)
        self._fold(plan.before)
        rows.fingerprints = [tuple(row) for absorbed in self._absorbed.values() for row in absorbed]
        rows.reviews = [tuple(row) for row in self._new_reviews]
        return rows

    def _tokens(self, record: int) -> bytes | None:
        return self._batch.tokens[record] if self._has_tokens else None

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
        fingerprints = self._absorbed.setdefault(memory, [])
        if step.replaces:
            if memory not in self._put_aside:  # the first leaves nothing that is stored to a later one
                self._rows.superseded.append((number, memory))
                self._rows.closed.append((number, memory, memory))
            for row in fingerprints[self._put_aside.get(memory, 0) :]:
                row[3] = number
            self._put_aside[memory] = len(fingerprints)
            for row in self._open.pop(memory, ()):
                if row[-1] is None:  # the other memory of the pair may have been replaced before
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
        for memory in (step.memory, step.key):
            self._open.setdefault(memory, []).append(row)

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
        for memory, operations in self._patches.items():
            stated = self._stated[memory]
            if memory in before:
                document = _after(before[memory].record, operations)
                self._rows.updates.append((stated, document.decode(), memory))
            elif stated is not None:
                self._rows.stated.append((stated, memory))


def _place(position: Position) -> tuple[int, int, int | None, int]:
    return (position.source, position.line, position.offset, position.index)


def _text(value: Any) -> str:
    return _encode(value).decode()
