"""Match the same texts in 1, 1,000 and 100,000 match scopes: time a record and memory of the index.

    python benchmarks/scopes.py --count 200000

Each number of scopes is a process of its own, in turn, `--rounds` times; the least time counts. What is measured is
the join alone, in batches of 10,000, every record a founder: the cost that scopes could add.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from matching_truth import texts

BATCH = 10_000


def resident_bytes() -> int:
    """Return the resident memory of this process (Linux)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def measured(count: int, scopes: int) -> dict[str, float]:
    """Match `count` texts in some scopes; return CPU seconds, pairs and bytes."""
    from membatch.similarity.join import Join
    from membatch.similarity.tokens import tokenize

    some, rng = texts(count, templated=False), random.Random(5)
    names = [f"scope {rng.randrange(scopes)}" for _ in some]
    warm = Join(Fraction("0.8"))
    warm.find(tokenize(["a b", "a b"]), warm.scope_numbers(["x", "x"]), np.ones(2, np.bool_))
    warm.keep(np.array([0]), np.array([1]))
    join, pairs, before = Join(Fraction("0.8")), 0, resident_bytes()
    begun = time.process_time()
    for start in range(0, count, BATCH):
        part = some[start : start + BATCH]
        numbers = join.scope_numbers(names[start : start + BATCH])
        pairs += len(join.find(tokenize(part), numbers, np.ones(len(part), np.bool_)).hits)
        join.keep(np.arange(len(part)), np.arange(start + 1, start + len(part) + 1))
    return {"seconds": time.process_time() - begun, "pairs": pairs, "bytes": resident_bytes() - before}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--scopes", default="1,1000,100000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.count, arguments.one)))
        return
    scopes = [int(number) for number in arguments.scopes.split(",")]
    found: dict[int, list[dict[str, float]]] = {number: [] for number in scopes}
    for _ in range(arguments.rounds):
        for number in scopes:
            command = [sys.executable, __file__, "--count", str(arguments.count), "--one", str(number)]
            found[number].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    print("| scopes | CPU µs a record | pairs | memory |")
    print("|---|---|---|---|")
    for number, rounds in found.items():
        best = min(rounds, key=lambda one: one["seconds"])
        micros, megabytes = 1e6 * best["seconds"] / arguments.count, best["bytes"] / 1e6
        print(f"| {number:,} | {micros:.1f} | {best['pairs']:,} | {megabytes:.0f} MB |")


if __name__ == "__main__":
    main()
