"""What would happen to a record if it met one memory: explain.

Rule: the outcome is what `decide` says, as in a load; what is shown beside it is why.
Data in: two records, as JSON or as ids of stored memories. Data out: each step's answer and the outcome.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from membatch.config import Config
from membatch.decide import decide
from membatch.errors import ConfigError
from membatch.fingerprint import DIGEST_BYTES, canonical_text
from membatch.merge import Survivor, merge
from membatch.patch import apply
from membatch.plan import (
    Batch,
    Checkpoint,
    Digest,
    Duplicate,
    Fingerprints,
    Hits,
    Hold,
    Insert,
    MemoryKey,
    Merge,
    Plan,
    Position,
    RawBatch,
    Reject,
    StoredRow,
)
from membatch.prepare import NATIVE, Prepare
from membatch.rules import Rules, rules_of
from membatch.runs.accounts import open_once
from membatch.runs.inputs import with_choices
from membatch.similarity.guards import GUARDS, LIMITS, Facts
from membatch.store import FingerprintRow, MergeRow, Store

_KEY = MemoryKey(1)


class _Known(NamedTuple):
    """A memory as the only one of a store: its row, what leads to it, its founder's summary."""

    row: StoredRow
    fingerprints: list[FingerprintRow]
    founder: str
    refused: frozenset[Digest] = frozenset()
    merged_away: Mapping[tuple[str, str], str] = MappingProxyType({})


def explain(one: str, other: str, *, config: Config) -> dict[str, Any]:
    """Return what would happen to record `other` if `one` were the only memory stored, each step's answer and why.

    Each is the JSON text of a record, or the id of a stored memory, which as `one` comes with its past: its founder
    and what it absorbed. Raises ConfigError.
    """
    from membatch.similarity.index import Index

    config = with_choices(config, None, None)
    rules = rules_of(config)
    memory = _memory(one, config)
    batch = _prepared(*_native(other, config), config)
    index = Index(config.dedup.strategy, min(rules.threshold, rules.review_from))
    index.load([_block(memory.fingerprints)])
    hits = index.find(batch)
    # The memory is of an earlier run, so that its key is below the first of this one.
    plan = decide(
        batch,
        hits,
        {_KEY: memory.row},
        rules,
        next_key=MemoryKey(_KEY + 1),
        first_of_run=MemoryKey(_KEY + 1),
        refused=memory.refused,
        merged_away=memory.merged_away,
    )
    return _shown(memory, batch, hits, plan, rules, config)


def _block(rows: list[FingerprintRow]) -> Fingerprints:
    """Return rows as a block of a store that holds only these."""
    import numpy as np

    stands = [bool(row.founder) and not row.superseded for row in rows]
    standing = [row for row, stays in zip(rows, stands, strict=True) if stays]
    return Fingerprints(
        memories=np.array([row.memory for row in rows], np.int64),
        id_hashes=np.array([row.id_hash for row in rows], np.int64),
        superseded=np.array([row.superseded for row in rows], np.bool_),
        stands=np.array(stands, np.bool_),
        hashes=np.frombuffer(b"".join(row.hashes for row in rows), np.uint64).reshape(-1, 4),
        scopes=[row.match_scope or "" for row in standing],
        sizes=np.array([len(row.tokens or b"") // 8 for row in standing], np.int64),
        tokens=np.frombuffer(b"".join(row.tokens or b"" for row in standing), np.uint64),
        ahead=len(rows),
    )


def _shown(memory: _Known, batch: Batch, hits: Hits, plan: Plan, rules: Rules, config: Config) -> dict[str, Any]:
    from membatch.similarity.tokens import words_of

    record = msgspec.json.decode(batch.records[0])
    mine, theirs = (words_of(canonical_text(text)) for text in (record["summary"], memory.founder))
    shared, union = mine & theirs, mine | theirs
    score = Fraction(len(shared), len(union)) if union else Fraction(0)
    same_scope = memory.row.scope == batch.scopes[0]
    # Where the digest is known, the index looks at no content hash.
    live = [row.hashes[-DIGEST_BYTES:] for row in memory.fingerprints if not row.superseded]
    same_hash = bool(hits.by_hash) or batch.content_hashes[0] in live
    outcome, reason = _outcome(plan, rules, config, same_scope=same_scope, score=score, by_hash=bool(hits.by_hash))
    return {
        "same_match_scope": same_scope,
        "digest": bool(hits.by_digest),
        "id": same_scope and memory.row.id == batch.ids[0],
        "content_hash": same_hash,
        "score": f"{len(shared)}/{len(union)}",
        "threshold": config.dedup.threshold,
        "review_from": config.dedup.review_from,
        "tokens": {
            "shared": sorted(shared),
            "only_first": sorted(theirs - mine),
            "only_second": sorted(mine - theirs),
        },
        "guards": _verdicts(memory, record, rules, equal_hashes=same_hash),
        "outcome": outcome,
        "reason": reason,
    }


def _verdicts(memory: _Known, record: dict[str, Any], rules: Rules, *, equal_hashes: bool) -> dict[str, str]:
    """Return what every guard says of the pair, whether or not a step asks it."""
    stands = msgspec.json.decode(memory.row.record)
    mine, theirs = Facts(record), Facts(stands)
    verdicts: dict[str, str] = {}
    for name in (*GUARDS, *(name for name in rules.guards if name not in GUARDS)):
        row = rules.guards.get(name)
        if row is None:
            verdicts[name] = "off"
        elif equal_hashes and not row.asks_equal_hashes:
            verdicts[name] = "not asked"  # equal content hashes answer it
        else:
            verdicts[name] = row.judge(mine, theirs)
    merged = merge(Survivor(stands, memory.row.stated), record, rules.merge)
    verdicts[LIMITS] = "unsure" if merged is None else "same"
    return verdicts


def _outcome(
    plan: Plan, rules: Rules, config: Config, *, same_scope: bool, score: Fraction, by_hash: bool
) -> tuple[str, str]:
    match plan.steps[0]:
        case Duplicate():
            return "duplicate", "this very record is known"
        case Reject(_, rejection):
            return "rejected", f"{rejection.code}: {rejection.message}"
        case Merge(replaces=True):
            return "merged", f'the id is the same, and dedup.same_id = "{rules.same_id}" lets it replace the memory'
        case Merge(step="hash"):
            return "merged", "the content hashes are equal, and no guard objects"
        case Merge():
            return "merged", "the score reaches the threshold, and no guard objects"
        case Hold(guards=fired):
            return "held", ", ".join(f"{name} says {verdict}" for name, verdict in fired.items())
        case Insert():
            return "inserted", _why_inserted(plan, rules, config, same_scope, by_hash or score >= rules.review_from)
        case step:
            raise AssertionError(step)


def _why_inserted(plan: Plan, rules: Rules, config: Config, same_scope: bool, is_candidate: bool) -> str:
    if not same_scope:
        return "the match scopes differ"
    if plan.refusals:
        return ", ".join(f"{name} says different" for name in plan.refusals[0])
    if is_candidate and rules.strategy != "similar":
        return f'strategy "{rules.strategy}" does not ask for the score'
    if is_candidate and rules.only_run:
        return f'dedup.against = "{config.dedup.against}" leaves memories of earlier runs out'
    return "neither are the content hashes equal nor is the score high enough"


def _memory(text: str, config: Config) -> _Known:
    if _is_record(text):
        batch = _prepared(text.encode(), config.format or NATIVE, config)
        row = StoredRow(_KEY, batch.ids[0], batch.scopes[0], batch.records[0], None)
        return _Known(row, [_fingerprint(batch)], msgspec.json.decode(batch.records[0])["summary"])
    with open_once(config.store) as reader:
        row = _one(reader, text)
        fingerprints = reader.fingerprints_of(row.key)
        founding = next(one for one in fingerprints if one.founder and not one.superseded)
        founder = _founder(reader, row, founding, config)
        refused = frozenset(reader.conflicting_digests())
        away = {name: survivor for name, survivor in reader.merged_away().items() if survivor == row.id}
    tokens, summary = founder.tokens[0], msgspec.json.decode(founder.records[0])["summary"]
    known = [
        one._replace(memory=_KEY, match_scope=row.scope, tokens=tokens if one is founding else one.tokens)
        for one in fingerprints
    ]
    return _Known(StoredRow(_KEY, row.id, row.scope, row.record, row.stated), known, summary, refused, away)


def _founder(reader: Store, row: StoredRow, founding: FingerprintRow, config: Config) -> Batch:
    """Return the record that founded a memory, prepared: the one whose digest is the founder's."""
    merges = _own(reader.lineage(row.key))
    state = msgspec.json.decode(row.record)
    for item in reversed(merges):
        state = apply(state, msgspec.json.decode(item.reverse))
    replacing = [msgspec.json.decode(item.record) for item in merges if item.replaces]
    for document in (state, *replacing):
        batch = _prepared(msgspec.json.encode(document), NATIVE, config)
        if founding.hashes.startswith(batch.digests[0]):
            return batch
    raise ConfigError(f"memory {row.id!r} and its lineage do not fit together: run `membatch check`")


def _own(merges: list[MergeRow]) -> list[MergeRow]:
    """Return the merges that stand, without those of memories that a review merged."""
    standing = [row for row in merges if row.unmerged_in is None]
    theirs = {merge for row in standing if row.moved_merges for merge in msgspec.json.decode(row.moved_merges)}
    return [row for row in standing if row.merge not in theirs]


def _fingerprint(batch: Batch) -> FingerprintRow:
    id_hash = int.from_bytes(batch.id_hashes[0], sys.byteorder, signed=True)
    hashes = batch.digests[0] + batch.content_hashes[0]
    return FingerprintRow(_KEY, 0, 1, id_hash, hashes, batch.tokens[0], batch.scopes[0])


def _native(text: str, config: Config) -> tuple[bytes, str]:
    """Return a record's JSON text, and the format that it is in."""
    if _is_record(text):
        return text.encode(), config.format or NATIVE
    with open_once(config.store) as reader:
        row = _one(reader, text)
    return b'{"id":' + msgspec.json.encode(row.id) + b"," + row.record[1:], NATIVE


def _is_record(text: str) -> bool:
    return text.lstrip().startswith("{")


def _one(reader: Store, identity: str) -> StoredRow:
    found = reader.by_id(identity)
    if not found:
        raise ConfigError(
            f"no memory has or absorbed the id {identity!r}: give one that `membatch export` shows, or a record as JSON"
        )
    if len(found) > 1:
        listed = ", ".join(f"{row.id} in {row.scope}" for row in found)
        raise ConfigError(f"{identity!r} leads to several memories: {listed}: give the record as JSON")
    return found[0]


def _prepared(raw: bytes, format_name: str, config: Config) -> Batch:
    """Return a batch of the one record that a JSON text holds; raises ConfigError if there is none or several."""
    from membatch.similarity.tokens import tokenize

    item = RawBatch(items=[raw], positions=[Position(0, 1, 0)], rejected={}, skip=0, after=Checkpoint())
    batch = Prepare(config, format_name, tokenize)(item)
    for rejection in batch.rejections.values():
        raise ConfigError(f"a record is not valid: {rejection.message}")
    if len(batch) != 1:
        raise ConfigError(f"an item holds {len(batch)} records of format {format_name!r}: give one")
    return batch
