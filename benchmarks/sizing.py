"""Load one generated file with an adaptive batch size and with fixed ones, in turn, and print seconds and ratios.

    python benchmarks/sizing.py --count 1000000 --rounds 3
    python benchmarks/sizing.py --overhead          # what watching and tallying cost
    python benchmarks/sizing.py --collector         # what the garbage collector costs

Each load is a process of its own; the sizes take turns, and the median of the rounds counts. Told is the time of
all records, and of the second half of them, by when an adaptive size has settled if there are a million.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from membatch import process
from membatch.config import Config
from membatch.decide import decide
from membatch.monitor import Clock
from membatch.plan import Batch, Checkpoint, Hits, MemoryKey, Plan, Position, RawBatch
from membatch.prepare import Prepare
from membatch.report.quality import ALL_OF_THE_FIRST, quality_of
from membatch.report.tally import tally_of
from membatch.rules import rules_of
from membatch.run import collected_by_batch
from membatch.runs import load

SIZES = ["auto", "100", "1000", "10000", "100000"]


def generated(count: int) -> Path:
    """Return a file of records, written unless it is there."""
    data = Path("bench-data")
    data.mkdir(exist_ok=True)
    file = data / f"{count}-0.1-0.05-0.01.jsonl"
    if not file.exists():
        generate = str(Path(__file__).with_name("generate.py"))
        shares = ["--exact=0.1", "--near=0.05", "--bad=0.01"]
        subprocess.run([sys.executable, generate, str(count), *shares, "--output", str(file)], check=True)
    return file


def loads(count: int, rounds: int, strategy: str, sizes: list[str]) -> None:
    """Print how long a load takes at each batch size."""
    source = generated(count)
    command = str(Path(sys.executable).parent / "membatch")
    whole: dict[str, list[float]] = {size: [] for size in sizes}
    later: dict[str, list[float]] = {size: [] for size in sizes}
    changes: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        for _ in range(rounds):
            for size in sizes:
                shutil.rmtree(folder)
                Path(folder).mkdir()
                store = f"sqlite:///{folder}/load.db"
                flags = ["--store", store, "--batch-size", size, "--strategy", strategy, "--quiet", "--json"]
                run = subprocess.run([command, "run", str(source), *flags], capture_output=True, check=False)
                report = json.loads(run.stdout)
                whole[size].append(1e6 * report["timing"]["seconds"] / count)
                later[size].append(second_half(report["batches"]))
                if size == "auto":
                    changes.append(report["batch_size"])
    print(f"{'':>8}  {'µs a record':>15}  {'in the second half':>20}  × the best fixed size")
    fixed = [size for size in sizes if size != "auto"]
    for size in sizes:
        half = statistics.median(later[size])
        ratio = half / min(statistics.median(later[other]) for other in fixed)
        print(f"{size:>8}  {statistics.median(whole[size]):15.1f}  {half:20.1f}  {ratio:21.2f}")
    print(json.dumps(changes))


def second_half(batches: list[dict[str, Any]]) -> float:
    """Return the microseconds a record of the batches that hold the second half of the records."""
    left = sum(batch["read"] for batch in batches) // 2
    records, seconds = 0, 0.0
    for batch in reversed(batches):
        if records >= left:
            break
        records, seconds = records + batch["read"], seconds + batch["seconds"]
    return 1e6 * seconds / records


def prepared(count: int) -> Batch:
    """Return a batch of records."""
    lines = generated(max(count, 10_000)).read_bytes().splitlines()[:count]
    places = [Position(0, number, None) for number in range(len(lines))]
    raw = RawBatch(items=lines, positions=places, rejected={}, skip=0, after=Checkpoint())
    return Prepare(Config(), "membatch")(raw)


def per_record(work: Callable[[], object], count: int, rounds: int = 9) -> float:
    """Return the least microseconds a record that some work took."""
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return 1e6 * min(took) / count


def overhead(count: int = 10_000) -> None:
    """Print what is spent a record on watching, tallying, and looking at records."""
    batch = prepared(count)
    hits = Hits(by_digest={}, by_id={}, by_hash={}, alone=bytes([1]) * count, length=count)
    plan: Plan = decide(batch, hits, {}, rules_of(Config()), next_key=MemoryKey(1), first_of_run=MemoryKey(1))
    clock = Clock()

    def watch() -> None:
        for stage in ("read", "decode", "match", "match", "merge", "write", "commit"):
            with clock.stage(stage):
                pass
        clock.lap()

    with collected_by_batch():
        first = per_record(lambda: quality_of(batch, count, 0), count)
        later = per_record(lambda: quality_of(batch, count, ALL_OF_THE_FIRST), count)
        whole = per_record(lambda: tally_of(plan, ALL_OF_THE_FIRST), count)
        print(f"looking at records: {first:.3f} µs a record among the first, {later:.3f} µs later")
        print(f"a tally, all of it: {whole:.3f} µs a record")

    def watch_many() -> None:
        for _ in range(10_000):
            watch()

    watching = per_record(watch_many, 10_000, 5)
    clock.close()
    for size in (100, 1_000, 10_000):
        spent = seconds_a_batch(size)
        print(
            f"watching a batch of {size:>6,}: {watching:.0f} µs of {1e6 * spent:,.0f} ({watching / (1e4 * spent):.2f}%)"
        )


def seconds_a_batch(size: int) -> float:
    """Return the least seconds that a transaction of a real load takes, all of it counted."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config.load(store=f"sqlite:///{folder}/load.db", batch__size=size, dedup__strategy="exact")
        report = process(generated(max(10_000, 10 * size)), config=config)
    return min(float(batch["seconds"]) for batch in report.batches[1:-1])


def collector(count: int, rounds: int, strategy: str) -> None:
    """Print what loads take with the garbage collector as Python has it, and as a run has it, in turn."""
    source = generated(count)
    ways = {"as Python has it": nullcontext, "by batch": collected_by_batch}
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, context in ways.items():
            with tempfile.TemporaryDirectory() as folder, patched(load, "collected_by_batch", context):
                config = Config.load(store=f"sqlite:///{folder}/load.db", dedup__strategy=strategy)
                used = process(source, config=config).resources
                spent[way].append((used["cpu_seconds"], used["gc_seconds"]))
    for way, figures in spent.items():
        cpu, pauses = (1e6 * statistics.median(each) / count for each in zip(*figures, strict=True))
        print(f"{way:>16}: {cpu:.2f} µs of CPU a record, of which the collector {pauses:.2f}")


@contextmanager
def patched(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Give a module another value under a name, for the length of the block."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--strategy", default="exact")
    parser.add_argument("--sizes", nargs="*", default=SIZES)
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--collector", action="store_true")
    arguments = parser.parse_args()
    if arguments.overhead:
        overhead()
    elif arguments.collector:
        collector(arguments.count, arguments.rounds, arguments.strategy)
    else:
        loads(arguments.count, arguments.rounds, arguments.strategy, arguments.sizes)


if __name__ == "__main__":
    main()
