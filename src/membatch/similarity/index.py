"""The index of one open store: what is known, and for each batch what could be the same.

Rule: the store is the only truth; the index is rebuilt from its fingerprints and advanced after each commit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from membatch.plan import Batch, Digest, Fingerprints, Hits, Hold, Insert, MemoryKey, Merge, Plan, Similar, StoredRow
from membatch.similarity.crowd import LEAST, Fetch
from membatch.similarity.crowds import Asking, Crowds
from membatch.similarity.guards import GuardRow
from membatch.similarity.join import Found, Join
from membatch.similarity.known import Columns, Known, columns_of
from membatch.threads import other_thread

NO_GUARDS: Final[Mapping[str, GuardRow]] = {}
FIRST: Final = MemoryKey(1)


def nothing(keys: Iterable[MemoryKey]) -> Mapping[MemoryKey, StoredRow]:
    """Return no rows: for an index that has no memories but the batch's."""
    return {}


class Index:
    """Finds, for each record of a batch, the memories that could be the same; grows with each commit.

    Where a record has `crowd` candidates and more, those that `guards` refuse are left out in compiled code.
    """

    def __init__(
        self,
        strategy: str,
        lowest_score: Fraction,
        guards: Mapping[str, GuardRow] = NO_GUARDS,
        crowd: int = LEAST,
    ) -> None:
        self._known = Known()
        self._crowds = Crowds(self._known, lowest_score, guards, crowd)
        self._kept: tuple[list[Digest], Columns] | None = None
        self._join: Join | None = None
        if strategy == "similar":
            self._join = Join(lowest_score, crowd if self._crowds.mask else 0, self._known.founder_hashes)

    def load(self, blocks: Iterable[Fingerprints]) -> bool:
        """Enter all fingerprints of a store; nothing was entered before.

        Returns False, and is of no use, where tokens that it needs are not there.
        """
        for number, block in enumerate(blocks):
            ahead = 0 if number else block.ahead  # room for all is made with the first
            ids, memories = block.id_hashes.view(np.uint64), block.memories.astype(np.uint32)
            self._known.append(block.hashes[:, :2], block.hashes[:, 2], ids, memories, block.superseded, ahead)
            if self._join is not None:
                if block.lacks_tokens:
                    return False
                scopes = self._join.scope_numbers(block.scopes)
                self._join.load(block.tokens, block.sizes, scopes, memories[block.stands], ahead)
        if self._join is None:
            self._known.enter_all()
            return True
        with other_thread("known") as other:
            known = other.submit(self._known.enter_all)
            self._join.enter_all()
            known.result()
        return True

    def _columns(self, batch: Batch) -> Columns:
        """Return the hashes of a batch; those of the one looked up last are kept for when it is known."""
        kept = self._kept
        if kept is None or kept[0] is not batch.digests:
            kept = self._kept = batch.digests, columns_of(batch.digests, batch.content_hashes, batch.id_hashes)
        return kept[1]

    def find(
        self,
        batch: Batch,
        fetch: Fetch = nothing,
        oldest: MemoryKey = FIRST,
        others: frozenset[MemoryKey] = frozenset(),
    ) -> Hits:
        """Return the hits of a batch in the store as it is before the batch.

        `fetch` returns rows of the store; only memories from `oldest` on are of interest, `others` among them aside.
        """
        digests, hashes, ids = self._columns(batch)
        known = self._known.by_digest(digests)
        open_ = known == 0
        open_[list(batch.rejections)] = False
        holders = np.where(open_, self._known.by_id(ids), 0)
        heads = np.where(open_, self._known.by_hash(hashes), -1)
        similar, first_alike, compared, found = self._similar(batch, open_, hashes)
        length = len(batch) if found is None else found.length
        led = self._crowds.led(heads, hashes, open_)
        alone = open_ & (holders == 0) & (heads < 0)
        for column in (digests[:, 0], ids, hashes):
            alone &= _occurs_once(column)
        hits = Hits(
            length=length,
            compared=compared,
            similar=similar,
            by_digest=_where(known),
            by_id=_where(holders),
            by_hash=led.by_record,
            first_alike=first_alike,
            crowd=self._crowds.least if self._crowds.mask else 0,
        )
        asking = Asking(batch, open_, hashes, oldest, others, fetch)
        looked = self._crowds.look(asking, led, self._join, found, length)
        if looked is not None:
            for record, more in looked.similar.items():
                similar.setdefault(record, []).extend(more)
            hits.by_hash = {**hits.by_hash, **looked.by_hash}
            hits.here_by_hash, hits.refusing = looked.here_by_hash, looked.refusing
            hits.length, hits.compared = looked.length, compared + looked.compared
            alone[looked.touched] = False
        for record, some in similar.items():
            alone[record] = False
            alone[[hit.record for hit in some if hit.record >= 0]] = False
        hits.alone = alone[: hits.length].tobytes()
        return hits

    def _similar(
        self, batch: Batch, wanted: npt.NDArray[np.bool_], hashes: npt.NDArray[np.uint64]
    ) -> tuple[dict[int, list[Similar]], dict[int, int], int, Found | None]:
        join = self._join
        if join is None:
            return {}, {}, 0, None
        before = int(join.counted[1])
        firsts = _firsts(hashes, wanted)
        repeats = firsts != np.arange(len(batch))
        found = join.find(batch.tokens, join.scope_numbers(batch.scopes), wanted, repeats)
        records, rows, shared, union = found.hits.T
        earlier = np.maximum(rows - join.founders, -1)  # records of the batch
        hits = list(map(Similar, *(one.tolist() for one in (join.memories_of(rows), earlier, shared, union))))
        starts = np.flatnonzero(np.diff(records, prepend=-1))  # one record after the other
        bounds = itertools.pairwise([*starts.tolist(), len(hits)])
        similar = {
            record: hits[start:stop] for record, (start, stop) in zip(records[starts].tolist(), bounds, strict=True)
        }
        hidden = np.flatnonzero(found.hidden)
        first_alike = dict(zip(hidden.tolist(), firsts[hidden].tolist(), strict=True))
        return similar, first_alike, int(join.counted[1]) - before, found

    def advance(self, plan: Plan) -> None:
        """Make a committed plan's fingerprints known."""
        batch, count = plan.batch, len(plan.steps)
        leads, founds = np.ones(count, np.bool_), np.ones(count, np.bool_)  # to a memory; the founder of one
        memories = np.zeros(count, np.int64)
        replacing: list[int] = []  # records
        for step in plan.others:
            if isinstance(step, Merge):
                memories[step.record], founds[step.record] = step.memory, False
                if step.replaces:
                    replacing.append(step.record)
            elif not isinstance(step, Hold):
                leads[step.record] = founds[step.record] = False
        founding = np.flatnonzero(founds)
        if len(founding):  # they take one key after the other
            first = plan.steps[founding[0]]
            assert isinstance(first, Insert | Hold)
            memories[founding] = np.arange(first.key, first.key + len(founding))
        dead = self._replace(memories, replacing)
        digests, hashes, ids = self._columns(batch)
        if self._join is not None:
            stays = founds.copy()
            stays[replacing] = True
            there = np.flatnonzero(stays & ~dead)
            self._join.keep(there, memories[there], hashes)
        rows = np.flatnonzero(leads)
        if len(rows):
            self._known.add(
                digests[rows],
                hashes[rows],
                np.where(founds[rows], ids[rows], 0),
                memories[rows].astype(np.uint32),
                dead[rows],
            )
            rows = rows[~dead[rows]]
            replaced = memories[replacing].tolist()
            self._crowds.advance(hashes[rows], memories[rows], founds[rows], replaced)

    def _replace(self, memories: npt.NDArray[np.int64], replacing: list[int]) -> npt.NDArray[np.bool_]:
        """Retire what some records replace; return which records lead to their memory no longer."""
        dead = np.zeros(len(memories), np.bool_)
        if replacing:
            replaced = memories[replacing].tolist()
            self._known.retire(replaced)
            if self._join is not None:
                self._join.retire(replaced)
            for memory, last in dict(zip(replaced, replacing, strict=True)).items():
                dead[:last] |= memories[:last] == memory
        return dead


def _where(memories: npt.NDArray[np.int64]) -> dict[int, MemoryKey]:
    records = np.flatnonzero(memories)
    return dict(zip(records.tolist(), memories[records].tolist(), strict=True))


def _firsts(hashes: npt.NDArray[np.uint64], open_: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return, for each record, the first open one with its content hash; itself where it is not open."""
    firsts, records = np.arange(len(hashes)), np.flatnonzero(open_)
    _, first, inverse = np.unique(hashes[records], return_index=True, return_inverse=True)
    firsts[records] = records[first[inverse]]
    return firsts


def _occurs_once(column: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    once: npt.NDArray[np.bool_] = counts[inverse] == 1
    return once
