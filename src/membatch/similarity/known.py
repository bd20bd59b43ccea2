"""What the store knows, in memory: digests, content hashes and ids of its memories, in compact arrays.

Rule: the store is the only truth; this is rebuilt from its table `fingerprint` and advanced after commits.
One row is one fingerprint. About 60 bytes a row. Data in: batches, plans. Data out: `Hits`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from membatch.plan import Batch, MemoryKey
from membatch.similarity import kernels

_MAX_LOAD: Final = 0.75
_GROWTH: Final = 1.3

UInts = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int32]


class Known:
    """Digest → memory, content hash → memories, id → memory; finds and adds a whole batch at a time."""

    def __init__(self) -> None:
        self._size = 0
        self._keys = np.empty(0, np.uint64)  # first half of the digest
        self._checks = np.empty(0, np.uint64)  # second half
        self._hashes = np.empty(0, np.uint64)
        self._ids = np.empty(0, np.uint64)
        self._memories = np.empty(0, np.uint32)
        self._following = np.empty(0, np.int32)
        self._dead = np.empty(0, np.bool_)  # the content hash leads nowhere any more
        self._digest_slots = np.full(1024, -1, np.int32)
        self._hash_slots = np.full(1024, -1, np.int32)
        self._id_slots = np.full(1024, -1, np.int32)
        self._zero = np.zeros(0, np.uint64)

    def __len__(self) -> int:
        return self._size

    def add(self, digests: UInts, hashes: UInts, ids: UInts, memories: npt.NDArray[np.uint32], dead: Any) -> None:
        """Enter fingerprints: digests as pairs (n, 2), the rest (n,); id 0 means that the row has none."""
        count = len(memories)
        start, stop = self._size, self._size + count
        self._reserve(stop)
        self._keys[start:stop] = digests[:, 0]
        self._checks[start:stop] = digests[:, 1]
        self._hashes[start:stop] = hashes
        self._ids[start:stop] = ids
        self._memories[start:stop] = memories
        self._dead[start:stop] = dead
        self._size = stop
        self._enter(start, stop)

    def _enter(self, start: int, stop: int) -> None:
        kernels.put_unique(self._digest_slots, self._keys, self._checks, start, stop)
        kernels.put_chained(self._hash_slots, self._hashes, self._following, start, stop)
        kernels.put_unique(self._id_slots, self._ids, self._ids, start, stop)

    def _reserve(self, rows: int) -> None:
        if rows > len(self._keys):
            capacity = max(1024, int(rows * _GROWTH))
            for name in ("_keys", "_checks", "_hashes", "_ids", "_memories", "_following", "_dead"):
                old = getattr(self, name)
                new = np.empty(capacity, old.dtype)  # untouched pages cost no memory
                new[: self._size] = old[: self._size]
                setattr(self, name, new)
        if rows > len(self._digest_slots) * _MAX_LOAD:
            capacity = int(rows / _MAX_LOAD * _GROWTH) + 1
            self._digest_slots = np.full(capacity, -1, np.int32)
            self._hash_slots = np.full(capacity, -1, np.int32)
            self._id_slots = np.full(capacity, -1, np.int32)
            self._enter(0, self._size)

    def by_digest(self, batch: Batch) -> dict[int, MemoryKey]:
        """Return, for the records of a batch whose digest is known, the memory it leads to."""
        wanted = digest_columns(batch.digests)
        found = np.empty(len(wanted), np.int64)
        kernels.find_unique(
            self._digest_slots, self._keys, self._checks, wanted[:, 0].copy(), wanted[:, 1].copy(), found
        )
        return self._by_record(found)

    def by_id(self, batch: Batch) -> dict[int, MemoryKey]:
        """Return, for the records of a batch whose id is taken in their match scope, the memory that has it."""
        wanted = id_column(batch.id_hashes)
        found = np.empty(len(wanted), np.int64)
        kernels.find_unique(self._id_slots, self._ids, self._ids, wanted, wanted, found)
        return self._by_record(np.where(wanted == 0, -1, found))

    def by_hash(self, batch: Batch) -> dict[int, list[MemoryKey]]:
        """Return, for the records of a batch whose content hash is known, all memories it leads to, by age."""
        wanted = hash_column(batch.content_hashes)
        heads = np.empty(len(wanted), np.int64)
        kernels.find_heads(self._hash_slots, self._hashes, wanted, heads)
        found: dict[int, list[MemoryKey]] = {}
        for record in np.flatnonzero(heads >= 0).tolist():
            if record in batch.rejections:
                continue
            row, memories = int(heads[record]), set()
            while row >= 0:
                if not self._dead[row]:
                    memories.add(MemoryKey(int(self._memories[row])))
                row = int(self._following[row])
            if memories:
                found[record] = sorted(memories)
        return found

    def _by_record(self, rows: npt.NDArray[np.int64]) -> dict[int, MemoryKey]:
        records = np.flatnonzero(rows >= 0)
        memories = self._memories[rows[records]]
        return {
            record: MemoryKey(memory)
            for record, memory in zip(records.tolist(), memories.tolist(), strict=True)
            if memory
        }

    def retire(self, memory: MemoryKey) -> None:
        """Let the content hashes that lead to a memory lead there no longer (its record was replaced)."""
        self._dead[: self._size] |= self._memories[: self._size] == memory


def digest_columns(digests: list[Any]) -> UInts:
    """Return digests of 16 bytes as an array (n, 2); an empty digest, of a rejected record, gives zeros."""
    joined = b"".join([digest or b"\0" * 16 for digest in digests])
    return np.frombuffer(joined, np.uint64).reshape(-1, 2)


def hash_column(hashes: list[Any]) -> UInts:
    """Return the first 8 bytes of content hashes of 16 bytes as an array (n,)."""
    return digest_columns(hashes)[:, 0].copy()


def id_column(ids: list[int]) -> UInts:
    """Return signed 64-bit id hashes as an array (n,) of unsigned ones."""
    return np.array(ids, np.int64).view(np.uint64)
