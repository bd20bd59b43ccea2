"""Checking a store: that what it holds is whole, adds up, and agrees with itself.

Rule: reading only; everything that can be computed from the records is computed anew and compared; each fault
is named with its place. Memory use does not depend on the size of the store, one memory's lineage aside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from membatch import fingerprint
from membatch.config import Config
from membatch.consistency import Invalid
from membatch.errors import StoreError
from membatch.founding import Lines
from membatch.memory import HASH_VERSION, UNICODE_VERSION
from membatch.report.tally import Counts, Tally
from membatch.runs.accounts import open_once
from membatch.store import ChangeTally
from membatch.store.inspection import (
    TABLES,
    CheckedBatch,
    CheckedFingerprint,
    CheckedMemory,
    CheckedMerge,
    Inspection,
)
from membatch.validate import Validator

MAX_FAULTS: Final = 1000
_TOKENS_AT_ONCE: Final = 1000
_DEEPEST: Final = 500  # the most that source.max_depth can be

# Which counts of a batch's tally say how many rows of a table came with it.
ROWS_OF_COUNTS: Final = {
    "memory": ("inserted", "held", "unmerged"),
    "merge": ("merged", "accepted"),
    "duplicate": ("duplicates",),
    "review": ("held",),
    "reject": ("rejected",),
}
_LOADS: Final = ("load", "retry")
_OUTCOMES: Final = ("inserted", "duplicates", "merged", "held", "rejected")

_decode = msgspec.json.decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Fault(msgspec.Struct, frozen=True):
    """One thing in a store that is not as it must be."""

    rule: str
    where: str
    message: str


class Checked(msgspec.Struct, kw_only=True):
    """What a check found: how much it looked at, how many faults there are, and the first of them."""

    looked_at: dict[str, int] = {}
    count: int = 0
    faults: list[Fault] = []

    @property
    def is_whole(self) -> bool:
        """Whether all that was checked holds."""
        return not self.count


def check(store: str | None = None) -> Checked:
    """Return what is wrong with a store, nothing where all holds; raises StoreError if it cannot be opened."""
    found = Checked()
    with open_once(store or Config().store) as reader, reader.inspection() as inspection:
        for fault in _faults(inspection, found.looked_at):
            found.count += 1
            if len(found.faults) < MAX_FAULTS:
                found.faults.append(fault)
    return found


def _faults(inspection: Inspection, looked_at: dict[str, int]) -> Iterator[Fault]:
    facts: dict[str, str] = {}
    try:
        facts = inspection.facts()
    except StoreError as error:
        yield Fault("file", "meta", str(error))
    scope = tuple(_decode(facts.get("dedup_scope", "[]")))
    parts = (
        _versions(facts),
        (Fault(*item) for item in inspection.contradictions()),
        _Accounts(inspection, looked_at).faults(),
        _Records(inspection, scope, looked_at, has_foreign_hashes=any(_versions(facts))).faults(),
    )
    for part in parts:
        try:
            yield from part
        except StoreError as error:  # a part that cannot be read leaves the others
            yield Fault("file", "database", str(error))
        except (TypeError, ValueError, LookupError, AttributeError) as error:  # damage leaves values of any kind
            yield Fault("file", "database", f"holds a value that cannot be: {type(error).__name__}: {error}")


def _versions(facts: dict[str, str]) -> Iterator[Fault]:
    for name, known in (("hash_version", str(HASH_VERSION)), ("unicode_version", UNICODE_VERSION)):
        if facts.get(name) != known:
            message = (
                f"the fingerprints are of version {facts.get(name)}, here it is {known}: the next load makes them anew"
            )
            yield Fault("version", name, message)


class _Accounts:
    """Conservation: what the tallies of batches say, and the rows that are there."""

    def __init__(self, inspection: Inspection, looked_at: dict[str, int]) -> None:
        self._inspection, self._looked_at = inspection, looked_at
        self._balance = {"inserted": 0, "held": 0, "unmerged": 0, "accepted": 0, "forgotten": 0, "memories": 0}

    def faults(self) -> Iterator[Fault]:
        removed = self._removed()
        accepted = self._inspection.accepted()
        for batch in self._inspection.batches():
            self._looked_at["batches"] = self._looked_at.get("batches", 0) + 1
            gone = dict(removed.get(batch.batch, {}))
            self._balance["memories"] += batch.rows["memory"]
            if batch.status == "undone":
                yield from self._compare(batch, dict.fromkeys(TABLES, 0))
                continue
            self._balance["accepted"] += accepted.get(batch.batch, 0)
            self._balance["forgotten"] += gone.get("memory", 0)
            gone["memory"] = gone.get("memory", 0) + accepted.get(batch.batch, 0)
            yield from self._account(batch, gone)
        balance = self._balance
        expected = balance["inserted"] + balance["held"] + balance["unmerged"]
        expected -= balance["accepted"] + balance["forgotten"]
        if expected != balance["memories"]:
            told = ", ".join(f"{amount:,} {name}" for name, amount in balance.items() if name != "memories")
            yield Fault(
                "balance", "memories", f"{balance['memories']:,} are there, the runs tell of {expected:,}: {told}"
            )

    def _removed(self) -> dict[int, dict[str, int]]:
        """Return which rows of each batch later runs took away for good."""
        removed: dict[int, dict[str, int]] = {}
        for batch in self._inspection.batches():
            if batch.kind not in _LOADS and batch.status != "undone":
                for other, tables in _change(batch).removed.items():
                    mine = removed.setdefault(other, {})
                    for table, count in tables.items():
                        mine[table] = mine.get(table, 0) + count
        return removed

    def _account(self, batch: CheckedBatch, gone: dict[str, int]) -> Iterator[Fault]:
        where = f"run {batch.run} batch {batch.number}"
        try:
            counts = _decode(batch.tally, type=Tally).counts if batch.kind in _LOADS else Counts()
            change = _change(batch)
        except msgspec.MsgspecError as error:
            yield Fault("tally", where, f"its tally cannot be read: {error}")
            return
        told = {name: getattr(counts, name) for name in _OUTCOMES}
        if counts.read != sum(told.values()):
            yield Fault("conservation", where, f"{counts.read:,} records were read, {told} tell their outcomes")
        told |= {"accepted": change.accepted, "unmerged": change.unmerged}
        for name in ("inserted", "held", "unmerged"):
            self._balance[name] += told[name]
        expected = {table: sum(told[name] for name in names) for table, names in ROWS_OF_COUNTS.items()}
        yield from self._compare(batch, {table: expected[table] - gone.get(table, 0) for table in TABLES})

    def _compare(self, batch: CheckedBatch, expected: dict[str, int]) -> Iterator[Fault]:
        for table in TABLES:
            if batch.rows[table] != expected[table]:
                where = f"run {batch.run} batch {batch.number}"
                message = f"{batch.rows[table]:,} rows of {table}, the accounts tell of {expected[table]:,}"
                yield Fault("conservation", where, message)


def _change(batch: CheckedBatch) -> ChangeTally:
    return ChangeTally() if batch.kind in _LOADS else _decode(batch.tally, type=ChangeTally)


class _Records:
    """Records, lineage and fingerprints: each record validates, each fingerprint is what the record gives."""

    def __init__(
        self, inspection: Inspection, scope: tuple[str, ...], looked_at: dict[str, int], *, has_foreign_hashes: bool
    ) -> None:
        self._inspection, self._looked_at = inspection, looked_at
        self._has_foreign_hashes = has_foreign_hashes  # of another version, which cannot be computed here
        self._validate = Validator(max_depth=_DEEPEST)
        self._scope_of = fingerprint.MatchScopes(scope)
        self._tokens: list[tuple[str, str, bytes]] = []  # where, canonical summary, tokens as stored

    def faults(self) -> Iterator[Fault]:
        merges = self._inspection.merges()
        merge = next(merges, None)
        for memory in self._inspection.memories():
            self._count("memories")
            lines = Lines(memory)
            while merge is not None and merge.memory == memory.memory:
                self._count("merges")
                yield from self._absorbed(memory, merge)
                broken = lines.go_back(merge)
                if broken is not None:
                    yield Fault("lineage", f"memory {memory.memory} merge {merge.merge}", broken)
                merge = next(merges, None)
            yield from self._memory(memory, lines)
            if len(self._tokens) >= _TOKENS_AT_ONCE:
                yield from self._compare_tokens()
        yield from self._compare_tokens()

    def _count(self, name: str) -> None:
        self._looked_at[name] = self._looked_at.get(name, 0) + 1

    def _memory(self, memory: CheckedMemory, lines: Lines) -> Iterator[Fault]:
        where = f"memory {memory.memory}"
        if not _are_json((memory.stated,)):
            yield Fault("record", where, "what its records stated cannot be read")
        valid = self._validate(memory.record.encode())
        if isinstance(valid, Invalid):
            yield Fault("record", where, f"its record does not validate: {valid.message}")
            return
        if self._scope_of(valid.memory) != memory.scope:
            yield Fault("scope", where, f"its record belongs to {self._scope_of(valid.memory)}, not {memory.scope}")
        if not lines.say(valid.memory.summary, valid.memory.content):
            yield Fault("text", where, "no record that led to it says what it says")
        for number, (founder, stored) in lines.founders().items():
            place = where if not number else f"{where} merge {number}"
            identity = memory.id if not number else None
            yield from self._fingerprint(place, _encode(founder), stored, memory.scope, identity)

    def _absorbed(self, memory: CheckedMemory, merge: CheckedMerge) -> Iterator[Fault]:
        where = f"memory {memory.memory} merge {merge.merge}"
        if not _are_json(merge.documents):
            yield Fault("lineage", where, "its rules, conflicts, guards or what was stated before cannot be read")
        if merge.moved is None:
            yield from self._fingerprint(where, merge.record.encode(), merge.fingerprint, memory.scope, None)
        elif isinstance(valid := self._validate(merge.record.encode()), Invalid):
            yield Fault("record", where, f"the record that was absorbed does not validate: {valid.message}")

    def _fingerprint(
        self, where: str, record: bytes, stored: CheckedFingerprint, scope: str, identity: str | None
    ) -> Iterator[Fault]:
        valid = self._validate(record)
        if isinstance(valid, Invalid):
            yield Fault("record", where, f"its record does not validate: {valid.message}")
            return
        if stored.digest is None:
            yield Fault("fingerprint", where, "it has none")
            return
        if self._has_foreign_hashes:
            return
        summary = fingerprint.canonical_text(valid.memory.summary)
        encoded = fingerprint.record_json(valid.memory)
        if fingerprint.digest(valid.memory, encoded, odd_numbers=valid.odd_numbers) != stored.digest:
            yield Fault("digest", where, "the digest is not that of its record")
        if fingerprint.content_hash(valid.memory, summary, scope) != stored.content_hash:
            yield Fault("content hash", where, "the content hash is not that of its record")
        id_hash = b"" if identity is None else fingerprint.id_hash(scope, identity)
        if stored.id_hash != int.from_bytes(id_hash, sys.byteorder, signed=True):
            yield Fault("id hash", where, "the id hash is not that of its id")
        if stored.match_scope is not None and stored.match_scope != scope:
            yield Fault("scope", where, f"its fingerprint names {stored.match_scope}, not {scope}")
        if stored.tokens is not None:
            self._tokens.append((where, summary, stored.tokens))

    def _compare_tokens(self) -> Iterator[Fault]:
        if not self._tokens:
            return
        from membatch.similarity.tokens import are_same, tokenize  # compiled code: loaded only where it is used

        found = tokenize([summary for _, summary, _ in self._tokens])
        for (where, _, stored), tokens in zip(self._tokens, found, strict=True):
            if stored != tokens and not are_same(stored, tokens):
                yield Fault("tokens", where, "the tokens are not those of its summary")
        self._tokens = []


def _are_json(texts: Iterable[str | None]) -> bool:
    for text in texts:
        if text is not None:
            try:
                _decode(text)
            except (msgspec.MsgspecError, ValueError, TypeError):
                return False
    return True
