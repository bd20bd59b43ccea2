"""Portable AI Memory: the published examples load whole, an export fits the published schema and comes back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import process
from membatch.export import export, export_pam, owners
from membatch.formats import known_formats
from membatch.formats.pam_export import memory_object
from membatch.layout import Document
from membatch.runs.accounts import open_once

from ..acceptance.command import DATA, lines, membatch

PAM = DATA / "pam"
needs_data = pytest.mark.skipif(not PAM.is_dir(), reason="the shared data sets are not here")

RECORDS: list[dict[str, Any]] = [
    {"summary": "Anna moved to Oslo", "scope": {"user_id": "anna"}, "created_at": "2024-05-08T13:56:00Z"},
    {
        "id": "m2",
        "summary": "Sings alto",
        "content": "Anna sings alto in a choir",
        "kind": "preference",
        "confidence": 0.75,
        "scope": {"user_id": "anna", "session_id": "s1", "namespace": "n"},
        "participants": [{"id": "anna", "role": "self"}, {"id": "tom"}],
        "subject": "anna",
        "source_message_ids": ["a/1", "a/2"],
        "tags": ["Chor & Musik", "music"],
        "emotional_context": {"primary": "joy", "valence": 0.5},
        "extracted_at": "2024-05-09T00:00:00Z",
        "valid_from": "2024-01-01T00:00:00Z",
        "source": {"system": "My Tool!", "external_id": "17"},
        "metadata": {"language": "de", "status": "odd", "membatch": {"x": 1}},
    },
    {
        "summary": "the same text twice",
        "content": "the same text twice",
        "scope": {"user_id": "anna"},
        "kind": "custom",
    },
]


@needs_data
@pytest.mark.parametrize(("name", "count"), [("example-memory-store.json", 5), ("example-conversation.json", 2)])
def test_the_published_examples_load_without_a_rejection(name: str, count: int, tmp_path: Path) -> None:
    report = process(PAM / name, store=f"sqlite:///{tmp_path}/memories.db")
    assert (report.counts.read, report.counts.inserted) == (count, count)


@needs_data
def test_an_export_fits_the_published_schema_and_loads_as_the_same_memories(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", *RECORDS)
    assert membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path).returncode == 0
    assert membatch("export", "--format", "pam", "--output", "pam.json", folder=tmp_path).returncode == 0
    document = json.loads((tmp_path / "pam.json").read_text("utf-8"))
    schema = json.loads((PAM / "portable-ai-memory.schema.json").read_text("utf-8"))
    assert [str(error) for error in jsonschema_rs.validator_for(schema).iter_errors(document)] == []
    again = f"sqlite:///{tmp_path}/again.db"
    assert membatch("run", "pam.json", "--strategy", "exact", "--store", again, folder=tmp_path).returncode == 0
    before = membatch("export", folder=tmp_path).stdout
    assert membatch("export", "--store", again, folder=tmp_path).stdout == before


def test_an_export_of_several_users_asks_for_one(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", *({"summary": name, "scope": {"user_id": name}} for name in ("anna", "tom")))
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    refused = membatch("export", "--format", "pam", folder=tmp_path)
    assert (refused.returncode, b"--user" in refused.stderr) == (2, True)
    document = json.loads(membatch("export", "--format", "pam", "--user", "tom", folder=tmp_path).stdout)
    assert [item["content"] for item in document["memories"]] == ["tom"]


times = st.datetimes().map(lambda time: time.isoformat() + "Z")
texts = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "" and "\0" not in text)
records = st.fixed_dictionaries(
    {"summary": texts},
    optional={
        "content": st.text(max_size=20),
        "kind": texts,
        "confidence": st.floats(0, 1),
        "tags": st.lists(texts, min_size=1, max_size=3),
        "scope": st.fixed_dictionaries({}, optional={"user_id": texts, "session_id": texts}).filter(bool),
        "source": st.fixed_dictionaries({"system": texts}, optional={"external_id": texts}),
        "created_at": times,
        "extracted_at": times,
        "valid_until": times,
        "metadata": st.dictionaries(texts, texts, min_size=1, max_size=2),
    },
)


@settings(max_examples=150, deadline=None)
@given(records)
def test_any_record_comes_back_from_its_memory_object(record: dict[str, Any]) -> None:
    made = json.loads(json.dumps(memory_object("id-1", record)))
    (back,) = known_formats()["pam"].records(made, Document(rest={"owner": {"id": "somebody"}}))
    expected = {"id": "id-1", **record}
    found = dict(back.record)
    for name in ("created_at", "extracted_at", "valid_until"):
        assert (name in found) == (name in expected)
        found.pop(name, None), expected.pop(name, None)
    assert found == expected
    assert back.warnings == ()


def test_the_writers_agree_on_what_there_is(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/memories.db"
    process(iter(RECORDS), store=store)
    with open_once(store) as opened:
        assert owners(opened.export()) == ["anna"]
        assert export(opened.export(), tmp_path / "all.json") == 3
        assert export_pam(opened.export(), tmp_path / "pam.json", "anna") == 3
    assert len(json.loads((tmp_path / "all.json").read_text("utf-8"))) == 3
