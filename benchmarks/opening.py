"""Open the index of a store with many memories: time, memory, and what of it is tokens.

    python benchmarks/opening.py --count 1000000
    python benchmarks/opening.py --count 10000000 --generated

Loads generated records once (kept in `--folder`), then opens the store in new processes, `--rounds` times, least
time. With `--generated` nothing is loaded: fingerprints of generated texts are entered into an index as the store
would give them, in blocks, for sizes whose loading takes too long; the time to make them is left out. Tokens are
4 bytes each in the index; the aim for all else that the join keeps is at most 120 bytes a memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from generate import write
from scopes import resident_bytes

from membatch.plan import Fingerprints

BLOCK = 2_000


def peak_bytes() -> int:
    """Return the most resident memory that this process ever had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def opened(store: str) -> dict[str, float]:
    """Open a store as a run does; return seconds and bytes."""
    from membatch import Config, process
    from membatch.runs.session import Session

    with tempfile.TemporaryDirectory() as folder:  # imports all
        process([{"summary": "warm up"}], store=f"sqlite:///{folder}/warm.db")
    config = Config(store=store)
    before, begun, cpu = resident_bytes(), time.perf_counter(), time.process_time()
    session = Session(config)
    found = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu,
        "bytes": resident_bytes() - before,
        "peak": peak_bytes() - before,
        "memories": session.store.next_key() - 1,
    }
    session.close()
    return found


def blocks(count: int) -> Iterator[Fingerprints]:
    """Yield fingerprints of generated texts: Zipf-worded token sets of 8 to 60 draws from 50,000."""
    rng = np.random.default_rng(7)
    words = rng.integers(1, 2**63, 50_000).astype(np.uint64)
    weights = np.cumsum(1 / np.arange(1, len(words) + 1))
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        lengths = rng.integers(8, 61, size)
        drawn = np.searchsorted(weights, rng.random(int(lengths.sum())) * weights[-1])
        sets = np.unique(np.repeat(np.arange(size), lengths) * len(words) + drawn)  # of row and word
        yield Fingerprints(
            memories=np.arange(start, start + size) + 1,
            id_hashes=np.frombuffer(rng.bytes(8 * size), np.int64),
            superseded=np.zeros(size, np.bool_),
            stands=np.ones(size, np.bool_),
            hashes=np.frombuffer(rng.bytes(32 * size), np.uint64).reshape(-1, 4),
            scopes=["scope"] * size,
            sizes=np.bincount(sets // len(words), minlength=size),
            tokens=words[sets % len(words)],
            ahead=count - start,
        )


def generated(count: int) -> dict[str, float]:
    """Enter generated fingerprints into an index; return seconds and bytes."""
    from membatch.similarity.index import Index

    Index("similar", Fraction("0.8")).load(blocks(10))
    index, before = Index("similar", Fraction("0.8")), resident_bytes()
    making, tokens = 0.0, 0

    def timed() -> Iterator[Fingerprints]:
        nonlocal making, tokens
        given, begun = blocks(count), time.perf_counter()
        for block in given:
            tokens += int(block.sizes.sum())
            making += time.perf_counter() - begun
            yield block
            begun = time.perf_counter()

    begun = time.perf_counter()
    index.load(timed())
    spent = time.perf_counter() - begun - making
    return {
        "seconds": spent,
        "bytes": resident_bytes() - before,
        "peak": peak_bytes() - before,
        "memories": count,
        "tokens": tokens,
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generated", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("bench-data"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(opened(arguments.one)))
        return
    if arguments.generated:
        found = [generated(arguments.count)]
    else:
        arguments.folder.mkdir(exist_ok=True)
        database = arguments.folder / f"opening-{arguments.count}.db"
        if not database.exists():
            load(arguments.folder, arguments.count, database)
        command = [sys.executable, __file__, "--one", f"sqlite:///{database}"]
        runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(arguments.rounds)]
        found = [json.loads(run.stdout) for run in runs]
    best = min(found, key=lambda one: one["seconds"])
    memories, held = best["memories"], best["bytes"]
    spent = f"{best['seconds']:.2f} s" + (f" ({best['cpu']:.2f} s of CPU)" if "cpu" in best else "")
    print(
        f"{memories:,.0f} memories: {spent}, {held / 1e6:,.0f} MB, {held / memories:.0f} bytes each, "
        f"at most {best['peak'] / 1e6:,.0f} MB on the way"
    )
    if "tokens" in best:
        rest = held / memories - 4 * best["tokens"] / memories
        print(f"of which tokens {4 * best['tokens'] / memories:.0f} bytes each, all else {rest:.0f}")


def load(folder: Path, count: int, database: Path) -> None:
    """Load generated records without repeats into a new store."""
    from membatch import process

    source = write(folder / f"opening-{count}.jsonl", count, exact=0.0, near=0.0, bad=0.0)
    unfinished = database.with_suffix(".part")
    process(str(source), store=f"sqlite:///{unfinished}")
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{unfinished}{suffix}")
        if part.exists():
            part.rename(f"{database}{suffix}")


if __name__ == "__main__":
    main()
