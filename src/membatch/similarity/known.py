"""What the store knows, in memory: digests, content hashes and ids of its memories, in compact arrays.

Rule: the store is the only truth; this is rebuilt from its table `fingerprint` and advanced after commits.
One row is one fingerprint; about 60 bytes a row. Data in: columns of hashes. Data out: memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from membatch.plan import MemoryKey
from membatch.similarity.slots import GROWTH, Rows, Slots, UInts, in_home_order, rows_of, share_home

_COLUMNS = ("_keys", "_checks", "_hashes", "_ids", "_memories", "_following", "_dead")
_BLOCK = 1 << 20


class Known:
    """Digest → memory, content hash → memories, id → memory; finds and adds a whole batch at a time."""

    def __init__(self) -> None:
        self._size = 0
        self._keys = np.empty(0, np.uint64)  # first half of the digest
        self._checks = np.empty(0, np.uint64)  # second half
        self._hashes = np.empty(0, np.uint64)
        self._ids = np.empty(0, np.uint64)
        self._memories = np.empty(0, np.uint32)
        self._following = np.empty(0, np.int32)  # the next older row with the same content hash
        self._dead = np.empty(0, np.bool_)  # the content hash leads nowhere any more
        self._by_digest, self._by_hash, self._by_id = Slots(), Slots(), Slots()

    def __len__(self) -> int:
        return self._size

    def add(self, digests: UInts, hashes: UInts, ids: UInts, memories: npt.NDArray[np.uint32], dead: Any) -> None:
        """Enter fingerprints: digests as pairs (n, 2), the rest (n,); id 0 means that the row has none."""
        start = self._size
        self.append(digests, hashes, ids, memories, dead)
        rows = np.arange(start, self._size)
        self._by_digest.put(self._keys, rows)
        self._by_id.put(self._ids, rows[self._ids[start : self._size] != 0])
        self._chain(rows)

    def append(
        self, digests: UInts, hashes: UInts, ids: UInts, memories: npt.NDArray[np.uint32], dead: Any, ahead: int = 0
    ) -> None:
        """Take down what `add` enters, to be found once `enter_all` is called; `ahead` rows are to be made room for."""
        start, stop = self._size, self._size + len(memories)
        self._reserve(max(stop, start + ahead))
        self._keys[start:stop] = digests[:, 0]
        self._checks[start:stop] = digests[:, 1]
        self._hashes[start:stop] = hashes
        self._ids[start:stop] = ids
        self._memories[start:stop] = memories
        self._following[start:stop] = -1
        self._dead[start:stop] = dead
        self._size = stop

    def enter_all(self) -> None:
        """Enter all rows at once."""
        size = self._size
        self._by_digest.fill(in_home_order(self._keys[:size]))
        order = in_home_order(self._ids[:size])
        self._by_id.fill(order[self._ids[rows_of(order)] != 0])
        order = in_home_order(self._hashes[:size])
        repeated = share_home(order)
        self._by_hash.fill(order[~repeated])
        rows = np.sort(rows_of(order[repeated]))
        for start in range(0, len(rows), _BLOCK):
            self._chain(rows[start : start + _BLOCK])

    def _chain(self, rows: Rows) -> None:
        """Enter rows by content hash; those of one hash form a chain, its newest row in the table.

        A row takes the place of an older one that leads to the same memory, so that a chain is as long as the
        memories are many, not the records that they absorbed.
        """
        order = rows[np.argsort(self._hashes[rows], kind="stable")]
        repeated = (self._hashes[order[1:]] == self._hashes[order[:-1]]) & self._leads_alike(order[1:], order[:-1])
        order = order[np.concatenate([~repeated, [True]])]
        same = self._hashes[order[1:]] == self._hashes[order[:-1]]
        self._following[order[1:][same]] = order[:-1][same]
        starts = np.concatenate([[True], ~same])
        heads, tails = order[np.concatenate([~same, [True]])], order[starts]
        known, places = self._by_hash.find((self._hashes,), (self._hashes[heads],))
        is_known = known >= 0
        older, tails = known[is_known], tails[is_known]
        self._following[tails] = np.where(self._leads_alike(tails, older), self._following[older], older)
        self._by_hash.move(places[is_known], heads[is_known])
        self._by_hash.put(self._hashes, heads[~is_known])

    def _leads_alike(self, some: Rows, others: Rows) -> npt.NDArray[np.bool_]:
        """Return where two rows lead to the same memory."""
        found: npt.NDArray[np.bool_] = self._memories[some] == self._memories[others]
        return found & ~self._dead[some] & ~self._dead[others]

    def _reserve(self, rows: int) -> None:
        if rows > len(self._keys):
            capacity = max(1024, int(rows * GROWTH))
            for name in _COLUMNS:
                old = getattr(self, name)
                new = np.empty(capacity, old.dtype)  # untouched pages cost no memory
                new[: self._size] = old[: self._size]
                setattr(self, name, new)

    def by_digest(self, digests: UInts) -> npt.NDArray[np.int64]:
        """Return, for digests (n, 2), the memories that they lead to, 0 where there is none."""
        wanted = (digests[:, 0].copy(), digests[:, 1].copy())
        return self._memories_of(self._by_digest.find((self._keys, self._checks), wanted)[0])

    def by_id(self, ids: UInts) -> npt.NDArray[np.int64]:
        """Return, for id hashes (n,), the memories that have them, 0 where there is none."""
        return self._memories_of(self._by_id.find((self._ids,), (ids,))[0])

    def by_hash(self, hashes: UInts) -> Rows:
        """Return, for content hashes (n,), the newest row that has it, -1 where there is none; see `led_to`."""
        return self._by_hash.find((self._hashes,), (hashes,))[0]

    def led_to(self, row: int) -> list[MemoryKey]:
        """Return all memories to which the content hash of a row leads, by age."""
        memories = set()
        while row >= 0:
            if not self._dead[row]:
                memories.add(MemoryKey(int(self._memories[row])))
            row = int(self._following[row])
        return sorted(memories)

    def founding(self, row: int) -> list[tuple[MemoryKey, bool]]:
        """Return what `led_to` does, each with whether the hash is its founder's."""
        found: dict[MemoryKey, bool] = {}
        while row >= 0:
            if not self._dead[row]:
                memory = MemoryKey(int(self._memories[row]))
                found[memory] = found.get(memory, False) or bool(self._ids[row])
            row = int(self._following[row])
        return sorted(found.items())

    def founder_hashes(self, memories: npt.NDArray[np.int64]) -> UInts:
        """Return the content hashes of the founders of memories, 0 where that is not sure."""
        rows = np.flatnonzero(np.isin(self._memories[: self._size], memories))
        rows = rows[(self._ids[rows] != 0) & ~self._dead[rows]]
        rows = rows[np.argsort(self._memories[rows], kind="stable")]
        if not len(rows):
            return np.zeros(len(memories), np.uint64)
        at = np.minimum(np.searchsorted(self._memories[rows], memories), len(rows) - 1)
        return np.where(self._memories[rows][at] == memories, self._hashes[rows][at], 0).astype(np.uint64)

    def _memories_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        if not self._size:
            return np.zeros(len(rows), np.int64)
        return np.where(rows >= 0, self._memories[rows], 0)

    def retire(self, memories: list[MemoryKey]) -> None:
        """Let the content hashes that lead to memories lead there no longer (their records were replaced)."""
        for start in range(0, self._size, _BLOCK):
            block = slice(start, min(start + _BLOCK, self._size))
            self._dead[block] |= np.isin(self._memories[block], memories)


class Columns(NamedTuple):
    """The hashes of a batch: digests (n, 2), the first halves of content hashes (n,), id hashes (n,)."""

    digests: UInts
    hashes: UInts
    ids: UInts


def columns_of(digests: Sequence[bytes], content_hashes: Sequence[bytes], id_hashes: Sequence[bytes]) -> Columns:
    """Return hashes of 16, 16 and 8 bytes as arrays."""
    halves, contents, ids = (
        np.frombuffer(b"".join(column), np.uint64) for column in (digests, content_hashes, id_hashes)
    )
    return Columns(halves.reshape(-1, 2), contents[::2].copy(), ids)
