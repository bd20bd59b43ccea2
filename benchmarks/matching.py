"""Find the similar pairs of generated texts with membatch and its peers; time, recall, precision, memory.

    python benchmarks/matching.py
    python benchmarks/matching.py --counts 100000,300000,1000000 --thresholds 0.7,0.8 --limit 600
    python benchmarks/matching.py --counts 1000000 --kinds zipf --thresholds 0.8 --brute 0 --folder DIR   # one cell

A folder keeps the texts and the truth of each cell, so that a method can be run again alone.

Each method runs in a process of its own on the same texts, one after the other, and is stopped at `--limit`
seconds. What counts as a pair: word sets with a Jaccard index at or above the threshold. The truth is an exact
inverted index in this file, which shares no code with the product; comparing each with each checks the truth on
the first `--brute` texts. Time is from texts to answer, without starting up and compiling: on
the clock, and of all threads, which says more on a busy machine. Memory is the peak above what the process held when
it had read the texts.

membatch, rensa, datasketch and goldenmatch answer with pairs. rensa-flags (the fastest way that rensa documents)
only says which texts have a partner, and semhash names one partner for each text that it drops; so recall and
precision of *texts* (has it a partner?) are given for all, those of pairs where a method gives all pairs.
membatch-flags finds all pairs too, but keeps of them only which texts have a partner: where there are more than
200 million pairs nothing else is compared.
Install the peers with `pip install 'membatch[bench]'`. semhash gets the 16 MB of static embeddings that the package
wordllama contains, because its own default model is not in any package; its threshold is a cosine.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from generate import summary, vocabulary

Pairs = npt.NDArray[np.int64]  # sorted, each later << 32 | earlier
Texts = list[str]
BATCH = 10_000
MOST_PAIRS = 200_000_000  # that are compared


class Answer(NamedTuple):
    """What a method found: all pairs, or (None) only which texts have a partner."""

    seconds: float
    cpu_seconds: float  # of all threads
    peak_bytes: int
    pairs: Pairs | None
    with_partner: npt.NDArray[np.int64]  # the later one of a pair, where the method tells which that is


def texts(count: int, templated: bool, near: float = 0.1) -> Texts:
    """Return texts; a share repeats an earlier one with a word more."""
    rng = random.Random(11)
    words, weights = vocabulary(rng)
    found: Texts = []
    for _ in range(count):
        if found and rng.random() < near:
            found.append(f"{rng.choice(found)} {rng.choice(words)}")
        else:
            found.append(summary(rng, words, weights, templated))
    return found


def _encoded(later: Any, earlier: Any) -> Pairs:
    return np.unique((np.asarray(later, np.int64) << 32) | np.asarray(earlier, np.int64))


# Each method returns its work as a function without arguments, so that starting up is not measured, and a function
# that turns what the work returns into pairs, or into the texts with a partner.
Method = Callable[[Texts, str], tuple[Callable[[], Any], Callable[[Any], Pairs], bool]]


def _join(mine: Texts, threshold: str) -> Iterator[Pairs]:
    """Run the join that the product runs, in batches, each text a founder; yield the pairs."""
    from membatch.plan import MemoryKey
    from membatch.similarity.join import Join
    from membatch.similarity.tokens import tokenize

    join = Join(Fraction(threshold))
    for start in range(0, len(mine), BATCH):
        tokens, at = tokenize(mine[start : start + BATCH]), 0
        while at < len(tokens):  # a flood of hits is answered in parts
            rest = tokens[at:]
            found = join.find(rest, np.zeros(len(rest), np.int32), np.ones(len(rest), np.bool_))
            yield ((found.hits[:, 0].astype(np.int64) + (start + at)) << 32) | found.hits[:, 1]
            join.keep([(record, MemoryKey(start + at + record + 1)) for record in range(found.length)])
            at += found.length


def _compiled(threshold: str) -> None:
    """Compile the join, or read what was compiled before."""
    for _ in _join([f"a b {number % 3} {number % 5} {number % 7}" for number in range(300)], threshold):
        pass


def membatch(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """All pairs."""
    _compiled(threshold)
    return lambda: list(_join(some, threshold)), lambda parts: np.sort(np.concatenate(parts)), True


def membatch_flags(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """The same; of the pairs only which texts have a partner is kept."""
    _compiled(threshold)

    def work() -> npt.NDArray[np.bool_]:
        flags = np.zeros(len(some), np.bool_)
        for pairs in _join(some, threshold):
            flags[pairs >> 32] = True
            flags[pairs & 0xFFFFFFFF] = True
        return flags

    return work, lambda flags: np.flatnonzero(flags), False


def rensa(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """Full-set R-MinHash, 128 permutations, 16 bands; the candidates are not verified."""
    import rensa as library

    def work() -> Any:
        hashes = library.RMinHash.from_token_sets([text.split() for text in some], num_perm=128, seed=42)
        index = library.RMinHashLSH(threshold=float(threshold), num_perm=128, num_bands=16)
        index.insert_many(hashes)
        return index.query_all(hashes)

    def pairs(answers: Any) -> Pairs:
        found = [(later, other) for later, others in enumerate(answers) for other in others if other < later]
        return _encoded(*np.array(found, np.int64).reshape(-1, 2).T)

    return work, pairs, True


def rensa_flags(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """Rho sketches, 128 slots, 8 bands, in one call; it flags both texts of a pair."""
    import rensa as library

    def work() -> Any:
        matrix = library.RMinHash.digest_matrix_from_token_sets_rho(
            [text.split() for text in some], num_perm=128, seed=42
        )
        index = library.RMinHashLSH(threshold=float(threshold), num_perm=128, num_bands=8)
        return index.query_duplicate_flags_matrix_one_shot(matrix)

    return work, lambda flags: np.flatnonzero(flags), False


def datasketch(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """MinHash of 128 permutations, MinHashLSH at the threshold; the candidates are not verified."""
    import datasketch as library

    def work() -> list[tuple[int, Any]]:
        index = library.MinHashLSH(threshold=float(threshold), num_perm=128)
        found = []
        for later, text in enumerate(some):
            one = library.MinHash(num_perm=128)
            one.update_batch([word.encode() for word in set(text.split())])
            others = index.query(one)
            if others:
                found.append((later, others))
            index.insert(later, one)
        return found

    def pairs(found: list[tuple[int, Any]]) -> Pairs:
        flat = [(later, other) for later, others in found for other in others]
        return _encoded(*np.array(flat, np.int64).reshape(-1, 2).T)

    return work, pairs, True


def semhash(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """Static embeddings and its default index; each text that it drops has one partner, of which it keeps the text."""
    import wordllama
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from semhash import SemHash
    from tokenizers import Tokenizer

    folder = Path(wordllama.__file__).parent
    (vectors,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    model = StaticModel(vectors.astype(np.float32), tokenizer)
    rows = [{"number": str(number), "text": text} for number, text in enumerate(some)]

    def work() -> Any:
        index = SemHash.from_records(rows, columns=["text"], model=model)
        return index.self_deduplicate(threshold=float(threshold))

    return work, lambda found: np.array([int(one.record["number"]) for one in found.filtered], np.int64), False


def goldenmatch(some: Texts, threshold: str) -> tuple[Callable[[], Any], Callable[[Any], Pairs], bool]:
    """Blocks of its MinHash LSH on words, scored by `token_sort`, an edit distance of the sorted words."""
    import goldenmatch as library
    import pyarrow as pa
    from goldenmatch.config.schemas import LSHKeyConfig

    field = library.MatchkeyField(field="summary", scorer="token_sort", weight=1.0)
    key = library.MatchkeyConfig(name="text", type="weighted", threshold=float(threshold), fields=[field])
    bands = LSHKeyConfig(column="summary", threshold=float(threshold), mode="word", k=1)
    blocking = library.BlockingConfig(strategy="lsh", lsh=bands)
    config = library.GoldenMatchConfig(matchkeys=[key], blocking=blocking)
    table = pa.table({"summary": some})

    def pairs(found: Any) -> Pairs:
        both = np.array([(one, other) for one, other, _ in found.scored_pairs], np.int64).reshape(-1, 2)
        return _encoded(both.max(axis=1), both.min(axis=1))

    return lambda: library.dedupe_df(table, config=config), pairs, True


METHODS: dict[str, Method] = {
    "membatch": membatch,
    "membatch-flags": membatch_flags,
    "rensa": rensa,
    "rensa-flags": rensa_flags,
    "datasketch": datasketch,
    "semhash": semhash,
    "goldenmatch": goldenmatch,
}


def measured(method: str, some: Texts, threshold: str) -> Answer:
    """Run one method in this process."""
    work, read, gives_pairs = METHODS[method](some, threshold)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on (Linux)
    before = _peak_bytes()
    begun, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    peak = _peak_bytes() - before
    answer = read(found)
    return Answer(seconds, cpu_seconds, peak, *((answer, np.unique(answer >> 32)) if gives_pairs else (None, answer)))


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


class Truth(NamedTuple):
    """How many pairs there are, which, if they are not too many, and which texts have an earlier, or any partner."""

    amount: int
    pairs: Pairs | None
    later: npt.NDArray[np.int64]
    both: npt.NDArray[np.int64]


def the_truth(some: Texts, threshold: str) -> Truth:
    """Return all pairs, or only the texts in one where there are more than MOST_PAIRS."""
    count, parts = 0, [np.zeros(0, np.int64)]
    later, earlier = np.zeros(len(some), np.bool_), np.zeros(len(some), np.bool_)
    for text, others in true_pairs(some, threshold):
        count += len(others)
        later[text] = True
        earlier[others] = True
        if count <= MOST_PAIRS:
            parts.append((text << 32) | others)
        else:
            parts.clear()
    pairs = np.sort(np.concatenate(parts)) if parts else None
    return Truth(count, pairs, np.flatnonzero(later), np.flatnonzero(later | earlier))


def true_pairs(some: Texts, threshold: str) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield each text with its earlier partners: by an inverted index over its rarest words, all compared exactly."""
    ratio = Fraction(threshold)
    top, bottom = ratio.numerator, ratio.denominator
    frequency = Counter(word for text in some for word in set(text.split()))
    order = {word: number for number, (word, _) in enumerate(frequency.most_common()[::-1])}
    bags = [frozenset(order[word] for word in text.split()) for text in some]
    sizes = np.array([len(bag) for bag in bags], np.int64)
    entries: dict[int, int] = {}  # word -> how many texts were entered under it
    holders: dict[int, npt.NDArray[np.int64]] = {}
    places: dict[int, npt.NDArray[np.int64]] = {}
    for later, bag in enumerate(bags):
        size, candidates = len(bag), []
        least = -(-top * size // bottom)
        rarest = sorted(bag)[: size - least + 1]
        for place, word in enumerate(rarest):
            count = entries.get(word, 0)
            if count == 0:
                holders[word], places[word] = np.zeros(4, np.int64), np.zeros(4, np.int64)
            else:
                others = holders[word][:count]
                lengths = sizes[others]
                # No more words than these can be shared, of which this is the first, if it is the first at all.
                most = np.minimum(size - place, lengths - places[word][:count])
                others = others[most * (top + bottom) >= top * (size + lengths)]
                if len(others):
                    candidates.append(others)
                if count == len(holders[word]):
                    holders[word] = np.resize(holders[word], 2 * count)
                    places[word] = np.resize(places[word], 2 * count)
            holders[word][count], places[word][count] = later, place
            entries[word] = count + 1
        if candidates:
            found = np.unique(np.concatenate(candidates)).tolist()
            shared = [len(bag & bags[other]) for other in found]
            right = [
                other
                for other, both in zip(found, shared, strict=True)
                if both * bottom >= (size + len(bags[other]) - both) * top
            ]
            if right:
                yield later, np.array(right, np.int64)


def brute_force(some: Texts, threshold: str) -> Pairs:
    """Compare each with each: count the shared words of each text with all before it."""
    ratio = Fraction(threshold)
    holders: dict[str, list[int]] = {}
    sizes = np.array([len(set(text.split())) for text in some], np.int64)
    parts = [np.zeros(0, np.int64)]
    for later, text in enumerate(some):
        words = set(text.split())
        before = [other for word in words for other in holders.get(word, ())]
        shared = np.bincount(np.array(before, np.int64), minlength=later)
        union = sizes[later] + sizes[:later] - shared
        parts.append((later << 32) | np.flatnonzero(shared * ratio.denominator >= union * ratio.numerator))
        for word in words:
            holders.setdefault(word, []).append(later)
    return np.sort(np.concatenate(parts))


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
            float(stored["seconds"]), float(stored["cpu_seconds"]), int(stored["peak"]), pairs, stored["with_partner"]
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
        "with_partner": answer.with_partner,
    }
    if answer.pairs is not None:
        columns["pairs"] = answer.pairs
    np.savez(folder / f"{method}.npz", **columns)


def _shares(found: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> tuple[float, float]:
    right = len(np.intersect1d(found, truth, assume_unique=True))
    return right / len(truth) if len(truth) else 1.0, right / len(found) if len(found) else 1.0


def line(method: str, answer: Answer, truth: Truth, count: int) -> str:
    """Return a row of the table for an answer."""
    # Of flags it is asked whether each is one of a pair, and whether each later one was found.
    recall = _shares(answer.with_partner, truth.later)[0]
    precision = _shares(answer.with_partner, truth.both)[1]
    pairs = ("–", "–")
    if answer.pairs is not None and truth.pairs is not None:
        shares = _shares(answer.pairs, truth.pairs)
        pairs = (f"{shares[0]:.4f}", f"{shares[1]:.4f}")
    clock, cpu = (f"{1e6 * seconds / count:.1f}" for seconds in (answer.seconds, answer.cpu_seconds))
    return (
        f"| {method} | {clock} | {cpu} | {pairs[0]} | {pairs[1]} | {recall:.4f} | "
        f"{precision:.4f} | {answer.peak_bytes / 1e6:,.0f} MB |"
    )


def kept_truth(folder: Path, some: Texts, threshold: str) -> Truth:
    """Return the truth of a cell, from its folder if it is there; the texts are written beside it."""
    place = folder / "truth.npz"
    if not place.exists():
        truth = the_truth(some, threshold)
        columns = {name: column for name, column in truth._asdict().items() if column is not None}
        np.savez(place, **columns)
        (folder / "texts").write_text("\n".join(some), "utf-8")
    with np.load(place) as stored:
        return Truth(int(stored["amount"]), stored.get("pairs", None), stored["later"], stored["both"])


def cell(count: int, templated: bool, threshold: str, arguments: argparse.Namespace) -> None:
    """Measure and print one kind, number of texts and threshold."""
    some = texts(count, templated)
    kind = "templated" if templated else "Zipf"
    with tempfile.TemporaryDirectory() as name:
        folder = (arguments.folder or Path(name)) / f"{kind}-{count}-{threshold}"
        folder.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        truth = kept_truth(folder, some, threshold)
        print(f"\n{kind}, {count:,} texts, threshold {threshold}: {truth.amount:,} pairs", end=" ")
        print(f"(the truth took {1e6 * (time.perf_counter() - begun) / count:.0f} µs a text)\n")
        print("| method | µs a text | CPU µs | recall, pairs | precision | recall, texts | precision | memory |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        for method in arguments.methods.split(","):
            answer = in_own_process(method, threshold, folder, arguments.limit)
            if isinstance(answer, str):
                print(f"| {method} | {answer} | | | | | | |", flush=True)
            else:
                print(line(method, answer, truth, count), flush=True)


def check_truth(count: int, templated: bool, threshold: str) -> None:
    """Hold the inverted index against comparing each with each."""
    some = texts(count, templated)
    if not np.array_equal(the_truth(some, threshold).pairs, brute_force(some, threshold)):  # type: ignore[arg-type]
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
