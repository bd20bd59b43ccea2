"""The crowds of an open index: which there are, what is known of their members, what they mean for a batch.

Rule: the store is the only truth; what a commit changes of a memory is forgotten here, and asked again when needed.
Data in: the records of a batch with what the join and the table of hashes found. Data out: hits.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from membatch.plan import Batch, MemoryKey, Refusing, Similar
from membatch.similarity.columns import Asked, Rule
from membatch.similarity.crowd import Crowd, Fetch, learn_missing
from membatch.similarity.facts import Whos, mask_of
from membatch.similarity.guards import GuardRow
from membatch.similarity.kernels import UNKNOWN
from membatch.similarity.known import Known

if TYPE_CHECKING:
    from membatch.similarity.join import Found, Join
    from membatch.similarity.parts import Part

_FOUNDER, _ABSORBED = 0, 1  # instead of hashes, in the crowd of a hash
Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class Asking(NamedTuple):
    """What is looked for: the records of a batch, which of them are open, their content hashes; among which memories.

    These are the ones from the oldest on, the others aside.
    """

    batch: Batch
    open: npt.NDArray[np.bool_]
    hashes: Hashes
    oldest: int
    others: frozenset[MemoryKey]
    fetch: Fetch


class Led(NamedTuple):
    """Where content hashes lead: for each record the memories, or the crowd of its hash."""

    by_record: dict[int, list[MemoryKey]]
    crowds: dict[int, Crowd]  # by content hash


class Looked(NamedTuple):
    """What crowds mean for a batch: pairs left to be judged, how many records they cover, pairs compared."""

    similar: dict[int, list[Similar]]
    by_hash: dict[int, list[MemoryKey]]
    here_by_hash: dict[int, list[int]]
    touched: Numbers
    length: int
    compared: int
    refusing: Refusing


class Crowds:
    """The crowds of content hashes, and the facts of these and of the join's."""

    def __init__(self, known: Known, lowest: Fraction, guards: Mapping[str, GuardRow], least: int) -> None:
        self.mask = mask_of(guards)
        self._known, self.least, self._lowest = known, least, lowest
        self._whos = Whos()
        self._of_hash: dict[int, Crowd] = {}
        self._changed = np.empty(0, np.int64)  # memories that merges have changed

    def led(self, heads: Numbers, hashes: Hashes, open_: npt.NDArray[np.bool_]) -> Led:
        """Return where the content hashes of records lead; `heads` are the newest rows that have them, or -1."""
        by_record: dict[int, list[MemoryKey]] = {}
        crowds: dict[int, Crowd] = {}
        records = np.flatnonzero(open_ & (heads >= 0))
        for record, value, head in zip(
            records.tolist(), hashes[records].tolist(), heads[records].tolist(), strict=True
        ):
            if value in crowds:
                continue
            crowd = self._of_hash.get(value)
            if crowd is None:
                led_to = self._known.founding(head)
                if not self.mask or len(led_to) < self.least:
                    if led_to:
                        by_record[record] = [memory for memory, _ in led_to]
                    continue
                crowd = self._of_hash[value] = Crowd(1, 0, is_hash=True)
                _add(crowd, [memory for memory, _ in led_to], [founds for _, founds in led_to])
            crowds[value] = crowd
        return Led({record: found for record, found in by_record.items() if int(hashes[record]) not in crowds}, crowds)

    def look(self, asking: Asking, led: Led, join: Join | None, found: Found | None, length: int) -> Looked | None:
        """Return what crowds mean for the first `length` records of a batch, None if it touches none."""
        if not led.crowds and (found is None or not len(found.touches.rows)):
            return None
        from membatch.similarity.parts import Part, Records
        from membatch.similarity.refusals import Refusals

        asked = _asked(asking, None if found is None else join)
        records = Records(asking.batch.records, asked, self._whos)
        rule = Rule(self.mask, self._lowest.numerator, self._lowest.denominator, 0, max(1, asking.oldest))
        crowds = list(led.crowds.values())
        touched = [np.flatnonzero(asking.open & (asking.hashes == np.uint64(value))) for value in led.crowds]
        families = {} if found is None or join is None else join.families.touched_by(found.touches)
        crowds += families.values()
        learn_missing(crowds, self._changed, asking.fetch, self._whos)
        there = [(some, np.ones(len(some), np.int64), some) for some in touched]
        for number in families:
            assert found is not None
            where = found.touches.crowds == number
            members = np.flatnonzero(found.crowds == number)
            there.append((found.touches.rows[where], found.touches.shared[where], members))
        parts = []
        for crowd, (some, shared, members) in zip(crowds, there, strict=True):
            records.learn(some.tolist())
            records.learn(members.tolist())
            part = Part(crowd, (some, shared), members, rule, records, asking.others)
            if not part.is_hash:
                part.lead(*_pairs(led, asking.hashes, some))
            parts.append(part)
        return _taken(parts, Refusals(records, parts, self.mask), length)

    def advance(
        self, hashes: Hashes, memories: Numbers, founds: npt.NDArray[np.bool_], replaced: list[MemoryKey]
    ) -> None:
        """Take note of the hashes that lead to memories after a commit, and of which these are the founder's."""
        self._changed = np.concatenate([self._changed, memories[~founds], np.array(replaced, np.int64)])
        if replaced:
            self._of_hash = {
                value: crowd
                for value, crowd in self._of_hash.items()
                if not np.isin(crowd.columns().memories, replaced).any()
            }
        if not self._of_hash:
            return
        for value in np.intersect1d(hashes, np.array(list(self._of_hash), np.uint64)).tolist():
            crowd, there = self._of_hash[value], hashes == np.uint64(value)
            fresh, first = np.unique(memories[there], return_index=True)
            is_new = ~np.isin(fresh, crowd.columns().memories)
            _add(crowd, fresh[is_new], founds[there][first][is_new])


def _add(crowd: Crowd, memories: Any, founds: Any) -> None:
    hashes = np.where(np.array(founds, np.bool_), _FOUNDER, _ABSORBED).astype(np.uint64)
    crowd.add(memories, hashes, np.empty((len(memories), 0), np.int32))


def _asked(asking: Asking, join: Join | None) -> Asked:
    count = len(asking.batch)
    if join is None:
        sizes, starts, digits = np.ones(count, np.int64), np.zeros(count + 1, np.int64), np.empty(0, np.int32)
    else:
        sizes, starts, digits = join.digits()
    return Asked(
        who=np.full(count, UNKNOWN, np.int32),
        time=np.zeros(count, np.int64),
        numbers=np.zeros(count, np.int32),
        contents=np.zeros(count, np.int32),
        hashes=asking.hashes.copy(),
        sizes=sizes,
        starts=starts,
        digits=digits,
    )


def _pairs(led: Led, hashes: Hashes, records: Numbers) -> tuple[Hashes, Numbers]:
    """Return the content hashes of records with the memories to which they lead, founders of crowds left out."""
    found_hashes, found_memories = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for value in np.unique(hashes[records]).tolist():
        crowd = led.crowds.get(value)
        if crowd is not None:
            columns = crowd.columns()
            found_memories.append(columns.memories[columns.hashes == _ABSORBED])
            found_hashes.append(np.full(len(found_memories[-1]), value, np.uint64))
    for record in records.tolist():
        memories = led.by_record.get(record)
        if memories:
            found_memories.append(np.array(memories, np.int64))
            found_hashes.append(np.full(len(memories), hashes[record]))
    return np.concatenate(found_hashes), np.concatenate(found_memories)


def _taken(parts: list[Part], refusing: Any, length: int) -> Looked:
    similar: dict[int, list[Similar]] = {}
    by_hash: dict[int, list[MemoryKey]] = {}
    here_by_hash: dict[int, list[int]] = {}
    compared = 0
    for part in parts:
        stored, here, done, examples = part.take()
        if done < len(part.records):
            length = min(length, max(1, int(part.records[done])))
        refusing.examples += examples
        if part.is_hash:
            for record, memory, _, _ in stored:
                by_hash.setdefault(record, []).append(MemoryKey(memory))
            for record, other, _, _ in here:
                here_by_hash.setdefault(record, []).append(other)
            continue
        compared += part.pairs()
        for record, memory, shared, union in stored:
            similar.setdefault(record, []).append(Similar(MemoryKey(memory), -1, shared, union))
        for record, other, shared, union in here:
            similar.setdefault(record, []).append(Similar(MemoryKey(0), other, shared, union))
    touched = [np.empty(0, np.int64), *(part.records for part in parts), *(part.members for part in parts)]
    return Looked(similar, by_hash, here_by_hash, np.unique(np.concatenate(touched)), length, compared, refusing)
