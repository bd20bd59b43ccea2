"""The laws of DESIGN.md as property tests, for every store there is, against the oracle."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sqlite3
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from membatch import Config, ConfigError, check, forget, history, process, resume, undo, unmerge, validate_memory
from membatch.patch import apply as apply_patch
from membatch.plan import Plan
from membatch.review import accept, accept_all, open_pairs, reject

from .data import (
    WORDS,
    config,
    counts_in_store,
    doubtful_records,
    exported,
    load,
    memory_data,
    records,
    records_of,
    write_lines,
)
from .oracle import Oracle

STORES = ["sqlite"]
# Shrinking a list of records takes minutes and tells little more: a failing example is small already.
LAWS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

FEWER = settings(LAWS, max_examples=25)  # each example is many runs

sizes = st.sampled_from([1, 2, 3, 5, 11, 1000])
strategies = st.sampled_from(["memory-only", "exact", "similar"])
same_id = st.sampled_from(["newer", "update", "reject"])


@pytest.mark.parametrize("store", STORES)
class TestLaws:
    @LAWS
    @given(records, sizes, strategies)
    def test_every_record_ends_in_one_outcome_and_all_accounts_agree(
        self, store: str, values: list[Any], size: int, strategy: str
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            report, outcomes = load(values, config(path, size=size, strategy=strategy, guards=None))
            counts = report.counts
            parts = (counts.inserted, counts.duplicates, counts.merged, counts.held, counts.rejected)
            assert counts.read == len(values) == len(outcomes) == sum(parts)
            assert counts_in_store(path) == {
                "inserted": counts.inserted,
                "duplicates": counts.duplicates,
                "merged": counts.merged,
                "held": counts.held,
                "rejected": counts.rejected,
            }

    @LAWS
    @given(records, sizes, sizes, strategies)
    def test_batch_size_leaves_no_trace(
        self, store: str, values: list[Any], one: int, other: int, strategy: str
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / "a.db", Path(folder) / "b.db"]
            for path, size in zip(paths, (one, other), strict=True):
                load(values, config(path, size=size, strategy=strategy, guards=None))
            assert memory_data(paths[0]) == memory_data(paths[1])

    @LAWS
    @given(records, sizes, strategies, same_id)
    def test_each_outcome_is_that_of_the_oracle(
        self, store: str, values: list[Any], size: int, strategy: str, same: str
    ) -> None:
        oracle = Oracle(Fraction("0.6"), strategy, same)
        expected = [
            oracle.take(value) if isinstance(value, dict) and validate_memory(value).valid else ("rejected", None)
            for value in values
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            _, outcomes = load(values, config(path, size=size, strategy=strategy, same_id=same))
        assert outcomes == expected

    @LAWS
    @given(records, sizes, sizes, strategies, same_id)
    def test_the_same_input_again_changes_nothing(
        self, store: str, values: list[Any], one: int, other: int, strategy: str, same: str
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            load(values, config(path, size=one, strategy=strategy, guards=None, same_id=same))
            before = memory_data(path)
            report, _ = load(values, config(path, size=other, strategy=strategy, guards=None, same_id=same))
            assert memory_data(path) == before
            assert report.counts.read == report.counts.duplicates + report.counts.rejected

    @LAWS
    @given(records, records, strategies)
    def test_two_runs_are_as_one(self, store: str, first: list[Any], second: list[Any], strategy: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            one, two = Path(folder) / "a.db", Path(folder) / "b.db"
            load([*first, *second], config(one, strategy=strategy, guards=None))
            load(first, config(two, strategy=strategy, guards=None))
            load(second, config(two, strategy=strategy, guards=None))
            assert memory_data(one) == memory_data(two)

    @LAWS
    @given(st.lists(records_of(3, 15), min_size=1, max_size=4), sizes, strategies, same_id)
    def test_undoing_the_runs_newest_first_restores_every_state(
        self, store: str, loads: list[list[Any]], size: int, strategy: str, same: str
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            states = []
            load([], config(path, size=size, strategy=strategy, guards=None, same_id=same))
            for values in loads:
                states.append(memory_data(path))
                load(values, config(path, size=size, strategy=strategy, guards=None, same_id=same))
            for number in range(len(loads), 0, -1):
                undo(number + 1, store=f"sqlite:///{path}")
                assert memory_data(path) == states[number - 1]
            assert memory_data(path) == {"memory": [], "fingerprint": [], "merge": [], "review": []}

    @LAWS
    @given(st.lists(records_of(3, 15), min_size=2, max_size=4), strategies, st.data())
    def test_a_cascade_leaves_what_the_other_runs_would_have_made(
        self, store: str, loads: list[list[Any]], strategy: str, data: st.DataObject
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            for values in loads:
                load(values, config(path, strategy=strategy, guards=None))
            first = data.draw(st.integers(1, len(loads)))
            report = undo(first, store=f"sqlite:///{path}", cascade=True)
            connection = sqlite3.connect(path)
            statuses = dict(connection.execute("SELECT run, status FROM run"))
            assert statuses[first] == "undone"
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            ids = [
                row[0] for row in connection.execute("SELECT DISTINCT batch.run FROM memory JOIN batch USING (batch)")
            ]
            assert all(statuses[run] == "done" for run in ids)
            connection.close()
            again, _ = load(loads[first - 1], config(path, strategy=strategy, guards=None))
            assert report.kind == "undo"
            assert again.counts.read == len(loads[first - 1])

    @LAWS
    @given(st.data())
    def test_loads_and_reviews_are_undone_to_the_empty_store(self, store: str, data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            url = f"sqlite:///{path}"
            load([], config(path))
            states = [memory_data(path)]
            for _ in range(data.draw(st.integers(2, 6))):
                pairs = open_pairs(url)
                if pairs and data.draw(st.integers(0, 3)) > 0:
                    settings_ = config(path, guards=None)
                    pair = data.draw(st.sampled_from(pairs))
                    match data.draw(st.sampled_from(["accept", "reject", "accept all"])):
                        case "accept":
                            accept(pair["review"], config=settings_)
                        case "reject":
                            reject(pair["review"], config=settings_)
                        case _:
                            accept_all(pair["guards"][0], "0.5", config=settings_)
                else:
                    load(data.draw(records_of(4, 14)), config(path, guards=None, size=3))
                states.append(memory_data(path))
                connection = sqlite3.connect(path)
                assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
                connection.close()
            for number in range(len(states) - 1, 0, -1):
                undo(number + 1, store=url)
                assert memory_data(path) == states[number - 1]

    @FEWER
    @given(st.data())
    def test_whatever_was_done_checks_and_is_undone_to_the_empty_store(self, store: str, data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            url, settings_ = f"sqlite:///{path}", config(path, guards=None, size=3)
            load([], settings_)
            steps = ["load", "load", "interrupt", "resume", "accept", "reject", "unmerge", "unmerge", "undo"]
            for number in range(data.draw(st.integers(3, 9))):
                what = data.draw(st.sampled_from(steps))
                pairs, merges = open_pairs(url), standing_merges(path)
                if what == "load":
                    again = [json.loads(line) for line in exported(path)] if data.draw(st.booleans()) else []
                    load([*data.draw(records_of(0, 8)), *data.draw(doubtful_records(path)), *again], settings_)
                elif what == "interrupt":
                    values = data.draw(doubtful_records(path))
                    interrupted(write_lines(Path(folder) / f"{number}.jsonl", values), settings_)
                elif what == "resume":
                    resume(store=url, config=settings_)
                elif what in ("accept", "reject") and pairs:
                    decide_pair = accept if what == "accept" else reject
                    decide_pair(data.draw(st.sampled_from(pairs))["review"], config=settings_)
                elif what == "unmerge" and merges:
                    with contextlib.suppress(ConfigError):
                        unmerge(data.draw(st.sampled_from(merges)), store=url, cascade=data.draw(st.booleans()))
                elif what == "undo" and undoable_runs(path):
                    undo(data.draw(st.sampled_from(undoable_runs(path))), store=url, cascade=True)
                found = check(url)
                assert found.is_whole, found.faults
            while runs := undoable_runs(path):
                undo(runs[-1], store=url, cascade=True)
                assert check(url).is_whole
            assert memory_data(path) == {"memory": [], "fingerprint": [], "merge": [], "review": []}

    @FEWER
    @given(st.data())
    def test_the_same_input_after_reviews_and_unmerges_changes_nothing(self, store: str, data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            url, settings_ = f"sqlite:///{path}", config(path, guards=None, size=3)
            loaded: list[Any] = []
            load(loaded, settings_)
            for _ in range(data.draw(st.integers(2, 4))):
                values = data.draw(doubtful_records(path))
                load(values, settings_)
                loaded += values
                for _ in range(data.draw(st.integers(1, 4))):
                    pairs, merges = open_pairs(url), standing_merges(path)
                    if pairs and data.draw(st.integers(0, 1)) == 0:
                        decide_pair = reject if data.draw(st.integers(0, 3)) == 0 else accept
                        decide_pair(data.draw(st.sampled_from(pairs))["review"], config=settings_)
                    elif merges:
                        with contextlib.suppress(ConfigError):
                            unmerge(data.draw(st.sampled_from(merges)), store=url)
                before = memory_data(path)
                again, _ = load(loaded, settings_)
                assert memory_data(path) == before
                assert again.counts.read == again.counts.duplicates + again.counts.rejected
                found = check(url)
                assert found.is_whole, found.faults

    @FEWER
    @given(st.data())
    def test_what_is_forgotten_leaves_no_byte_whatever_was_done(self, store: str, data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            url, settings_ = f"sqlite:///{path}", config(path, guards=None, size=3)
            marks = itertools.count()
            load([], settings_)
            for _ in range(data.draw(st.integers(1, 3))):
                load([marked(value, next(marks)) for value in data.draw(doubtful_records(path))], settings_)
                for _ in range(data.draw(st.integers(0, 2))):
                    if pairs := open_pairs(url):
                        accept(data.draw(st.sampled_from(pairs))["review"], config=settings_)
                for _ in range(data.draw(st.integers(0, 5))):
                    if merges := standing_merges(path):  # the newest can be taken back, others seldom
                        with contextlib.suppress(ConfigError):
                            unmerge(data.draw(st.sampled_from([*merges, merges[-1]])), store=url)
                if data.draw(st.integers(0, 3)) == 0:
                    undo(data.draw(st.sampled_from(undoable_runs(path))), store=url, cascade=True)
                found = check(url)
                assert found.is_whole, found.faults
            for line in reversed(exported(path)):  # what absorbed a memory and gave it back is there still
                forget_one(json.loads(line)["id"], path)
            assert check(url).is_whole

    @FEWER
    @given(records_of(8, 30), sizes)
    def test_an_unmerged_record_is_the_youngest_memory_and_its_survivor_is_as_before(
        self, store: str, values: list[Any], size: int
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            load(values, config(path, size=size))
            for merge in reversed(standing_merges(path)):
                before = memory_data(path)
                row = next(row for row in before["merge"] if row[0] == merge)
                try:
                    unmerge(merge, store=f"sqlite:///{path}")
                except ConfigError:
                    assert memory_data(path) == before
                    continue
                after = memory_data(path)
                *others, youngest = after["memory"]
                survivor = apply_patch(
                    json.loads({key: text for key, *_, text in before["memory"]}[row[1]]), json.loads(row[11])
                )
                assert youngest[4] == row[7]
                assert youngest[0] == 1 + max(memory[0] for memory in before["memory"])
                assert json.loads({key: text for key, *_, text in others}[row[1]]) == survivor
                known, _ = load([{"id": row[6], **json.loads(row[7])}], config(path))
                assert known.counts.duplicates == 1


def interrupted(source: Path, settings_: Config) -> None:
    """Load the first batch of a source."""

    def stop(plan: Plan, _: object) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        process(source, config=settings_, observers=[stop])


def marked(value: Any, number: int) -> Any:
    """Return a record with a text that no other one has, under a name that others have too; what is none as it is."""
    if not isinstance(value, dict) or "summary" not in value:
        return value
    return {**value, "metadata": {**value.get("metadata", {}), "a": f"mark-{number}-", f"m{number}": "x"}}


def forget_one(identity: str, path: Path) -> None:
    """Forget a memory, and look for what its records said in the files."""
    url = f"sqlite:///{path}"
    try:
        past = history(identity, store=url)
    except ConfigError:  # an id of several match scopes
        return
    told = set(re.findall(r"mark-\d+-", json.dumps([past["record"], past["first"], standing(past["merges"])])))
    forget(identity, store=url)
    left = b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))
    assert not [mark for mark in told if mark.encode() in left]


def standing(merges: list[dict[str, Any]]) -> list[Any]:
    """Return the records of merges that stand, and of those within them."""
    return [
        [merge["record"], merge.get("first"), standing(merge.get("merges", []))]
        for merge in merges
        if merge["unmerged_in"] is None
    ]


def standing_merges(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT merge FROM merge WHERE unmerged_in IS NULL ORDER BY merge")]
    connection.close()
    return found


def undoable_runs(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    sql = "SELECT run FROM run WHERE status <> 'undone' AND kind NOT IN ('undo', 'forget', 'unmerge') ORDER BY run"
    found = [row[0] for row in connection.execute(sql)]
    connection.close()
    return found


@FEWER
@given(records, st.sampled_from([2, 3, 5, 11]), st.integers(2, 3), strategies, same_id)
def test_worker_processes_leave_no_trace(values: list[Any], size: int, workers: int, strategy: str, same: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = write_lines(Path(folder) / "in.jsonl", values)
        found = []
        for count in (1, workers):
            path = Path(folder) / f"{count}.db"
            settings_ = config(path, size=size, workers=count, strategy=strategy, guards=None, same_id=same)
            report = process(source, config=settings_)
            found.append((report.counts, report.errors, memory_data(path), reject_data(path)))
        assert found[0] == found[1]


@FEWER
@given(records_of(10, 15))
def test_a_batch_size_that_adapts_leaves_no_trace(some: list[Any]) -> None:
    values = [again(value, word) for word in WORDS[:12] for value in some]
    with tempfile.TemporaryDirectory() as folder:
        fixed, adaptive = (
            config(Path(folder) / "a.db", size=1000, guards=None),
            config(Path(folder) / "b.db", guards=None),
        )
        climbing = msgspec.structs.replace(adaptive.batch, size="auto", min=1, max=5)
        load(values, fixed)
        report, _ = load(values, msgspec.structs.replace(adaptive, batch=climbing))
        assert report.batch_size["changes"]  # 120 records make 24 batches: more than the climb waits for
        assert memory_data(Path(folder) / "a.db") == memory_data(Path(folder) / "b.db")


def again(value: Any, word: str) -> Any:
    """Return a record with a word more in its summary, and what is none as it is."""
    return (
        {**value, "summary": f"{value['summary']} {word}"} if isinstance(value, dict) and "summary" in value else value
    )


def reject_data(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT line, category, code, errors, raw FROM reject ORDER BY reject").fetchall()
    connection.close()
    return found
