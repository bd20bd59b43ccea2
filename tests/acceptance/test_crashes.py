"""A run that is killed goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from membatch import Config, StoreBusyError, check, process
from membatch.runs.accounts import list_runs
from tests.laws.data import memory_data

from .command import membatch

ROOT = Path(__file__).parent.parent.parent


def many_records(path: Path, count: int) -> Path:
    rng = random.Random(5)
    words = [f"word{number}" for number in range(300)]
    with path.open("w") as stream:
        for number in range(count):
            text = " ".join(rng.choices(words, k=12))
            chance = rng.random()
            record: dict[str, object] = {"summary": text, "source_message_ids": [f"m{number}"]}
            if chance < 0.1:
                record = {"summary": f"the very same text {rng.randrange(5)}", "source_message_ids": [f"m{number}"]}
            elif chance < 0.15:
                record = {"confidence": 5}
            stream.write(json.dumps(record) + "\n")
    return path


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return spawned(folder, *arguments, "--quiet")


def spawned(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "membatch.cli", *arguments]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, preexec_fn=_hears_signals)


def _hears_signals() -> None:
    """Let a command hear what whoever runs the tests is deaf to, in the background or under nohup."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def killed_and_resumed(folder: Path, rng: random.Random, seconds: float) -> int:
    """Run, kill at a random moment, resume and kill again until it ends; return how often it was killed."""
    arguments, kills = ["run", "in.jsonl", "--batch-size", "40", "--strategy", "exact"], 0
    while True:
        process_ = start(folder, *arguments)
        try:
            _, errors = process_.communicate(timeout=rng.uniform(0.25, seconds) if kills < 4 else 60)
            assert process_.returncode in (0, 1), errors
            if kills and b"nothing" in errors:
                raise AssertionError(errors)
            return kills
        except subprocess.TimeoutExpired:
            process_.send_signal(signal.SIGKILL)
            process_.communicate()
            kills += 1
            begun = (folder / "memories.db").exists() and b'"run_id"' in membatch(
                "runs", "--json", folder=folder
            ).stdout
            arguments = ["resume", "--batch-size", "40"] if begun else arguments


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[] if n < 4 else pytest.mark.slow) for n in range(50)])
def test_kills_at_random_moments_leave_no_trace(seed: int, tmp_path: Path) -> None:
    many_records(tmp_path / "in.jsonl", 3000)
    (tmp_path / "whole").mkdir()
    whole = tmp_path / "whole" / "memories.db"
    membatch(
        "run", "in.jsonl", "--batch-size", 1000, "--strategy", "exact", "--store", f"sqlite:///{whole}", folder=tmp_path
    )
    killed_and_resumed(tmp_path, random.Random(seed), 1.2)
    assert memory_data(tmp_path / "memories.db") == memory_data(whole)
    reports = [
        json.loads(membatch("report", "--json", "--store", f"sqlite:///{path}", folder=tmp_path).stdout)
        for path in (tmp_path / "memories.db", whole)
    ]
    assert reports[0]["counts"] == reports[1]["counts"]
    assert reports[0]["status"] == "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_after_the_batch_in_hand_and_says_how_to_resume(
    number: signal.Signals, tmp_path: Path
) -> None:
    many_records(tmp_path / "in.jsonl", 30_000)
    running = spawned(tmp_path, "run", "in.jsonl", "--batch-size", "20", "--strategy", "exact")
    while not (tmp_path / "memories.db-wal").exists():
        time.sleep(0.05)
    time.sleep(0.6)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert b"membatch resume" in errors
    resumed = membatch("resume", "--json", "--batch-size", 5000, folder=tmp_path)
    assert json.loads(resumed.stdout)["counts"]["read"] == 30_000


def children_of(process_id: int) -> list[int]:
    found = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    return [int(child) for child in found.split()]


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_who_waits_for_a_store_and_is_interrupted_is_not_told_to_resume(tmp_path: Path) -> None:
    from membatch.store import open_store

    many_records(tmp_path / "in.jsonl", 10)
    holder = open_store(f"sqlite:///{tmp_path}/memories.db", ("user_id", "namespace"))
    try:
        waiting = start(tmp_path, "run", "in.jsonl", "--strategy", "exact", "--wait")
        time.sleep(2)
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=60)
    finally:
        holder.close()
    assert (waiting.returncode, b"resume" in said) == (130, False), said


def test_two_interrupts_end_a_load_at_once_and_say_how_to_resume(tmp_path: Path) -> None:
    many_records(tmp_path / "in.jsonl", 60_000)
    running = start(tmp_path, "run", "in.jsonl", "--batch-size", "30000", "--strategy", "exact")
    while b'"run_id"' not in membatch("runs", "--json", folder=tmp_path).stdout:
        assert running.poll() is None
    while running.poll() is None:
        running.send_signal(signal.SIGINT)
        time.sleep(0.05)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, b"go on with `membatch resume`" in said) == (130, True), said


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists the children of a process")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_workers_end_with_the_run_that_started_them(number: signal.Signals, tmp_path: Path) -> None:
    many_records(tmp_path / "in.jsonl", 30_000)
    running = start(tmp_path, "run", "in.jsonl", "--batch-size", "20", "--workers", "3", "--strategy", "exact")
    workers: list[int] = []
    while len(workers) < 3:
        assert running.poll() is None
        time.sleep(0.05)
        workers = children_of(running.pid)
    time.sleep(0.5)
    assert all(map(is_alive, workers))
    running.send_signal(number)
    running.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while any(map(is_alive, workers)):
        assert time.monotonic() < deadline, "workers are still alive"
        time.sleep(0.05)
    assert running.returncode == (130 if number == signal.SIGHUP else -number)
    resumed = membatch("resume", "--json", "--batch-size", 5000, folder=tmp_path)
    assert json.loads(resumed.stdout)["counts"]["read"] == 30_000


def test_a_hangup_that_nohup_switched_off_ends_nothing(tmp_path: Path) -> None:
    many_records(tmp_path / "in.jsonl", 6_000)
    command = ["nohup", sys.executable, "-m", "membatch.cli", "run", "in.jsonl", "--batch-size", "20", "--quiet"]
    running = subprocess.Popen([*command, "--strategy", "exact"], cwd=tmp_path, stderr=subprocess.PIPE)
    while not (tmp_path / "memories.db-wal").exists():
        time.sleep(0.05)
    running.send_signal(signal.SIGHUP)
    running.communicate(timeout=60)
    assert running.returncode == 1  # it has bad records
    assert json.loads(membatch("report", "--json", folder=tmp_path).stdout)["status"] == "done"


def test_a_live_holder_of_the_lease_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    from membatch.store import open_store

    holder = open_store(url, ("user_id", "namespace"))
    try:
        with pytest.raises(StoreBusyError, match=f"process {os.getpid()}"):
            process([{"summary": "a"}], store=url)
    finally:
        holder.close()
    assert process([{"summary": "a"}], store=url).counts.inserted == 1


def test_a_holder_whose_lease_was_taken_over_cannot_commit(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "a.db"

    def takes_over(*_: object) -> None:
        connection = sqlite3.connect(path)
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'lease'")
        connection.commit()
        connection.close()

    from membatch import Config
    from membatch.config import BatchSettings

    config = Config(store=f"sqlite:///{path}", batch=BatchSettings(size=1))
    with pytest.raises(StoreBusyError, match="taken over"):
        process([{"summary": "a"}, {"summary": "b"}], config=config, observers=[takes_over])
    assert sqlite3.connect(path).execute("SELECT count(*) FROM memory").fetchone() == (1,)


CHANGES = {
    "review": "from membatch.review import accept; accept(1, config=config)",
    "undo": "membatch.undo(1, store=config.store)",
    "unmerge": "membatch.unmerge(1, store=config.store)",
    "forget": "membatch.forget('b', store=config.store)",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [False, True])
def test_a_change_that_is_killed_says_whether_it_happened(change: str, after: bool, tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path}/a.db")
    texts = [f"Bo {how} at home in the old house by the sea" for how in ("never sings", "always sings")]
    process(
        [{"id": name, "summary": text} for name, text in zip("abc", [texts[0], texts[1], f"{texts[1]}."], strict=True)],
        config=config,
    )
    before = memory_data(tmp_path / "a.db")
    program = f"""
import os, signal
from tests.faults.watch import on_statement
import membatch
config = membatch.Config(store={config.store!r})
seen = []
def watch(sql):
    seen.append(sql)
    is_ending = any(text.startswith("INSERT INTO batch") for text in seen)
    if is_ending and {"seen[-2] == 'COMMIT'" if after else "sql == 'COMMIT'"}:
        os.kill(os.getpid(), signal.SIGKILL)
on_statement(watch)
{CHANGES[change]}
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True)
    assert ended.returncode in ((-9, 0) if after else (-9,)), ended.stderr
    status = list_runs(config.store)[-1]["status"]
    has_happened = memory_data(tmp_path / "a.db") != before
    assert (status, has_happened) == (("done", True) if after else ("interrupted", False))
    assert check(config.store).is_whole
