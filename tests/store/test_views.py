"""Feelings and relationships merge as structures through a load, and SQL reads every nested part as rows."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from membatch import Report, history, process

ANNA, BO = {"id": "p1", "name": "Anna", "role": "friend"}, {"id": "p2", "name": "Bo"}
ONE: dict[str, Any] = {
    "id": "m",
    "summary": "Anna and Bo quarrelled",
    "confidence": 0.25,
    "subject": "p1",
    "participants": [ANNA, BO],
    "source_message_ids": ["c/1", "c/2"],
    "tags": ["quarrel"],
    "emotional_context": {
        "primary": "anger",
        "intensity": 0.5,
        "valence": -0.25,
        "themes": ["trust"],
        "markers": [{"type": "word", "text": "never", "confidence": 0.25}],
    },
    "relationship_dynamics": {
        "pattern": "conflict",
        "quality": "tense",
        "strength": 0.25,
        "participants": [{"participant_id": "p1", "metadata": {"tone": "loud"}}],
    },
}
OTHER: dict[str, Any] = {
    "summary": "Anna and Bo quarrelled.",
    "confidence": 0.75,
    "participants": [{"id": "p1", "name": "Anne", "aliases": ["An"]}, BO],
    "source_message_ids": ["c/2", "c/3"],
    "scope": {"agent_id": "x"},
    "source": {"system": "s", "external_id": "9"},
    "emotional_context": {
        "primary": "sadness",
        "intensity": 1.0,
        "valence": -0.75,
        "themes": ["trust", "loss"],
        "markers": [{"type": "word", "text": "never", "confidence": 0.5}, {"type": "word", "text": "cry"}],
        "temporal": {"when": "evening"},
    },
    "relationship_dynamics": {
        "pattern": "repair",
        "strength": 0.75,
        "balance": "equal",
        "participants": [
            {"participant_id": "p1", "metadata": {"tone": "low", "side": "left"}},
            {"participant_id": "p2"},
        ],
    },
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    path = tmp_path_factory.mktemp("views") / "a.db"
    return path, process([ONE, OTHER, {"id": "plain", "summary": "tea"}], store=f"sqlite:///{path}")


def rows(store: tuple[Path, Report], sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(store[0])
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


def test_feelings_and_relationships_merge_as_structures(store: tuple[Path, Report]) -> None:
    record = history("m", store=f"sqlite:///{store[0]}")["record"]
    assert record["emotional_context"] == {
        "primary": "sadness",
        "intensity": 0.875,
        "valence": -0.625,
        "themes": ["trust", "loss"],
        "markers": [{"type": "word", "text": "never", "confidence": 0.5}, {"type": "word", "text": "cry"}],
        "temporal": {"when": "evening"},
    }
    assert record["relationship_dynamics"] == {
        "pattern": "repair",
        "quality": "tense",
        "strength": 0.625,
        "balance": "equal",
        "participants": [
            {"participant_id": "p1", "metadata": {"tone": "loud", "side": "left"}},
            {"participant_id": "p2"},
        ],
    }


def test_disagreements_are_in_the_lineage_and_feelings_that_clash_in_the_report(store: tuple[Path, Report]) -> None:
    found = {
        ".".join(map(str, one["path"])): (one["kept"], one["other"])
        for one in history("m", store=f"sqlite:///{store[0]}")["merges"][0]["conflicts"]
    }
    assert found == {
        "participants.0.name": ("Anne", "Anna"),
        "emotional_context.primary": ("sadness", "anger"),
        "relationship_dynamics.pattern": ("repair", "conflict"),
        "relationship_dynamics.participants.0.metadata.tone": ("loud", "low"),
    }
    emotions = store[1].emotions
    assert (emotions["with_context"], emotions["primary"]) == (2, {"anger": 1, "sadness": 1})
    assert emotions["conflicts"] == 1


def test_every_field_of_a_memory_is_a_column(store: tuple[Path, Report]) -> None:
    sql = "SELECT id, summary, subject, confidence, agent_id, source_system, source_external_id FROM memory_field"
    assert rows(store, sql) == [
        ("m", "Anna and Bo quarrelled.", "p1", 0.75, "x", "s", "9"),
        ("plain", "tea", None, None, None, None, None),
    ]


def test_participants_are_rows_by_memory_and_by_person(store: tuple[Path, Report]) -> None:
    sql = "SELECT position, participant_id, name, role, aliases FROM memory_participant ORDER BY position"
    assert rows(store, sql) == [(0, "p1", "Anne", "friend", '["An"]'), (1, "p2", "Bo", None, None)]
    sql = "SELECT participant_id, name, memories FROM participant ORDER BY participant_id"
    assert rows(store, sql) == [("p1", "Anne", 1), ("p2", "Bo", 1)]


def test_messages_are_rows(store: tuple[Path, Report]) -> None:
    sql = "SELECT position, source_message_id FROM memory_source ORDER BY position"
    assert rows(store, sql) == [(0, "c/1"), (1, "c/2"), (2, "c/3")]


def test_feelings_are_a_table(store: tuple[Path, Report]) -> None:
    sql = 'SELECT "primary", intensity, valence, json_array_length(markers), themes FROM emotional_context'
    assert rows(store, sql) == [("sadness", 0.875, -0.625, 2, '["trust","loss"]')]


def test_relationships_are_a_table(store: tuple[Path, Report]) -> None:
    sql = "SELECT pattern, quality, strength, balance, participants FROM relationship_dynamics"
    [(*plain, people)] = rows(store, sql)
    assert plain == ["repair", "tense", 0.625, "equal"]
    assert [one["participant_id"] for one in json.loads(people)] == ["p1", "p2"]
