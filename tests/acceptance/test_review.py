"""What a decision about a held pair does to the pair, to others that name its memories, and to later loads."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from membatch import Config, ConfigError, Report, check, forget, history, process, retry, undo, unmerge
from membatch.config import BatchSettings, DedupSettings
from membatch.review import accept, accept_all, open_pairs, reject

from .command import lines, membatch

MOTHER, FATHER, SISTER = (f"my {who} died in high school" for who in ("mother", "father", "sister"))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(store=f"sqlite:///{tmp_path}/a.db", dedup=DedupSettings(threshold="0.7"))


def load(config: Config, *records: dict[str, Any]) -> Report:
    return process(records, config=config)


def pairs(config: Config) -> list[tuple[str, str]]:
    return [(pair["older"]["id"], pair["younger"]["id"]) for pair in open_pairs(config.store)]


def test_a_rejected_pair_is_never_held_again(config: Config) -> None:
    a, b = {"id": "a", "summary": MOTHER}, {"id": "b", "summary": FATHER}
    load(config, a, b)
    reject(open_pairs(config.store)[0]["review"], config=config)
    again = load(config, a, b, {**b, "id": "other"})
    assert (again.counts.duplicates, again.counts.held) == (3, 0)
    near = load(config, {**a, "tags": ["t"]}, {"summary": f"{FATHER}.", "tags": ["u"]})
    assert (near.counts.merged, near.counts.held) == (2, 0)
    third = load(config, {"id": "c", "summary": SISTER})
    assert third.counts.held == 1
    assert pairs(config) == [("a", "c")]


def test_a_merge_below_a_rejected_pair_is_not_taken_back_alone(config: Config) -> None:
    load(config, {"id": "a", "summary": MOTHER}, {"id": "b", "summary": FATHER}, {"id": "b2", "summary": f"{FATHER}."})
    reject(open_pairs(config.store)[0]["review"], config=config)
    with pytest.raises(ConfigError, match="decision"):
        unmerge(1, store=config.store)


def test_the_other_pairs_of_the_older_memory_stay(config: Config) -> None:
    load(config, {"id": "a", "summary": MOTHER}, {"id": "b", "summary": FATHER}, {"id": "c", "summary": SISTER})
    assert pairs(config) == [("a", "b"), ("a", "c")]
    accept(1, config=config)
    assert pairs(config) == [("a", "c")]
    accept(2, config=config)
    assert pairs(config) == []


def test_a_pair_of_the_younger_memory_follows_to_the_older_one(config: Config) -> None:
    load(config, {"id": "a", "summary": "my mother died in high school"})
    load(config, {"id": "b", "summary": "my father died in high school"})
    load(config, {"id": "c", "summary": "my father died in primary school"})
    assert pairs(config) == [("a", "b"), ("b", "c")]
    accept(1, config=config)
    assert pairs(config) == [("a", "c")]


def test_pairs_that_followed_are_accepted_with_all_others(config: Config) -> None:
    for name, text in (("a", MOTHER), ("b", FATHER), ("c", "my father died in primary school")):
        load(config, {"id": name, "summary": text})
    assert pairs(config) == [("a", "b"), ("b", "c")]
    assert accept_all("substitution", "0.7", config=config)[1] == 2
    assert pairs(config) == []
    assert load(config, {"id": "c", "summary": "my father died in primary school"}).counts.duplicates == 1
    assert check(config.store).is_whole


def test_accepting_takes_along_all_that_led_to_the_younger_memory(config: Config) -> None:
    load(config, {"id": "a", "summary": MOTHER}, {"id": "b", "summary": FATHER, "tags": ["1"]})
    b2 = {"id": "b2", "summary": f"{FATHER}.", "tags": ["2"]}
    load(config, b2)
    accept(1, config=config)
    again = load(config, b2, {"summary": FATHER, "tags": ["3"]}, {"id": "a", "summary": MOTHER})
    assert (again.counts.duplicates, again.counts.merged) == (2, 1)
    text = membatch("export", "--store", config.store, folder=Path.cwd()).stdout.splitlines()
    assert len(text) == 1
    assert json.loads(text[0])["tags"] == ["1", "2", "3"]


def test_only_pairs_of_one_guard_from_a_score_on_are_accepted_at_once(config: Config) -> None:
    load(
        config,
        {"id": "a", "summary": "Tom owes Anna five euros"},
        {"id": "b", "summary": "Anna owes Tom five euros"},
        {"id": "c", "summary": MOTHER},
        {"id": "d", "summary": FATHER},
    )
    assert pairs(config) == [("a", "b"), ("c", "d")]
    assert accept_all("substitution", "0.72", config=config) == (None, 0)  # no run for what changes nothing
    assert accept_all("order", "1", config=config)[1] == 1
    assert pairs(config) == [("c", "d")]
    assert accept_all("substitution", "5/7", config=config)[1] == 1


def test_pairs_that_would_break_a_limit_make_no_run(config: Config) -> None:
    tags = [str(number) for number in range(30)]
    load(config, {"id": "a", "summary": MOTHER, "tags": tags[:15]}, {"id": "b", "summary": FATHER, "tags": tags[15:]})
    assert accept_all("substitution", "0.5", config=config) == (None, 0)
    assert pairs(config) == [("a", "b")]


def test_the_list_marks_every_word_that_differs_and_escapes_what_would_move_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[dedup]\nthreshold = "0.6"\n')
    lines(
        tmp_path / "a.jsonl",
        {"summary": "my mother died in high \x1b[2Jschool"},
        {"summary": "my father died in \x1b[2Jschool high"},
    )
    membatch("run", "a.jsonl", folder=tmp_path)
    text = membatch("review", folder=tmp_path).stdout.decode()
    assert "my [mother] died in" in text
    assert "my [father] died in" in text
    assert "\x1b" not in text


TEA = [
    {"id": "o", "summary": "Anna never drinks black tea in the old house by the sea"},
    {"id": "y", "summary": "Anna always drinks black tea in the old house by the sea"},
    {"id": "z", "summary": "Anna always drinks black tea in the old house by the sea."},
]


@pytest.mark.parametrize("takes_back", [lambda store: unmerge(2, store=store), lambda store: undo(2, store=store)])
def test_duplicates_that_came_since_go_with_the_memory_that_knows_them(
    config: Config, takes_back: Callable[[str], Report]
) -> None:
    load(config, *TEA)  # y absorbs z
    accept(1, config=config)
    assert load(config, *TEA).counts.duplicates == 3
    takes_back(config.store)
    assert check(config.store).is_whole
    assert pairs(config) == [("o", "y")]
    assert load(config, *TEA).counts.duplicates == 3


def ids(config: Config) -> list[str]:
    shown = membatch("export", "--store", config.store, folder=Path.cwd()).stdout.splitlines()
    return [json.loads(line)["id"] for line in shown]


def test_what_was_unmerged_is_undone_with_its_load_though_its_survivor_is_forgotten(config: Config) -> None:
    b = {"id": "b", "summary": "Bo sings."}
    load(config, {"id": "a", "summary": "Bo sings"}, b, b)
    unmerge(1, store=config.store)
    load(config, b)
    forget("a", store=config.store)
    assert ids(config) == ["b"]
    with pytest.raises(ConfigError, match=r"run 2: unmerge \(forgotten\); run 3: duplicate b"):
        undo(1, store=config.store)
    undo(1, store=config.store, cascade=True)
    assert ids(config) == []
    assert check(config.store).is_whole


def test_an_unmerge_is_undone_with_the_run_of_its_merge_only(config: Config) -> None:
    load(config, {"id": "a", "summary": "Bo sings"})
    load(config, {"id": "b", "summary": "Bo sings."})
    load(config, {"id": "c", "summary": "Bo sings .", "tags": ["t"]})
    unmerge(2, store=config.store)
    unmerge(1, store=config.store)
    undo(3, store=config.store, cascade=True)
    assert ids(config) == ["a", "b"]
    assert check(config.store).is_whole


def test_a_memory_whose_id_is_taken_meanwhile_comes_back_under_one_from_its_digest(config: Config) -> None:
    load(config, *TEA[:2])
    before = ids(config)
    accept(1, config=config)
    load(config, {"id": "y", "summary": "Something else entirely"})
    with pytest.raises(ConfigError, match="run 3: id y"):
        undo(2, store=config.store)
    unmerge(1, store=config.store)
    assert check(config.store).is_whole
    assert ids(config)[0] == "o"
    assert ids(config)[2] == "y"
    assert ids(config)[1] not in ("o", "y")
    assert load(config, TEA[1]).counts.duplicates == 1
    undo(2, store=config.store, cascade=True)
    assert ids(config) == before
    assert load(config, {**TEA[1], "tags": ["t"]}).counts.merged == 1  # found by its id again
    assert check(config.store).is_whole


def test_an_id_that_an_undo_would_bring_back_is_not_given_away(config: Config) -> None:
    lake = "Bo {} swims in the cold blue lake behind the red house"
    load(config, *TEA[:2], {"id": "p", "summary": lake.format("never")})
    accept(1, config=config)
    load(config, {"id": "y", "summary": lake.format("always")})
    accept(2, config=config)
    unmerge(1, store=config.store)
    undo(4, store=config.store)
    assert check(config.store).is_whole
    assert (ids(config)[2:], len(ids(config))) == (["p", "y"], 4)


def test_an_id_from_the_digest_that_is_taken_too_leads_to_a_further_one(config: Config) -> None:
    load(config, {"id": "a", "summary": "Bo sings"}, {"summary": "Bo sings."})
    taken = history("a", store=config.store)["merges"][0]["id"]
    load(config, {"id": taken, "summary": "Something else"})
    unmerge(1, store=config.store)
    assert check(config.store).is_whole
    assert len(set(ids(config))) == 3


def test_a_duplicate_that_took_the_number_of_one_that_was_undone_stays_where_it_is(config: Config) -> None:
    load(config, *TEA[:2], {"id": "n", "summary": "New"})
    load(config, TEA[1])
    accept(1, config=config)
    undo(2, store=config.store)
    load(config, {"id": "n", "summary": "New"})
    undo(3, store=config.store)
    found = check(config.store)
    assert found.is_whole, found.faults


def test_a_pair_that_took_the_number_of_one_that_was_forgotten_stays_as_it_is(config: Config) -> None:
    lake = "Bo {} swims in the cold blue lake behind the red house"
    load(config, *TEA[:2], {"id": "p", "summary": lake.format("never")})
    load(config, {"id": "d", "summary": TEA[1]["summary"].replace("black", "green")})
    assert pairs(config) == [("o", "y"), ("y", "d")]
    accept(1, config=config)
    forget("d", store=config.store)
    load(config, {"id": "q", "summary": lake.format("always")})
    unmerge(1, store=config.store)
    assert pairs(config) == [("o", "y"), ("p", "q")]


def test_a_merge_is_not_taken_back_below_a_pair_held_since_under_a_key_that_was_free_again(config: Config) -> None:
    load(config, {"id": "a", "summary": MOTHER})
    load(config, {"id": "n", "summary": "New"}, {"id": "a2", "summary": f"{MOTHER}."})
    forget("n", store=config.store)
    load(config, {"id": "b", "summary": FATHER})
    assert pairs(config) == [("a", "b")]
    with pytest.raises(ConfigError, match="hold review 1"):
        unmerge(1, store=config.store)


@pytest.mark.parametrize("size", [1, 3])
def test_a_merge_is_not_taken_back_below_a_pair_of_its_run_that_was_accepted_since(config: Config, size: int) -> None:
    config = msgspec.structs.replace(config, batch=BatchSettings(size=size, min=1))
    load(config, {"id": "a", "summary": MOTHER}, {"id": "a2", "summary": f"{MOTHER}."}, {"id": "b", "summary": FATHER})
    accept(1, config=config)
    with pytest.raises(ConfigError, match="later in its own run"):
        unmerge(1, store=config.store, cascade=True)


def test_what_was_rejected_for_an_id_stays_so_after_its_memory_was_merged_by_a_review(config: Config) -> None:
    other = {"id": "y", "summary": "Something else entirely"}
    load(config, *TEA[:2])
    assert load(config, other, other).counts.rejected == 2
    accept(1, config=config)
    again = load(config, other, {"id": "n", "summary": "New"})
    assert (again.counts.rejected, again.counts.inserted) == (1, 1)
    told = json.loads(membatch("rejects", "--store", config.store, folder=Path.cwd()).stdout)
    assert told["message"] == (
        'id "y" was that of a memory that a review merged into "o"; this record says "Something else entirely"'
    )
    retried = retry(2, config=config)
    assert retried is not None
    assert retried.counts.inserted == 1
    assert check(config.store).is_whole


@pytest.mark.parametrize("size", [1, 2])
def test_what_was_rejected_in_the_same_batch_is_too_under_an_id_that_a_review_merged_away(
    tmp_path: Path, size: int
) -> None:
    batch = BatchSettings(size=size, min=1)
    config = Config(store=f"sqlite:///{tmp_path}/a.db", batch=batch, dedup=DedupSettings(threshold="0.7"))
    load(config, *TEA[:2], {"id": "n", "summary": "New"})
    accept(1, config=config)
    other = {"summary": "Something else entirely"}
    assert load(config, {**other, "id": "n"}, {**other, "id": "y"}).counts.rejected == 2


def test_an_id_is_free_again_when_the_run_of_its_memory_is_undone(config: Config) -> None:
    other = {"id": "y", "summary": "Something else entirely"}
    load(config, *TEA[:2])
    load(config, other)
    undo(1, store=config.store)
    assert load(config, other).counts.inserted == 1


def test_a_batch_with_a_flood_of_candidates_is_loaded_after_a_review_and_an_id_conflict(config: Config) -> None:
    load(config, {"id": "a", "summary": MOTHER}, {"id": "b", "summary": FATHER})
    accept(1, config=config)
    assert load(config, {"id": "a", "summary": "something else"}).counts.rejected == 1
    names = ["".join(letters) for letters in itertools.product("abcdefghijkl", repeat=3)][:1500]
    flood = [{"summary": f"tom goes to the lake with his dog and his friend {name}"} for name in names]
    config = msgspec.structs.replace(config, dedup=DedupSettings(guards=("subject",)))
    report = load(config, *flood)  # more pairs than are found at once
    assert len(report.batches) > 1
    assert (report.status, report.counts.inserted, report.counts.merged) == ("done", 1, 1499)


def test_accepting_compares_what_the_records_of_both_stated(tmp_path: Path) -> None:
    dedup, rules = DedupSettings(threshold="0.7"), {"confidence": "corroborated"}
    config = Config(store=f"sqlite:///{tmp_path}/a.db", dedup=dedup, merge=rules)
    told = [("surest", 0.7), ("less sure", 0.5), ("less sure", 0.5)]
    load(
        config,
        *(
            {**record, "kind": kind, "confidence": confidence, "source_message_ids": [f"m{number}"]}
            for number, (record, (kind, confidence)) in enumerate(zip(TEA, told, strict=True))
        ),
    )
    accept(1, config=config)
    found = history("o", store=config.store)["record"]
    assert (found["kind"], found["confidence"]) == ("surest", pytest.approx(1 - 0.3 * 0.5 * 0.5))
    stated = sqlite3.connect(tmp_path / "a.db").execute("SELECT stated FROM memory").fetchone()[0]
    assert json.loads(stated)["confidence"] == 0.7


def test_accepting_weighs_a_number_by_all_records_that_gave_one(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path}/a.db", dedup=DedupSettings(threshold="0.7"))
    older, younger, third = ({**record, "emotional_context": {"intensity": 0.0}} for record in TEA)
    older = {**older, "emotional_context": {"intensity": 1.0}}
    load(config, older, younger, third, {**third, "id": "z2", "tags": ["t"]})
    accept(1, config=config)
    found = history("o", store=config.store)["record"]
    assert found["emotional_context"]["intensity"] == 0.25
    stated = sqlite3.connect(tmp_path / "a.db").execute("SELECT stated FROM memory").fetchone()[0]
    assert json.loads(stated)["weights"] == {"intensity": 2.0}
