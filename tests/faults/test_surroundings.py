"""What the machine and other programs do to a load: locks, read-only files, damage, signals; no record pays for it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from membatch import Config, SurroundingsError, check, process, resume
from membatch.config import BatchSettings, DedupSettings
from membatch.runs.accounts import list_runs
from tests.acceptance.command import lines, membatch, report_of
from tests.laws.data import memory_data

from .arena import COMPILER, FAIL, KINDS, READS, Fault, arena
from .job import said_clearly, write_source


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the database's write lock as another program would, for so long from now."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(seconds, lambda: connection.execute("ROLLBACK"))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        connection.close()


def small(path: Path) -> Config:
    return Config(store=f"sqlite:///{path}", batch=BatchSettings(size=2), dedup=DedupSettings(strategy="exact"))


def records(count: int) -> Iterator[dict[str, object]]:
    return ({"summary": f"record {number}"} for number in range(count))


def locks_after_first_batch(path: Path, seconds: float) -> tuple[Iterator[dict[str, object]], list[object]]:
    """Return records, the third of which finds the database locked, and what holds the lock."""
    held: list[object] = []

    def some() -> Iterator[dict[str, object]]:
        for number, record in enumerate(records(8)):
            if number == 4:
                lock = locked(path, seconds)
                lock.__enter__()
                held.append(lock)
            yield record

    return some(), held


@pytest.mark.parametrize("seconds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_lock_is_waited_for_and_the_report_tells(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    process(iter([]), config=small(path))
    values, held = locks_after_first_batch(path, seconds)
    report = process(values, config=small(path))
    held[0].__exit__(None, None, None)  # type: ignore[attr-defined]
    assert (report.counts.inserted, report.status) == (8, "done")
    assert (report.recovery["retries"] > 0) == (seconds > 5)
    assert check(f"sqlite:///{path}").is_whole


@pytest.mark.slow
def test_a_lock_for_ever_ends_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", *records(400))
    running = subprocess.Popen(
        [sys.executable, "-m", "membatch.cli", "run", "in.jsonl", "--batch-size", "2", "--strategy", "exact"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "memories.db-wal").exists():
        time.sleep(0.02)
    time.sleep(0.2)
    begun = time.monotonic()
    with locked(tmp_path / "memories.db", 600):
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 4, errors
    assert time.monotonic() - begun < 90
    assert b"locked" in errors
    resumed = report_of(membatch("resume", "--json", folder=tmp_path))
    assert (resumed["counts"]["inserted"], resumed["counts"]["rejected"]) == (400, 0)


@pytest.mark.skipif(COMPILER is None, reason="the shim needs a C compiler")
def test_a_read_only_database_rejects_nothing_and_says_so(tmp_path: Path) -> None:
    write_source(tmp_path / "in.jsonl", 30)
    (tmp_path / "store").mkdir()
    arguments = ("run", "in.jsonl", "--strategy", "exact", "--store", "sqlite:///store/a.db")
    assert arena().run(*arguments, folder=tmp_path).code == 1
    before = memory_data(tmp_path / "store" / "a.db")
    fault = Fault(tmp_path / "store" / "a.db", FAIL, KINDS["open"], 1, errno.EROFS, stays=True)
    result = arena().run(*arguments, folder=tmp_path, fault=fault)
    assert said_clearly(result), result
    assert memory_data(tmp_path / "store" / "a.db") == before
    connection = sqlite3.connect(tmp_path / "store" / "a.db")
    assert connection.execute("SELECT count(*) FROM run").fetchone() == (1,)


@pytest.mark.skipif(COMPILER is None, reason="the shim needs a C compiler")
def test_a_source_that_fails_in_the_middle_is_read_on_by_resume(tmp_path: Path) -> None:
    """What the disk does is not the record's fault: the run is interrupted, and nothing is called the rest of it."""
    (tmp_path / "source").mkdir()
    with (tmp_path / "source" / "in.jsonl").open("w") as stream:
        for number in range(40_000):
            stream.write(json.dumps({"summary": f"record {number}", "content": "x" * 60}) + "\n")
    arguments = ("source/in.jsonl", "--strategy", "exact", "--batch-size", 2000)
    fault = Fault(tmp_path / "source", FAIL, READS, 6, errno.EIO, stays=True)
    result = arena().run("run", *arguments, folder=tmp_path, fault=fault)
    assert said_clearly(result), result
    assert b"resume" in result.errors
    resumed = report_of(membatch("resume", "--json", folder=tmp_path))
    assert (resumed["counts"]["inserted"], resumed["counts"]["rejected"]) == (40_000, 0)
    assert 0 < resumed["recovery"]["resumed_from"]["line"] < 40_000


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[] if n < 2 else pytest.mark.slow) for n in range(20)])
def test_a_damaged_database_is_said_to_be_one_or_does_not_matter(seed: int, tmp_path: Path) -> None:
    """A page of noise anywhere: the command neither crashes nor hangs, and a check does not call the store whole."""
    path = tmp_path / "a.db"
    source = write_source(tmp_path / "in.jsonl", 200)
    process(source, config=small(path))
    size, rng = path.stat().st_size, random.Random(seed)
    for _ in range(4):
        copy = tmp_path / "b.db"
        copy.write_bytes(path.read_bytes())
        page = rng.randrange(size // 16384)
        with copy.open("r+b") as stream:
            stream.seek(page * 16384)
            stream.write(rng.randbytes(16384))
        checked = membatch("check", "--store", f"sqlite:///{copy}", folder=tmp_path)
        loaded = membatch("run", "in.jsonl", "--strategy", "exact", "--store", f"sqlite:///{copy}", folder=tmp_path)
        assert checked.returncode in (1, 4), (page, checked)
        assert loaded.returncode in (0, 1, 4), (page, loaded)
        for result in (checked, loaded):
            assert b"Traceback" not in result.stderr
            assert b"not foreseen" not in result.stderr, (page, result)


def slow_run(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start a load that is under way for some seconds, and wait until it has committed a batch."""
    command = [sys.executable, "-m", "membatch.cli", "run", "in.jsonl", "--batch-size", "20", "--strategy", "exact"]
    running = subprocess.Popen([*command, *more], cwd=folder, stderr=subprocess.PIPE, start_new_session=True)
    while not (folder / "memories.db-wal").exists():
        time.sleep(0.02)
    time.sleep(0.5)
    return running


@pytest.mark.parametrize(("signals", "more"), [(2, ()), (2, ("--workers", "2")), (5, ())])
def test_more_than_one_signal_ends_at_once_and_the_run_goes_on_later(
    signals: int, more: tuple[str, ...], tmp_path: Path
) -> None:
    lines(tmp_path / "in.jsonl", *records(30_000))
    running = slow_run(tmp_path, *more)
    begun = time.monotonic()
    for _ in range(signals):
        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            os.killpg(running.pid, signal.SIGINT)  # as a terminal sends it, to the workers too
        time.sleep(0.01)
    _, errors = running.communicate(timeout=30)
    assert running.returncode in (130, -signal.SIGINT), errors  # a late one finds Python leaving
    assert time.monotonic() - begun < 10
    assert (b"resume" in errors, b"Traceback" in errors) == (True, False), errors
    resumed = report_of(membatch("resume", "--json", "--batch-size", 5000, folder=tmp_path))
    assert (resumed["counts"]["read"], resumed["counts"]["inserted"], resumed["status"]) == (30_000, 30_000, "done")
    assert check(f"sqlite:///{tmp_path}/memories.db").is_whole


def test_what_stopped_by_itself_leaves_the_caller_an_error_and_the_run_resumable(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    source = lines(tmp_path / "in.jsonl", *records(10))

    def disturb(*_: object) -> None:
        raise SurroundingsError("as if the disk were full")

    with pytest.raises(SurroundingsError):
        process(source, config=small(path), observers=[disturb])
    report = resume(config=small(path))
    assert report is not None
    assert (report.counts.inserted, report.status) == (10, "done")


SHORT_OF_MEMORY = """
import re, resource, sys
from pathlib import Path
from membatch import process
from tests.faults.test_surroundings import bounded
process(iter([{"summary": "what is loaded lazily is loaded now"}]), config=bounded(sys.argv[1], 1000))
held = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + 40_000_000,) * 2)
try:
    process(sys.argv[2], config=bounded(sys.argv[1], 60_000))
except Exception as error:
    print(type(error).__name__)
"""


def bounded(url: str, size: int) -> Config:
    return Config(store=url, batch=BatchSettings(size=size), dedup=DedupSettings(strategy="exact"))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_where_memory_runs_out_no_record_is_blamed_and_the_run_goes_on_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    values = ({"summary": f"record {number}", "content": "x" * 300} for number in range(60_000))
    source = lines(tmp_path / "in.jsonl", *values)
    command = [sys.executable, "-c", SHORT_OF_MEMORY, url, str(source)]
    begun = time.monotonic()
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    # The interpreter itself, or compiled code of a library, may not survive it: then it is like a kill.
    if ended.returncode not in (-signal.SIGABRT, -signal.SIGSEGV):
        assert ended.stdout.strip() in ("MemoryError", "SurroundingsError"), ended.stderr
    assert time.monotonic() - begun < 100
    assert [run["status"] for run in list_runs(url)] == ["done", "interrupted"]
    report = resume(config=bounded(url, 5000))
    assert report is not None
    assert (report.counts.read, report.counts.inserted, report.counts.rejected) == (60_000, 60_000, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="children are found by /proc")
def test_a_worker_that_dies_ends_the_run_which_goes_on_later(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", *records(60_000))
    running = slow_run(tmp_path, "--workers", "2")
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, b"a worker process died" in errors) == (4, True), errors
    assert b"Traceback" not in errors
    resumed = report_of(membatch("resume", "--json", "--batch-size", 5000, folder=tmp_path))
    assert (resumed["counts"]["inserted"], resumed["counts"]["rejected"]) == (60_000, 0)
