"""What compiled code knows of a record or a memory: the facts behind four of the guards, as small integers.

Rule: two that have different integers differ for the guard too; texts and names are not kept, hashes of numbers are.
Data in: `guards.Facts`. Data out: `Compact`, rows of the table of whos, the mask of the guards that are asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from membatch.similarity import columns, kernels
from membatch.similarity.guards import GUARDS, Facts, GuardRow

# The guards that compiled code knows, in the order of their table.
COMPILED: Final = {
    "subject": kernels.SUBJECT,
    "participants": kernels.PARTICIPANTS,
    "when": kernels.WHEN,
    "numbers": kernels.NUMBERS,
}
GUARD_NAMES: Final = {number: name for name, number in COMPILED.items()}

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_31_BITS: Final = 0x7FFFFFFF


def mask_of(guards: Mapping[str, GuardRow]) -> int:
    """Return which of a run's guards compiled code may answer for: those before the first that it does not know.

    A guard that comes later in the table never counts for a pair that an earlier one refuses.
    """
    mask = 0
    for name, row in guards.items():
        if name not in COMPILED or row is not GUARDS[name]:
            break
        mask |= 1 << COMPILED[name]
    return mask


class Compact(NamedTuple):
    """A row of whos, the microsecond when it happened, hashes of the numbers of its summary and of its content."""

    who: int
    time: int
    numbers: int
    contents: int


class Whos:
    """The table of whos: each distinct subject, set of people and time of validity is one row."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, tuple[int, ...], int, int], int] = {}
        self._names: dict[str, int] = {}
        self._subjects = np.zeros(64, np.int32)
        self._begins = np.zeros(64, np.int32)
        self._since = np.zeros(64, np.int64)
        self._until = np.zeros(64, np.int64)
        self._people = np.zeros(64, np.int32)

    def __len__(self) -> int:
        return len(self._known)

    def table(self) -> columns.Whos:
        """Return the table as compiled code reads it."""
        return columns.Whos(self._subjects, self._people, self._begins, self._since, self._until)

    def compact(self, facts: Facts) -> Compact:
        """Return what compiled code needs of a record or a memory."""
        content = facts.content
        return Compact(
            self._who(facts),
            columns.NEVER if facts.occurred_at is None else _microseconds(facts.occurred_at),
            hash(facts.summary.numbers) & _31_BITS,
            0 if content is None else (hash(content.numbers) & _31_BITS) | 1,
        )

    def _who(self, facts: Facts) -> int:
        names = self._names
        people = tuple(sorted(names.setdefault(name, len(names)) for name in facts.people))
        since = columns.NEVER if facts.valid_from is None else _microseconds(facts.valid_from)
        until = columns.FOREVER if facts.valid_until is None else _microseconds(facts.valid_until)
        key = (facts.subject, people, since, until)
        row = self._known.get(key)
        if row is None:
            row = self._known[key] = len(self._known)
            begin = int(self._begins[row])
            self._people = _with_room(self._people, begin + len(people))
            self._people[begin : begin + len(people)] = people
            for name in ("_subjects", "_begins", "_since", "_until"):
                setattr(self, name, _with_room(getattr(self, name), row + 2))
            subject = facts.subject
            self._subjects[row] = kernels.NOBODY if subject is None else names.setdefault(subject, len(names))
            self._begins[row + 1] = begin + len(people)
            self._since[row], self._until[row] = since, until
        return row


def _microseconds(time: dt.datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _with_room(array: Any, size: int) -> Any:
    if size <= len(array):
        return array
    larger = np.zeros(2 * size, array.dtype)
    larger[: len(array)] = array
    return larger
