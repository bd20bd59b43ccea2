"""One crowd looked over for the records of a batch: the pairs left to be judged, and counts of the others.

Rule: what is found when the batch is found stays as it was then; what records of the batch change is kept beside it.
Data in: the members of a crowd, the records that touch it. Data out: pairs, counts, examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from membatch.plan import Candidate, MemoryKey, Refused
from membatch.similarity import kernels
from membatch.similarity.columns import Asked, Changes, Columns, Led, Rank, Rule, Zones
from membatch.similarity.crowd import Crowd, zones_of
from membatch.similarity.facts import GUARD_NAMES, Compact, Whos
from membatch.similarity.guards import Facts
from membatch.similarity.kernels import EXAMPLES, NONE, NUMBERS, OUTCOMES, UNKNOWN, ZONE

_YOUNG: Final = 2**62  # instead of the key of a memory that a record of the batch may found
_ANY: Final = Rank(0, 1, 0)
_NO: Final = Rank(1, 1, 0)
_AT_FIRST: Final = 1 << 14  # pairs for which there is room
_NO_LED: Final = Led(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
_KINDS: Final = (np.int64, np.int32, np.int64, np.int32, np.int32)  # of what is noted of a changed member
_MOST_PAIRS: Final = 1 << 18  # left to be judged, of one batch; past that it is decided in parts
Numbers = npt.NDArray[np.int64]
_decode = msgspec.json.decode


class Records:
    """The records of a batch as compiled code asks about them; facts are worked out for those that need them."""

    def __init__(self, texts: list[bytes], asked: Asked, whos: Whos) -> None:
        self._texts, self.whos = texts, whos
        self.asked = asked
        self.alike = asked._replace(sizes=np.ones_like(asked.sizes))  # as crowds of a hash count tokens

    def learn(self, records: Iterable[int]) -> None:
        """Work out the facts of records."""
        asked = self.asked
        for record in records:
            if asked.who[record] == UNKNOWN:
                facts = self.whos.compact(Facts(_decode(self._texts[record])))
                asked.who[record], asked.time[record], asked.numbers[record], asked.contents[record] = facts

    def facts_of(self, record: int) -> Compact:
        """Return the facts of a record."""
        asked = self.asked
        return Compact(
            int(asked.who[record]), int(asked.time[record]), int(asked.numbers[record]), int(asked.contents[record])
        )


class Look(NamedTuple):
    """What a look over members found: pairs (record, member, shared, union), and counts of the others."""

    pairs: Numbers
    done: int  # how many records were looked at
    counted: npt.NDArray[np.int32]
    examples: Any
    exampled: Any


_NOTHING: Final = Look(np.empty((0, 4), np.int64), 0, np.empty((0, 0, 0), np.int32), None, None)


class Changed:
    """The members of a crowd that records of the batch have changed, and their facts now."""

    def __init__(self) -> None:
        self.count = 0
        self._places: dict[int, int] = {}
        self.changes = Changes(*(np.zeros(16, kind) for kind in _KINDS))

    def note(self, member: int, facts: Compact) -> None:
        """Take note of the facts of a member."""
        place = self._places.setdefault(member, self.count)
        if place == self.count:
            self.count += 1
            if place == len(self.changes.members):
                self.changes = Changes(*(np.concatenate([column, column]) for column in self.changes))
        for column, value in zip(self.changes, (member, *facts), strict=True):
            column[place] = value


class Members:
    """Members of a crowd, stored ones or records of the batch, as they were when the batch was found."""

    def __init__(self, columns: Columns, zones: Zones) -> None:
        self.columns, self.zones, self.led = columns, zones, _NO_LED
        self.changed = Changed()
        kernels.write_zones(columns, zones)
        self.founded = 0  # how many members have each founded a memory, up to the first that has not
        self._missing = np.zeros(0, np.int64)  # how many members of each zone have founded no memory
        self._unstamped = np.zeros(max(1, len(columns.who)), np.int64)

    def begin(self, *, founded: bool) -> None:
        """Begin to decide: no record of the batch has changed a memory, nor founded one."""
        self.changed = Changed()
        if not founded:
            self.founded = 0
            self.columns.memories[:] = 0
            self.zones.memories[:] = 0
            self._missing = np.diff(np.append(np.arange(0, len(self.columns.who), ZONE), len(self.columns.who)))

    def found(self, member: int, memory: MemoryKey) -> None:
        """Take note that a record of the batch has founded a memory."""
        memories, zone = self.columns.memories, member // ZONE
        memories[member] = memory
        while self.founded < len(memories) and memories[self.founded]:
            self.founded += 1
        self._missing[zone] -= 1
        if not self._missing[zone]:
            there = memories[zone * ZONE : (zone + 1) * ZONE]
            self.zones.memories[zone] = there.min(), there.max()

    def stamped(self) -> Led:
        """Return where hashes lead, with room for stamps."""
        if not len(self.led.hashes):
            return self.led._replace(stamps=self._unstamped, zones=self._unstamped)
        zones = np.zeros(1 + len(self._unstamped) // ZONE, np.int64)
        return self.led._replace(stamps=np.zeros(len(self._unstamped), np.int64), zones=zones)

    def of(self, memory: MemoryKey) -> list[int]:
        """Return where a memory is a member: one place or none."""
        places: list[int] = np.flatnonzero(self.columns.memories == memory).tolist()
        return places

    def alone(self, member: int) -> Members:
        """Return one member by itself."""
        columns = Columns(*(column[member : member + 1] for column in self.columns))
        return Members(columns, Zones(*(column[:0] for column in self.zones)))


class Part:
    """One crowd and the records of a batch that touch it; some records of the batch may belong to it themselves.

    Of a crowd of one content hash (`is_hash`) every member is a candidate, and numbers are not asked.
    """

    def __init__(
        self,
        crowd: Crowd,
        touching: tuple[Numbers, Numbers],
        members: Numbers,
        rule: Rule,
        records: Records,
        others: frozenset[MemoryKey],
    ) -> None:
        self.is_hash = crowd.is_hash
        (self.records, self.shared), self.members = touching, members
        self._width, self._all = crowd.width, records
        self._asked = records.alike if self.is_hash else records.asked
        self._rule = rule._replace(size=crowd.size, mask=rule.mask & ~(1 << NUMBERS) if self.is_hash else rule.mask)
        self._before = np.searchsorted(members, self.records)  # how many members of the batch come before each record
        stored, here = crowd.columns(), self._columns_here()
        self._memories = stored.memories  # those that are no candidates among them
        if others:
            stored = stored._replace(memories=np.where(np.isin(stored.memories, list(others)), 0, stored.memories))
        self.stored, self._here = Members(stored, zones_of(stored)), Members(here, zones_of(here))
        self._found = self._found_here = _NOTHING  # when the batch was found
        self._first: list[tuple[str, int, int, int, int]] = []  # examples of these

    def _columns_here(self) -> Columns:
        asked, members, width = self._asked, self.members, self._width
        digits = asked.digits[asked.starts[members][:, None] + np.arange(width)] if width else None
        return Columns(
            asked.who[members],
            asked.time[members],
            asked.numbers[members],
            asked.contents[members],
            np.zeros(len(members), np.uint64) if self.is_hash else asked.hashes[members],
            np.full(len(members), _YOUNG),
            np.empty((len(members), 0), np.int32) if digits is None else digits,
        )

    def lead(self, hashes: npt.NDArray[np.uint64], memories: Numbers) -> None:
        """Take note that content hashes lead to memories, whether or not these are members."""
        there = self.stored.columns.memories
        if not len(there):
            return
        order = np.argsort(there)
        members = order[np.minimum(np.searchsorted(there, memories, sorter=order), len(order) - 1)]
        is_member = there[members] == memories
        hashes, members = hashes[is_member], members[is_member]
        order = np.argsort(hashes, kind="stable")
        self.stored.led = _NO_LED._replace(hashes=hashes[order], members=members[order])

    def take(self) -> tuple[list[Any], list[Any], int, list[Refused]]:
        """Return the pairs left to be judged, with stored memories and with records; of how many records; examples."""
        stored = self._look(self.stored, slice(0, len(self.records)), _ANY)
        here = self._look(self._here, slice(0, stored.done), _ANY)
        self._found, self._found_here = stored, here
        memories = self.stored.columns.memories
        known = [(a, int(memories[b]), c, d) for a, b, c, d in stored.pairs.tolist()]
        fresh = [(a, int(self.members[b]), c, d) for a, b, c, d in here.pairs.tolist()]
        self._first = [
            (GUARD_NAMES[guard], *example)
            for guard in GUARD_NAMES
            for example in here.examples[guard, : here.exampled[guard]].tolist()
        ]
        return known, fresh, here.done, list(self._examples(stored, memories))

    def has(self, memory: MemoryKey) -> bool:
        """Return whether a stored memory is a member, be it a candidate or not."""
        return bool((self._memories == memory).any())

    def pairs(self) -> int:
        """Return how many pairs were compared."""
        return len(self.stored.columns.who) * len(self.records) + int(self._before.sum())

    def _look(self, of: Members, some: slice, rank: Rank) -> Look:
        records, limits = self.records[some], self._before[some]
        if of is not self._here:
            limits = np.full(len(records), len(of.columns.who))
        counted = np.zeros((len(records), self._width + 1, OUTCOMES), np.int32)
        examples = np.zeros((OUTCOMES, EXAMPLES, 4), np.int64)
        exampled = np.zeros(OUTCOMES, np.int64)
        whos, led, shared = self._all.whos, of.stamped(), self.shared[some]
        memo = np.full(len(whos) + 1, -1, np.int8)
        room = max(_AT_FIRST if len(records) > 1 else 1, int(limits.max(initial=0)))
        parts, at, total = [np.empty((0, 4), np.int64)], 0, 0
        while at < len(records) and total < _MOST_PAIRS:
            found = np.empty((room, 4), np.int64)
            at, hits = kernels.look_over(
                at,
                records,
                shared,
                limits,
                self._asked,
                of.columns,
                of.zones,
                led,
                whos.table(),
                memo,
                self._rule,
                rank,
                found,
                counted,
                (examples, exampled),
            )
            parts.append(found[:hits])
            total += hits
        return Look(np.concatenate(parts), at, counted, examples, exampled)

    def begin(self) -> None:
        """Begin to decide: no record of the batch has founded or changed a memory."""
        self.stored.begin(founded=True)
        self._here.begin(founded=False)

    def found(self, member: int, memory: MemoryKey) -> None:
        """Take note that a member of the batch has founded a memory."""
        self._here.found(member, memory)

    def note(self, memory: MemoryKey, facts: Compact) -> None:
        """Take note of the facts that a memory has now."""
        for members in (self.stored, self._here):
            for member in members.of(memory):
                members.changed.note(member, facts)

    def at_turn(self, number: int, chosen: Candidate | None) -> tuple[Any, list[Refused]]:
        """Return the counts of a record (tokens with a digit that both have, guard), and a few examples.

        `number` is its place among those of the part; only what comes before `chosen` counts for a guard.
        """
        one, rank = slice(number, number + 1), self._rank(chosen)
        counts = self._found.counted[number] if rank is _ANY else self._look(self.stored, one, rank).counted[0]
        examples: list[Refused] = []
        if self._before[number]:
            memories = self._here.columns.memories
            if rank is _ANY and self._here.founded >= self._before[number]:  # as it was taken for granted
                counts = counts + self._found_here.counted[number]
                examples = self._examples_here(number)
            else:
                here = self._look(self._here, one, rank)
                counts = counts + here.counted[0]
                examples = list(self._examples(here, memories))
        for members in (self.stored, self._here):
            if members.changed.count:
                counts = counts.copy()
                self._recount(members, number, rank, counts)
        return counts, examples

    def _examples_here(self, number: int) -> list[Refused]:
        """Return the examples that were found of a record, by the memories that the others have founded."""
        record, memories = int(self.records[number]), self._here.columns.memories
        return [
            Refused(name, record, MemoryKey(int(memories[member])), shared, union)
            for name, other, member, shared, union in self._first
            if other == record
        ]

    def _recount(self, of: Members, number: int, rank: Rank, counts: Any) -> None:
        kernels.recount(
            self.records[number],
            self.shared[number],
            self._asked,
            of.columns,
            of.changed.changes,
            of.changed.count,
            of.stamped(),
            self._all.whos.table(),
            np.full(len(self._all.whos) + 1, -1, np.int8),
            self._rule,
            rank,
            np.empty((1, 4), np.int64),
            counts,
            np.empty_like(counts),
            (np.empty((OUTCOMES, 0, 4), np.int64), np.full(OUTCOMES, EXAMPLES, np.int64)),
        )

    def _rank(self, chosen: Candidate | None) -> Rank:
        if chosen is None or (self.is_hash and chosen.step != "hash"):
            return _ANY
        if self.is_hash:
            return Rank(1, 1, chosen.memory)
        return _NO if chosen.step == "hash" else Rank(chosen.shared, chosen.union, chosen.memory)

    def refused_alone(self, number: int, memory: MemoryKey, chosen: Candidate | None) -> int:
        """Return the guard that a member is counted for as refused, NONE where it is not."""
        for members in (self.stored, self._here):
            for member in members.of(memory):
                alone = members.alone(member)
                counts = self._look(alone, slice(number, number + 1), self._rank(chosen)).counted[0]
                refused = counts.sum(axis=0)[1:].tolist()
                return 1 + refused.index(1) if any(refused) else NONE
        return NONE

    def scores(self, number: int, counts: Any) -> Iterator[tuple[int, int, int]]:
        """Yield the scores of what was refused: shared, union, how often."""
        size = int(self._asked.sizes[self.records[number]]) + self._rule.size
        for both, amount in enumerate(counts.sum(axis=1).tolist(), int(self.shared[number])):
            if amount:
                yield both, size - both, amount

    def _examples(self, look: Look, memories: Any) -> Iterator[Refused]:
        for guard in range(1, OUTCOMES):
            for record, member, shared, union in look.examples[guard, : look.exampled[guard]].tolist():
                yield Refused(GUARD_NAMES[guard], record, MemoryKey(int(memories[member])), shared, union)
