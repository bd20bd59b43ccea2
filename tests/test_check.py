"""A store that was only ever used is whole; whatever is changed behind its back is named."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from membatch import ConfigError, check, forget, process, retry, undo
from membatch.review import accept, accept_all, open_pairs, reject

from .acceptance.command import membatch
from .laws.data import config, load, memory_data, records_of

CHECKED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def ids_of(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT id FROM memory GROUP BY id HAVING count(*) = 1")]
    connection.close()
    return found


@CHECKED
@given(st.data())
def test_whatever_is_done_to_a_store_it_stays_whole(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        url, settings_ = f"sqlite:///{path}", config(path, guards=None, size=3)
        load(data.draw(records_of(6, 20)), settings_)
        runs = 1
        for _ in range(data.draw(st.integers(1, 6))):
            deed = data.draw(st.sampled_from(["load", "accept", "accept all", "reject", "undo", "forget", "retry"]))
            pairs, ids = open_pairs(url), ids_of(path)
            pair = data.draw(st.sampled_from(pairs)) if pairs else None
            match deed:
                case "accept" if pair:
                    accept(pair["review"], config=settings_)
                case "accept all" if pair:
                    accept_all(pair["guards"][0], "0.5", config=settings_)
                case "reject" if pair:
                    reject(pair["review"], config=settings_)
                case "forget" if ids:
                    try:
                        forget(data.draw(st.sampled_from(ids)), store=url)
                    except ConfigError:  # an id of one scope that led to a memory of another one
                        continue
                case "undo":
                    try:
                        undo(data.draw(st.integers(1, runs)), store=url, cascade=True)
                    except ConfigError:
                        continue
                case "retry":
                    retry(1, config=settings_) if runs == 1 else load([], settings_)
                case _:
                    load(data.draw(records_of(4, 14)), settings_)
            runs += 1
            found = check(url)
            assert found.is_whole, found.faults


def a_store(folder: Path) -> Path:
    """A store with every kind of row: duplicates, merges, replaced and held ones, rejects, a decided review."""
    path = folder / "a.db"
    rng = random.Random(3)
    words = ["anna", "went", "to", "the", "lake", "with", "a", "blue", "dog", "and", "drank", "tea"]
    values: list[dict[str, object]] = [{"summary": "bert sells houses"}]
    for number in range(60):
        text = " ".join(rng.sample(words, 6))
        values += [{"summary": text, "source_message_ids": [f"m{number}"]}, {"summary": text + ".", "confidence": 0.5}]
    values += values[:5]
    values += [{"id": "x", "summary": f"first {n}", "updated_at": f"2024-01-0{n}T00:00:00Z"} for n in (1, 2, 3)]
    values += [{"summary": ""}, {"id": "x", "summary": "other"}]
    process(iter(values), config=config(path, guards=None, size=20))
    url = f"sqlite:///{path}"
    for pair in open_pairs(url)[:2]:
        accept(pair["review"], config=config(path, guards=None))
    return path


TAMPERINGS = {
    "a memory's text": ("UPDATE memory SET record = replace(record, 'bert', 'carl')", "digest"),
    "a text that no record gave": (
        "UPDATE memory SET record = replace(record, 'lake', 'sea') WHERE memory IN (SELECT memory FROM merge)",
        "text",
    ),
    "a memory's id": ("UPDATE memory SET id = 'y' WHERE memory = 1", "id hash"),
    "a memory's scope": ("UPDATE memory SET match_scope = '[\"u\",null]' WHERE memory = 1", "scope"),
    "a record that is none": ("UPDATE memory SET record = '{' WHERE memory = 1", "record"),
    "a record that is not valid": (
        'UPDATE memory SET record = \'{"summary":"a","confidence":7}\' WHERE memory = 1',
        "record",
    ),
    "a digest": ("UPDATE fingerprint SET digest = zeroblob(16) WHERE memory = 1 AND number = 0", "digest"),
    "a content hash": ("UPDATE fingerprint SET content_hash = zeroblob(16) WHERE memory = 1", "content hash"),
    "tokens": ("UPDATE fingerprint SET tokens = zeroblob(8) WHERE memory = 1 AND number = 0", "tokens"),
    "a lost fingerprint": ("DELETE FROM fingerprint WHERE memory = 1 AND number = 0", "first"),
    "a lost memory": ("DELETE FROM memory WHERE memory = (SELECT max(memory) FROM memory)", "balance"),
    "a lost duplicate": ("DELETE FROM duplicate WHERE duplicate = 1", "conservation"),
    "a lost reject": ("DELETE FROM reject WHERE reject = 1", "conservation"),
    "a lost pair": ("DELETE FROM review WHERE review = (SELECT max(review) FROM review)", "conservation"),
    "lost lineage": ("DELETE FROM merge WHERE merge = (SELECT min(merge) FROM merge)", "conservation"),
    "a reverse patch": ("UPDATE merge SET reverse = '[]' WHERE step = 'id'", "digest"),
    "a reverse patch that does not fit": (
        'UPDATE merge SET reverse = \'[["unset",["no"]]]\' WHERE merge = 1',
        "lineage",
    ),
    "an absorbed record": (
        "UPDATE merge SET record = replace(record, 'dog', 'cat') WHERE step IN ('similar', 'hash')",
        "digest",
    ),
    "a count": (
        """UPDATE batch SET tally = json_set(tally, '$.counts.inserted', 999) WHERE batch = 1""",
        "conservation",
    ),
    "a tally that is none": ("UPDATE batch SET tally = '{' WHERE batch = 1", "tally"),
    "a batch number": ("UPDATE batch SET number = 77 WHERE batch = 2", "numbers"),
    "an id given twice": ("UPDATE memory SET id = (SELECT id FROM memory WHERE memory = 2) WHERE memory = 1", "ids"),
    "a pair in no state": ("UPDATE review SET state = 'maybe'", "reviews"),
    "a duplicate of another memory": ("UPDATE duplicate SET digest = zeroblob(16)", "duplicates"),
    "a fingerprint put aside by nothing": (
        "UPDATE fingerprint SET superseded_by = (SELECT merge FROM merge WHERE replaces = 0) WHERE memory = 1",
        "superseded",
    ),
    "a resolved reject": ("UPDATE reject SET resolved_by = 1", "resolved"),
    "another version of hashes": ("UPDATE meta SET value = '0' WHERE name = 'hash_version'", "version"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = a_store(tmp_path_factory.mktemp("store"))
    assert check(f"sqlite:///{path}").is_whole
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    for table in ("memory", "merge", "duplicate", "review", "reject"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0, table
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_is_changed_behind_its_back_is_named(name: str, store: bytes, tmp_path: Path) -> None:
    sql, rule = TAMPERINGS[name]
    path = tmp_path / "memories.db"
    path.write_bytes(store)
    connection = sqlite3.connect(path)
    assert connection.execute(sql).rowcount > 0
    connection.commit()
    connection.close()
    found = check(f"sqlite:///{path}")
    assert rule in {fault.rule for fault in found.faults}, found.faults


def test_the_command_lists_the_faults_and_exits_0_only_when_all_holds(store: bytes, tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    path.write_bytes(store)
    whole = membatch("check", folder=tmp_path)
    assert (whole.returncode, whole.stdout, b"all holds" in whole.stderr) == (0, b"", True)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM reject")
    connection.commit()
    connection.close()
    broken = membatch("check", folder=tmp_path)
    assert broken.returncode == 1
    assert b"rows of reject" in broken.stdout
    told = msgspec.json.decode(membatch("check", "--json", folder=tmp_path).stdout)
    assert told["count"] == len(told["faults"]) > 0


def test_a_check_changes_nothing(store: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(store)
    before = memory_data(path)
    check(f"sqlite:///{path}")
    assert memory_data(path) == before
