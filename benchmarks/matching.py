"""Find the similar pairs of generated texts with membatch, rensa and datasketch; time, recall, precision, memory.

    python benchmarks/matching.py --count 100000 --threshold 0.8
    python benchmarks/matching.py --count 100000 --templated

Each runs in a process of its own on the same texts, from the folded text to the pairs (later, earlier). What
counts as a pair: word sets with a Jaccard index at or above the threshold. The truth for recall is membatch's
own result, which the tests hold against brute force, and which `--brute N` checks here on the first N texts.
rensa: RMinHash of 128 permutations, 16 bands, insert_many and query_all; datasketch: MinHash of 128, MinHashLSH at
the threshold. Neither verifies its candidates, so the precision says what a user would have to weed out.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from generate import summary, vocabulary

Pairs = set[tuple[int, int]]
MOST_PAIRS = 20_000_000


def texts(count: int, templated: bool, near: float = 0.1) -> list[str]:
    """Return texts; a share repeats an earlier one with a word more."""
    rng = random.Random(11)
    words, weights = vocabulary(rng)
    found: list[str] = []
    for _ in range(count):
        if found and rng.random() < near:
            found.append(f"{rng.choice(found)} {rng.choice(words)}")
        else:
            found.append(summary(rng, words, weights, templated))
    return found


def by_membatch(some: list[str], threshold: str) -> tuple[float, Pairs]:
    import numpy as np

    from membatch.plan import MemoryKey
    from membatch.similarity.join import Join
    from membatch.similarity.tokens import tokenize

    tokenize(["warm up"])
    warm = Join(Fraction(threshold))
    warm.find(tokenize(["a b", "a b"]), np.zeros(2, np.int32), np.ones(2, np.bool_))
    warm.keep([(0, MemoryKey(1))])
    begun = time.perf_counter()
    join, pairs = Join(Fraction(threshold)), []
    for start in range(0, len(some), 10_000):
        part = some[start : start + 10_000]
        found = join.find(tokenize(part), np.zeros(len(part), np.int32), np.ones(len(part), np.bool_))
        if found.length < len(part):
            raise SystemExit("too many pairs for this benchmark")
        pairs.append(found.hits[:, :2] + np.array([start, 0]))
        join.keep([(record, MemoryKey(start + record + 1)) for record in range(len(part))])
    seconds = time.perf_counter() - begun
    return seconds, set(map(tuple, np.concatenate(pairs).tolist()))


def by_rensa(some: list[str], threshold: str) -> tuple[float, Pairs]:
    import rensa

    begun = time.perf_counter()
    hashes = []
    for text in some:
        one = rensa.RMinHash(num_perm=128, seed=42)
        one.update(text.split())
        hashes.append(one)
    index = rensa.RMinHashLSH(threshold=float(threshold), num_perm=128, num_bands=16)
    index.insert_many(hashes)
    answers = index.query_all(hashes)
    seconds = time.perf_counter() - begun
    return seconds, {(later, other) for later, others in enumerate(answers) for other in others if other < later}


def by_datasketch(some: list[str], threshold: str) -> tuple[float, Pairs]:
    import datasketch

    begun = time.perf_counter()
    index = datasketch.MinHashLSH(threshold=float(threshold), num_perm=128)
    pairs: Pairs = set()
    for later, text in enumerate(some):
        one = datasketch.MinHash(num_perm=128)
        one.update_batch([word.encode() for word in set(text.split())])
        pairs.update((later, other) for other in index.query(one))
        index.insert(later, one)
    return time.perf_counter() - begun, pairs


METHODS = {"membatch": by_membatch, "rensa": by_rensa, "datasketch": by_datasketch}


def brute_force(some: list[str], threshold: str) -> Pairs:
    """Compare each with each."""
    ratio = Fraction(threshold)
    bags = [set(text.split()) for text in some]
    found = set()
    for later, mine in enumerate(bags):
        for earlier in range(later):
            shared = len(mine & bags[earlier])
            if shared * ratio.denominator >= (len(mine) + len(bags[earlier]) - shared) * ratio.numerator:
                found.add((later, earlier))
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--threshold", default="0.8")
    parser.add_argument("--templated", action="store_true")
    parser.add_argument("--methods", default="membatch,rensa,datasketch")
    parser.add_argument("--brute", type=int, default=2000)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        method, source, target = arguments.one
        some = json.loads(Path(source).read_text())
        Path(target).write_bytes(pickle.dumps(METHODS[method](some, arguments.threshold)))
        return
    some = texts(arguments.count, arguments.templated)
    first = some[: arguments.brute]
    if by_membatch(first, arguments.threshold)[1] != brute_force(first, arguments.threshold):
        raise SystemExit("membatch and brute force disagree")
    bags = [set(text.split()) for text in some]
    ratio, truth = float(Fraction(arguments.threshold)), None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "texts.json", Path(folder) / "pairs"
        source.write_text(json.dumps(some))
        for method in arguments.methods.split(","):
            command = [sys.executable, __file__, "--threshold", arguments.threshold]
            process = subprocess.Popen([*command, "--one", method, str(source), str(target)])
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                print(f"{method:<11} failed")
                continue
            seconds, pairs = pickle.loads(target.read_bytes())
            truth = pairs if truth is None else truth
            right = sum(
                1 for one, other in pairs if len(bags[one] & bags[other]) >= ratio * len(bags[one] | bags[other]) - 1e-9
            )
            recall = len(pairs & truth) / len(truth) if truth else 1.0
            print(
                f"{method:<11}{1e6 * seconds / len(some):9.1f} µs/record  recall {recall:.4f}  "
                f"precision {right / len(pairs) if pairs else 1:.4f}  pairs {len(pairs):>9,} cpu {usage.ru_utime:.0f} s"
            )


if __name__ == "__main__":
    main()
