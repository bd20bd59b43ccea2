"""What compiled code refuses is what the guards refuse: the same plans, counts and scores as pair by pair."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membatch import process
from membatch.config import BatchSettings, Config, DedupSettings
from membatch.decide import decide
from membatch.patch import apply
from membatch.plan import (
    Batch,
    Checkpoint,
    Hold,
    Insert,
    MemoryKey,
    Merge,
    Plan,
    Position,
    RawBatch,
    Reject,
    StoredRow,
    sliced,
)
from membatch.prepare import Prepare
from membatch.rules import rules_of
from membatch.similarity.index import Index
from membatch.similarity.tokens import tokenize

ALL = 10**9  # a crowd that never comes together


def config(**dedup: Any) -> Config:
    return Config(format="membatch", dedup=msgspec.convert({"threshold": "0.6", **dedup}, DedupSettings))


class Loaded:
    """Memories in a dictionary, filled batch by batch as a run fills a store."""

    def __init__(self, settings: Config, crowd: int) -> None:
        self.rules = rules_of(settings)
        self.index = Index(settings.dedup.strategy, self.rules.threshold, self.rules.guards, crowd)
        self.prepare = Prepare(settings, "membatch", tokenize if settings.dedup.strategy == "similar" else None)
        self.rows: dict[MemoryKey, StoredRow] = {}
        self.steps: list[Any] = []
        self.refusals: Counter[str] = Counter()
        self.scores: Counter[Fraction] = Counter()
        self.fetched = 0
        self.plans = 0
        self.first_of_run = MemoryKey(1)
        self.others: frozenset[MemoryKey] = frozenset()

    def fetch(self, keys: Iterable[MemoryKey]) -> dict[MemoryKey, StoredRow]:
        return {key: self.rows[key] for key in keys}

    def load(self, values: list[Any], size: int) -> Loaded:
        self.first_of_run = MemoryKey(len(self.rows) + 1)
        return self.go_on(values, size)

    def go_on(self, values: list[Any], size: int) -> Loaded:
        items = [json.dumps(value).encode() for value in values]
        positions = [Position(0, number, 0) for number in range(len(items))]
        whole = self.prepare(RawBatch(items=items, positions=positions, rejected={}, skip=0, after=Checkpoint()))
        start = 0
        while start < len(whole):
            start += self.commit(sliced(whole, start, start + size))
        return self

    def commit(self, batch: Batch) -> int:
        oldest = self.first_of_run if self.rules.only_run else MemoryKey(1)
        hits = self.index.find(batch, self.fetch, oldest, self.others)
        batch = sliced(batch, 0, hits.length)
        rows = self.fetch(hits.memories())
        self.fetched += len(rows)
        next_key = MemoryKey(len(self.rows) + 1)
        plan = decide(
            batch,
            hits,
            rows,
            self.rules,
            next_key=next_key,
            first_of_run=self.first_of_run,
            others=self.others,
        )
        self.take(plan)
        self.index.advance(plan)
        self.plans += 1
        return len(plan.steps)

    def take(self, plan: Plan) -> None:
        batch = plan.batch
        for step in plan.steps:
            match step:
                case Insert(record, key) | Hold(record, key):
                    self.rows[key] = StoredRow(
                        key, batch.ids[record], batch.scopes[record], batch.records[record], None
                    )
                case Merge(_, memory):
                    row = self.rows[memory]
                    document = apply(msgspec.json.decode(row.record), step.forward)
                    text = msgspec.json.encode(document, order="deterministic")
                    self.rows[memory] = StoredRow(memory, row.id, row.scope, text, step.stated)
            told = Reject(0, step.rejection) if isinstance(step, Reject) else step
            self.steps.append(msgspec.structs.replace(told, record=len(self.steps)))
        for counts in plan.refusals.values():
            self.refusals.update(counts)
        for scores in plan.scores.values():
            for (shared, union), amount in scores.items():
                self.scores[Fraction(shared, union)] += amount


words = st.sampled_from(["tea", "Anna", "lake", "5", "6", "7", "B12", "forty", "🍎", "not"])
dates = st.sampled_from(
    ["2024-05-01T00:00:00Z", "2024-05-01T20:00:00Z", "2024-05-02T12:00:00Z", "2024-05-04T00:00:00Z"]
)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    text = " ".join(["the rate was", *draw(st.lists(words, min_size=0, max_size=3)), draw(st.sampled_from(["", "!"]))])
    record: dict[str, Any] = {"summary": text}
    for name, values in {
        "confidence": st.sampled_from([0.2, 0.5, 0.8]),
        "occurred_at": dates,
        "valid_from": dates,
        "valid_until": st.sampled_from(["2024-05-04T00:00:00Z", "2024-05-09T00:00:00Z"]),
        "content": st.sampled_from(["a 5", "a 6", "b"]),
        "updated_at": dates,
        "id": st.sampled_from(["i1", "i2", "i3"]),
        "tags": st.sampled_from([["x"], ["y"]]),
    }.items():
        if draw(st.integers(0, 4)) == 0:
            record[name] = draw(values)
    people = draw(st.lists(st.sampled_from(["p1", "p2", "p3"]), unique=True, max_size=2))
    if people:
        record["participants"] = [{"id": name} for name in people]
        if draw(st.booleans()):
            record["subject"] = people[0]
    if record.get("valid_from", "") > record.get("valid_until", "3"):
        del record["valid_from"]
    return record


guards = st.sampled_from(
    [
        None,
        ["when"],
        ["numbers"],
        ["subject", "participants", "when"],
        ["subject", "numbers", "names"],
        ["participants", "substitution"],
        [],
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(records(), max_size=40),
    st.lists(records(), max_size=20),
    st.sampled_from([1, 3, 10, 100]),
    st.sampled_from(["similar", "exact"]),
    guards,
    st.sampled_from(["newer", "update"]),
    st.sampled_from(["store", "run"]),
    st.sampled_from([2, 3, 5]),
)
def test_plans_are_the_same_with_and_without_crowds(
    first: list[Any],
    second: list[Any],
    size: int,
    strategy: str,
    names: list[str] | None,
    same_id: str,
    against: str,
    least: int,
) -> None:
    options = {
        "strategy": strategy,
        "same_id": same_id,
        "against": against,
        **({} if names is None else {"guards": names}),
    }
    one, other = (Loaded(config(**options), crowd) for crowd in (ALL, least))
    for values in (first, second):
        one.load(values, size)
        other.load(values, size)
    assert other.steps == one.steps
    assert other.rows == one.rows
    assert other.scores == one.scores
    assert other.refusals == one.refusals


def flood(kind: str, count: int) -> list[dict[str, Any]]:
    """Records that are nearly all candidates of each other, and nearly all refused."""
    rng = random.Random(11)
    found = []
    for number in range(count):
        day = dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=30 * rng.randrange(count))
        record: dict[str, Any] = {"summary": "the resting heart rate of the patient was even in the morning"}
        if kind != "numbers":
            record["occurred_at"] = day.isoformat()
        if kind != "days":
            beats = number if kind == "numbers" and rng.random() < 0.9 else rng.randrange(50, 90)
            record["summary"] = f"the resting heart rate of the patient was {beats} bpm in the morning of 2024"
        if rng.random() < 0.2:
            record["summary"] += " again"
        if rng.random() < 0.2:
            record["participants"] = [{"id": rng.choice(["p1", "p2"])}]
        if rng.random() < 0.3:
            record["confidence"] = rng.choice([0.2, 0.9])
        found.append(record)
    return found


@pytest.mark.parametrize("strategy", ["similar", "exact"])
@pytest.mark.parametrize("kind", ["days", "numbers", "both"])
def test_floods_end_as_they_do_pair_by_pair(kind: str, strategy: str) -> None:
    values = flood(kind, 900)
    one, other = (Loaded(config(strategy=strategy), crowd).load(values, 600) for crowd in (ALL, 64))
    assert other.steps == one.steps
    assert other.rows == one.rows
    assert other.scores == one.scores
    assert other.refusals == one.refusals


@pytest.mark.parametrize("strategy", ["similar", "exact"])
@pytest.mark.parametrize("kind", ["days", "numbers", "both"])
def test_a_resumed_run_counts_no_memory_that_others_made_meanwhile(kind: str, strategy: str) -> None:
    values, ends = flood(kind, 300), []
    same_id = {**values[130], "id": "theirs", "tags": ["new"]}
    values[130] = {**values[130], "id": "theirs"}
    for crowd in (ALL, 5):
        loaded = Loaded(config(strategy=strategy, against="run"), crowd).load(values[:100], 40)
        own = len(loaded.rows)
        loaded.go_on(values[100:200], 40)
        loaded.others = frozenset(MemoryKey(key) for key in range(own + 1, len(loaded.rows) + 1))
        ends.append(loaded.go_on([same_id, *values[200:]], 40))
    one, other = ends
    assert other.steps == one.steps
    assert other.rows == one.rows
    assert other.scores == one.scores
    assert other.refusals == one.refusals


@pytest.mark.parametrize("size", [1, 30, 64, 65])
def test_a_pair_that_equal_hashes_refuse_is_counted_once(size: int) -> None:
    text, first = "anna ran around the old lake with the dog", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    apart = [{"summary": text, "occurred_at": str(first + dt.timedelta(days=2 * number))} for number in range(64)]
    later = {"summary": text, "occurred_at": "2025-01-01T00:00:00Z"}
    absorbed = [{**apart[0], "tags": [f"{number}"]} for number in range(64)]
    for values in (apart, [{**apart[0], "summary": f"{text} today"}, *absorbed, later]):
        one, other = (Loaded(config(), crowd).load(values, size) for crowd in (ALL, 64))
        assert other.steps == one.steps
        assert other.refusals == one.refusals


@pytest.mark.parametrize("size", [10, 100])
def test_an_id_with_an_equal_hash_leads_to_a_memory_of_an_earlier_run_also_in_a_flood(
    size: int, tmp_path: Path
) -> None:
    settings_ = msgspec.structs.replace(
        config(against="run"), store=f"sqlite:///{tmp_path}/a.db", batch=BatchSettings(size=size, min=1)
    )
    process([{"id": "x", "summary": "tea"}], config=settings_)
    repeats = [{"summary": "tea", "source_message_ids": [f"m{number}"]} for number in range(64)]
    report = process([*repeats, {"id": "x", "summary": "tea", "tags": ["new"]}], config=settings_)
    assert (report.counts.inserted, report.counts.merged, report.counts.rejected) == (1, 64, 0)


@pytest.mark.parametrize("kind", ["days", "numbers"])
def test_a_flood_fetches_each_row_once(kind: str) -> None:
    values = flood(kind, 2000)
    loaded = Loaded(config(), 64).load(values, 500)
    assert sum(loaded.refusals.values()) > 1_000_000
    assert loaded.fetched < len(values)
