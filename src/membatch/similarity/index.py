"""The index of one open store: what is known, and for each batch what could be the same.

Rule: the store is the only truth; the index is rebuilt from its fingerprints and advanced after each commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from membatch.plan import Batch, Duplicate, Hits, Hold, Insert, MemoryKey, Merge, Plan, Reject
from membatch.similarity.known import Known, digest_columns, hash_column, id_column


class Index:
    """Finds, for each record of a batch, the memories that could be the same; grows with each commit."""

    def __init__(self, strategy: str) -> None:
        self._strategy = strategy
        self._known = Known()

    def load(self, blocks: Iterable[list[Any]]) -> None:
        """Enter all fingerprints of a store (rows of `store.FingerprintRow`)."""
        for rows in blocks:
            memories, superseded, _, ids, hashes, _ = zip(*rows, strict=True)
            columns = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4)
            self._known.add(
                columns[:, :2],
                columns[:, 2],
                np.array(ids, np.int64).view(np.uint64),
                np.array(memories, np.uint32),
                np.array(superseded, np.bool_),
            )

    def find(self, batch: Batch) -> Hits:
        """Return the hits of a batch in the store as it is before the batch."""
        digests = digest_columns(batch.digests)
        ids, hashes = id_column(batch.id_hashes), hash_column(batch.content_hashes)
        known = self._known.by_digest(digests)
        open_ = known == 0
        open_[list(batch.rejections)] = False
        holders = np.where(open_, self._known.by_id(ids), 0)
        heads = np.full(len(batch), -1, np.int64)
        if self._strategy != "memory-only":
            heads = np.where(open_, self._known.by_hash(hashes), -1)
        alone = open_ & (holders == 0) & (heads < 0)
        for column in (digests[:, 0], ids, hashes):
            alone &= _occurs_once(column)
        return Hits(
            by_digest=_where(known),
            by_id=_where(holders),
            by_hash={
                record: found
                for record in np.flatnonzero(heads >= 0).tolist()
                if (found := self._known.led_to(int(heads[record])))
            },
            alone=alone.tobytes(),
        )

    def advance(self, plan: Plan) -> None:
        """Make a committed plan's fingerprints known."""
        batch = plan.batch
        records: list[int] = []
        memories: list[int] = []
        ids: list[int] = []
        dead: list[bool] = []
        places: dict[int, list[int]] = {}
        for step in plan.steps:
            match step:
                case Insert(record, key) | Hold(record, key):
                    ids.append(batch.id_hashes[record])
                case Merge(record, key):
                    if step.replaces:
                        self._known.retire(key)
                        for place in places.get(key, ()):
                            dead[place] = True
                    ids.append(0)
                case Duplicate() | Reject():
                    continue
            places.setdefault(key, []).append(len(records))
            records.append(record)
            memories.append(key)
            dead.append(False)
        if records:
            self._known.add(
                digest_columns([batch.digests[record] for record in records]),
                hash_column([batch.content_hashes[record] for record in records]),
                id_column(ids),
                np.array(memories, np.uint32),
                np.array(dead, np.bool_),
            )


def _where(memories: npt.NDArray[np.int64]) -> dict[int, MemoryKey]:
    records = np.flatnonzero(memories)
    return dict(zip(records.tolist(), memories[records].tolist(), strict=True))


def _occurs_once(column: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    return counts[inverse] == 1
