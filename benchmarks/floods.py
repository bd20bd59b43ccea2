"""The worst cases of matching: very many texts are alike. Cost against the Zipf cost.

    python benchmarks/floods.py --count 20000

days: one text, each record on another day (`when` refuses). numbers: "<n> bpm" for each n (`numbers` refuses).
repeats: 100 texts which differ in a word, told again and again with other metadata; a repeat merges. words: each text
differs in a word (`substitution` is unsure), which is judged pair by pair. All in one match scope, as whole loads into
a new store, beside as many Zipf-worded records; and for the join alone, which finds the hits and refuses none. Each in
a process of its own, CPU time, stopped at `--limit` seconds. The number of hits grows with the square of the count, so
that the ratio at one size says nothing of another.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from matching_truth import texts

from membatch import Report

BATCH = 10_000
FIRST_DAY = dt.datetime(1750, 1, 1, tzinfo=dt.UTC)


def records(case: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield the records of a case."""
    if case == "days":
        for number in range(count):
            day = FIRST_DAY + number * dt.timedelta(days=2)
            yield {"summary": "I had a headache in the morning and stayed at home", "occurred_at": day.isoformat()}
    elif case == "numbers":
        for number in range(count):
            yield {"summary": f"the resting heart rate of the patient was {number} bpm in the morning"}
    elif case in ("repeats", "words"):
        for number in range(count):
            word = _word(number % 100 if case == "repeats" else number)
            text = f"the user told the assistant that they really like to eat {word} for breakfast in the morning"
            yield {"summary": text, "metadata": {"number": number}}
    else:
        yield from ({"summary": text} for text in texts(count, templated=False, near=0.0))


def _word(number: int) -> str:
    """Return a word for each number, no inflection of another."""
    syllables = [f"{consonant}{vowel}" for consonant in "bdfgklmnpr" for vowel in "aeiou"]
    return "".join(syllables[number // 50**place % 50] for place in range(4)) + "k"


def loaded(case: str, count: int) -> dict[str, float]:
    """Load a case into a new store; return CPU seconds and the memories made."""
    from membatch import process

    some = list(records(case, count))
    with tempfile.TemporaryDirectory() as folder:
        process(some[:3], store=f"sqlite:///{folder}/warm.db")
        begun = time.process_time()
        report = process(some, store=f"sqlite:///{folder}/flood.db")
        return {"seconds": time.process_time() - begun, **_ends(report)}


def _ends(report: Report) -> dict[str, int]:
    counts = {name: getattr(report.counts, name) for name in ("inserted", "merged", "held")}
    return {name: count for name, count in counts.items() if count}


def joined(case: str, count: int) -> dict[str, float]:
    """Find the hits of a case and refuse none; return CPU seconds and the hits."""
    from membatch.similarity.join import Join
    from membatch.similarity.tokens import tokenize

    some = tokenize([record["summary"].lower() for record in records(case, count)])
    join, hits, start = Join(Fraction("0.8")), 0, 0
    begun = time.process_time()
    while start < count:
        part = some[start : start + BATCH]
        found = join.find(part, np.zeros(len(part), np.int32), np.ones(len(part), np.bool_))
        hits += len(found.hits)
        join.keep(np.arange(found.length), np.arange(start + 1, start + found.length + 1))
        start += found.length
    return {"seconds": time.process_time() - begun, "hits": hits}


WAYS = {"load": loaded, "join": joined}
CASES = {"load": ("zipf", "days", "numbers", "repeats", "words"), "join": ("zipf", "days", "numbers")}


def in_own_process(way: str, case: str, arguments: argparse.Namespace) -> dict[str, float] | None:
    """Return what was measured, or None if it took too long."""
    command = [sys.executable, __file__, "--count", str(arguments.count), "--one", way, case]
    try:
        run = subprocess.run(command, check=True, capture_output=True, timeout=arguments.limit)
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, float] = json.loads(run.stdout)
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a case is stopped")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        way, case = arguments.one
        print(json.dumps(WAYS[way](case, arguments.count)))
        return
    print(f"{arguments.count:,} records\n\n| | case | CPU µs a record | times Zipf | found |\n|---|---|---|---|---|")
    for way in WAYS:
        usual = 0.0
        for case in CASES[way]:
            found = in_own_process(way, case, arguments)
            if found is None:
                print(f"| {way} | {case} | stopped after {arguments.limit:.0f} s | | |", flush=True)
                continue
            micros = 1e6 * found.pop("seconds") / arguments.count
            usual = usual or micros
            counts = ", ".join(f"{value:,} {name}" for name, value in found.items())
            print(f"| {way} | {case} | {micros:.1f} | {micros / usual:.1f} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
