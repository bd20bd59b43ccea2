"""The store protocol, and the table of stores by URL scheme.

Rule: the store is the only truth; a batch's rows, lineage, rejects, statistics and checkpoint commit in one
transaction or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from membatch.config import hide_password
from membatch.errors import ConfigError, RefusedError
from membatch.extension import extensions
from membatch.plan import Checkpoint, Digest, Fingerprints, MemoryKey, Merge, Plan, StoredRow
from membatch.store.inspection import Inspection

ENTRY_POINTS: Final = "membatch.stores"


class FingerprintRow(NamedTuple):
    """One fingerprint: the memory it leads to, whether its content still does, its hashes and tokens."""

    memory: int
    superseded: int
    founder: int
    id_hash: int
    hashes: bytes  # digest and content hash, 16 bytes each
    tokens: bytes | None
    match_scope: str | None


class RebuiltRow(NamedTuple):
    """The fingerprint of a memory's record, made anew; its id hash stays."""

    digest: Digest
    content_hash: bytes
    tokens: bytes | None
    memory: int
    number: int


class RunRow(NamedTuple):
    """A run as the store holds it; sources, config and summary are JSON texts."""

    run: int
    kind: str
    status: str
    parent: int | None
    started_at: str
    finished_at: str | None
    format: str
    sources: str
    config: str
    summary: str | None
    detected: str | None


class BatchRow(NamedTuple):
    """A committed batch of a run: its number, its checkpoint and statistics as JSON texts."""

    number: int
    checkpoint: str
    tally: str


class RejectRow(NamedTuple):
    """A rejected record as the store holds it."""

    reject: int
    batch: int
    source: int
    line: int
    offset: int | None
    item_index: int
    category: str
    code: str
    message: str
    errors: str
    exception: str | None
    raw: bytes
    raw_length: int | None
    raw_sha256: str | None
    format: str | None
    resolved_by: int | None


class MergeRow(NamedTuple):
    """One merge into a memory as the store holds it; from `rules` on the columns are JSON texts."""

    merge: int
    run: int
    step: str
    shared: int
    union: int
    replaces: int
    id: str
    record: str
    source: int | None
    line: int | None
    offset: int | None
    item_index: int | None
    rules: str
    conflicts: str
    guards: str
    reverse: str
    unmerged_in: int | None
    moved_memory: MemoryKey | None  # of a merge that a review made: the younger memory, its batch, its merges
    moved_batch: int | None
    moved_merges: str | None


class Unmerged(NamedTuple):
    """A merge that was taken back: its number, the run that did it, the id of the memory that had absorbed it."""

    merge: int
    run: int
    id: str


class ReviewRow(NamedTuple):
    """A pair of memories that a guard was unsure of; records and guards are JSON texts."""

    review: int
    older: MemoryKey
    younger: MemoryKey
    step: str
    shared: int
    union: int
    guards: str
    state: str
    older_id: str
    older_record: str
    younger_id: str
    younger_record: str


class OneMerge(NamedTuple):
    """A merge by its number: its run, the absorbed id and digest, its match scope, and who took it back."""

    run: int
    id: str
    unmerged_in: int | None
    scope: str
    digest: Digest | None


class Blocker(NamedTuple):
    """What names a memory later than what is to be taken back, and in which run."""

    run: int
    what: str
    id: str


class ChangeTally(msgspec.Struct, omit_defaults=True):
    """What the one batch of a run that is no load did, as it stands in its tally.

    `removed` counts rows of other batches that are gone for good: batch -> table -> rows.
    """

    accepted: int = 0  # lineage rows that a review made
    unmerged: int = 0  # memories that an unmerge made
    undone: list[int] = []
    removed: dict[int, dict[str, int]] = {}


# Writes what was laid out, which is the database's work; raises RefusedError where it refuses a row.
Write = Callable[[], None]


class Transaction(Protocol):
    """One batch on its way into the store: laid out, which is the interpreter's work, then written."""

    def lay_out(self, plan: Plan, checkpoint: Checkpoint) -> Write:
        """Return what writes the batch and its new memories; raises RefusedError where that cannot be."""

    def lay_out_rest(self, tally: bytes, resolved: Iterable[int] = ()) -> Write:
        """Return what writes all else after that, and marks rejects of an earlier run as resolved; raises as above.

        It asks nothing of the database, so that another thread can write meanwhile what was laid out first.
        """


class Said(Protocol):
    """What a memory that is to be forgotten said."""

    def is_said_by(self, raw: bytes) -> bool:
        """Return whether a raw record says it: the reject goes."""

    def is_quoted_by(self, text: str) -> bool:
        """Return whether a message or stack trace quotes it: these go."""

    def removed_from(self, sources: str) -> str | None:
        """Return the sources of a run, as JSON, without what stood around their items and says it; None if nothing."""


class ChangeTransaction(Protocol):
    """One run that is no load, on its way into the store."""

    tally: ChangeTally

    def expect(self, rows: int) -> None:
        """Make ready for a change that takes so many memories or merges away."""

    def undo(self, runs: Iterable[int]) -> None:
        """Take the rows of runs out again: merges in the order of their commits, the newest first, then the rest."""

    def reject(self, review: int) -> None:
        """Note that the two memories of a pair are not the same."""

    def accept(self, review: int, younger: MemoryKey, step: Merge, record: bytes) -> None:
        """Merge the younger memory of a pair, whose record is given, into the older as the step says."""

    def unmerge(self, merge: int, identity: str, id_hash: int) -> None:
        """Take one merge back; what it absorbed is a memory again, with the id and its hash."""

    def forget(self, memory: MemoryKey, said: Said) -> None:
        """Remove a memory and all that was kept of it, also where rejects and wrappers say what it said."""


class Store(Protocol):
    """A database that holds memories; opened for writing it holds the write lease until it is closed."""

    def close(self) -> None:
        """Give the lease back and close; what a dry run wrote is rolled back."""

    def fingerprints(self) -> Generator[Fingerprints]:
        """Yield all fingerprints, in blocks; to be closed before anything else is asked."""

    def fingerprints_of(self, memory: MemoryKey) -> list[FingerprintRow]:
        """Return the fingerprints that lead to one memory."""

    def missing_tokens(self) -> list[tuple[int, int, str]]:
        """Return some founders without tokens: memory, number, summary; none if all have theirs."""

    def add_tokens(self, rows: Iterable[tuple[bytes, int, int]]) -> None:
        """Write the tokens of founders: tokens, memory, number."""

    def facts(self) -> dict[str, str]:
        """Return the facts about the store itself: versions, dedup scope."""

    def rebuild_fingerprints(
        self,
        blocks: Iterable[Sequence[RebuiltRow]],
        refused: Iterable[tuple[Digest | None, int]],
        versions: Mapping[str, str],
    ) -> None:
        """Replace all fingerprints, and digests of rejects, and note their versions, all in one transaction."""

    def conflicting_digests(self, run: int | None = None) -> set[Digest]:
        """Return the digests of records refused because of their id, by one run or any, and not resolved since."""

    def merged_away(self) -> dict[tuple[str, str], str]:
        """Return the match scope and id of each memory that a review merged, with the id of its survivor."""

    def next_key(self) -> MemoryKey:
        """Return the key that the next memory gets."""

    def own_memories(self, run: int) -> tuple[MemoryKey, frozenset[MemoryKey]]:
        """Return the key of a run's oldest memory (of the next one if it has none), and those of others from there."""

    def fetch(self, keys: Iterable[MemoryKey]) -> dict[MemoryKey, StoredRow]:
        """Return memories by key."""

    def tidying(self, read_bytes: int) -> Callable[[], None] | None:
        """Return what keeps writing cheap and changes no data, None where none is due; so much was read since then.

        It is the database's work: another thread can do it while this one asks nothing of the store.
        """

    def transaction(self, run: int, number: int) -> AbstractContextManager[Transaction]:
        """Open the transaction of a batch; it commits at the end of the block, or rolls back."""

    def refusal(self, plan: Plan) -> RefusedError | None:
        """Return why the database refuses a row of the plan, None where it takes all; nothing is written."""

    def begin_run(self, **columns: Any) -> int:
        """Return the number of a new run: kind, parent, format, sources, config."""

    def reopen_run(self, run: int, config: str) -> None:
        """Let an interrupted run go on."""

    def finish_run(self, run: int, status: str, summary: str) -> None:
        """Note how a run ended."""

    def runs(self) -> list[RunRow]:
        """Return all runs, the oldest first."""

    def live_run(self) -> int | None:
        """Return the run that another process is at work on now, if there is one."""

    def batches(self, run: int) -> Iterator[BatchRow]:
        """Yield the committed batches of a run, in order."""

    def last_batch(self, run: int) -> tuple[int, Checkpoint] | None:
        """Return the number and checkpoint of a run's newest batch."""

    def rejects(self, run: int, after: int = 0) -> Iterator[RejectRow]:
        """Yield the rejected records of a run after a reject, in order; others may be written meanwhile."""

    def beginnings(self, keys: Iterable[MemoryKey], length: int) -> list[tuple[MemoryKey, int, str]]:
        """Return the first characters of memories' summaries: memory, the run that made it, text."""

    def changes(self, run: int) -> AbstractContextManager[ChangeTransaction]:
        """Open the one transaction of a run that is no load: a review, undo, unmerge or forget, which ends in it."""

    def reviews(self, state: str) -> list[ReviewRow]:
        """Return the pairs in a state, with both memories, the oldest first."""

    def review(self, review: int) -> ReviewRow | None:
        """Return a pair by its number, with both memories."""

    def merge(self, merge: int) -> OneMerge | None:
        """Return a merge by its number."""

    def is_taken(self, identity: str, scope: str, merge: int) -> bool:
        """Return whether an id belongs to another memory than the one that a merge absorbed.

        One that a review merged away counts too, since an undo brings it back.
        """

    def after_merge(self, merge: int) -> list[Blocker]:
        """Return what names the memory of a merge later than the merge did."""

    def blockers(self, run: int, later: Sequence[int]) -> list[Blocker]:
        """Return what the later runs did that names memories which the run made or changed."""

    def by_id(self, identity: str) -> list[StoredRow]:
        """Return the memories of an id; in other match scopes, those that absorbed or knew a record of it."""

    def lineage(self, memory: MemoryKey) -> list[MergeRow]:
        """Return the merges into a memory, the oldest first, those that were taken back too."""

    def unmerged_from(self, memory: MemoryKey, batch: int | None = None) -> list[Unmerged]:
        """Return the merges whose taking back made a memory, or made it stand alone again.

        `batch` is the one that made it, for a memory that a review has merged since.
        """

    def inspection(self) -> AbstractContextManager[Inspection]:
        """Look at the store as it is now, whatever is written meanwhile."""

    def purge(self) -> None:
        """Leave no trace of removed rows in the files; raises StoreBusyError while others read old pages."""

    def export(self) -> Iterator[tuple[str, bytes]]:
        """Yield (id, record without id as JSON) of all memories, by age."""


SCHEMES: Final[Mapping[str, EntryPoint]] = {
    "sqlite": EntryPoint("sqlite", "membatch.store.sqlite:SqliteStore", ENTRY_POINTS),
}


def known_stores() -> dict[str, EntryPoint]:
    """Return all stores by URL scheme: the built-in one, and those that other packages add by entry point."""
    return dict(SCHEMES) | {point.name: point for point in extensions(ENTRY_POINTS)}


def open_store(
    url: str,
    scope: tuple[str, ...] | None = None,
    *,
    write: bool = True,
    dry_run: bool = False,
    wait: bool = False,
) -> Store:
    """Return the store that a URL names, opened; for writing it is leased, and made if it is missing.

    `scope` is the dedup.scope it must have been made with; without one a store is never made.
    What an entry point names is called with the same arguments. Raises StoreError or ConfigError.
    """
    opened: Store = store_of(url).load()(url, scope, write=write, dry_run=dry_run, wait=wait)
    return opened


def store_of(url: str) -> EntryPoint:
    """Return the kind of store that a URL names; raises ConfigError."""
    scheme, separator, _ = url.partition("://")
    stores = known_stores()
    if not separator:
        file = url.removeprefix("sqlite:").lstrip("/") if url.startswith("sqlite:") else url
        raise ConfigError(f"the store {hide_password(url)!r} is no URL: write sqlite:///{file or 'FILE.db'}")
    if scheme not in stores:
        known = ", ".join("sqlite:///FILE.db" if name == "sqlite" else f"{name}://…" for name in stores)
        raise ConfigError(f"unknown store {hide_password(url)!r}: use {known}")
    return stores[scheme]


def now() -> str:
    """Return the time as RFC 3339 in UTC, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
