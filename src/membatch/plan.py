"""What flows between the rooms: raw batches, batches, hits, plans and checkpoints.

Rule: plain data, no behaviour beyond looking at itself; a batch holds columns, not objects, so that it is
cheap to hand to and from a worker process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NewType, Protocol, overload

import msgspec

from membatch.errors import Category
from membatch.layout import Document
from membatch.patch import Operation

# A 128-bit prefix of the SHA-256 of the canonical record without its id.
Digest = NewType("Digest", bytes)
# A 128-bit prefix of the SHA-256 of what the record says, and of whom.
ContentHash = NewType("ContentHash", bytes)
# The integer key of a memory: its age in the store.
MemoryKey = NewType("MemoryKey", int)


class Reached(msgspec.Struct, frozen=True, gc=False):
    """How far a database is read: a value of its order column, and how many rows with that value were read."""

    key: int | float | str | None
    count: int


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where a record was read: the number of its source, line or row (from 1), byte offset, index in the item.

    Of a JSON file, `inside` says whether it stands in an array, which cannot be seen from there on; of a database,
    `reached` says how far it had been read before this row; of a reject that is retried, which one it is, and which
    index its first record has.
    """

    source: int
    line: int
    offset: int | None
    index: int = 0
    inside: bool | None = None
    reached: Reached | None = None


class Stretch(NamedTuple):
    """Where items that follow one another in a source were read; the parts of a `Position`, by column."""

    source: int
    lines: Sequence[int]
    offsets: Sequence[int] | None
    inside: bool | None = None
    reached: Sequence[Reached | None] | None = None


class Positions(Sequence[Position]):
    """The positions of items; each is made when somebody asks for it, which for most items nobody does."""

    __slots__ = ("_ends", "_first", "_stop", "_stretches")

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []
        self._ends: list[int] = []  # of each stretch
        self._first = self._stop = 0  # of what a slice shows

    def add(self, stretch: Stretch) -> None:
        """Add the positions of items that come behind all others."""
        self._stop += len(stretch.lines)
        self._stretches.append(stretch)
        self._ends.append(self._stop)

    def __len__(self) -> int:
        return self._stop - self._first

    @overload
    def __getitem__(self, at: int) -> Position: ...
    @overload
    def __getitem__(self, at: slice) -> Positions: ...
    def __getitem__(self, at: int | slice) -> Position | Positions:
        """Return a position, or those of a slice without steps; what is behind the last raises IndexError."""
        shown = range(self._first, self._stop)
        if isinstance(at, slice):
            part = shown[at]
            slice_of = Positions()
            slice_of._stretches, slice_of._ends = self._stretches, self._ends
            slice_of._first, slice_of._stop = part.start, max(part.start, part.stop)
            return slice_of
        place = shown[at]
        number = bisect_right(self._ends, place)
        source, lines, offsets, inside, reached = self._stretches[number]
        within = place - self._ends[number] + len(lines)
        offset = None if offsets is None else offsets[within]
        return Position(source, lines[within], offset, 0, inside, None if reached is None else reached[within])


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """How far the sources have been consumed: the next item to read, and how many of its records are done."""

    source: int = 0
    line: int = 1
    offset: int = 0
    index: int = 0
    inside: bool | None = None
    reached: Reached | None = None


class Fingerprints(NamedTuple):
    """A block of what leads to memories, in columns: what an index is made of when its store is opened.

    Scopes, sizes and tokens are of founders whose content still leads to their memory, in the same order.
    """

    memories: Any  # int64 (n,)
    id_hashes: Any  # int64 (n,), 0 where the record is no founder
    superseded: Any  # bool (n,): the content leads to the memory no longer
    stands: Any  # bool (n,): is a founder, and not superseded
    hashes: Any  # uint64 (n, 4): the bytes of digest and content hash, 16 both
    scopes: list[str]
    sizes: Any  # int64, how many tokens
    tokens: Any  # uint64, hashes of all of these
    ahead: int  # rows from this block's first on

    @property
    def lacks_tokens(self) -> bool:
        """Whether the tokens of a founder that stands are not there: no run has needed them yet."""
        return len(self.sizes) < int(self.stands.sum())


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with one field."""

    code: str
    pointer: str
    message: str
    value: str
    expected: str
    advice: str


class FieldWarning(msgspec.Struct, frozen=True, gc=False):
    """Something that was accepted but deserves a look."""

    code: str
    pointer: str


class Migration(msgspec.Struct, frozen=True):
    """What a record of an older shape was, which of its fields changed, and what could not be carried and why."""

    origin: str
    changed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record was not stored, and the record itself (shortened only when it is over the limit)."""

    category: Category
    code: str
    message: str
    raw: bytes
    errors: tuple[FieldError, ...] = ()
    exception: str | None = None
    raw_length: int | None = None
    raw_sha256: str | None = None
    format: str | None = None  # what `raw` is in, where that is not the run's format
    digest: Digest | None = None
    id: str | None = None


class RawBatch(msgspec.Struct, kw_only=True):
    """Items as they were read, each one JSON text, with their positions; `rejected` holds the unreadable ones."""

    items: list[bytes]
    positions: Sequence[Position]
    rejected: dict[int, Rejection]
    skip: int  # how many records of the first item are already done
    after: Checkpoint  # where to read on after the last item
    flat: bool = False  # items are rows of a table: names may be dotted, values may be text
    documents: dict[int, Document] = {}  # of the sources that the items stand in, by number


class Batch(msgspec.Struct, kw_only=True):
    """Records ready to be decided, as columns; where `rejections` has an entry the other columns hold nothing."""

    positions: Sequence[Position]
    ids: list[str]
    scopes: list[str]
    records: list[bytes]  # canonical JSON without the id
    digests: list[Digest]
    content_hashes: list[ContentHash]
    id_hashes: list[bytes]  # 8 bytes each
    tokens: list[bytes]  # token hashes, 8 bytes each, sorted; empty when not asked for
    rejections: dict[int, Rejection]
    warnings: dict[int, tuple[FieldWarning, ...]]
    after: Checkpoint
    read_bytes: int = 0
    migrations: dict[int, Migration] = {}

    def __len__(self) -> int:
        return len(self.positions)


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A memory that could be the same as a record, and why."""

    memory: MemoryKey
    step: str  # "hash" or "similar"
    shared: int = 1  # the score is shared / union
    union: int = 1


class Similar(msgspec.Struct, frozen=True, gc=False):
    """A founder found by its tokens: a stored memory, or (memory 0) an earlier record (see `first_alike`)."""

    memory: MemoryKey
    record: int
    shared: int
    union: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A pair that a guard judged different, kept as an example."""

    guard: str
    record: int
    memory: MemoryKey
    shared: int
    union: int


class Counted(NamedTuple):
    """What was refused of a record without being judged pair by pair: by guard, by score, a few examples."""

    by_guard: dict[str, int]
    scores: dict[tuple[int, int], int]
    examples: list[Refused]


class Refusing(Protocol):
    """Tells whoever decides a batch what was refused of it without being judged pair by pair.

    It is told in turn, record by record, what becomes of them.
    """

    examples: list[Refused]

    def begin(self) -> None:
        """Begin to decide the batch."""

    def found(self, record: int, memory: MemoryKey) -> None:
        """Take note that a record has founded a memory."""

    def touches(self, record: int) -> bool:
        """Return whether anything was refused of a record in this way."""

    def knows_hash(self, record: int) -> bool:
        """Return whether the memories to which the content hash of a record leads are among those looked over."""

    def is_led(self, record: int, memory: MemoryKey) -> bool:
        """Return whether a stored memory is one of these."""

    def at_turn(self, record: int, led: Iterable[MemoryKey], chosen: Candidate | None) -> Counted:
        """Return what was refused of a record; for a guard, of what comes before `chosen`.

        `led` are memories to which the record's hash leads by what records of the batch have done.
        """

    def must_end(self, record: int, memory: MemoryKey, founder: int | None, document: dict[str, Any]) -> bool:
        """Return whether a later record could be the same as a memory after what a record made of it."""


class Hits(msgspec.Struct, kw_only=True):
    """What the index found for each record of a batch, in the store as it was before the batch."""

    by_digest: dict[int, MemoryKey]
    by_id: dict[int, MemoryKey]
    by_hash: dict[int, list[MemoryKey]]
    similar: dict[int, list[Similar]] = {}
    # One byte a record: 1 where neither the store nor the rest of the batch can touch it, so that it founds a
    # memory without more ado. Empty where that is not known.
    alone: bytes = b""
    # Of records whose content hash leads to very many memories: earlier ones of the batch that has the same hash.
    here_by_hash: dict[int, list[int]] = {}
    # Of records that say what an earlier one of the batch says: the first that says so. Similar ones name that for all.
    first_alike: dict[int, int] = {}
    # How many memories of the batch one content hash may lead to before it has to be looked at anew; 0 for any number.
    crowd: int = 0
    refusing: Refusing | None = None
    compared: int = 0  # pairs of token sets that were compared
    length: int = 0  # how many records of the batch are covered; a flood of hits covers a part only

    def memories(self) -> set[MemoryKey]:
        """Return all memories whose rows are needed to decide."""
        keys = {key for keys in self.by_hash.values() for key in keys}
        keys.update(self.by_id.values())
        keys.update(hit.memory for hits in self.similar.values() for hit in hits if hit.memory)
        return keys


class StoredRow(msgspec.Struct, frozen=True):
    """A memory as the store holds it."""

    key: MemoryKey
    id: str
    scope: str
    record: bytes
    stated: str | None


class Insert(msgspec.Struct, frozen=True, gc=False):
    """The record becomes a memory."""

    record: int
    key: MemoryKey


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """This very record is known."""

    record: int
    memory: MemoryKey


class Merge(msgspec.Struct, frozen=True):
    """The record is consolidated into a memory, or replaces it; lineage tells how and keeps the way back."""

    record: int
    memory: MemoryKey
    step: str  # "id", "hash", "similar" or "review"
    shared: int
    union: int
    replaces: bool
    forward: list[Operation]
    reverse: list[Operation]
    stated: str | None  # what the survivor's stated column holds afterwards
    stated_before: str | None
    rules: list[str]
    conflicts: list[dict[str, Any]]
    guards: dict[str, str]
    next_key: MemoryKey  # memories from this key on are younger than the merge


class Hold(msgspec.Struct, frozen=True):
    """The record becomes a memory, and the pair with an older one is queued for review."""

    record: int
    key: MemoryKey
    memory: MemoryKey
    step: str
    shared: int
    union: int
    guards: dict[str, str]


class Reject(msgspec.Struct, frozen=True):
    """The record is not stored."""

    record: int
    rejection: Rejection


Step = Insert | Duplicate | Merge | Hold | Reject


def sliced(batch: Batch, start: int, stop: int) -> Batch:
    """Return the records start..stop of a batch as a batch of their own."""
    if start == 0 and stop >= len(batch):
        return batch
    last = stop >= len(batch)
    following = batch.after if last else checkpoint_at(batch.positions[stop])
    return Batch(
        positions=batch.positions[start:stop],
        ids=batch.ids[start:stop],
        scopes=batch.scopes[start:stop],
        records=batch.records[start:stop],
        digests=batch.digests[start:stop],
        content_hashes=batch.content_hashes[start:stop],
        id_hashes=batch.id_hashes[start:stop],
        tokens=batch.tokens[start:stop],
        rejections={at - start: item for at, item in batch.rejections.items() if start <= at < stop},
        warnings={at - start: item for at, item in batch.warnings.items() if start <= at < stop},
        migrations={at - start: item for at, item in batch.migrations.items() if start <= at < stop},
        after=following,
        read_bytes=batch.read_bytes if start == 0 else 0,
    )


def checkpoint_at(position: Position) -> Checkpoint:
    """Return the checkpoint before the record at a position."""
    place = position.source, position.line, position.offset or 0, position.index
    return Checkpoint(*place, position.inside, position.reached)


class Plan(msgspec.Struct, kw_only=True):
    """One step a record, in input order; any prefix of it is the plan of that prefix of the batch.

    It may cover the first records of its batch only; the rest is to be found and decided anew.
    """

    batch: Batch
    steps: Sequence[Step]
    refusals: dict[int, dict[str, int]]  # record -> guard -> how many candidates it judged different
    scores: dict[int, dict[tuple[int, int], int]]  # record -> (shared, union) of the candidates found -> how many
    refused: Sequence[Refused] = ()  # a few examples of each guard
    before: Mapping[MemoryKey, StoredRow] = {}  # stored memories that the steps may change, as they were
    others: Sequence[Step] = ()  # the steps but the inserts: most are, and there is no more to them

    def __post_init__(self) -> None:
        """Pick the other steps out, once for all who look at them only."""
        self.others = [step for step in self.steps if type(step) is not Insert]

    def prefix(self, length: int) -> Plan:
        """Return the plan of the first `length` records."""
        return msgspec.structs.replace(self, steps=self.steps[:length])

    def checkpoint(self) -> Checkpoint:
        """Return where a run goes on after the last step."""
        if len(self.steps) >= len(self.batch):
            return self.batch.after
        return checkpoint_at(self.batch.positions[len(self.steps)])
