"""A survivor keeps what both records say; each merge can be taken back exactly."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import ConfigError
from membatch.memory import TIME_FIELDS, Memory
from membatch.merge import Survivor, merge
from membatch.merge_rules import FITTING, RULES, Rules
from membatch.patch import apply
from tests.laws.data import valid_records

DEFAULT = Rules({})


def merged(one: dict[str, Any], other: dict[str, Any], **chosen: str) -> tuple[dict[str, Any], list[Any]]:
    survivor = Survivor(copy.deepcopy({"summary": "x", **one}), None)
    result = merge(survivor, {"summary": "x", **other}, Rules(chosen))
    assert result is not None
    survivor.take(result)
    return survivor.document, result.conflicts


FIELDS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"summary": "a b", "confidence": 0.5}, {"summary": "c", "confidence": 0.9}, {"summary": "c", "confidence": 0.9}),
    ({"summary": "a", "confidence": 0.5}, {"summary": "b c", "confidence": 0.5}, {"summary": "b c"}),
    ({"summary": "a b"}, {"summary": "c d"}, {"summary": "a b"}),
    ({"summary": "a b"}, {"summary": "c", "confidence": 0.1}, {"summary": "c"}),
    ({"content": "long"}, {"summary": "y z"}, {"summary": "y z", "content": "long"}),
    ({"kind": "fact"}, {"kind": "event", "confidence": 0.5}, {"kind": "event"}),
    ({"kind": "fact", "confidence": 0.5}, {"kind": "event"}, {"kind": "fact"}),
    ({}, {"kind": "event"}, {"kind": "event"}),
    ({"tags": ["a", "b"]}, {"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]}),
    ({"source_message_ids": ["1"]}, {"source_message_ids": ["2", "1"]}, {"source_message_ids": ["1", "2"]}),
    (
        {"occurred_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"},
        {"occurred_at": "2024-01-01T00:00:00.500000Z", "updated_at": "2024-01-01T00:00:00.500000Z"},
        {"occurred_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00.500000Z"},
    ),
    (
        {"participants": [{"id": "p", "name": "Ann"}]},
        {"participants": [{"id": "p", "role": "friend", "aliases": ["Annie"]}, {"id": "q"}]},
        {"participants": [{"id": "p", "name": "Ann", "role": "friend", "aliases": ["Annie"]}, {"id": "q"}]},
    ),
    ({"metadata": {"a": 1}}, {"metadata": {"a": 2, "b": 3}}, {"metadata": {"a": 1, "b": 3}}),
    (
        {"scope": {"user_id": "u"}},
        {"scope": {"user_id": "u", "agent_id": "x"}},
        {"scope": {"user_id": "u", "agent_id": "x"}},
    ),
    (
        {"confidence": 0.25, "emotional_context": {"intensity": 0.25, "primary": "joy", "themes": ["a"]}},
        {"confidence": 0.75, "emotional_context": {"intensity": 0.75, "primary": "fear", "themes": ["b"]}},
        {"emotional_context": {"intensity": 0.625, "primary": "fear", "themes": ["a", "b"]}},
    ),
    (
        {"emotional_context": {"markers": [{"type": "t", "text": "x", "confidence": 0.2}]}},
        {"emotional_context": {"markers": [{"type": "t", "text": "x", "confidence": 0.7}, {"type": "t", "text": "y"}]}},
        {"emotional_context": {"markers": [{"type": "t", "text": "x", "confidence": 0.7}, {"type": "t", "text": "y"}]}},
    ),
    (
        {"emotional_context": {"markers": [{"type": "t", "text": "x"}]}},
        {
            "emotional_context": {
                "markers": [
                    {"type": "t", "text": "x", "confidence": 0.7},
                    {"type": "t", "text": "x", "confidence": 0.2},
                    {"type": "t", "text": "y"},
                    {"type": "t", "text": "y", "confidence": 0.1},
                ]
            }
        },
        {
            "emotional_context": {
                "markers": [
                    {"type": "t", "text": "x", "confidence": 0.7},
                    {"type": "t", "text": "y", "confidence": 0.1},
                ]
            }
        },
    ),
    (
        {"relationship_dynamics": {"participants": [{"participant_id": "p", "metadata": {"b": 1}}]}},
        {
            "relationship_dynamics": {
                "participants": [{"participant_id": "p", "metadata": {"a": value}} for value in (1, 2)]
            }
        },
        {
            "relationship_dynamics": {
                "participants": [
                    {"participant_id": "p", "metadata": {"a": 1, "b": 1}},
                    {"participant_id": "p", "metadata": {"a": 2}},
                ]
            }
        },
    ),
    (
        {"relationship_dynamics": {"participants": [{"participant_id": "p", "metadata": {"a": 1}}]}},
        {"relationship_dynamics": {"pattern": "open", "participants": [{"participant_id": "p", "metadata": {"b": 2}}]}},
        {
            "relationship_dynamics": {
                "pattern": "open",
                "participants": [{"participant_id": "p", "metadata": {"a": 1, "b": 2}}],
            }
        },
    ),
]


@pytest.mark.parametrize(("one", "other", "expected"), FIELDS)
def test_each_field_follows_its_rule(one: dict[str, Any], other: dict[str, Any], expected: dict[str, Any]) -> None:
    document, _ = merged(one, other)
    assert {name: document[name] for name in expected} == expected


def test_disagreements_are_recorded() -> None:
    one = {"kind": "fact", "metadata": {"a": 1}, "participants": [{"id": "p", "name": "Ann"}]}
    other = {"kind": "event", "metadata": {"a": 2}, "participants": [{"id": "p", "name": "Anne"}]}
    _, conflicts = merged(one, other)
    assert conflicts == [
        {"path": ["kind"], "kept": "fact", "other": "event"},
        {"path": ["participants", 0, "name"], "kept": "Ann", "other": "Anne"},
        {"path": ["metadata", "a"], "kept": 1, "other": 2},
    ]


def test_a_rule_is_replaced_by_name() -> None:
    assert merged({"summary": "a b c"}, {"summary": "d", "confidence": 1}, summary="longest")[0]["summary"] == "a b c"
    one, other = {"confidence": 0.5, "source_message_ids": ["1"]}, {"confidence": 0.5, "source_message_ids": ["2"]}
    assert merged(one, other, confidence="corroborated")[0]["confidence"] == 0.75
    assert merged(one, {**other, "source_message_ids": ["1"]}, confidence="corroborated")[0]["confidence"] == 0.5


def test_an_unknown_field_or_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'summary'"):
        Rules({"summry": "longest"})
    with pytest.raises(ConfigError, match="no such rule: use one of confident"):
        Rules({"summary": "best"})


@pytest.mark.parametrize("field", FITTING)
def test_each_rule_that_fits_a_field_decides_its_values_and_the_others_are_refused(field: str) -> None:
    values: dict[str, tuple[Any, Any]] = {
        "source": ({"system": "a"}, {"system": "b"}),
        **dict.fromkeys(TIME_FIELDS, ("2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z")),
        **dict.fromkeys(("confidence", "intensity", "valence", "strength"), (0.25, 0.5)),
    }
    one, other = values.get(field, ("a b", "c"))
    for name in RULES:
        if name not in FITTING[field]:
            with pytest.raises(ConfigError, match=f"does not fit {field}: use one of"):
                Rules({field: name})
        else:
            survivor = Survivor(nested(field, one), None)
            result = merge(survivor, nested(field, other), Rules({field: name}))
            assert result is not None
            assert result.rules == [f"{field}:{name}"]
            survivor.take(result)
            msgspec.convert(survivor.document, Memory)


def nested(field: str, value: Any) -> dict[str, Any]:
    """Return a record with a value in the field that a rule of this name is for."""
    record: dict[str, Any] = {"summary": "x"}
    if field in ("primary", "primary_raw", "intensity", "valence"):
        record["emotional_context"] = {field: value}
    elif field in ("pattern", "quality", "strength", "balance"):
        record["relationship_dynamics"] = {field: value}
    elif field in ("name", "role"):
        record["participants"] = [{"id": "p", field: value}]
    else:
        record[field] = value
    return record


def test_what_would_end_before_it_begins_is_not_merged() -> None:
    survivor = Survivor({"summary": "x", "valid_from": "2024-06-01T00:00:00Z"}, None)
    assert merge(survivor, {"summary": "x", "valid_until": "2024-01-01T00:00:00Z"}, DEFAULT) is None
    assert merge(survivor, {"summary": "x", "valid_until": "2024-06-01T00:00:00.000001Z"}, DEFAULT) is not None


def test_what_a_rule_of_another_package_makes_has_to_validate() -> None:
    rules = Rules({})
    rules.are_ours, rules.functions = False, {**rules.functions, "confidence": lambda mine, other, pair: mine + other}
    survivor = Survivor({"summary": "x", "confidence": 0.5}, None)
    assert merge(survivor, {"summary": "x", "confidence": 0.4}, rules) is not None
    assert merge(survivor, {"summary": "x", "confidence": 0.6}, rules) is None
    assert survivor.document == {"summary": "x", "confidence": 0.5}


def test_a_null_in_an_object_loses_to_any_value() -> None:
    one, other = {"metadata": {"a": None, "b": 1}}, {"metadata": {"a": 2, "b": None, "c": None}}
    document, conflicts = merged(one, other)
    assert document["metadata"] == {"a": 2, "b": 1, "c": None}
    assert conflicts == []


def test_true_is_another_value_than_one() -> None:
    one, other = (
        {"metadata": {"a": [True], "b": {"c": 1}, "d": 1}},
        {"metadata": {"a": [1], "b": {"c": True}, "d": 1.0}},
    )
    assert [conflict["path"] for conflict in merged(one, other)[1]] == [["metadata", "a"], ["metadata", "b"]]
    for within in (
        lambda value: {"participants": [{"id": "p", "metadata": {"a": value}}]},
        lambda value: {"emotional_context": {"temporal": {"a": value}}},
        lambda value: {"relationship_dynamics": {"participants": [{"participant_id": "p", "metadata": {"a": value}}]}},
    ):
        assert [conflict["other"] for conflict in merged(within(True), within(1))[1]] == [1]


def test_equal_values_are_no_conflict() -> None:
    assert merged({"confidence": 0.5}, {"confidence": 0.5}, confidence="confident")[1] == []
    assert merged({"confidence": 0.5}, {"confidence": 0.6}, confidence="confident")[1] == [
        {"path": ["confidence"], "kept": 0.6, "other": 0.5}
    ]


def test_what_would_break_a_limit_is_not_merged() -> None:
    survivor = Survivor({"summary": "x", "tags": [str(number) for number in range(15)]}, None)
    assert merge(survivor, {"summary": "x", "tags": [str(number) for number in range(10, 25)]}, DEFAULT) is None


def test_confidence_counts_as_each_record_stated_it() -> None:
    survivor = Survivor({"summary": "a", "confidence": 0.6, "source_message_ids": ["1"]}, None)
    rules = Rules({"confidence": "corroborated"})
    for record in (
        {"summary": "b", "confidence": 0.5, "source_message_ids": ["2"]},
        {"summary": "c", "confidence": 0.7, "source_message_ids": ["3"]},
    ):
        result = merge(survivor, record, rules)
        assert result is not None
        survivor.take(result)
    assert survivor.document["confidence"] == pytest.approx(1 - 0.4 * 0.5 * 0.3)
    assert survivor.document["summary"] == "c"  # 0.7 was stated, though 0.8 had been corroborated before


@settings(max_examples=200, deadline=None)
@given(st.lists(valid_records(), min_size=2, max_size=8))
def test_merges_are_taken_back_exactly(records: list[dict[str, Any]]) -> None:
    survivor = Survivor(copy.deepcopy(records[0]), None)
    states, results = [], []
    for record in records[1:]:
        states.append(json.dumps(survivor.document, sort_keys=True))
        result = merge(survivor, record, DEFAULT)
        assert result is not None
        forward = json.loads(json.dumps(result.forward))
        assert apply(copy.deepcopy(survivor.document), forward) == apply(
            copy.deepcopy(survivor.document), result.forward
        )
        survivor.take(result)
        results.append(result)
    document = survivor.document
    for state, result in zip(reversed(states), reversed(results), strict=True):
        document = apply(document, result.reverse)
        assert json.dumps(document, sort_keys=True) == state


def test_ten_thousand_merges_into_one_memory_stay_small() -> None:
    survivor = Survivor({"summary": "x", "source_message_ids": ["m0"]}, None)
    size = 0
    for number in range(1, 10_001):
        result = merge(survivor, {"summary": "x", "source_message_ids": [f"m{number}"]}, DEFAULT)
        assert result is not None
        size += len(json.dumps(result.reverse))
        survivor.take(result)
    assert len(survivor.document["source_message_ids"]) == 10_001
    assert size < 10_001 * 60


def test_each_marker_counts_once_however_many_merges_there_are() -> None:
    survivor = Survivor({"summary": "x"}, None)
    for number in range(200):
        marker = {"type": "word", "text": str(number % 50), "confidence": number / 200}
        result = merge(survivor, {"summary": "x", "emotional_context": {"markers": [marker]}}, DEFAULT)
        assert result is not None
        survivor.take(result)
    found = survivor.document["emotional_context"]["markers"]
    assert [marker["text"] for marker in found] == [str(number) for number in range(50)]
    assert [marker["confidence"] for marker in found] == [number / 200 for number in range(150, 200)]


def test_where_summaries_are_equal_the_surer_content_is_kept() -> None:
    one, other = {"content": "first", "confidence": 0.5}, {"content": "second", "confidence": 0.9}
    assert merged(one, other)[0]["content"] == "second"
    assert merged(other, one)[0]["content"] == "second"
    assert merged({"content": "a b"}, {"content": "c"})[0]["content"] == "a b"
