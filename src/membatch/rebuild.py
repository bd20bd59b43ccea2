"""Fingerprints made under another version → those of this one, in one transaction.

Rule: everything is computed anew from the records that are stored; until the last is written the store is as it was.
Content hashes and tokens follow the Unicode version, digests the hash version only; id hashes follow neither.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

from membatch.config import Config
from membatch.consistency import Invalid
from membatch.errors import StoreError
from membatch.fingerprint import canonical_text, content_hash, digest, record_json
from membatch.founding import Lines
from membatch.memory import HASH_VERSION, UNICODE_VERSION
from membatch.plan import Digest
from membatch.store import RebuiltRow, Store, open_store
from membatch.store.inspection import CheckedFingerprint, CheckedMemory, Inspection
from membatch.store.rows import encode_record
from membatch.validate import Validator

VERSIONS: Final = {"hash_version": str(HASH_VERSION), "unicode_version": UNICODE_VERSION}
_AT_ONCE: Final = 1000
_DEEPEST: Final = 500  # the most that source.max_depth can be


class _Made(NamedTuple):
    """A fingerprint anew; `summary` is its text where tokens are to be made of it."""

    memory: int
    number: int
    digest: Digest
    content_hash: bytes
    summary: str | None


def rebuild(store: Store, config: Config) -> dict[str, list[str | None]]:
    """Make the fingerprints of a store anew if another version made them; return the versions, before and now.

    `store` is open for writing. Raises StoreError where the records do not lead to all fingerprints.
    """
    before = store.facts()
    changed = {name: [before.get(name), now] for name, now in VERSIONS.items() if before.get(name) != now}
    if changed:
        # A second connection reads what the transaction of the first one does not touch before its end.
        reader = open_store(config.store, write=False)
        try:
            with reader.inspection() as inspection:
                store.rebuild_fingerprints(_blocks(inspection), _refused(inspection), VERSIONS)
        finally:
            reader.close()
    return changed


def _blocks(inspection: Inspection) -> Iterator[list[RebuiltRow]]:
    made = _fingerprints(inspection)
    while some := list(itertools.islice(made, _AT_ONCE)):
        tokens = iter(_tokens([item.summary for item in some if item.summary is not None]))
        yield [
            RebuiltRow(
                item.digest,
                item.content_hash,
                None if item.summary is None else next(tokens),
                item.memory,
                item.number,
            )
            for item in some
        ]


def _tokens(summaries: list[str]) -> list[bytes]:
    if not summaries:
        return []
    from membatch.similarity.tokens import tokenize  # compiled code: loaded only where it is used

    return tokenize(summaries)


def _fingerprints(inspection: Inspection) -> Iterator[_Made]:
    validate = Validator(max_depth=_DEEPEST)
    merges = inspection.merges()
    merge = next(merges, None)
    for memory in inspection.memories():
        lines = Lines(memory)
        while merge is not None and merge.memory == memory.memory:
            lines.go_back(merge)
            if merge.moved is None:
                yield _made(validate, memory, merge.merge, merge.record.encode(), merge.fingerprint)
            merge = next(merges, None)
        if lines.is_lost:
            raise _lost(memory.memory)
        for number, (founder, stored) in lines.founders().items():
            yield _made(validate, memory, number, encode_record(founder), stored)


def _made(validate: Validator, memory: CheckedMemory, number: int, record: bytes, stored: CheckedFingerprint) -> _Made:
    valid = validate(record)
    if isinstance(valid, Invalid):
        raise _lost(memory.memory)
    summary = canonical_text(valid.memory.summary)
    return _Made(
        memory.memory,
        number,
        digest(valid.memory, record_json(valid.memory), odd_numbers=valid.odd_numbers),
        content_hash(valid.memory, summary, memory.scope),
        None if stored.tokens is None else summary,
    )


def _refused(inspection: Inspection) -> Iterator[tuple[Digest | None, int]]:
    """Yield the digests of records that were refused for their id, each with its reject."""
    validate = Validator(max_depth=_DEEPEST)
    for reject, raw in inspection.refused():
        valid = validate(raw)
        if isinstance(valid, Invalid):
            yield None, reject
        else:
            encoded = record_json(valid.memory)
            yield digest(valid.memory, encoded, odd_numbers=valid.odd_numbers), reject


def _lost(memory: int) -> StoreError:
    return StoreError(
        f"the fingerprints of this store were made by another version and cannot be made anew: the records of memory "
        f"{memory} are damaged: see `membatch check`"
    )
