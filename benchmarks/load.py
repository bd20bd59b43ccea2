"""Load one generated file three ways in one run, and print time a record, ratios and peak memory.

    python benchmarks/load.py --count 200000
    python benchmarks/load.py --count 200000 --near 0.10 --strategy similar

membatch; a bare loader (orjson and executemany into the same `memory` and `fingerprint` tables, no validation,
no hashing, no de-duplication, batches and journal as membatch has them); `sqlite-utils insert --nl` (bad
records are valid JSON, so it loads them too). Each is a process of its own, in turn, `--rounds` times; the
median counts.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

BATCH = 10_000


def bare_load(source: Path, database: Path) -> None:
    """Load JSON lines with nothing but a parser and the driver."""
    import orjson

    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 2500")
    schema = (resources.files("membatch.store") / "schema.sql").read_text("utf-8")
    connection.executescript(schema)
    connection.execute(
        "INSERT INTO run (run, kind, status, started_at, format, sources, config) "
        "VALUES (1, 'load', 'done', '', '', '', '')"
    )
    connection.execute("INSERT INTO batch VALUES (1, 1, 1, '', '')")
    key = 0
    filler = bytes(16)
    with source.open("rb") as stream:
        while lines := [line for line, _ in zip(stream, range(BATCH), strict=False)]:
            memories, fingerprints = [], []
            for line in lines:
                record = orjson.loads(line)
                key += 1
                identity = record.pop("id", None) or str(key)
                memories.append((key, identity, "u1", 1, None, orjson.dumps(record).decode()))
                fingerprints.append((key, 0, 1, None, filler, filler, key, None, None))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO memory VALUES (?, ?, ?, ?, ?, ?)", memories)
            connection.executemany("INSERT INTO fingerprint VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", fingerprints)
            connection.execute("COMMIT")
    connection.close()


def measured(command: list[str]) -> tuple[float, float, int]:
    """Run a command; return its wall seconds, its CPU seconds and its peak resident bytes."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    code = os.waitstatus_to_exitcode(status)
    if code != 0 and not (code == 1 and "membatch" in command[0]):  # 1: some records were rejected
        raise SystemExit(f"{command} failed with {code}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--exact", type=float, default=0.10)
    parser.add_argument("--near", type=float, default=0.0)
    parser.add_argument("--bad", type=float, default=0.01)
    parser.add_argument("--strategy", default="exact")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--bare", nargs=2, metavar=("SOURCE", "DATABASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        bare_load(Path(arguments.bare[0]), Path(arguments.bare[1]))
        return
    compileall.compile_dir(str(resources.files("membatch")), quiet=2)  # as an installer does
    data = Path("bench-data")
    data.mkdir(exist_ok=True)
    name = f"{arguments.count}-{arguments.exact}-{arguments.near}-{arguments.bad}.jsonl"
    source = data / name
    if not source.exists():  # in a process of its own: a child's peak memory begins with its parent's
        shares = [f"--{share}={getattr(arguments, share)}" for share in ("exact", "near", "bad")]
        generate = str(Path(__file__).with_name("generate.py"))
        subprocess.run([sys.executable, generate, str(arguments.count), *shares, "--output", str(source)], check=True)
    with tempfile.TemporaryDirectory(dir=data) as folder:
        database = Path(folder) / "load.db"
        binaries = Path(sys.executable).parent
        load = [str(binaries / "membatch"), "run", str(source), "--quiet", "--store", f"sqlite:///{database}"]
        load += ["--strategy", arguments.strategy, "--workers", str(arguments.workers)]
        commands = {
            "membatch": load,
            "bare loader": [sys.executable, __file__, "--bare", str(source), str(database)],
        }
        if not arguments.without_peers:
            peer = [str(binaries / "sqlite-utils"), "insert", str(database), "memory", str(source), "--nl"]
            commands["sqlite-utils"] = [*peer, "--alter"]
        figures: dict[str, list[tuple[float, float, int]]] = {label: [] for label in commands}
        for _ in range(arguments.rounds):
            for label, command in commands.items():
                shutil.rmtree(folder)
                Path(folder).mkdir()
                figures[label].append(measured(command))
    medians = {label: tuple(map(statistics.median, zip(*runs, strict=True))) for label, runs in figures.items()}
    base = medians["bare loader"][0]
    for label, (wall, cpu, peak) in medians.items():
        each = 1e6 * wall / arguments.count
        print(f"{label:<14}{each:8.1f} µs/record {wall / base:6.2f}× bare  cpu {cpu:6.1f} s  peak {peak / 1e6:7.0f} MB")
    print(json.dumps({label: figures[label] for label in figures}))


if __name__ == "__main__":
    main()
