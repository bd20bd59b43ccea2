"""A store of an older version opens with all it holds, upgraded in place, in one transaction or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from membatch import StoreError, process
from membatch.memory import UNICODE_VERSION
from membatch.runs.accounts import list_runs, open_once, report
from membatch.store.upgrade import SCHEMA_VERSION

DATA = Path(__file__).parent / "data"


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    path = tmp_path / "memories.db"
    connection = sqlite3.connect(path)
    connection.executescript((DATA / "version-1.sql").read_text("utf-8"))
    connection.execute("UPDATE meta SET value = ? WHERE name = 'unicode_version'", (UNICODE_VERSION,))
    connection.commit()
    connection.close()
    return path


def version_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    (version,) = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
    connection.close()
    return str(version)


def test_a_store_of_the_first_version_is_upgraded_when_it_is_read(old_store: Path) -> None:
    assert version_of(old_store) == "1"
    (run,) = list_runs(f"sqlite:///{old_store}")
    assert version_of(old_store) == str(SCHEMA_VERSION)
    assert (run["counts"]["read"], run["counts"]["inserted"], run["counts"]["merged"]) == (6, 2, 1)
    assert report(1, store=f"sqlite:///{old_store}").format == {"name": "membatch", "reason": None}


def test_a_store_of_the_first_version_is_loaded_into_and_knows_its_records(old_store: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "c", "summary": "Tom does not love tea"}\n{"summary": "new"}\n', "utf-8")
    found = process(tmp_path / "in.jsonl", store=f"sqlite:///{old_store}")
    assert (found.counts.duplicates, found.counts.inserted) == (1, 1)
    fresh = sqlite3.connect(old_store).execute("SELECT format, detected FROM run ORDER BY run").fetchall()
    assert fresh == [("membatch", None), ("membatch", "its fields are those of a record")]


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(old_store: Path) -> None:
    connection = sqlite3.connect(old_store)
    connection.execute("ALTER TABLE run ADD COLUMN detected TEXT")  # the step will find its column taken
    connection.commit()
    before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(StoreError):
        list_runs(f"sqlite:///{old_store}")
    assert version_of(old_store) == "1"
    assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == before
    connection.close()


def test_a_store_of_a_newer_version_is_refused(old_store: Path) -> None:
    connection = sqlite3.connect(old_store)
    connection.execute("UPDATE meta SET value = '999' WHERE name = 'schema_version'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="install a newer membatch"), open_once(f"sqlite:///{old_store}"):
        pass
