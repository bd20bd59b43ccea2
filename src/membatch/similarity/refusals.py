"""What guards refuse of a batch in compiled code, for whoever decides it.

Rule: whoever decides is told what a look at pair by pair would tell: the same candidates, the same counts. Crowds
are looked over when a batch is found, which gives the candidates; those members that are records of the batch once
more at the turn of each record, unless all of them have founded a memory by then.
Data in: the parts of a batch. Data out: at a record's turn what was refused, and whether the plan must end.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from membatch.patch import Document
from membatch.plan import Candidate, Counted, MemoryKey, Refused
from membatch.similarity import kernels
from membatch.similarity.facts import GUARD_NAMES, Compact
from membatch.similarity.guards import Facts
from membatch.similarity.kernels import UNKNOWN
from membatch.similarity.parts import Part, Records


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
        self._noted: set[MemoryKey] = set()

    def begin(self) -> None:
        """Begin to decide the batch."""
        self._noted.clear()
        for part in self._parts:
            part.begin()

    def found(self, record: int, memory: MemoryKey) -> None:
        """Take note that a record has founded a memory."""
        for part, place in self._member.get(record, ()):
            part.found(place, memory)

    def is_led(self, record: int, memory: MemoryKey) -> bool:
        """Return whether a crowd of the record's content hash has a stored memory."""
        return any(part.is_hash and part.has(memory) for part, _ in self._of.get(record, ()))

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
            counts, some = part.at_turn(place, chosen)
            examples += some
            totals = counts.sum(axis=0).tolist()
            if not part.is_hash:
                for shared, union, amount in part.scores(place, counts):
                    scores[shared, union] = scores.get((shared, union), 0) + amount
                for memory in led:
                    totals[part.refused_alone(place, memory, chosen)] -= 1
            for guard, name in GUARD_NAMES.items():
                if totals[guard]:
                    by_guard[name] = by_guard.get(name, 0) + totals[guard]
        return Counted(by_guard, scores, examples)

    def must_end(self, record: int, memory: MemoryKey, founder: int | None, document: Document) -> bool:
        """Return whether a later record could be the same as a memory after what a record made of it."""
        old = self._facts_of(memory) if founder is None else self._records.facts_of(founder)
        later = self._touching[np.searchsorted(self._touching, record, "right") :]
        if old is None or old.who == UNKNOWN or not len(later):
            return False
        new = self._records.whos.compact(Facts(document))
        if new == old and memory not in self._noted:
            return False
        self._noted.add(memory)
        table = self._records.whos.table()
        if kernels.lets_go(later, self._records.asked, tuple(old), tuple(new), table, self._mask):
            return True
        for part in self._parts:
            part.note(memory, new)
        return False

    def _facts_of(self, memory: MemoryKey) -> Compact | None:
        if self._stored is None:
            self._stored = {}
            for part in self._parts:
                columns = part.stored.columns
                facts = zip(columns.who, columns.time, columns.numbers, columns.contents, strict=True)
                self._stored.update(zip(columns.memories.tolist(), facts, strict=True))  # type: ignore[arg-type]
        found = self._stored.get(memory)
        return None if found is None else Compact(*map(int, found))
