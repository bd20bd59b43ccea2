"""Loading from a database: exactly once, wherever it lies and however often it is interrupted."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from membatch import Report, SourceError, check, process, resume
from tests.laws.data import memory_data

from .command import membatch, report_of
from .test_crashes import start
from .test_resume import COUNT, DiedError, aborts_after, config, records, rejects_in


def notes(path: Path, count: int = COUNT) -> Path:
    """Make a database whose rows are the records that the other sources are tested with."""
    rows = [row for start in range(0, count, COUNT) for row in records()][:count]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (number INTEGER PRIMARY KEY, summary TEXT, kind TEXT)")
        connection.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, summary TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID")
        connection.executemany("INSERT INTO notes (summary, kind) VALUES (:summary, :kind)", rows)
        connection.execute("INSERT INTO pairs SELECT number % 4, number, summary FROM notes")
        connection.commit()
    return path


def by_little_steps(source: str, settings: Any) -> Report:
    """Load a source, dying after each second batch and resuming until it is done."""
    with contextlib.suppress(DiedError):
        return process(source, config=settings, observers=[aborts_after(2)])
    while True:
        with contextlib.suppress(DiedError):
            report = resume(config=settings, observers=[aborts_after(2)])
            assert report is not None
            return report


SELECTIONS = (
    "table=notes",
    "table=notes&order=number",
    "table=notes&order=summary",
    "table=pairs&order=a",
    "query=SELECT summary, kind, number % 5 AS fifth FROM notes&order=fifth",
    "query=SELECT summary, count(*) AS times FROM notes GROUP BY summary&order=summary",
)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_table_or_query_goes_on_exactly_once(selection: str, tmp_path: Path) -> None:
    source = f"sqlite:///{notes(tmp_path / 'old.db')}?{selection}"
    whole = process(source, config=config(tmp_path / "whole.db"))
    assert whole.counts.read == (len({row["summary"] for row in records()}) if "GROUP" in selection else COUNT)
    report = by_little_steps(source, config(tmp_path / "a.db"))
    assert (report.status, report.counts) == ("done", whole.counts)
    assert memory_data(tmp_path / "a.db") == memory_data(tmp_path / "whole.db")
    assert rejects_in(tmp_path / "a.db") == rejects_in(tmp_path / "whole.db")
    assert check(f"sqlite:///{tmp_path}/a.db").is_whole


def test_a_tolerance_stops_at_a_row_and_a_raised_one_goes_on_behind_it(tmp_path: Path) -> None:
    source = f"sqlite:///{notes(tmp_path / 'old.db')}?table=notes"
    whole = process(source, config=config(tmp_path / "whole.db"))
    report: Report | None = process(source, config=config(tmp_path / "a.db", max_errors=0))
    for allowed in range(1, whole.counts.rejected + 1):
        assert report is not None
        assert report.status == "stopped"
        report = resume(config=config(tmp_path / "a.db", max_errors=allowed))
    assert report is not None
    assert (report.status, report.counts) == ("done", whole.counts)
    assert rejects_in(tmp_path / "a.db") == rejects_in(tmp_path / "whole.db")


def test_a_load_that_is_killed_goes_on_exactly_once(tmp_path: Path) -> None:
    source = f"sqlite:///{notes(tmp_path / 'old.db', 20_000)}?table=notes"
    options = ("--strategy", "exact", "--batch-size", "100", "--store")
    membatch("run", source, *options, "sqlite:///whole.db", folder=tmp_path)
    running = start(tmp_path, "run", source, *options, "sqlite:///a.db")
    while running.poll() is None and committed(tmp_path / "a.db") < 3:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert 3 <= committed(tmp_path / "a.db") < 200
    assert membatch("resume", "--store", "sqlite:///a.db", folder=tmp_path).returncode == 1
    assert memory_data(tmp_path / "a.db") == memory_data(tmp_path / "whole.db")
    assert rejects_in(tmp_path / "a.db") == rejects_in(tmp_path / "whole.db")


def committed(store: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        with contextlib.closing(connection):
            return int(connection.execute("SELECT count(*) FROM batch").fetchone()[0])
    except sqlite3.OperationalError:  # it is not there yet, or not whole
        return 0


def test_the_same_rows_from_elsewhere_are_duplicates(tmp_path: Path) -> None:
    notes(tmp_path / "old.db")
    (tmp_path / "there").mkdir()
    first = process(f"sqlite:///{tmp_path}/old.db?table=notes", config=config(tmp_path / "a.db"))
    before = memory_data(tmp_path / "a.db")
    shutil.move(tmp_path / "old.db", tmp_path / "there" / "older.db")
    for selection in ("table=notes&order=summary", "query=SELECT * FROM notes"):
        source = f"sqlite:///{tmp_path}/there/older.db?{selection}"
        report = process(source, config=config(tmp_path / "a.db"))
        assert report.counts.duplicates + report.counts.rejected == first.counts.read
        assert memory_data(tmp_path / "a.db") == before


def interrupted(source: str, store: Path) -> None:
    with pytest.raises(DiedError):
        process(source, config=config(store), observers=[aborts_after(2)])


def test_without_an_order_column_resume_is_refused_with_what_to_add(tmp_path: Path) -> None:
    source = f"sqlite:///{notes(tmp_path / 'old.db')}?table=pairs"
    interrupted(source, tmp_path / "a.db")
    with pytest.raises(SourceError, match=r"names no order column to go on by .*&order=COLUMN"):
        resume(config=config(tmp_path / "a.db"))
    report = resume(config=config(tmp_path / "a.db"), force=True)
    assert report is not None
    assert report.counts.read == COUNT
    again = process(f"{source}&order=b", config=config(tmp_path / "a.db"))
    assert again.counts.duplicates + again.counts.rejected == COUNT


def test_rows_that_were_added_behind_are_read_and_others_refuse_to_go_on(tmp_path: Path) -> None:
    source = f"sqlite:///{notes(tmp_path / 'old.db')}?table=notes"
    interrupted(source, tmp_path / "a.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.execute("INSERT INTO notes (summary) VALUES ('added behind')")
        connection.execute("DELETE FROM notes WHERE number = 3")
        connection.commit()
        with pytest.raises(SourceError, match="had 14 rows up to where the run stopped and now has 13"):
            resume(config=config(tmp_path / "a.db"))
        connection.execute("INSERT INTO notes VALUES (3, 'another', 'k')")
        connection.commit()
    report = resume(config=config(tmp_path / "a.db"))
    assert report is not None
    assert report.counts.read == COUNT + 1


def test_a_run_of_a_database_is_resumed_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my notes").mkdir()
    (tmp_path / "here").mkdir()
    notes(tmp_path / "my notes" / "old 1%.db")
    monkeypatch.chdir(tmp_path / "my notes")
    interrupted("sqlite:///old 1%.db?query=SELECT * FROM notes&order=number", tmp_path / "a.db")
    monkeypatch.chdir(tmp_path / "here")
    report = resume(config=config(tmp_path / "a.db"))
    assert report is not None
    assert report.counts.read == COUNT


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    result = membatch(*arguments, folder=folder)
    assert b"Traceback" not in result.stderr
    return result


def test_every_command_that_reads_sources_reads_databases(tmp_path: Path) -> None:
    notes(tmp_path / "old.db")
    source = "sqlite:///old.db?query=SELECT summary, kind FROM notes WHERE summary <> ''"
    assert report_of(run(tmp_path, "validate", source, "--json"))["counts"]["valid"] == 53
    explained = run(tmp_path, "convert", source, "--explain", 2).stdout.decode()
    assert "record 0" in explained
    assert run(tmp_path, "convert", source, "--output", "out.jsonl").returncode == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 53
    dry = report_of(run(tmp_path, "run", source, "--strategy", "exact", "--dry-run", "--json"))
    assert dry["sources"] == [source]
    before = run(tmp_path, "run", source, "out.jsonl", "--timing", "before", "--strategy", "exact", "--json")
    assert report_of(before)["counts"]["duplicates"] >= 53
    assert not list(tmp_path.glob("old.db?*"))


def test_a_reject_tells_its_row_and_is_retried_as_a_row(tmp_path: Path) -> None:
    notes(tmp_path / "old.db")
    run(tmp_path, "run", "sqlite:///old.db?table=notes&order=number", "--strategy", "exact")
    rejects = [json.loads(line) for line in run(tmp_path, "rejects").stdout.splitlines()]
    assert [reject["line"] for reject in rejects] == [5, 14, 23, 32, 41, 50, 59]
    assert json.loads(rejects[0]["raw"]) == {"number": 5, "summary": "", "kind": "k4"}
    again = report_of(run(tmp_path, "retry", 1, "--json"))
    assert (again["counts"]["read"], again["counts"]["rejected"]) == (7, 7)


def test_a_format_is_recognised_by_the_first_rows(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "mem0.db")) as connection:
        connection.execute("CREATE TABLE memories (id TEXT, memory TEXT, hash TEXT, user_id TEXT, created_at TEXT)")
        connection.execute("INSERT INTO memories VALUES ('a', 'Likes tea', 'h', 'u', '2024-05-08T13:56:00Z')")
        connection.commit()
    report = report_of(run(tmp_path, "validate", "sqlite:///mem0.db?table=memories", "--json"))
    assert (report["format"]["name"], report["counts"]["valid"]) == ("mem0", 1)


def test_nested_fields_may_be_json_and_whole_numbers_may_be_ids(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, summary, confidence, tags, scope BLOB, age)")
        row = ("Likes tea", 0.5, '["a", "b"]', b'{"user_id": "u"}', 7)
        connection.execute("INSERT INTO notes VALUES (5, ?, ?, ?, ?, ?)", row)
        connection.commit()
    run(tmp_path, "run", "sqlite:///old.db?table=notes", "--strategy", "exact")
    assert json.loads(run(tmp_path, "export").stdout) == {
        "id": "5",
        "summary": "Likes tea",
        "confidence": 0.5,
        "tags": ["a", "b"],
        "scope": {"user_id": "u"},
        "metadata": {"age": 7},
    }


def test_a_store_is_no_source_but_can_be_exported(tmp_path: Path) -> None:
    notes(tmp_path / "old.db")
    run(tmp_path, "run", "sqlite:///old.db?table=notes", "--strategy", "exact")
    for selection in ("table=memory", "query=SELECT * FROM memory"):
        result = run(tmp_path, "run", f"sqlite:///memories.db?{selection}", "--store", "sqlite:///b.db")
        assert (result.returncode, b"membatch export --store sqlite:///memories.db" in result.stderr) == (4, True)
    assert not (tmp_path / "b.db").exists()
