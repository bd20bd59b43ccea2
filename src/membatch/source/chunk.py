"""What a reader gives: a run of items with their places, and where reading goes on after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from membatch.config import SourceSettings
from membatch.plan import Checkpoint, Reached, Rejection

# A chunk is at most about so long, however few items that are, so that memory does not depend on how long they are.
BYTES_PER_CHUNK: Final = 1 << 22


class Chunk(NamedTuple):
    """Items of one source as JSON texts; `lines` and `offsets` run beside them; `rejected` marks the unreadable.

    `ends` says that nothing follows them: the last one stands for all that cannot be read. `inside` is a matter of
    JSON files: whether the items, and what follows them, stand in an array. `reached` is a matter of databases: how
    far they are read before each item, and after the last one.
    """

    items: list[bytes]
    lines: Sequence[int]
    offsets: list[int] | None
    rejected: dict[int, Rejection]
    next_line: int
    next_offset: int
    ends: bool = False
    inside: bool | None = None
    reached: list[Reached | None] | None = None


class Reader(NamedTuple):
    """How one kind of file is read: from a checkpoint's line and offset on, in chunks.

    `flat` says that its items are rows of a table, whose column names may be dotted.
    """

    read: Callable[[str, Checkpoint, SourceSettings], Iterator[Chunk]]
    flat: bool = False
