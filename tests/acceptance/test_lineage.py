"""The past of memories as a person asks for it: history, undo, explain."""

from __future__ import annotations

import json
from pathlib import Path

from .command import lines, membatch, report_of


def loaded(folder: Path, *loads: list[dict[str, object]]) -> None:
    for number, records in enumerate(loads):
        lines(folder / f"{number}.jsonl", *records)
        assert membatch("run", f"{number}.jsonl", folder=folder).returncode in (0, 1)


def test_history_tells_what_was_absorbed_and_where_each_field_came_from(tmp_path: Path) -> None:
    one = {"id": "a", "summary": "Anna bought a car", "kind": "fact", "confidence": 0.5, "tags": ["x"]}
    two = {"id": "b", "summary": "Anna bought a new car.", "kind": "event", "confidence": 0.9}
    loaded(tmp_path, [one], [two])
    for name in ("a", "b"):
        found = json.loads(membatch("history", name, "--json", folder=tmp_path).stdout)
        assert found["id"] == "a"
        assert found["founder"]["summary"] == "Anna bought a car"
        assert found["merges"][0]["record"] == {key: value for key, value in two.items() if key != "id"}
        assert found["merges"][0]["score"] == "4/5"
        assert found["merges"][0]["conflicts"] == [{"path": ["kind"], "kept": "event", "other": "fact"}]
        assert found["origins"] == {
            "summary": ["merge 1"],
            "kind": ["merge 1"],
            "confidence": ["merge 1"],
            "tags": ["founder"],
        }
    text = membatch("history", "b", folder=tmp_path).stdout.decode()
    assert "absorbed b from 1.jsonl:1" in text


def test_history_of_an_id_in_several_scopes_is_refused_with_the_list(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"id": "a", "summary": "x", "scope": {"user_id": user}} for user in ("u1", "u2")
    ]
    loaded(tmp_path, records)
    refused = membatch("history", "a", folder=tmp_path)
    assert refused.returncode == 2
    assert b"several memories" in refused.stderr
    assert membatch("history", "nobody", folder=tmp_path).returncode == 2


def test_undo_restores_the_store_and_is_refused_where_later_runs_point(tmp_path: Path) -> None:
    loaded(tmp_path, [{"summary": "Anna bought a car"}])
    before = membatch("export", folder=tmp_path).stdout
    loaded(tmp_path, [{"summary": "Anna bought a car", "tags": ["seen"]}, {"summary": "Bo sings"}])
    loaded(tmp_path, [{"summary": "Bo sings", "tags": ["seen"]}])
    refused = membatch("undo", 2, folder=tmp_path)
    assert refused.returncode == 2
    assert b"run 3: merge 2 of " in refused.stderr
    assert b"--cascade" in refused.stderr
    done = membatch("undo", 2, "--cascade", "--json", folder=tmp_path)
    assert report_of(done)["kind"] == "undo"
    assert membatch("export", folder=tmp_path).stdout == before
    runs = json.loads(membatch("runs", "--json", folder=tmp_path).stdout)
    assert [(run["kind"], run["status"]) for run in runs] == [
        ("load", "done"),
        ("load", "undone"),
        ("load", "undone"),
        ("undo", "done"),
    ]
    assert runs[1]["counts"]["inserted"] == 1
    assert b"undone already" in membatch("undo", 2, folder=tmp_path).stderr
    assert b"cannot be undone" in membatch("undo", 4, folder=tmp_path).stderr
    assert b"nothing to resume" in membatch("resume", folder=tmp_path).stderr


def test_undo_of_a_retry_opens_its_rejects_again(tmp_path: Path) -> None:
    loaded(tmp_path, [{"id": "1", "summary": "a"}, {"id": "1", "summary": "b"}])
    membatch("retry", 1, folder=tmp_path, environment={"MEMBATCH_DEDUP_SAME_ID": "update"})
    assert json.loads(membatch("rejects", 1, folder=tmp_path).stdout)["resolved_by"] == 2
    assert membatch("undo", 2, folder=tmp_path).returncode == 0
    assert json.loads(membatch("rejects", 1, folder=tmp_path).stdout)["resolved_by"] is None
    assert b'"summary":"a"' in membatch("export", folder=tmp_path).stdout


def test_explain_gives_every_step_and_the_outcome(tmp_path: Path) -> None:
    one, other = json.dumps({"summary": "Tom owes Anna 5 euros"}), json.dumps({"summary": "Anna owes Tom 5 euros"})
    found = json.loads(membatch("explain", one, other, "--json", folder=tmp_path).stdout)
    assert (found["score"], found["guards"]["order"], found["digest"]) == ("5/5", "unsure", False)
    assert (found["outcome"], found["reason"]) == ("held", "order says unsure")
    loaded(tmp_path, [{"id": "m", "summary": "Anna bought a car"}])
    text = membatch("explain", "m", '{"summary": "Anna bought a red car"}', folder=tmp_path).stdout.decode()
    assert "outcome: merged" in text
    assert "only second      red" in text
    assert membatch("explain", "m", "nobody", folder=tmp_path).returncode == 2
    assert membatch("explain", "m", '{"summary": ""}', folder=tmp_path).returncode == 2


def held_pair(folder: Path) -> None:
    loaded(folder, [{"id": "a", "summary": "my mother died in high school", "tags": ["x"]}])
    loaded(folder, [{"id": "b", "summary": "my father died in high school", "tags": ["y"]}])


def test_review_lists_both_texts_with_what_differs_marked(tmp_path: Path) -> None:
    lines(
        tmp_path / "0.jsonl", {"summary": "my mother died in high school"}, {"summary": "my father died in high school"}
    )
    result = membatch("run", "0.jsonl", "--threshold", "0.7", folder=tmp_path)
    assert b"membatch review" in result.stderr
    text = membatch("review", folder=tmp_path).stdout.decode()
    assert "score 5/7, unsure: substitution" in text
    assert "my [mother] died in high school" in text
    pairs = json.loads(membatch("review", "--json", folder=tmp_path).stdout)
    assert pairs[0]["younger"]["summary"] == "my father died in high school"


def test_an_accepted_pair_is_one_memory_and_undo_makes_it_two_again(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[dedup]\nthreshold = "0.7"\n')
    held_pair(tmp_path)
    before = membatch("export", folder=tmp_path).stdout
    assert membatch("review", "--accept", 1, folder=tmp_path).returncode == 0
    exported = membatch("export", folder=tmp_path).stdout.splitlines()
    assert len(exported) == 1
    assert json.loads(exported[0])["tags"] == ["x", "y"]
    found = json.loads(membatch("history", "b", "--json", folder=tmp_path).stdout)
    assert (found["id"], found["merges"][0]["step"]) == ("a", "review")
    again = report_of(membatch("run", "0.jsonl", "--json", folder=tmp_path))
    assert again["counts"]["duplicates"] == 1
    assert membatch("undo", 4, folder=tmp_path).returncode == 0
    assert membatch("undo", 3, folder=tmp_path).returncode == 0
    assert membatch("export", folder=tmp_path).stdout == before
    assert len(json.loads(membatch("review", "--json", folder=tmp_path).stdout)) == 1


def test_the_run_that_made_an_accepted_memory_is_not_undone_alone(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[dedup]\nthreshold = "0.7"\n')
    held_pair(tmp_path)
    membatch("review", "--accept", 1, folder=tmp_path)
    refused = membatch("undo", 2, folder=tmp_path)
    assert refused.returncode == 2
    assert b"run 3: merge" in refused.stderr
    assert membatch("undo", 2, "--cascade", folder=tmp_path).returncode == 0
    assert len(membatch("export", folder=tmp_path).stdout.splitlines()) == 1


def test_a_rejected_pair_is_not_asked_about_again(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[dedup]\nthreshold = "0.7"\n')
    held_pair(tmp_path)
    assert membatch("review", "--reject", 1, folder=tmp_path).returncode == 0
    assert json.loads(membatch("review", "--json", folder=tmp_path).stdout) == []
    membatch("run", "0.jsonl", folder=tmp_path)
    assert json.loads(membatch("review", "--json", folder=tmp_path).stdout) == []
    assert membatch("review", "--accept", 1, folder=tmp_path).returncode == 2


def test_all_pairs_of_a_guard_are_accepted_at_once(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[dedup]\nthreshold = "0.7"\n')
    held_pair(tmp_path)
    few = membatch("review", "--accept-all", "--guard", "substitution", "--min-score", "0.9", folder=tmp_path)
    assert (few.returncode, b"no open pair" in few.stderr) == (0, True)
    done = membatch("review", "--accept-all", "--guard", "substitution", "--min-score", "0.7", folder=tmp_path)
    assert b"accepted 1 pair " in done.stderr
    assert membatch("review", "--accept-all", folder=tmp_path).returncode == 2


def test_an_unmerge_that_is_refused_names_the_merges_to_take_back_first(tmp_path: Path) -> None:
    loaded(tmp_path, [{"summary": "Anna sings"}])
    for tag in ("x", "y"):
        loaded(tmp_path, [{"id": tag, "summary": "Anna sings", "tags": [tag]}])
    refused = membatch("unmerge", 1, folder=tmp_path)
    assert (refused.returncode, b"run 3: merge 2 of y" in refused.stderr) == (2, True)
    for merge in (2, 1):
        assert membatch("unmerge", merge, folder=tmp_path).returncode == 0
