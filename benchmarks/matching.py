"""Find the similar pairs of generated texts with membatch and its peers; time, recall, precision, memory.

    python benchmarks/matching.py
    python benchmarks/matching.py --counts 100000,300000,1000000 --thresholds 0.7,0.8 --limit 600
    python benchmarks/matching.py --counts 1000000 --kinds zipf --thresholds 0.8 --brute 0 --folder DIR   # one cell

A folder keeps the texts and the truth of each cell, so that a method can be run again alone.

Each method runs in a process of its own on the same texts, one after the other, `--rounds` times in turn, and is
stopped at `--limit` seconds. What counts as a pair: word sets with a Jaccard index at or above the threshold. The
truth shares no code with the product (`matching_truth.py`), and is held against comparing each with each on the first
`--brute` texts. Time is from texts to answer, without starting up: on the clock, and of all threads,
which says more on a busy machine. Memory is the peak above what the process held when it had read the texts.

There are three questions. membatch, rensa, datasketch and goldenmatch say all *pairs*. rensa-flags (the fastest way
that rensa documents) only says which *texts* have a partner, and semhash names one partner for each text that it drops;
membatch-flags finds all pairs, but keeps of them only which texts have a partner. membatch-founders and rensa-founders
say which texts are *dropped* because they have an earlier partner that is not dropped itself, which is what a load
asks; only the others are entered. Recall and precision of pairs are given for the first, of texts for the others too,
and of what is dropped for the last. More than 200 million pairs are not compared, only their texts; where they are too
many to be counted at all, `--truth dropped` asks for the truth of what is dropped alone.
Install the peers with `pip install 'membatch[bench]'`. semhash gets the 16 MB of static embeddings that the package
wordllama contains, because its own default model is not in any package; its threshold is a cosine.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matching_methods import METHODS
from matching_truth import Numbers, Pairs, Texts, Truth, brute_force, dropped_of, texts, the_truth


class Answer(NamedTuple):
    """What a method found: all pairs, or (None) only texts."""

    seconds: float
    cpu_seconds: float  # of all threads
    peak_bytes: int
    pairs: Pairs | None
    texts: Numbers  # the later one of a pair, where the method tells which that is


def measured(method: str, some: Texts, threshold: str) -> Answer:
    """Run one method in this process."""
    work, read = METHODS[method].prepare(some, threshold)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on (Linux)
    before = _peak_bytes()
    begun, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    peak = _peak_bytes() - before
    answer = read(found)
    if METHODS[method].gives == "pairs":
        return Answer(seconds, cpu_seconds, peak, answer, np.unique(answer >> 32))
    return Answer(seconds, cpu_seconds, peak, None, answer)


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def in_own_process(method: str, threshold: str, folder: Path, limit: float) -> Answer | str:
    """Return what a method answers, or why it does not."""
    target = folder / f"{method}.npz"
    command = [sys.executable, __file__, "--one", method, threshold, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"stopped after {limit:.0f} s"
    if process.returncode:
        if process.returncode in (-signal.SIGABRT, -signal.SIGKILL) or "MemoryError" in errors:
            return "out of memory"
        last = errors.strip().splitlines()[-1:] or [f"status {process.returncode}"]
        return f"failed: {last[0][:80]}"
    with np.load(target) as stored:
        pairs = stored.get("pairs", None)
        return Answer(
            float(stored["seconds"]), float(stored["cpu_seconds"]), int(stored["peak"]), pairs, stored["texts"]
        )


def run_one(method: str, threshold: str, folder: Path, memory_limit: int) -> None:
    """Run a method and write its answer; it may not take more memory than the limit."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))
    some = (folder / "texts").read_text("utf-8").split("\n")
    answer = measured(method, some, threshold)
    columns: dict[str, Any] = {
        "seconds": answer.seconds,
        "cpu_seconds": answer.cpu_seconds,
        "peak": answer.peak_bytes,
        "texts": answer.texts,
    }
    if answer.pairs is not None:
        columns["pairs"] = answer.pairs
    np.savez(folder / f"{method}.npz", **columns)


def _shares(found: Numbers, truth: Numbers | None) -> str:
    """Return recall and precision, as two columns."""
    if truth is None:
        return "– | –"
    right = len(np.intersect1d(found, truth, assume_unique=True))
    recall, precision = right / len(truth) if len(truth) else 1.0, right / len(found) if len(found) else 1.0
    return f"{recall:.4f} | {precision:.4f}"


def line(method: str, answer: Answer, truth: Truth, count: int) -> str:
    """Return a row of the table for an answer."""
    pairs = "– | –" if answer.pairs is None else _shares(answer.pairs, truth.pairs)
    if METHODS[method].gives == "dropped":
        of_texts = _shares(answer.texts, truth.dropped)
    elif truth.later is None or truth.both is None:
        of_texts = "– | –"
    else:  # of flags it is asked whether each is one of a pair, and whether each later one was found
        recall = _shares(answer.texts, truth.later).split(" | ")[0]
        of_texts = f"{recall} | {_shares(answer.texts, truth.both).split(' | ')[1]}"
    clock, cpu = (f"{1e6 * seconds / count:.1f}" for seconds in (answer.seconds, answer.cpu_seconds))
    return f"| {method} | {clock} | {cpu} | {pairs} | {of_texts} | {answer.peak_bytes / 1e6:,.0f} MB |"


def median(answers: list[Answer]) -> Answer:
    """Return an answer with the median of the times of several runs."""
    seconds, cpu_seconds = (statistics.median(times) for times in list(zip(*answers, strict=True))[:2])
    return answers[-1]._replace(seconds=seconds, cpu_seconds=cpu_seconds)


def kept_truth(folder: Path, some: Texts, threshold: str, of_pairs: bool) -> Truth:
    """Return the truth of a cell, from its folder if it is there; the texts are written beside it."""
    place = folder / "truth.npz"
    if not place.exists():
        truth = the_truth(some, threshold, of_pairs)
        columns = {name: column for name, column in truth._asdict().items() if column is not None}
        (folder / "texts").write_text("\n".join(some), "utf-8")
        np.savez(place, **columns)
    with np.load(place) as stored:
        columns = {name: stored.get(name, None) for name in Truth._fields}
        return Truth(**columns)


def cell(count: int, templated: bool, threshold: str, arguments: argparse.Namespace) -> None:
    """Measure and print one kind, number of texts and threshold."""
    some = texts(count, templated)
    kind = "templated" if templated else "Zipf"
    with tempfile.TemporaryDirectory() as name:
        folder = (arguments.folder or Path(name)) / f"{kind}-{count}-{threshold}"
        folder.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        truth = kept_truth(folder, some, threshold, arguments.truth == "all")
        pairs = "" if truth.amount is None else f", {truth.amount:,} pairs"
        print(f"\n{kind}, {count:,} texts, threshold {threshold}: {len(truth.dropped):,} dropped{pairs}", end=" ")
        print(f"(the truth took {1e6 * (time.perf_counter() - begun) / count:.0f} µs a text)\n")
        print("| method | µs a text | CPU µs | recall, pairs | precision | recall, texts | precision | memory |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        methods = list(filter(None, arguments.methods.split(",")))
        runs: dict[str, list[Answer | str]] = {method: [] for method in methods}
        for _ in range(arguments.rounds):
            for method, before in runs.items():
                if not before or isinstance(before[-1], Answer):  # what failed once is not tried again
                    before.append(in_own_process(method, threshold, folder, arguments.limit))
        for method, answers in runs.items():
            if isinstance(answers[-1], str):
                print(f"| {method} | {answers[-1]} | | | | | | |", flush=True)
            else:
                print(line(method, median([each for each in answers if isinstance(each, Answer)]), truth, count))


def check_truth(count: int, templated: bool, threshold: str) -> None:
    """Hold the inverted index against comparing each with each."""
    some = texts(count, templated)
    truth, pairs = the_truth(some, threshold), brute_force(some, threshold)
    if not (np.array_equal(truth.pairs, pairs) and np.array_equal(truth.dropped, dropped_of(pairs))):  # type: ignore[arg-type]
        raise SystemExit("the truth and comparing each with each disagree")
    print(f"{'templated' if templated else 'Zipf'}, threshold {threshold}: the truth holds on {count:,} texts")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="20000", help="numbers of texts, with commas between")
    parser.add_argument("--thresholds", default="0.8")
    parser.add_argument("--kinds", default="zipf,templated")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--brute", type=int, default=20_000, help="texts on which the truth is checked, 0 for not")
    parser.add_argument("--truth", choices=("all", "dropped"), default="all")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each method, in turn; the median counts")
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a method is stopped")
    parser.add_argument("--memory-limit", type=float, default=12, help="GB that a method may take")
    parser.add_argument("--folder", type=Path, help="where texts, truths and answers are kept, for later runs")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one[0], arguments.one[1], Path(arguments.one[2]), int(arguments.memory_limit * 1e9))
        return
    cells = [
        (kind == "templated", threshold)
        for threshold in arguments.thresholds.split(",")
        for kind in arguments.kinds.split(",")
    ]
    for templated, threshold in cells:
        if arguments.brute:
            check_truth(arguments.brute, templated, threshold)
    for count in arguments.counts.split(","):
        for templated, threshold in cells:
            cell(int(count), templated, threshold, arguments)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
