"""The past of a memory that was loaded, reviewed and unmerged: one tree, from any id that led to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .command import lines, membatch, on_a_terminal

MOTHER, FATHER = "my mother died in high school", "my father died in high school"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store: merges of two loads, an accepted review, an unmerge."""
    folder = tmp_path_factory.mktemp("history")
    (folder / "membatch.toml").write_text('[dedup]\nthreshold = "0.7"\n')
    loads: list[list[dict[str, Any]]] = [
        [
            {"id": "a", "summary": MOTHER, "confidence": 0.5, "kind": "fact", "tags": ["x"]},
            {"id": "b", "summary": FATHER, "confidence": 0.5, "emotional_context": {"intensity": 0.25}},
        ],
        [
            {"id": "a2", "summary": f"{MOTHER}.", "confidence": 0.9, "kind": "event", "tags": ["y"]},
            {"id": "b2", "summary": f"{FATHER}.", "confidence": 0.5, "emotional_context": {"intensity": 0.75}},
            {"id": "b3", "summary": FATHER.upper(), "tags": ["z"]},
        ],
        [{"id": "b2-again", "summary": f"{FATHER}.", "confidence": 0.5, "emotional_context": {"intensity": 0.75}}],
    ]
    for number, records in enumerate(loads):
        lines(folder / f"{number}.jsonl", *records)
        assert membatch("run", f"{number}.jsonl", folder=folder).returncode == 0
    assert membatch("unmerge", 3, folder=folder).returncode == 0
    assert membatch("review", "--accept", 1, folder=folder).returncode == 0
    return folder


def past(folder: Path, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(membatch("history", identity, "--json", folder=folder).stdout)
    return found


def test_the_merge_of_a_review_holds_the_past_of_the_memory_that_it_merged(folder: Path) -> None:
    found = past(folder, "a")
    assert [(item["merge"], item["id"], item["step"]) for item in found["merges"]] == [
        (1, "a2", "hash"),
        (4, "b", "review"),
    ]
    assert found["founder"] == {"summary": MOTHER, "confidence": 0.5, "kind": "fact", "tags": ["x"]}
    review = found["merges"][1]
    assert review["guards"] == {"substitution": "unsure"}
    assert [(item["merge"], item["id"], item["unmerged_in"]) for item in review["merges"]] == [
        (2, "b2", None),
        (3, "b3", 4),
    ]
    assert review["founder"] == {"summary": FATHER, "confidence": 0.5, "emotional_context": {"intensity": 0.25}}
    assert review["record"]["emotional_context"] == {"intensity": 0.5}
    assert review["origins"]["emotional_context.intensity"] == ["founder", "merge 2"]


def test_each_merge_tells_run_step_score_rules_conflicts_and_place(folder: Path) -> None:
    first = past(folder, "a")["merges"][0]
    assert (first["run"], first["source"], first["line"], first["score"]) == (2, "1.jsonl", 1, "1/1")
    assert first["rules"] == ["summary:confident", "kind:confident", "confidence:max", "tags:union"]
    assert first["conflicts"] == [{"path": ["kind"], "kept": "event", "other": "fact"}]


def test_origins_name_every_merge_that_a_field_is_made_of(folder: Path) -> None:
    origins = past(folder, "a")["origins"]
    assert origins["summary"] == origins["kind"] == ["merge 1"]
    assert origins["tags"] == ["founder", "merge 1"]
    assert origins["emotional_context.intensity"] == ["merge 4"]


@pytest.mark.parametrize("identity", ["a2", "b", "b2", "b2-again"])
def test_any_id_leads_to_the_memory(folder: Path, identity: str) -> None:
    assert past(folder, identity) == past(folder, "a")


def test_what_was_unmerged_says_from_where(folder: Path) -> None:
    assert past(folder, "b3")["unmerged_from"] == [{"merge": 3, "run": 4, "id": "a"}]
    assert past(folder, "a")["unmerged_from"] == []


def test_the_text_is_an_indented_tree(folder: Path) -> None:
    text = membatch("history", "a", folder=folder).stdout.decode().splitlines()
    assert text[0] == "memory a in [null, null]"
    at = text.index("  merge 4 (run 5) absorbed b")
    assert text[at + 1] == f"    by review, score 5/7: {FATHER}"
    assert text[at + 2] == "    guards: substitution unsure"
    below = text[at + 4 :]
    assert f"    founder: {FATHER}" in below
    assert "    merge 2 (run 2) absorbed b2 from 1.jsonl:2" in below
    assert "    merge 3 (run 2) absorbed b3 from 1.jsonl:3, taken back by run 4" in below
    assert any(
        line.startswith("  fields: ") and "summary (merge 1)" in line and "tags (founder, merge 1)" in line
        for line in text
    )
    assert "  was merge 3 of a, taken back by run 4" in membatch("history", "b3", folder=folder).stdout.decode()


def test_a_memory_that_an_unmerge_took_out_of_a_review_says_so(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[dedup]\nthreshold = "0.7"\n')
    lines(tmp_path / "a.jsonl", {"id": "a", "summary": MOTHER}, {"id": "b", "summary": FATHER})
    membatch("run", "a.jsonl", folder=tmp_path)
    membatch("review", "--accept", 1, folder=tmp_path)
    assert membatch("unmerge", 1, folder=tmp_path).returncode == 0
    assert past(tmp_path, "b")["unmerged_from"] == [{"merge": 1, "run": 3, "id": "a"}]
    assert [(item["id"], item["unmerged_in"]) for item in past(tmp_path, "a")["merges"]] == [("b", 3)]


def test_an_id_absorbed_in_one_scope_and_borne_in_another_is_refused_with_the_list(tmp_path: Path) -> None:
    lines(
        tmp_path / "a.jsonl",
        {"id": "a", "summary": "Bo sings", "scope": {"user_id": "u1"}},
        {"id": "x", "summary": "Bo sings", "tags": ["t"], "scope": {"user_id": "u1"}},
        {"id": "x", "summary": "Bo sings", "scope": {"user_id": "u2"}},
    )
    membatch("run", "a.jsonl", folder=tmp_path)
    refused = membatch("history", "x", folder=tmp_path)
    assert refused.returncode == 2
    assert b'a in ["u1",null], x in ["u2",null]' in refused.stderr


def test_a_memory_that_was_replaced_by_its_id_is_known_by_that_record_and_says_how_it_began(tmp_path: Path) -> None:
    lines(
        tmp_path / "a.jsonl",
        {"id": "x", "summary": "Anna lives in Oslo", "updated_at": "2024-01-01T00:00:00Z"},
        {"id": "y", "summary": "Anna lives in Oslo.", "tags": ["old"]},
        {"id": "x", "summary": "Anna lives in Rome", "updated_at": "2024-02-01T00:00:00Z"},
        {"id": "z", "summary": "Anna lives in Rome.", "tags": ["new"]},
    )
    membatch("run", "a.jsonl", folder=tmp_path)
    found = past(tmp_path, "y")
    assert found["founder"] == {"summary": "Anna lives in Rome", "updated_at": "2024-02-01T00:00:00Z"}
    assert found["first"] == {"summary": "Anna lives in Oslo", "updated_at": "2024-01-01T00:00:00Z"}
    assert found["origins"] == {"summary": ["merge 2"], "updated_at": ["merge 2"], "tags": ["merge 3"]}
    text = membatch("history", "x", folder=tmp_path).stdout.decode().splitlines()
    assert text[1:3] == ["  founder: Anna lives in Rome", "  began as: Anna lives in Oslo"]
    for merge in (3, 2):
        assert membatch("unmerge", merge, folder=tmp_path).returncode == 0
    assert past(tmp_path, "x")["founder"] == found["first"]


def test_a_past_is_wrapped_on_a_terminal_and_whole_elsewhere(folder: Path) -> None:
    whole = membatch("history", "a", folder=folder).stdout.decode().splitlines()
    assert max(map(len, whole)) > 60
    shown = on_a_terminal("history", "a", columns=60, folder=folder)
    assert max(map(len, shown)) <= 60
    assert " ".join(shown).split() == " ".join(whole).split()
