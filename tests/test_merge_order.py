"""What docs/merging.md says of each field: whether the result depends on the order in which records are merged."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch.merge import Survivor, merge
from membatch.merge_rules import Rules

DEFAULT = Rules({})
Record = dict[str, Any]
texts = st.sampled_from(["tea", "green tea", "a pot of tea", "coffee", "black coffee"])
shares = st.sampled_from([0.0, 0.125, 0.3, 0.5, 0.7, 0.9, 1.0])
times = st.sampled_from(
    ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.500000Z", "2024-01-01T00:00:00.050000Z", "2023-12-31T23:59:59Z"]
)
ends = st.sampled_from(
    ["2024-01-02T00:00:00Z", "2024-01-02T00:00:00.500000Z", "2024-01-03T00:00:00Z"]
)  # none is before
names = st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)


def consolidated(records: list[Record]) -> Record:
    """Return what becomes of records that are merged in this order."""
    survivor = Survivor(copy.deepcopy(records[0]), None)
    for record in records[1:]:
        merged = merge(survivor, copy.deepcopy(record), DEFAULT)
        assert merged is not None
        survivor.take(merged)
    return survivor.document


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item not in (None, [], {})}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


people = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from("pqr"), "aliases": names, "name": st.none() | texts, "role": st.none() | texts}
    ),
    unique_by=lambda one: one["id"],
    max_size=3,
)
markers = st.lists(
    st.fixed_dictionaries({"type": st.just("word"), "text": st.sampled_from("xyz"), "confidence": st.none() | shares}),
    max_size=3,
)
records_ = st.fixed_dictionaries(
    {
        "summary": texts,
        "content": st.none() | texts,
        "kind": st.none() | texts,
        "subject": st.none() | texts,
        "extracted_at": st.none() | times,
        "source": st.none() | st.fixed_dictionaries({"system": texts}),
        "participants": people,
        "source_message_ids": names,
        "tags": names,
        "occurred_at": st.none() | times,
        "created_at": st.none() | times,
        "valid_from": st.none() | times,
        "updated_at": st.none() | times,
        "valid_until": st.none() | ends,
        "confidence": st.none() | shares,
        "scope": st.fixed_dictionaries({"agent_id": st.none() | texts, "session_id": st.none() | texts}),
        "metadata": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
        "emotional_context": st.fixed_dictionaries(
            {
                "primary": st.none() | texts,
                "primary_raw": st.none() | texts,
                "intensity": st.none() | shares,
                "valence": st.none() | shares,
                "themes": names,
                "events": names,
                "secondary": names,
                "markers": markers,
                "temporal": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
            }
        ),
        "relationship_dynamics": st.fixed_dictionaries(
            {**dict.fromkeys(("pattern", "quality", "balance"), st.none() | texts), "strength": st.none() | shares}
        ),
    }
).map(without_nulls)
several = st.lists(records_, min_size=2, max_size=6)


@st.composite
def shuffled(draw: st.DrawFn, given_: st.SearchStrategy[list[Record]] = several) -> tuple[list[Record], list[Record]]:
    """Two orders of the same records."""
    values = draw(given_)
    return values, draw(st.permutations(values))


def at(record: Record, path: str) -> Any:
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


NEVER = ("occurred_at", "created_at", "valid_from", "updated_at", "valid_until", "confidence")


@settings(max_examples=300, deadline=None)
@given(shuffled())
def test_times_and_confidence_do_not_depend_on_the_order(both: tuple[list[Record], list[Record]]) -> None:
    one, other = map(consolidated, both)
    assert {name: one.get(name) for name in NEVER} == {name: other.get(name) for name in NEVER}


LISTS = (
    "source_message_ids",
    "tags",
    "emotional_context.themes",
    "emotional_context.events",
    "emotional_context.secondary",
)


@settings(max_examples=300, deadline=None)
@given(shuffled())
def test_of_united_lists_only_the_order_of_the_items_depends_on_it(both: tuple[list[Record], list[Record]]) -> None:
    one, other = map(consolidated, both)
    for name in LISTS:
        assert sorted(at(one, name) or []) == sorted(at(other, name) or [])
    aliases = [
        {each["id"]: sorted(each.get("aliases", [])) for each in it.get("participants", [])} for it in (one, other)
    ]
    assert aliases[0] == aliases[1]
    assert surest_evidence(one) == surest_evidence(other)


def surest_evidence(record: Record) -> dict[str, float]:
    """Return the largest confidence of each marker: a founder may give one several times."""
    found: dict[str, float] = {}
    for each in at(record, "emotional_context.markers") or []:
        found[each["text"]] = max(found.get(each["text"], -1), each.get("confidence", -1))
    return found


@settings(max_examples=300, deadline=None)
@given(shuffled(), st.sampled_from(["a", "b"]))
def test_of_united_objects_the_names_never_depend_on_it_and_values_only_in_clashes(
    both: tuple[list[Record], list[Record]], name: str
) -> None:
    one, other = map(consolidated, both)
    for place in ("metadata", "emotional_context.temporal", "scope"):
        assert sorted(at(one, place) or {}) == sorted(at(other, place) or {})
    for place in ("metadata", "emotional_context.temporal"):
        said = {value for record in both[0] if (value := at(record, f"{place}.{name}")) is not None}
        if len(said) <= 1:
            assert at(one, f"{place}.{name}") == at(other, f"{place}.{name}") == next(iter(said), None)
        else:
            founders = [
                next(at(it, f"{place}.{name}") for it in order if at(it, f"{place}.{name}") is not None)
                for order in both
            ]
            assert [at(one, f"{place}.{name}"), at(other, f"{place}.{name}")] == founders


@settings(max_examples=300, deadline=None)
@given(shuffled())
def test_weighted_numbers_depend_on_it_in_their_last_digits(both: tuple[list[Record], list[Record]]) -> None:
    one, other = map(consolidated, both)
    for place in ("emotional_context.intensity", "emotional_context.valence", "relationship_dynamics.strength"):
        stated = [
            (at(record, place), record.get("confidence", 0.5)) for record in both[0] if at(record, place) is not None
        ]
        if sum(weight for _, weight in stated) > 0:
            mean = sum(value * weight for value, weight in stated) / sum(weight for _, weight in stated)
            assert at(one, place) == pytest.approx(mean, abs=1e-12)
            assert at(other, place) == pytest.approx(mean, abs=1e-12)


CONFIDENT = (
    "kind",
    "subject",
    "extracted_at",
    "source",
    "emotional_context.primary",
    "emotional_context.primary_raw",
    "relationship_dynamics.pattern",
    "relationship_dynamics.quality",
    "relationship_dynamics.balance",
)


@settings(max_examples=300, deadline=None)
@given(shuffled(st.lists(records_, min_size=2, max_size=6, unique_by=lambda record: record.get("confidence", -1))))
def test_the_text_depends_on_it_only_in_ties(both: tuple[list[Record], list[Record]]) -> None:
    one, other = map(consolidated, both)
    surest = max(both[0], key=lambda record: record.get("confidence", -1))
    assert one["summary"] == other["summary"] == surest["summary"]
    if "content" in surest:
        assert one["content"] == other["content"] == surest["content"]


@settings(max_examples=300, deadline=None)
@given(shuffled(st.lists(records_, min_size=2, max_size=6, unique_by=lambda record: record.get("confidence", -1))))
def test_what_the_surest_record_states_is_kept_in_any_order(both: tuple[list[Record], list[Record]]) -> None:
    one, other = map(consolidated, both)
    surest = max(both[0], key=lambda record: record.get("confidence", -1))
    for name in CONFIDENT:
        if at(surest, name) is not None:
            assert at(one, name) == at(other, name) == at(surest, name)
    known = [{person["id"]: person for person in it.get("participants", [])} for it in (surest, one, other)]
    for identity, person in known[0].items():
        for name in ("name", "role"):
            if name in person:
                assert known[1][identity][name] == known[2][identity][name] == person[name]


@pytest.mark.parametrize("name", ["content", *CONFIDENT])
def test_a_field_that_the_surest_record_does_not_state_depends_on_the_order(name: str) -> None:
    def record(confidence: float, value: str | None) -> Record:
        parts = name.split(".")
        inner: Any = None if value is None else {"system": value} if name == "source" else value
        stated = {} if inner is None else {parts[0]: inner if len(parts) == 1 else {parts[1]: inner}}
        return {"summary": "x" if name != "content" else f"x{confidence}", "confidence": confidence, **stated}

    low, middle, surest = record(0.5, "2023-01-01T00:00:00Z"), record(0.7, "2024-01-01T00:00:00Z"), record(0.9, None)
    found = [at(consolidated(order), name) for order in ([low, surest, middle], [low, middle, surest])]
    assert found == [at(low, name), at(middle, name)]


@pytest.mark.parametrize(("name", "one", "other"), [("kind", "fact", "event"), ("summary", "a b", "c d")])
def test_a_tie_keeps_what_came_first(name: str, one: str, other: str) -> None:
    records = [{"summary": "x", name: value, "confidence": 0.5} for value in (one, other)]
    assert consolidated(records)[name] == one
    assert consolidated(records[::-1])[name] == other


def test_numbers_of_records_without_any_confidence_are_halved_at_each_merge() -> None:
    records = [
        {"summary": "x", "confidence": 0.0, "emotional_context": {"intensity": value}} for value in (0.0, 0.0, 1.0)
    ]
    found = [at(consolidated(order), "emotional_context.intensity") for order in (records, records[::-1])]
    assert found == [0.5, 0.25]
