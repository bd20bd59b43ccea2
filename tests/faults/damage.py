"""Damage to a store's file, and whether a check finds it: `python -m tests.faults.damage [BYTES] [SEED]`.

Every page in turn becomes noise, then single bytes at random places are changed. After each, a check is asked. Where
it finds nothing, what is stored must be as before, unless the damage lies in what only clocks and settings said.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from membatch import MembatchError, check, process
from tests.laws.data import config, memory_data

from .job import write_source

PAGE = 16_384


def a_store(folder: Path) -> Path:
    """Make a store of some pages, and leave it in one file."""
    path = folder / "a.db"
    process(write_source(folder / "in.jsonl", 600), config=config(path, size=50))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    return path


def outcome(path: Path, before: dict[str, list[Any]]) -> str:
    """Return whether a check finds damage, or what is stored is as before, or changed without a word."""
    try:
        if not check(f"sqlite:///{path}").is_whole:
            return "found"
    except MembatchError:
        return "found"
    try:
        after = memory_data(path)
        changed = sorted({table for table in before if before[table] != after[table]})
        return f"not found in {', '.join(changed)}" if changed else "harmless"
    except sqlite3.Error:
        return "not found"


def noisy_pages(path: Path, rng: random.Random) -> Counter[str]:
    """Make each page noise, one after the other."""
    whole, before = path.read_bytes(), memory_data(path)
    found: Counter[str] = Counter()
    for start in range(0, len(whole), PAGE):
        path.write_bytes(whole[:start] + rng.randbytes(PAGE) + whole[start + PAGE :])
        found[outcome(path, before)] += 1
    path.write_bytes(whole)
    return found


def changed_bytes(path: Path, count: int, rng: random.Random) -> Counter[str]:
    """Change single bytes at random places."""
    whole, before = path.read_bytes(), memory_data(path)
    found: Counter[str] = Counter()
    for _ in range(count):
        at = rng.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ rng.randrange(1, 256)]) + whole[at + 1 :])
        said = outcome(path, before)
        found[said] += 1
    path.write_bytes(whole)
    return found


def main() -> None:
    """Damage a store and print what came of it."""
    count, seed = ([int(word) for word in sys.argv[1:]] + [1000, 1][len(sys.argv) - 1 :])[:2]
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        path = a_store(Path(folder))
        print("pages of noise:", dict(noisy_pages(path, rng)))
        print("changed bytes:", dict(changed_bytes(path, count, rng)))


if __name__ == "__main__":
    main()
