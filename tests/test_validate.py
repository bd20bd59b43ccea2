"""A record is valid, or all that is wrong with it is said at once."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import Memory, validate_memory
from membatch.consistency import Valid
from membatch.memory import camel, json_schema
from membatch.spelling import Spelling, canonical
from membatch.validate import Validator

WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no summary": ({}, ["summary-missing"]),
    "a blank summary": ({"summary": " \n"}, ["summary-blank"]),
    "a summary of separators": ({"summary": "\x1c\x85", "confidence": 3}, ["confidence-range", "summary-blank"]),
    "a long summary": ({"summary": "x" * 50_001}, ["summary-length"]),
    "confidence above 1": ({"summary": "a", "confidence": 1.01}, ["confidence-range"]),
    "confidence as text": ({"summary": "a", "confidence": "high"}, ["confidence-type"]),
    "a date without time": ({"summary": "a", "occurred_at": "2024-05-01"}, ["occurred_at-format"]),
    "a time that UTC cannot hold": (
        {"summary": "a", "occurred_at": "0001-01-01T00:00:00+02:00"},
        ["occurred_at-range"],
    ),
    "51 participants": ({"summary": "a", "participants": [{"id": str(n)} for n in range(51)]}, ["participants-count"]),
    "a participant twice": ({"summary": "a", "participants": [{"id": "x"}, {"id": "x"}]}, ["id-repeated"]),
    "21 tags": ({"summary": "a", "tags": [str(n) for n in range(21)]}, ["tags-count"]),
    "an unknown subject": ({"summary": "a", "subject": "x"}, ["subject-unknown"]),
    "unknown dynamics": (
        {"summary": "a", "relationship_dynamics": {"participants": [{"participant_id": "x"}]}},
        ["participant_id-unknown"],
    ),
    "an interval backwards": (
        {"summary": "a", "valid_from": "2024-02-01T00:00:00Z", "valid_until": "2024-01-01T00:00:00Z"},
        ["valid_from-order"],
    ),
    "a newer schema": ({"summary": "a", "schema_version": 99}, ["schema_version-value"]),
    "much at once": (
        {
            "summary": "",
            "confidence": 2,
            "tags": "x",
            "emotional_context": {"intensity": -1, "valence": "low"},
            "participants": [{"name": "x"}, {"id": 5}],
            "valid_from": "2024-02-01T00:00:00Z",
            "valid_until": "2024-01-01T00:00:00Z",
        },
        [
            "confidence-range",
            "intensity-range",
            "valence-type",
            "id-missing",
            "id-type",
            "summary-blank",
            "tags-type",
            "valid_from-order",
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_all_errors_of_a_record_are_said_at_once(name: str) -> None:
    record, codes = WRONG[name]
    result = validate_memory(record)
    assert not result.valid
    assert [error.code for error in result.errors] == codes
    assert all(error.expected and error.advice and error.pointer for error in result.errors)
    assert all(len(error.value) <= 80 for error in result.errors)


def test_warnings_pass_and_are_told() -> None:
    result = validate_memory(
        {
            "summary": "a",
            "occurred_at": "2024-05-01T10:00:00",
            "source_message_ids": ["m", "m"],
            "emotional_context": {"primary": "Grumpy", "intensity": 0.1, "valence": -0.9},
        }
    )
    assert result.memory is not None
    assert [warning.code for warning in result.warnings] == [
        "time-naive",
        "primary-unknown",
        "valence-intensity",
        "source_message_ids-repeated",
    ]
    assert result.memory.source_message_ids == ["m"]
    context = result.memory.emotional_context
    assert context is not None
    assert (context.primary, context.primary_raw) == (None, "Grumpy")


def test_unknown_fields_are_kept_under_metadata_at_every_level() -> None:
    memory = validate_memory(
        {
            "summary": "a",
            "mood": 1,
            "metadata": {"mood": 2},
            "participants": [{"id": "x", "age": 5}],
            "emotional_context": {"primary": "joy", "why": "rain", "markers": [{"type": "t", "text": "x", "n": 1}]},
            "scope": {"userId": "u", "team": "t"},
        }
    ).memory
    assert memory is not None
    assert memory.metadata == {
        "mood": 2,
        "_fields": {"mood": 1},
        "emotional_context.why": "rain",
        "emotional_context.markers.0.n": 1,
        "scope.team": "t",
    }
    assert memory.participants[0].metadata == {"age": 5}
    assert memory.scope is not None
    assert memory.scope.user_id == "u"


@pytest.mark.parametrize("name", ['say "so"', "back\\slash", "bell\u0007", "\u202e", "", "<b>", "é", "\U0001f34e"])
def test_an_unknown_field_of_any_name_is_kept(name: str) -> None:
    memory = validate_memory({"summary": "a", name: 1, "participants": [{"id": "x", name: 2}]}).memory
    assert memory is not None
    assert memory.metadata == {name: 1}
    assert memory.participants[0].metadata == {name: 2}


NAMES = [
    "summary",
    "tags",
    "confidence",
    "sourceMessageIds",
    "source_message_ids",
    "occurredAt",
    "foo",
    "metadata",
    "scope",
    "participants",
]
VALUES = st.sampled_from(
    [
        None,
        "x",
        [],
        ["a"],
        {},
        {"userId": "u", "user_id": None, "bar": 1},
        0.5,
        [{"id": "p", "x": 1}],
        "2024-01-01T00:00:00Z",
        [None],
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), min_size=1, max_size=6))
def test_the_fast_path_gives_what_the_slow_path_gives(documents: list[dict[str, Any]]) -> None:
    spelling = Spelling()
    for document in documents:
        spelling.learn(document)
    for document in documents:
        try:
            slow: Any = msgspec.convert(canonical(document), Memory)
        except msgspec.ValidationError:
            slow = None
        try:
            fast: Any = spelling.decode(json.dumps(document).encode())
        except msgspec.ValidationError:
            fast = None
        assert fast == slow


def test_camel_case_in_every_record_stays_on_the_fast_path() -> None:
    validator = Validator()
    record = {
        "summary": "a",
        "sourceMessageIds": ["m"],
        "emotionalContext": {"primaryRaw": "x"},
        "foo": 1,
        "tags": None,
    }
    raw = json.dumps(record).encode()
    assert isinstance(validator(raw), Valid)
    assert validator._spelling.decode(raw).source_message_ids == ["m"]


def test_the_schema_accepts_what_is_valid_and_names_every_field() -> None:
    import jsonschema_rs

    schema = json_schema()
    assert set(schema["$defs"]["Memory"]["properties"]) == set(Memory.__struct_fields__)
    assert jsonschema_rs.is_valid(schema, {"summary": "a", "confidence": 1})


def test_camel_is_the_spelling_of_javascript() -> None:
    assert camel("source_message_ids") == "sourceMessageIds"


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_give_an_answer(raw: bytes) -> None:
    assert Validator()(raw) is not None


@pytest.mark.parametrize(
    ("field", "item", "code"),
    [
        ("source_message_ids", 1, "source_message_ids-type"),
        ("participants", {"id": "a"}, "participants-count"),
        ("tags", 5, "tags-type"),
        ("relationship_dynamics", None, "participant_id-unknown"),
    ],
)
def test_a_record_with_a_million_faults_is_refused_soon_with_the_first_ones(field: str, item: Any, code: str) -> None:
    value: Any = [item] * 300_000
    if item is None:
        value = {"participants": [{"participant_id": "nobody"}] * 300_000}
    begun = time.perf_counter()
    found = validate_memory({"summary": "x", field: value})
    assert not found.valid
    assert 0 < len(found.errors) <= 100
    assert code in {error.code for error in found.errors}
    assert [error.message for error in found.errors if error.code == "participants-count"] in ([], ["has 300000 items"])
    assert time.perf_counter() - begun < 10


def test_a_single_fault_far_down_a_long_list_is_found() -> None:
    found = validate_memory({"summary": "x", "source_message_ids": ["m"] * 20_000 + [5]})
    assert [error.code for error in found.errors] == ["source_message_ids-value"]
