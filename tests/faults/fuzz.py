"""Many hostile inputs through decode, convert, validate, fingerprint: `python -m tests.faults.fuzz [COUNT] [SEED]`.

Each input is one item in one of the formats that there are. It must come out as records or rejections, at least
one; each rejection has a known code and keeps the input; each record validates again to the same bytes and digest.
Nothing raises, and nothing takes a second.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from typing import Any

import msgspec

from membatch import Config
from membatch.errors import CATEGORIES, CODES, FIELD_KINDS
from membatch.formats import known_formats
from membatch.plan import Batch, Checkpoint, Position, RawBatch
from membatch.prepare import Prepare

from .hostile import odd_bytes

AT_ONCE = 500
SECONDS = 1.0  # for one input; an honest one takes some microseconds


class Fuzz:
    """All formats, and what came out so far."""

    def __init__(self) -> None:
        from membatch.similarity.tokens import tokenize

        config = Config(mapping={"fields": {"summary": "/summary", "kind": {"constant": "fuzz"}}})
        self._formats = {name: Prepare(config, name, tokenize) for name in known_formats()}
        self._again = Prepare(config, "membatch", tokenize)
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0

    def round(self, rng: random.Random) -> int:
        """Put some inputs through one format; return how many."""
        name = rng.choice(("membatch", "rows", *self._formats))
        items = [odd_bytes(rng) for _ in range(AT_ONCE)]
        prepare = self._formats["membatch" if name == "rows" else name]
        begun = time.perf_counter()
        batch = prepare(_raw(items, flat=name == "rows"))
        seconds = time.perf_counter() - begun
        if seconds > SECONDS:
            seconds = max(_seconds(prepare, item, name == "rows") for item in items)
            assert seconds < SECONDS, f"an input took {seconds:.1f} s"
        self.slowest = max(self.slowest, seconds)
        self._look_at(batch, items)
        return len(items)

    def _look_at(self, batch: Batch, items: list[bytes]) -> None:
        assert {position.line for position in batch.positions} == set(range(len(items))), "an input is lost"
        good: list[bytes] = []
        for number in range(len(batch)):
            rejection = batch.rejections.get(number)
            if rejection is None:
                identity = msgspec.json.encode(batch.ids[number])
                good.append(b'{"id":' + identity + b"," + batch.records[number][1:])
                self.outcomes["valid"] += 1
                continue
            assert rejection.category in CATEGORIES
            known = rejection.code in CODES or rejection.code.rpartition("-")[2] in FIELD_KINDS
            assert known, rejection.code
            assert rejection.code != "unexpected", rejection
            assert rejection.raw or not items[batch.positions[number].line], rejection
            msgspec.json.encode([rejection.message, rejection.errors]).decode()
            self.outcomes[rejection.category] += 1
        again = self._again(_raw(good, flat=False))
        assert not again.rejections, next(iter(again.rejections.values()))
        digests = [digest for number, digest in enumerate(batch.digests) if number not in batch.rejections]
        assert again.digests == digests, "a record read again has another digest"


def _raw(items: list[bytes], *, flat: bool) -> RawBatch:
    positions = [Position(0, number, 0) for number in range(len(items))]
    return RawBatch(items=items, positions=positions, rejected={}, skip=0, after=Checkpoint(), flat=flat)


def _seconds(prepare: Prepare, item: bytes, flat: bool) -> float:
    begun = time.perf_counter()
    prepare(_raw([item], flat=flat))
    return time.perf_counter() - begun


def fuzzed(count: int, seed: int) -> Fuzz:
    """Put so many inputs through; return what came of them."""
    fuzz, rng, done = Fuzz(), random.Random(seed), 0
    while done < count:
        state: Any = rng.getstate()
        try:
            done += fuzz.round(rng)
        except BaseException:
            print(f"seed {seed}, after {done} inputs, state hash {hash(state)}", file=sys.stderr)
            raise
    return fuzz


def main() -> None:
    """Fuzz, and print the figures."""
    count, seed = ([int(word) for word in sys.argv[1:]] + [1_000_000, 1][len(sys.argv) - 1 :])[:2]
    begun = time.perf_counter()
    found = fuzzed(count, seed)
    seconds = time.perf_counter() - begun
    print(
        f"{count:,} inputs, seed {seed}, {seconds:.0f} s, slowest {1000 * found.slowest:.0f} ms for {AT_ONCE} at once"
    )
    for name, amount in found.outcomes.most_common():
        print(f"  {name:<14}{amount:>12,}")


if __name__ == "__main__":
    main()
