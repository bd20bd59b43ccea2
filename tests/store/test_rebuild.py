"""Fingerprints of another Unicode or hash version are made anew at the first load, in one transaction or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from membatch import StoreError, check, forget, process, undo
from membatch.report.text import text_of
from tests.laws.data import config, memory_data
from tests.test_check import a_store

ROOT = Path(__file__).parent.parent.parent

# As if made by another version: other content hashes and tokens, or other digests too.
OTHER = {
    "unicode_version": """UPDATE fingerprint SET content_hash = CAST(substr(content_hash, 9) || substr(content_hash, 1, 8)
        AS BLOB), tokens = CASE WHEN tokens IS NULL THEN NULL ELSE zeroblob(24) END;""",
    "hash_version": """UPDATE fingerprint SET digest = CAST(substr(digest, 9) || substr(digest, 1, 8) AS BLOB);
        UPDATE duplicate SET digest = CAST(substr(digest, 9) || substr(digest, 1, 8) AS BLOB);
        UPDATE reject SET digest = CAST(substr(digest, 9) || substr(digest, 1, 8) AS BLOB);""",
}


def execute(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def make_other(path: Path, name: str) -> None:
    execute(path, OTHER[name] + f"UPDATE meta SET value = '0' WHERE name = '{name}';")


def digests(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT duplicate, digest FROM duplicate").fetchall()
    found += connection.execute("SELECT reject, digest FROM reject").fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("name", OTHER)
def test_they_are_made_anew_from_all_that_was_absorbed_and_the_report_says_so(name: str, tmp_path: Path) -> None:
    path = a_store(tmp_path)
    before, known = memory_data(path), digests(path)
    make_other(path, name)
    assert {fault.rule for fault in check(f"sqlite:///{path}").faults} == {"version"}
    assert memory_data(path) != before
    report = process(iter([{"summary": "bert sells houses"}]), config=config(path, guards=None))
    assert (report.counts.duplicates, list(report.recovery["rebuilt"])) == (1, [name])
    assert "fingerprints made anew" in text_of(report)
    assert memory_data(path) == before
    assert [row for row in digests(path) if row in known] == known
    assert check(f"sqlite:///{path}").is_whole
    assert process(iter([]), config=config(path, guards=None)).recovery["rebuilt"] is None


def test_near_repeats_are_found_again_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    process(iter([{"summary": "anna went to the lake with a blue dog"}]), config=config(path))
    make_other(path, "unicode_version")
    report = process(iter([{"summary": "Anna went to the lake with a dog"}]), config=config(path))
    assert (report.counts.merged, report.deduplication["similar"]) == (1, 1)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.faults.watch import on_statement
from membatch import process
from tests.laws.data import config
def kill(sql):
    if sql.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
on_statement(kill)
process(iter([]), config=config(Path(sys.argv[1]), guards=None))
"""


@pytest.mark.parametrize("statement", ["UPDATE fingerprint SET digest", "UPDATE duplicate", "UPDATE reject"])
def test_a_kill_in_the_middle_leaves_the_old_ones_whole(statement: str, tmp_path: Path) -> None:
    path = a_store(tmp_path)
    whole = memory_data(path)
    make_other(path, "hash_version")
    before = memory_data(path)
    command = [sys.executable, "-c", KILLED, str(path), statement]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    assert memory_data(path) == before
    assert {fault.rule for fault in check(f"sqlite:///{path}").faults} == {"version"}
    process(iter([]), config=config(path, guards=None))
    assert memory_data(path) == whole
    assert check(f"sqlite:///{path}").is_whole


def test_a_dry_run_uses_the_new_ones_and_keeps_the_old(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    make_other(path, "hash_version")
    before = memory_data(path)
    report = process(iter([{"summary": "bert sells houses"}]), config=config(path, guards=None), dry_run=True)
    assert report.counts.duplicates == 1
    assert memory_data(path) == before


def test_undo_and_forget_work_before_they_are_made_anew(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    make_other(path, "unicode_version")
    url = f"sqlite:///{path}"
    undo(2, store=url)
    forget("x", store=url)
    assert {fault.rule for fault in check(url).faults} == {"version"}
    process(iter([]), config=config(path, guards=None))
    assert check(url).is_whole


def test_records_that_are_damaged_are_said_to_be_and_nothing_is_changed(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    make_other(path, "unicode_version")
    execute(path, "UPDATE memory SET record = '{' WHERE memory = 1")
    before = memory_data(path)
    with pytest.raises(StoreError, match="memory 1 are damaged: see `membatch check`"):
        process(iter([]), config=config(path, guards=None))
    assert memory_data(path) == before
