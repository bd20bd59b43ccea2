"""What a command writes destroys nothing that is read, and takes no good file's place unless it is whole."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from membatch import Config, ConfigError, convert
from membatch.config import ToleranceSettings

from .command import lines, membatch

GOOD = {"summary": "Anna moved to Oslo"}
BAD = {"summary": ""}

OVER_WHAT_IS_READ = {
    "convert": ["convert", "s.json", "--output", "s.json"],
    "convert, by another name": ["convert", "s.json", "--output", "link.json"],
    "convert, in its own folder": ["convert", ".", "--output", "s.json"],
    "convert, one of several": ["convert", "other.jsonl", "sub/../s.json", "--output", "s.json"],
    "run": ["run", "s.json", "--report", "s.json"],
    "validate": ["validate", "s.json", "--report", "s.json"],
    "retry": ["retry", "1", "--report", "s.json"],
    "resume": ["resume", "--report", "s.json"],
    "report": ["report", "--output", "s.json"],
    "rejects": ["rejects", "--output", "s.json"],
    "rejects, over the store": ["rejects", "--output", "memories.db"],
    "rejects, over the log of the store": ["rejects", "--output", "memories.db-wal"],
    "export, over the store": ["export", "--output", "store.jsonl", "--store", "sqlite:///store.jsonl"],
}


def loaded(folder: Path) -> dict[str, bytes]:
    """Load a file with one good and one bad record, and return what must stay as it is."""
    (folder / "sub").mkdir()
    (folder / "s.json").write_text(json.dumps([GOOD, BAD]), "utf-8")
    lines(folder / "other.jsonl", GOOD)
    os.link(folder / "s.json", folder / "link.json")
    for store in ("memories.db", "store.jsonl"):
        url = f"sqlite:///{store}"
        assert membatch("run", "s.json", "--strategy", "exact", "--store", url, folder=folder).returncode == 1
    return {name: (folder / name).read_bytes() for name in ("s.json", "memories.db", "store.jsonl")}


@pytest.mark.parametrize("name", OVER_WHAT_IS_READ)
def test_no_output_takes_the_place_of_what_is_read(name: str, tmp_path: Path) -> None:
    before = loaded(tmp_path)
    result = membatch(*OVER_WHAT_IS_READ[name], folder=tmp_path)
    assert (result.returncode, b"cannot write " in result.stderr, b"another file" in result.stderr) == (2, True, True)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_no_output_takes_the_place_of_a_database_that_was_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.execute("CREATE TABLE note (summary TEXT)")
        database.execute("INSERT INTO note VALUES ('Anna sings'), ('')")
        database.commit()
    before = (tmp_path / "old.db").read_bytes()
    membatch("run", "sqlite:///old.db?table=note", "--strategy", "exact", folder=tmp_path)
    (tmp_path / "sub").mkdir()
    store = "sqlite:///../memories.db"
    result = membatch("rejects", "--output", "../old.db", "--store", store, folder=tmp_path / "sub")
    assert (result.returncode, b"it is a source" in result.stderr) == (2, True)
    assert (tmp_path / "old.db").read_bytes() == before


def test_an_output_may_not_be_the_file_on_standard_input(tmp_path: Path) -> None:
    path = lines(tmp_path / "in.jsonl", GOOD)
    with path.open("rb") as stream:
        command = [sys.executable, "-m", "membatch.cli", "convert", "-", "--output", "in.jsonl"]
        result = subprocess.run(command, cwd=tmp_path, stdin=stream, capture_output=True, timeout=60, check=False)
    assert (result.returncode, json.loads(path.read_text())) == (2, GOOD)


def test_python_refuses_it_too(tmp_path: Path) -> None:
    path = lines(tmp_path / "in.jsonl", GOOD)
    with pytest.raises(ConfigError, match="would be lost"):
        convert(path, path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "in.jsonl", "--report", "missing/report.json"],
        ["validate", "in.jsonl", "--report", "missing/report.json"],
        ["convert", "in.jsonl", "--output", "missing/out.jsonl"],
        ["run", "in.jsonl", "--report", "folder.json"],
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_read(arguments: list[str], tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", GOOD)
    (tmp_path / "folder.json").mkdir()
    result = membatch(*arguments, folder=tmp_path)
    assert (result.returncode, (tmp_path / "memories.db").exists()) == (2, False)
    assert result.stderr.startswith(b"membatch: cannot write ")


def test_a_report_that_cannot_be_written_at_the_end_is_shown_all_the_same(tmp_path: Path) -> None:
    """A temporary file of the report's name is a folder: it cannot be opened."""
    lines(tmp_path / "in.jsonl", GOOD)
    (tmp_path / ".report.json.part").mkdir()
    result = membatch("run", "in.jsonl", "--strategy", "exact", "--json", "--report", "report.json", folder=tmp_path)
    assert (result.returncode, json.loads(result.stdout)["counts"]["inserted"]) == (4, 1)
    assert b"report.json" in result.stderr


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    loaded(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    result = membatch("rejects", "--output", "pipe.jsonl", folder=tmp_path)
    assert (result.returncode, (tmp_path / "pipe.jsonl").is_fifo()) == (2, True)


def test_a_conversion_that_the_tolerance_stops_leaves_the_earlier_file(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", GOOD, BAD, BAD, GOOD)
    (tmp_path / "out.jsonl").write_text("earlier", "utf-8")
    result = membatch("convert", "in.jsonl", "--output", "out.jsonl", "--max-errors", "1", folder=tmp_path)
    assert result.returncode == 3
    assert b"no file was written" in result.stderr
    assert b"raised --max-errors" in result.stderr
    assert b"wrote" not in result.stderr
    assert (tmp_path / "out.jsonl").read_text() == "earlier"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
    again = membatch("convert", "in.jsonl", "--output", "out.jsonl", "--max-errors", "2", folder=tmp_path)
    assert (again.returncode, (tmp_path / "out.jsonl").read_text().count("\n")) == (1, 2)


def test_from_python_the_report_says_that_it_was_stopped(tmp_path: Path) -> None:
    stopped = convert([BAD, GOOD], tmp_path / "out.jsonl", config=Config(tolerance=ToleranceSettings(max_errors=0)))
    assert (stopped.status, (tmp_path / "out.jsonl").exists()) == ("stopped", False)


def test_a_conversion_that_is_interrupted_leaves_the_earlier_file(tmp_path: Path) -> None:
    with (tmp_path / "in.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(f'{{"summary": "record {number}"}}\n' for number in range(600_000))
    (tmp_path / "out.jsonl").write_text("earlier", "utf-8")
    command = [sys.executable, "-m", "membatch.cli", "convert", "in.jsonl", "--output", "out.jsonl"]
    part = tmp_path / ".out.jsonl.part"
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, b"no file was written" in said) == (130, True)
    assert ((tmp_path / "out.jsonl").read_text(), part.exists()) == ("earlier", False)
