"""Merge many records into one memory and print what each merge costs, in bytes of the store and in time.

    python benchmarks/merging.py                      # 1,000, 3,000 and 10,000 merges
    python benchmarks/merging.py --merges 30000 --batch 500

Each record says the same, names a message of its own and is more or less sure. A cost that were quadratic would
grow by a merge with the number of merges; the bytes of lineage and the time of history and undo may not.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from membatch import Config, history, process, undo
from membatch.config import BatchSettings

LINEAGE = """
SELECT
    sum(length(reverse)), sum(length(record)),
    sum(length(rules) + length(conflicts) + length(coalesce(stated_before, '')))
FROM merge
"""


def records(merges: int) -> Iterator[dict[str, Any]]:
    """Yield the records to merge."""
    for number in range(1, merges + 1):
        yield {
            "summary": "Anna moved to Oslo",
            "source_message_ids": [f"chat-{number // 50}/{number}"],
            "confidence": number % 97 / 100,
            "emotional_context": {"intensity": 0.5, "markers": [{"type": "word", "text": f"cue {number}"}]},
        }


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(merges: int, batch: int) -> None:
    """Print the costs of so many merges into one memory, by merge."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.db"
        config = Config(store=f"sqlite:///{path}", batch=BatchSettings(size=batch, min=1))
        founder = {"id": "founder", "summary": "Anna moved to Oslo", "source_message_ids": ["chat-0/0"]}
        process([founder], config=config)
        before = path.stat().st_size
        reports: list[Any] = []
        load = timed(lambda: reports.append(process(records(merges), config=config)))
        assert reports[0].counts.merged == merges, reports[0].counts
        with sqlite3.connect(path) as connection:
            reverse, absorbed, rest = connection.execute(LINEAGE).fetchone()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store = path.stat().st_size - before
        look = timed(lambda: history("founder", store=config.store))
        back = timed(lambda: undo(2, store=config.store))
        sizes = f"{store / merges:8.0f}{reverse / merges:9.1f}{absorbed / merges:10.1f}{rest / merges:8.1f}"
        print(f"{merges:>8,}{sizes}{1e6 * load / merges:9.0f}{1e6 * look / merges:9.0f}{1e6 * back / merges:9.0f}")


def main() -> None:
    """Measure the numbers of merges asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merges", type=int, nargs="*", default=[1_000, 3_000, 10_000])
    parser.add_argument("--batch", type=int, default=1_000, help="records a transaction")
    chosen = parser.parse_args()
    print(f"{'':8}{'bytes a merge':>35}{'microseconds a merge':>27}")
    print(f"{'merges':>8}{'store':>8}{'reverse':>9}{'absorbed':>10}{'rest':>8}{'load':>9}{'history':>9}{'undo':>9}")
    for merges in chosen.merges:
        measure(merges, chosen.batch)


if __name__ == "__main__":
    main()
