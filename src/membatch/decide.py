"""The outcome of each record: the Plan of a batch.

Rule: pure and sequential; a record sees the store as the batch found it and what earlier records of the batch
did to it. Three steps, the first that applies decides: digest, id, candidates.
Data in: a batch, what the index found for it, the rows of those memories, the rules. Data out: a Plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from membatch import merge, merge_rules
from membatch.patch import Document
from membatch.plan import (
    Batch,
    Candidate,
    ContentHash,
    Counted,
    Digest,
    Duplicate,
    Hits,
    Hold,
    Insert,
    MemoryKey,
    Merge,
    Plan,
    Refused,
    Reject,
    Rejection,
    Similar,
    Step,
    StoredRow,
)
from membatch.rules import Rules
from membatch.similarity import frames, guards

_decode = msgspec.json.decode
_NONE: Mapping[tuple[str, str], str] = MappingProxyType({})
_EXAMPLES = 5  # of refusals, kept for each guard
_MANY = 64  # candidates of one record from which on they are looked at together
_NOT_APART = frames.Apart(set(), set())


class UndecidedError(Exception):
    """Deciding about a record raised what nobody foresaw: a guard or merge rule has a fault."""

    def __init__(self, record: int, cause: Exception) -> None:
        super().__init__(record)
        self.record, self.cause = record, cause


def decide(
    batch: Batch,
    hits: Hits,
    rows: Mapping[MemoryKey, StoredRow],
    rules: Rules,
    *,
    next_key: MemoryKey,
    first_of_run: MemoryKey,
    others: frozenset[MemoryKey] = frozenset(),
    refused: frozenset[Digest] = frozenset(),
    merged_away: Mapping[tuple[str, str], str] = _NONE,
) -> Plan:
    """Return the plan of a batch.

    `next_key` is the key of the next memory, `first_of_run` that of the run's first, `others` are the
    memories of other runs from there on, where a run is resumed after them; `refused` holds the digests of records
    that were rejected for their id before, which the same input meets again; `merged_away` the match scopes and ids
    of memories that a review merged, each with the survivor's id. Raises UndecidedError, naming the record, for what
    a guard or merge rule raises.
    """
    eligible = _Eligible(first_of_run, others) if rules.only_run else _Eligible(MemoryKey(0))
    return _Decider(batch, hits, rows, rules, next_key, eligible, _Refused(refused, merged_away)).plan()


class _Eligible(NamedTuple):
    """Which memories are candidates: those from the oldest on, the others among them aside."""

    oldest: MemoryKey
    others: frozenset[MemoryKey] = frozenset()


class _Refused(NamedTuple):
    """What is rejected for its id again: digests, and the ids that memories had which a review merged."""

    digests: frozenset[Digest]
    merged_away: Mapping[tuple[str, str], str]


class _Decider:
    def __init__(
        self,
        batch: Batch,
        hits: Hits,
        rows: Mapping[MemoryKey, StoredRow],
        rules: Rules,
        next_key: MemoryKey,
        eligible: _Eligible,
        refused: _Refused,
    ) -> None:
        self._batch, self._hits, self._rows, self._rules = batch, hits, rows, rules
        self._next_key = next_key
        self._oldest, self._others = eligible
        self._refused, self._merged_away = refused
        self._refused_here: set[Digest] = set()
        self._alone = hits.alone or bytes(len(batch))
        if self._merged_away and self._refused:
            told = zip(self._alone, batch.digests, strict=True)
            self._alone = bytes(alone and digest not in self._refused for alone, digest in told)
        # What earlier records of this batch did.
        self._by_digest: dict[Digest, MemoryKey] = {}
        self._by_id: dict[tuple[str, str], MemoryKey] = {}
        self._by_hash: dict[ContentHash, list[MemoryKey]] = {}
        self._hashes: dict[MemoryKey, list[ContentHash]] = {}  # the same, the other way
        self._founded: dict[int, MemoryKey] = {}  # record -> the memory whose founder it is
        self._founder: dict[MemoryKey, int] = {}  # the same, the other way
        self._alike: dict[int, list[MemoryKey]] = {}  # record -> memories that it founded, or later ones that say it
        self._replaced: set[MemoryKey] = set()
        self._survivors: dict[MemoryKey, merge.Survivor] = {}
        self._facts: dict[MemoryKey, guards.Facts] = {}
        self._frames = frames.Frames(rules.guards)
        self._refusals: dict[int, dict[str, int]] = {}
        self._scores: dict[int, dict[tuple[int, int], int]] = {}
        self._examples: dict[str, list[Refused]] = {}
        self._refusing = hits.refusing
        self._ends = False  # what was found of later records no longer holds

    def plan(self) -> Plan:
        if self._refusing is not None:
            self._refusing.begin()
            self._keep_examples(self._refusing.examples)
        steps: list[Step] = []
        alone, rejections = self._alone, self._batch.rejections
        try:
            for record in range(len(self._batch)):
                if alone[record] and record not in rejections:
                    steps.append(Insert(record, self._next_key))
                    self._next_key += 1  # type: ignore[assignment]  # a NewType's call takes longer
                else:
                    steps.append(self._step(record))
                    if self._ends:
                        break
        except MemoryError:
            raise
        except Exception as error:
            raise UndecidedError(len(steps), error) from error
        refused = [example for some in self._examples.values() for example in some]
        return Plan(
            batch=self._batch,
            steps=steps,
            refusals=self._refusals,
            scores=self._scores,
            refused=refused,
            before=self._rows,
        )

    def _step(self, record: int) -> Step:
        batch = self._batch
        rejection = batch.rejections.get(record)
        if rejection is not None:  # asked first: a record may have been rejected after the index looked at it
            return Reject(record, rejection)
        digest = batch.digests[record]
        known = self._by_digest.get(digest) or self._hits.by_digest.get(record)
        if known is not None:
            return Duplicate(record, known)
        holder = self._holder_of_id(record)
        if holder is not None:
            return self._same_id(record, holder)
        survivor = self._merged_away.get((batch.scopes[record], batch.ids[record]))
        if survivor is not None and self._was_refused(digest) and self._rules.same_id != "update":
            whose = f"was that of a memory that a review merged into {_beginning(survivor)}"
            return self._conflict(record, whose)
        if self._rules.strategy == "memory-only":
            return self._insert(record)
        return self._consolidate(record)

    def _holder_of_id(self, record: int) -> MemoryKey | None:
        name = (self._batch.scopes[record], self._batch.ids[record])
        holder = self._by_id.get(name)
        if holder is None:
            holder = self._hits.by_id.get(record)
            if holder is not None and (self._rows[holder].scope, self._rows[holder].id) != name:
                return None  # a collision of 64-bit hashes
        return holder

    def _same_id(self, record: int, holder: MemoryKey) -> Step:
        mode = self._rules.same_id
        digest = self._batch.digests[record]
        if mode == "update":
            return self._replace(record, holder)
        if mode == "newer" and not self._was_refused(digest):
            mine = self._survivor(holder).stated.updated_at
            other = self._document(record).get("updated_at")
            if other is not None and (mine is None or merge_rules.sortable(other) > merge_rules.sortable(mine)):
                return self._replace(record, holder)
            if holder in self._led_to_by_hash(record) or self._is_in_crowd_of_hash(record, holder):
                judged = self._judge(record, holder, equal_hashes=True)
                if judged.verdict == "same":
                    merged = merge.merge(self._survivor(holder), self._document(record), self._rules.merge)
                    if merged is not None:
                        return self._absorb(record, Candidate(holder, "hash"), merged)
        theirs = _beginning(self._survivor(holder).document["summary"])
        return self._conflict(record, f"belongs to a memory that says {theirs}")

    def _was_refused(self, digest: Digest) -> bool:
        return digest in self._refused or digest in self._refused_here

    def _conflict(self, record: int, whose: str) -> Reject:
        digest, identity = self._batch.digests[record], self._batch.ids[record]
        self._refused_here.add(digest)
        ours = _beginning(self._document(record)["summary"])
        rejection = Rejection(
            category="deduplication",
            code="id-conflict",
            message=f"id {_beginning(identity)} {whose}; this record says {ours}",
            raw=self._raw(record),
            format="membatch",
            digest=digest,
            id=identity,
        )
        return Reject(record, rejection)

    def _raw(self, record: int) -> bytes:
        identity = msgspec.json.encode(self._batch.ids[record])
        return b'{"id":' + identity + b"," + self._batch.records[record][1:]

    def _consolidate(self, record: int) -> Step:
        if self._refusing is None or not self._refusing.touches(record):
            return self._chosen(record)[0]
        stored = self._hits.by_hash.get(record, ())
        led = [key for key in self._by_hash.get(self._batch.content_hashes[record], ()) if key not in stored]
        step, chosen = self._chosen(record)
        self._count_unjudged(record, self._refusing.at_turn(record, led, chosen))
        return step

    def _count_unjudged(self, record: int, counted: Counted) -> None:
        for guard, amount in counted.by_guard.items():
            refusals = self._refusals.setdefault(record, {})
            refusals[guard] = refusals.get(guard, 0) + amount
        for score, amount in counted.scores.items():
            self._count_score(record, score, amount)
        self._keep_examples(counted.examples)

    def _chosen(self, record: int) -> tuple[Step, Candidate | None]:
        """Return the step of a record, and the candidate that absorbs it."""
        unsure: tuple[Candidate, dict[str, str]] | None = None
        candidates = self._candidates(record)
        apart: frames.Apart | None = None  # mostly a hash decides, and nobody asks
        for candidate in candidates:
            if candidate.step == "hash":
                judged = self._judge(record, candidate.memory, equal_hashes=True)
            else:
                apart = apart or self._apart(record, candidates)
                if unsure is not None and candidate.memory in apart.unsure:
                    continue
                if candidate.memory in apart.different:
                    judged = frames.OTHER_NAME
                else:
                    judged = self._judge(record, candidate.memory, equal_hashes=False)
            if judged.verdict == "different":
                self._count_refused(record, candidate, judged.fired)
                continue
            fired = dict(judged.fired)
            threshold = self._rules.threshold
            if candidate.shared * threshold.denominator < candidate.union * threshold.numerator:
                fired["review_from"] = "unsure"
            if not fired:
                merged = merge.merge(self._survivor(candidate.memory), self._document(record), self._rules.merge)
                if merged is not None:
                    return self._absorb(record, candidate, merged), candidate
                fired[guards.LIMITS] = "unsure"
            if unsure is None:
                unsure = (candidate, fired)
        if unsure is None:
            return self._insert(record), None
        return self._hold(record, *unsure), None

    def _count_refused(self, record: int, candidate: Candidate, fired: Iterable[str]) -> None:
        refusals = self._refusals.setdefault(record, {})
        for name in fired:
            refusals[name] = refusals.get(name, 0) + 1
            self._keep_examples([Refused(name, record, candidate.memory, candidate.shared, candidate.union)])

    def _apart(self, record: int, candidates: list[Candidate]) -> frames.Apart:
        """Return which of very many candidates say what the record says but for one word."""
        if len(candidates) < _MANY:
            return _NOT_APART
        for candidate in candidates:
            if candidate.memory not in self._frames:
                self._frames.add(candidate.memory, self._survivor(candidate.memory).document)
        return self._frames.apart(self._document(record))

    def _keep_examples(self, examples: Iterable[Refused]) -> None:
        for example in examples:
            kept = self._examples.setdefault(example.guard, [])
            if len(kept) < _EXAMPLES:
                kept.append(example)

    def _count_score(self, record: int, score: tuple[int, int], amount: int) -> None:
        scores = self._scores.setdefault(record, {})
        scores[score] = scores.get(score, 0) + amount

    def _led_to_by_hash(self, record: int) -> set[MemoryKey]:
        stored = self._hits.by_hash.get(record)
        here = self._by_hash.get(self._batch.content_hashes[record])
        found = self._hits.here_by_hash.get(record)
        if stored is None and here is None and found is None:
            return set()
        led_to = {key for key in stored or () if key not in self._replaced}.union(here or ())
        return led_to.union(self._founded[other] for other in found or () if other in self._founded)

    def _candidates(self, record: int) -> list[Candidate]:
        led_to = self._led_to_by_hash(record)
        found = [Candidate(key, "hash") for key in sorted(led_to) if self._may_absorb(key)]
        similar = self._hits.similar.get(record)
        if similar is not None:
            found.extend(self._similar(record, similar, led_to))
        return found

    def _may_absorb(self, memory: MemoryKey) -> bool:
        return memory >= self._oldest and memory not in self._others

    def _similar(self, record: int, hits: list[Similar], led_to: set[MemoryKey]) -> list[Candidate]:
        """Return the memories whose founders are similar, the best first, ties by age."""
        found: list[Candidate] = []
        scores: dict[tuple[int, int], int] = {}
        has_crowd = self._refusing is not None and self._refusing.knows_hash(record)
        for hit in hits:
            if hit.memory:
                keys = [] if hit.memory in self._replaced else [hit.memory]
            else:
                keys = self._alike.get(hit.record, [])
            for key in keys:
                if self._may_absorb(key):
                    score = hit.shared, hit.union
                    scores[score] = scores.get(score, 0) + 1
                    if key not in led_to and not (has_crowd and self._is_in_crowd_of_hash(record, key)):
                        found.append(Candidate(key, "similar", hit.shared, hit.union))
        for score, amount in scores.items():
            self._count_score(record, score, amount)
        if len(found) > 1:
            # Quotients of integers this small order as the fractions do, and equal ones are equal.
            found.sort(key=lambda candidate: (-candidate.shared / candidate.union, candidate.memory))
        return found

    def _judge(self, record: int, memory: MemoryKey, *, equal_hashes: bool) -> guards.Judgement:
        mine = self._record_facts(record)
        other = self._facts.get(memory)
        if other is None:
            other = self._facts[memory] = guards.Facts(self._survivor(memory).document)
        return guards.judge(self._rules.guards, mine, other, equal_hashes=equal_hashes)

    def _record_facts(self, record: int) -> guards.Facts:
        if self._now_at != record:
            self._now_at, self._now = record, guards.Facts(_decode(self._batch.records[record]))
        return self._now

    _now_at = -1
    _now: guards.Facts

    def _document(self, record: int) -> Document:
        return self._record_facts(record).document

    def _survivor(self, memory: MemoryKey) -> merge.Survivor:
        survivor = self._survivors.get(memory)
        if survivor is None:
            founder = self._founder.get(memory)
            if founder is not None:
                survivor = merge.Survivor(_decode(self._batch.records[founder]), None)
            else:
                row = self._rows[memory]
                survivor = merge.Survivor(_decode(row.record), row.stated)
            self._survivors[memory] = survivor
        return survivor

    def _insert(self, record: int) -> Insert:
        key = self._found(record)
        return Insert(record, key)

    def _hold(self, record: int, candidate: Candidate, fired: dict[str, str]) -> Hold:
        key = self._found(record)
        return Hold(record, key, candidate.memory, candidate.step, candidate.shared, candidate.union, fired)

    def _found(self, record: int) -> MemoryKey:
        batch, key = self._batch, self._next_key
        self._next_key = MemoryKey(key + 1)
        self._by_digest[batch.digests[record]] = key
        self._by_id[batch.scopes[record], batch.ids[record]] = key
        self._make_founder(record, key)
        if self._refusing is not None:
            self._refusing.found(record, key)
        self._add_led(record, key)
        return key

    def _make_founder(self, record: int, memory: MemoryKey) -> None:
        self._founded[record] = memory
        self._founder[memory] = record
        self._alike.setdefault(self._hits.first_alike.get(record, record), []).append(memory)

    def _add_led(self, record: int, memory: MemoryKey) -> None:
        """Let the content hash of a record lead to a memory, unless it is known by what was found that it does."""
        if self._is_in_crowd_of_hash(record, memory):
            return
        content_hash = self._batch.content_hashes[record]
        keys = self._by_hash.setdefault(content_hash, [])
        if memory not in keys:
            keys.append(memory)
            self._hashes.setdefault(memory, []).append(content_hash)
            self._ends = self._ends or len(keys) == self._hits.crowd

    def _is_in_crowd_of_hash(self, record: int, memory: MemoryKey) -> bool:
        """Return whether a memory is in the crowd of a record's content hash, where that has one."""
        if self._refusing is None or not self._refusing.knows_hash(record):
            return False
        founder, hashes = self._founder.get(memory), self._batch.content_hashes
        is_here = founder is not None and hashes[founder] == hashes[record]
        return is_here or self._refusing.is_led(record, memory)

    def _absorb(self, record: int, candidate: Candidate, merged: merge.Merged) -> Merge:
        memory = candidate.memory
        survivor = self._survivor(memory)
        before = survivor.stated_text()
        survivor.take(merged)
        self._facts.pop(memory, None)
        self._frames.discard(memory)
        self._lead(record, memory)
        if self._refusing is not None:
            founder = self._founder.get(memory)
            must_end = self._refusing.must_end(record, memory, founder, survivor.document)
            self._ends = self._ends or must_end
        return Merge(
            record=record,
            memory=memory,
            step=candidate.step,
            shared=candidate.shared,
            union=candidate.union,
            replaces=False,
            forward=merged.forward,
            reverse=merged.reverse,
            stated=survivor.stated_text(),
            stated_before=before,
            rules=merged.rules,
            conflicts=merged.conflicts,
            guards={},
            next_key=self._next_key,
        )

    def _lead(self, record: int, memory: MemoryKey) -> None:
        self._by_digest[self._batch.digests[record]] = memory
        self._add_led(record, memory)

    def _replace(self, record: int, memory: MemoryKey) -> Merge:
        survivor = self._survivor(memory)
        before, old = survivor.stated_text(), survivor.document
        document: dict[str, Any] = self._document(record)
        survivor.become(_decode(self._batch.records[record]))
        self._facts.pop(memory, None)
        self._frames.discard(memory)
        for content_hash in self._hashes.pop(memory, ()):
            self._by_hash[content_hash].remove(memory)
        self._replaced.add(memory)
        self._ends = self._refusing is not None
        founder = self._founder.pop(memory, None)
        if founder is not None:
            del self._founded[founder]
            self._alike[self._hits.first_alike.get(founder, founder)].remove(memory)
        self._make_founder(record, memory)
        self._lead(record, memory)
        return Merge(
            record=record,
            memory=memory,
            step="id",
            shared=1,
            union=1,
            replaces=True,
            forward=[["replace", document]],
            reverse=[["replace", old]],
            stated=None,
            stated_before=before,
            rules=[f"same_id:{self._rules.same_id}"],
            conflicts=[],
            guards={},
            next_key=self._next_key,
        )


def _beginning(text: str) -> str:
    shown = text if len(text) <= 60 else text[:59] + "…"
    return f'"{shown}"'
