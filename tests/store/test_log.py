"""SQLite's log moves into the database between two batches of a load, and whoever reads meanwhile is no hindrance."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from membatch import process
from membatch.store import Store, open_store
from membatch.store.sqlite import LOGGED_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    process([{"summary": "one"}], store=f"sqlite:///{path}")
    with closing(open_store(f"sqlite:///{path}", ("user_id", "namespace"))) as store:
        yield store


def runs_in_file(path: Path) -> int:
    """Return how many runs the database file holds without its log."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    with closing(sqlite3.connect(f"file:{alone}?immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM run").fetchone()[0])


def begin_run(store: Store) -> None:
    store.begin_run(kind="load", parent=None, format="membatch", sources="{}", config="{}")


def test_nothing_is_due_before_so_much_was_read(store: Store) -> None:
    assert store.tidying(LOGGED_BYTES - 1) is None
    assert store.tidying(1) is not None
    assert store.tidying(LOGGED_BYTES - 1) is None


def test_what_was_committed_is_in_the_database_file_afterwards(store: Store, path: Path) -> None:
    begin_run(store)
    assert runs_in_file(path) == 1
    tidy = store.tidying(LOGGED_BYTES)
    assert tidy is not None
    tidy()
    assert runs_in_file(path) == 2


def test_a_reader_sees_what_it_saw_and_does_not_stop_the_load(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM run").fetchone() == (1,)
        begin_run(store)
        tidy = store.tidying(LOGGED_BYTES)
        assert tidy is not None
        tidy()
        assert reader.execute("SELECT count(*) FROM run").fetchone() == (1,)
    assert len(store.runs()) == 2


def test_a_dry_run_moves_nothing(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'm.db'}", ("user_id", "namespace"), dry_run=True)) as store:
        assert store.tidying(LOGGED_BYTES) is None
