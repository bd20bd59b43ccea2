"""What guards refuse of a batch in compiled code: which pairs are left to be judged, how many are refused by which.

Rule: whoever decides is told what a look at pair by pair would tell: the same candidates, the same counts. Crowds
are looked over when a batch is found, which gives the candidates; those members that are records of the batch once
more at the turn of each record, when it is known which of them have founded a memory.
Data in: crowds and the records of a batch. Data out: hits, and at a record's turn what was refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from membatch.patch import Document
from membatch.plan import Candidate, Counted, MemoryKey, Refused
from membatch.similarity import crowd_kernels as kernels
from membatch.similarity.columns import (
    EXAMPLES,
    NONE,
    NUMBERS,
    OUTCOMES,
    UNKNOWN,
    Asked,
    Columns,
    Led,
    Rank,
    Rule,
)
from membatch.similarity.crowd import Crowd
from membatch.similarity.facts import GUARD_NAMES, Compact, Whos
from membatch.similarity.guards import Facts

_YOUNG: Final = 2**62  # instead of the key of a memory that a record of the batch may found
_ANY: Final = Rank(0, 1, 0)
_NO: Final = Rank(1, 1, 0)
_AT_FIRST: Final = 1 << 14  # pairs for which there is room
_NO_LED: Final = Led(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))
_MOST_PAIRS: Final = 1 << 20  # left to be judged, of one batch; past that it is decided in parts
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


class Part:
    """One crowd and the records of a batch that touch it; some records of the batch may belong to it themselves.

    Of a crowd of one content hash (`is_hash`) every member is a candidate, and numbers are not asked.
    """

    def __init__(
        self, crowd: Crowd, records: Numbers, shared: Numbers, members: Numbers, *, is_hash: bool, rule: Rule
    ) -> None:
        self.crowd, self.is_hash = crowd, is_hash
        self.records, self.shared, self.members = records, shared, members
        self._rule = rule._replace(size=crowd.size, mask=rule.mask & ~(1 << NUMBERS) if is_hash else rule.mask)
        self._before = np.searchsorted(members, records)  # how many members of the batch come before each record
        self.stored = crowd.columns()
        self._led = _NO_LED
        self._no_stamps = np.zeros(max(crowd.count, len(members), 1), np.int64)
        self._here = self.stored
        self.counted = np.empty(0, np.int32)

    def lead(self, hashes: npt.NDArray[np.uint64], memories: Numbers) -> None:
        """Take note that content hashes lead to memories, whether or not these are members."""
        order = np.argsort(self.stored.memories)
        at = np.minimum(np.searchsorted(self.stored.memories, memories, sorter=order), len(order) - 1)
        members = order[at] if len(order) else at
        there = self.stored.memories[members] == memories if len(order) else np.zeros(len(at), np.bool_)
        hashes, members = hashes[there], members[there]
        order = np.argsort(hashes, kind="stable")
        self._led = Led(hashes[order], members[order], np.zeros(len(self.stored.who), np.int64))

    def take(self, records: Records) -> tuple[list[Any], list[Any], int, list[Refused]]:
        """Return the pairs left to be judged, with stored memories and with records; of how many records; examples."""
        asked, members, width = self._asked(records), self.members, self.crowd.width
        digits = asked.digits[asked.starts[members][:, None] + np.arange(width)] if width else None
        self._here = Columns(
            asked.who[members],
            asked.time[members],
            asked.numbers[members],
            asked.contents[members],
            asked.hashes[members],
            np.full(len(members), _YOUNG),
            np.empty((len(members), 0), np.int32) if digits is None else digits,
        )
        if self.is_hash:
            self._here.hashes[:] = 0
        everything = np.full(len(self.records), len(self.stored.who))
        stored = self._look(self.stored, everything, records, self.records, self.shared)
        here = self._look(self._here, self._before, records, self.records[: stored.done], self.shared)
        self.counted = stored.counted
        known = [(a, int(self.stored.memories[b]), c, d) for a, b, c, d in stored.pairs.tolist()]
        fresh = [(a, int(members[b]), c, d) for a, b, c, d in here.pairs.tolist()]
        return known, fresh, here.done, list(self._examples(stored, self.stored.memories))

    def pairs(self) -> int:
        """Return how many pairs were compared."""
        return len(self.stored.who) * len(self.records) + int(self._before.sum())

    def _asked(self, records: Records) -> Asked:
        return records.alike if self.is_hash else records.asked

    def _look(
        self,
        members: Columns,
        limits: Numbers,
        of: Records,
        records: Numbers,
        shared: Numbers,
        rank: Rank = _ANY,
        least: int = _AT_FIRST,
    ) -> Look:
        counted = np.zeros((len(records), self.crowd.width + 1, OUTCOMES), np.int32)
        examples = np.zeros((OUTCOMES, EXAMPLES, 4), np.int64)
        exampled = np.zeros(OUTCOMES, np.int64)
        memo = np.full(len(of.whos) + 1, -1, np.int8)
        if members is self.stored and len(self._led.hashes):
            led = self._led._replace(stamps=np.zeros(len(members.who), np.int64))
        else:
            led = _NO_LED._replace(stamps=self._no_stamps)
        room = max(least, int(limits[: len(records)].max(initial=0)))
        parts, at, total = [np.empty((0, 4), np.int64)], 0, 0
        while at < len(records) and total < _MOST_PAIRS:
            found = np.empty((room, 4), np.int64)
            at, hits = kernels.look_over(
                at,
                records,
                shared,
                limits,
                self._asked(of),
                members,
                led,
                of.whos.table(),
                memo,
                self._rule,
                rank,
                found,
                counted,
                examples,
                exampled,
            )
            parts.append(found[:hits])
            total += hits
        return Look(np.concatenate(parts), at, counted, examples, exampled)

    def found(self, member: int, memory: MemoryKey) -> None:
        """Take note that a member of the batch has founded a memory."""
        self._here.memories[member] = memory

    def nothing_founded(self) -> None:
        """Begin to decide: no record of the batch has founded a memory."""
        self._here.memories[:] = 0

    def at_turn(self, number: int, records: Records, chosen: Candidate | None) -> tuple[Any, list[Refused]]:
        """Return the counts of a record (tokens with a digit that both have, guard), and a few examples.

        `number` is its place among those of the part; only what comes before `chosen` counts for a guard.
        """
        one = slice(number, number + 1)
        counts, rank = self.counted[number], self._rank(chosen)
        if rank is not _ANY:
            everything = np.full(1, len(self.stored.who))
            counts = self._look(self.stored, everything, records, self.records[one], self.shared[one], rank).counted[0]
        if not self._before[number]:
            return counts, []
        here = self._look(self._here, self._before[one], records, self.records[one], self.shared[one], rank, 0)
        return counts + here.counted[0], list(self._examples(here, self._here.memories))

    def _rank(self, chosen: Candidate | None) -> Rank:
        if chosen is None or (self.is_hash and chosen.step != "hash"):
            return _ANY
        if self.is_hash:
            return Rank(1, 1, chosen.memory)
        return _NO if chosen.step == "hash" else Rank(chosen.shared, chosen.union, chosen.memory)

    def refused_alone(self, number: int, memory: MemoryKey, records: Records, chosen: Candidate | None) -> int:
        """Return the guard that a member is counted for as refused, NONE where it is not."""
        one = slice(number, number + 1)
        for columns in (self.stored, self._here):
            for member in np.flatnonzero(columns.memories == memory).tolist():
                alone = Columns(*(column[member : member + 1] for column in columns))
                look = self._look(
                    alone, np.ones(1, np.int64), records, self.records[one], self.shared[one], self._rank(chosen), 0
                )
                refused = look.counted[0].sum(axis=0)[1:].tolist()
                return 1 + refused.index(1) if any(refused) else NONE
        return NONE

    def scores(self, number: int, counts: Any, records: Records) -> Iterator[tuple[int, int, int]]:
        """Yield the scores of what was refused: shared, union, how often."""
        size = int(records.asked.sizes[self.records[number]]) + self.crowd.size
        for both, amount in enumerate(counts.sum(axis=1).tolist(), int(self.shared[number])):
            if amount:
                yield both, size - both, amount

    def _examples(self, look: Look, memories: Any) -> Iterator[Refused]:
        for guard in range(1, OUTCOMES):
            for record, member, shared, union in look.examples[guard, : look.exampled[guard]].tolist():
                yield Refused(GUARD_NAMES[guard], record, MemoryKey(int(memories[member])), shared, union)


class Refusals:
    """The parts of a batch, for whoever decides it."""

    def __init__(self, records: Records, parts: list[Part], mask: int) -> None:
        self._records, self._parts, self._mask = records, parts, mask
        self._of: dict[int, list[tuple[Part, int]]] = {}  # record -> the parts it touches, and its place in each
        self._member: dict[int, list[tuple[Part, int]]] = {}
        self.examples: list[Refused] = []
        for part in parts:
            for place, record in enumerate(part.records.tolist()):
                self._of.setdefault(record, []).append((part, place))
            for place, record in enumerate(part.members.tolist()):
                self._member.setdefault(record, []).append((part, place))
        self._touching = np.array(sorted(self._of), np.int64)
        self._stored: dict[int, Compact] | None = None

    def begin(self) -> None:
        """Begin to decide the batch."""
        for part in self._parts:
            part.nothing_founded()

    def found(self, record: int, memory: MemoryKey) -> None:
        """Take note that a record has founded a memory."""
        for part, place in self._member.get(record, ()):
            part.found(place, memory)

    def is_led(self, record: int, memory: MemoryKey) -> bool:
        """Return whether a crowd of the record's content hash has a stored memory."""
        return any(part.is_hash and part.crowd.has(memory) for part, _ in self._of.get(record, ()))

    def touches(self, record: int) -> bool:
        """Return whether a record touches a crowd."""
        return record in self._of

    def knows_hash(self, record: int) -> bool:
        """Return whether the content hash of a record has a crowd."""
        return any(part.is_hash for part, _ in self._of.get(record, ()))

    def at_turn(self, record: int, led: Iterable[MemoryKey], chosen: Candidate | None) -> Counted:
        """Return what was refused of a record before `chosen`; those that its hash led to count once, there."""
        by_guard: dict[str, int] = {}
        scores: dict[tuple[int, int], int] = {}
        examples: list[Refused] = []
        for part, place in self._of.get(record, ()):
            counts, some = part.at_turn(place, self._records, chosen)
            examples += some
            totals = counts.sum(axis=0).tolist()
            if not part.is_hash:
                for shared, union, amount in part.scores(place, counts, self._records):
                    scores[shared, union] = scores.get((shared, union), 0) + amount
                for memory in led:
                    totals[part.refused_alone(place, memory, self._records, chosen)] -= 1
            for guard, name in GUARD_NAMES.items():
                if totals[guard]:
                    by_guard[name] = by_guard.get(name, 0) + totals[guard]
        return Counted(by_guard, scores, examples)

    def must_end(self, record: int, memory: MemoryKey, founder: int | None, document: Document) -> bool:
        """Return whether what a record made of a memory changes what was found of a later one."""
        old = self._facts_of(memory) if founder is None else self._records.facts_of(founder)
        later = self._touching[np.searchsorted(self._touching, record, "right") :]
        if old is None or old.who == UNKNOWN or not len(later):
            return False
        new = self._records.whos.compact(Facts(document))
        if new == old:
            return False
        table = self._records.whos.table()
        return bool(kernels.verdict_changes(later, self._records.asked, tuple(old), tuple(new), table, self._mask))

    def _facts_of(self, memory: MemoryKey) -> Compact | None:
        if self._stored is None:
            self._stored = {}
            for part in self._parts:
                columns = part.stored
                facts = zip(columns.who, columns.time, columns.numbers, columns.contents, strict=True)
                self._stored.update(zip(columns.memories.tolist(), facts, strict=True))  # type: ignore[arg-type]
        found = self._stored.get(memory)
        return None if found is None else Compact(*map(int, found))
