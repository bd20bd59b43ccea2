"""`explain` says what a load does, for a pair of records and for a memory with a past."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membatch import Config, explain, unmerge
from membatch.config import DEFAULT_GUARDS
from membatch.review import accept
from tests.laws import data

SUMMARIES = st.sampled_from(
    [
        "Anna went to the lake",
        "anna WENT to the lake.",
        "Anna went to the blue lake",
        "Anna went to the lake with Tom",
        "Tom went to the lake with Anna",
        "Anna never went to the lake",
        "Anna went to the lake 5 times",
        "Anna went to the lake 6 times",
        "Bella went to the lake",
        "Anna drove to the lake",
        "我爱苹果",
        "我爱苹果派",
        "🍎",
    ]
)
DEDUP = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["similar", "similar", "similar", "exact", "memory-only"]),
        "same_id": st.sampled_from(["newer", "update", "reject"]),
        "against": st.sampled_from(["store", "store", "run"]),
        "threshold": st.sampled_from(["0.5", "0.7", "0.8", "1"]),
        "review_from": st.sampled_from([None, None, "0.4", "0.5"]),
        "guards": st.sampled_from([DEFAULT_GUARDS, DEFAULT_GUARDS, ("subject",), ()]),
    }
)


@st.composite
def pairs(draw: st.DrawFn, count: int = 2) -> list[dict[str, Any]]:
    """A record and others that are it again, or it with some fields changed, or something else."""
    first = {**draw(data.valid_records()), "summary": draw(SUMMARIES)}
    found = [first]
    for _ in range(count - 1):
        kind = draw(st.integers(0, 5))
        other = draw(data.valid_records()) if kind == 0 else dict(first)
        if kind > 1:
            other.update(draw(st.fixed_dictionaries({}, optional={**data.CHANGES, "summary": SUMMARIES})))
        if kind > 3:
            other["scope"] = {"user_id": draw(st.sampled_from(["u1", "u2"]))}
        if draw(st.booleans()):
            other.pop("id", None)
        found.append(other)
    return found


def config(folder: str, dedup: dict[str, Any]) -> Config:
    loose = {"tolerance": {"max_error_rate": None}, "format": "membatch", "store": f"sqlite:///{folder}/m.db"}
    return msgspec.convert({**loose, "dedup": dedup}, Config)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs(), DEDUP)
def test_the_outcome_is_that_of_a_load(pair: list[dict[str, Any]], dedup: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chosen = config(folder, dedup)
        found = explain(json.dumps(pair[0]), json.dumps(pair[1]), config=chosen)
        assert data.load([pair[0]], chosen)[1] == [("inserted", 1)]
        assert [found["outcome"]] == [outcome for outcome, _ in data.load([pair[1]], chosen)[1]]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs(4), DEDUP)
def test_a_stored_memory_comes_with_its_past(some: list[dict[str, Any]], dedup: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chosen = config(folder, {**dedup, "against": "store"})
        outcomes = data.load(some[:3], chosen)[1]
        if any(outcome in ("inserted", "held") for outcome, _ in outcomes[1:]):
            return  # several memories: the next record may meet another one
        identity = json.loads(data.exported(Path(folder) / "m.db")[0])["id"]
        found = explain(identity, json.dumps(some[3]), config=chosen)
        assert [found["outcome"]] == [outcome for outcome, _ in data.load([some[3]], chosen)[1]]


def test_the_score_is_that_of_the_founder(tmp_path: Path) -> None:
    chosen = config(str(tmp_path), {"threshold": "0.5"})
    lesser = {"id": "m", "summary": "Anna bought a car", "confidence": 0.1}
    data.load([lesser, {"id": "n", "summary": "Anna bought a red fast car", "confidence": 0.9}], chosen)
    found = explain("m", '{"summary": "Anna bought a car today"}', config=chosen)
    assert found["score"] == "4/5"
    assert found["tokens"] == {
        "shared": ["a", "anna", "bought", "car"],
        "only_first": [],
        "only_second": ["today"],
    }
    data.load([{"id": "m", "summary": "Anna sold the car", "updated_at": "2024-01-01T00:00:00Z"}], chosen)
    assert explain("m", '{"summary": "Anna sold the car"}', config=chosen)["score"] == "4/4"


def test_what_was_taken_back_or_came_with_a_review_is_not_the_founders_past(tmp_path: Path) -> None:
    chosen = config(str(tmp_path), {"threshold": "0.6"})
    taken = {"summary": "Anna drinks tea at home.", "kind": "fact"}
    data.load([{"id": "m", "summary": "Anna drinks tea at home"}, taken], chosen)
    unmerge(1, store=chosen.store)
    held = {"id": "n", "summary": "Anna never drinks tea at home"}
    later = {"summary": "Anna never drinks tea at home.", "tags": ["x"]}
    assert [outcome for outcome, _ in data.load([held, later], chosen)[1]] == ["held", "merged"]
    accept(1, config=chosen)
    record = {"summary": "anna drinks tea at home"}
    assert explain("m", json.dumps(record), config=chosen)["score"] == "5/5"


def test_equal_records_have_equal_content_hashes(tmp_path: Path) -> None:
    chosen = config(str(tmp_path), {})
    found = explain('{"summary": "Tom met Anna"}', '{"summary": "Tom met Anna"}', config=chosen)
    assert (found["digest"], found["content_hash"], found["guards"]["numbers"]) == (True, True, "not asked")
    other = explain('{"summary": "Tom met Anna"}', '{"summary": "Tom saw Anna"}', config=chosen)
    assert (other["digest"], other["content_hash"]) == (False, False)


def test_every_guard_is_shown(tmp_path: Path) -> None:
    chosen = config(str(tmp_path), {"threshold": "0.5", "guards": [*DEFAULT_GUARDS[:-2]]})
    one, other = '{"summary": "Tom owes Anna 5 euros"}', '{"summary": "Anna owes Tom 5 euros"}'
    found = explain(one, other, config=chosen)
    assert set(found["guards"]) == set(DEFAULT_GUARDS)
    assert (found["guards"]["order"], found["guards"]["valence"]) == ("unsure", "off")
    same = explain(one, '{"summary": "tom owes anna 5 euros.", "tags": ["x"]}', config=chosen)
    assert (same["outcome"], same["guards"]["order"], same["content_hash"]) == ("merged", "not asked", True)
