"""A run that another process is at work on is told apart from one that died."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, StoreBusyError, process, report, resume
from membatch.config import BatchSettings, DedupSettings
from membatch.runs.accounts import list_runs

from .command import membatch


def config(folder: Path) -> Config:
    return Config(
        store=f"sqlite:///{folder}/memories.db", batch=BatchSettings(size=2), dedup=DedupSettings(strategy="exact")
    )


class DiedError(Exception):
    pass


def dies(*_: object) -> None:
    raise DiedError


def seen_during_a_run(folder: Path, look: Any) -> list[Any]:
    """Load four records, and return what `look` saw after each of the two batches."""
    seen: list[Any] = []
    values = ({"summary": f"record {number}"} for number in range(4))
    process(values, config=config(folder), observers=[lambda plan, tally: seen.append(look())])
    return seen


def test_the_live_run_is_shown_as_running_and_the_dead_one_as_interrupted(tmp_path: Path) -> None:
    with pytest.raises(DiedError):
        process([{"summary": "first"}], config=config(tmp_path), observers=[dies])
    url = config(tmp_path).store
    seen = seen_during_a_run(tmp_path, lambda: [run["status"] for run in list_runs(url)])
    assert seen == [["interrupted", "running"]] * 2
    assert [run["status"] for run in list_runs(url)] == ["interrupted", "done"]


def test_another_process_sees_it_too_and_its_counts_so_far(tmp_path: Path) -> None:
    def look() -> Any:
        shown = json.loads(membatch("report", "--json", folder=tmp_path).stdout)
        return shown["status"], shown["counts"]["read"], shown["recommendations"]

    assert seen_during_a_run(tmp_path, look) == [("running", 2, []), ("running", 4, [])]


def test_a_live_run_is_not_resumed_and_its_store_checks_as_whole(tmp_path: Path) -> None:
    def look() -> Any:
        resumed, checked = (membatch(name, folder=tmp_path) for name in ("resume", "check"))
        return resumed.returncode, b"run 1 is at work now" in resumed.stderr, checked.returncode

    assert seen_during_a_run(tmp_path, look) == [(4, True, 0)] * 2
    assert resume(config=config(tmp_path)) is None


def test_a_dry_run_makes_no_dead_run_look_alive(tmp_path: Path) -> None:
    with pytest.raises(DiedError):
        process([{"summary": "first"}], config=config(tmp_path), observers=[dies])
    url, seen = config(tmp_path).store, []

    def look(*_: object) -> None:
        seen.append([run["status"] for run in list_runs(url)])

    process([{"summary": "second"}], config=config(tmp_path), dry_run=True, observers=[look])
    assert seen == [["interrupted"]]
    assert report(1, store=url).status == "interrupted"


def test_looking_at_runs_never_turns_a_writer_away(tmp_path: Path) -> None:
    """The look tries the lock, which the writer that comes at that moment must outlast."""
    with pytest.raises(DiedError):
        process([{"summary": "first"}], config=config(tmp_path), observers=[dies])
    script = (
        "import sys, membatch.runs\nprint('looking', flush=True)\nwhile True: membatch.runs.list_runs(sys.argv[1])\n"
    )
    looking = subprocess.Popen([sys.executable, "-c", script, config(tmp_path).store], stdout=subprocess.PIPE)
    try:
        assert looking.stdout is not None
        looking.stdout.readline()
        for number in range(30):
            try:
                process([{"summary": f"record {number}"}], config=config(tmp_path))
            except StoreBusyError as error:
                raise AssertionError(number) from error
    finally:
        looking.kill()
        looking.communicate()
