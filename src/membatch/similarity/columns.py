"""The columns that compiled code reads of crowds: facts as small integers, and what decides.

Rule: by position as `native/crowds.h` has them; an array of another kind of number is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

NEVER, FOREVER = -(2**63), 2**63 - 1


class Whos(NamedTuple):
    """Distinct answers to "of whom, and when does it hold": a row each; `people` is flat, `begins` has one more."""

    subjects: Any  # int32, NOBODY where none is given
    people: Any  # int32, sorted in each row
    begins: Any  # int32
    since: Any  # int64 microseconds, NEVER where it is not said
    until: Any  # int64 microseconds, FOREVER where it is not said


class Columns(NamedTuple):
    """The members of a crowd, one a place."""

    who: Any  # int32: a row of the table of whos, or UNKNOWN
    time: Any  # int64: when it happened in microseconds, NEVER where it is not said
    numbers: Any  # int32: a hash of the numbers in the summary
    contents: Any  # int32: the same of the content, 0 where there is none
    hashes: Any  # uint64: the content hash, 0 where it does not count
    memories: Any  # int64: the memory, 0 for what is none
    digits: Any  # int32 (n, k): the tokens with a digit


class Zones(NamedTuple):
    """What each stretch of ZONE members has in common: the least and the largest of a column, and what it may hold.

    `bits` have four bits set for each value (Bloom 1970), so that one of which a bit is not set is not there.
    """

    who: Any  # int32: the one row of whos, UNKNOWN where there are several or one is not known
    time: Any  # int64 (n, 2), of those given
    given: Any  # int8: how many say when it happened: 0 none, 1 some, 2 all
    numbers: Any  # int32 (n, 2)
    contents: Any  # int32 (n, 2)
    hashes: Any  # uint64 (n, 2)
    memories: Any  # int64 (n, 2)
    digits: Any  # int32 (n, k, 2)
    hash_bits: Any  # uint64 (n, 64)
    number_bits: Any  # uint64 (n, 64)
    digit_bits: Any  # uint64 (n, 64), of columns that are not the same throughout
    is_done: Any  # bool: whether one answer holds for all of a zone, of the record in hand


class Changes(NamedTuple):
    """Members that records of the batch have changed, and their facts now."""

    members: Any  # int64
    who: Any
    time: Any
    numbers: Any
    contents: Any


class Asked(NamedTuple):
    """The records of a batch: the same facts, how many tokens each has, and its tokens with a digit, flat."""

    who: Any
    time: Any
    numbers: Any
    contents: Any
    hashes: Any
    sizes: Any  # int64
    starts: Any  # int64, one more
    digits: Any  # int32


class Rule(NamedTuple):
    """What decides in one crowd: the guards asked, the threshold, how many tokens a member has, the oldest memory."""

    mask: int
    numerator: int
    denominator: int
    size: int
    oldest: int


class Led(NamedTuple):
    """Members to which content hashes lead that are not their founder's, by hash; a stamp a member, and a zone."""

    hashes: Any  # uint64, sorted
    members: Any  # int64
    stamps: Any  # int64, zeros
    zones: Any  # int64, zeros


class Rank(NamedTuple):
    """The candidate that was chosen: a guard's refusals count for those that come before it."""

    shared: int
    union: int
    memory: int
