"""Generate memory records for benchmarks: Zipf-worded, 600 to 800 bytes, with repeats, near repeats and bad ones.

python benchmarks/generate.py 200000 --exact 0.10 --near 0.10 --bad 0.01 --output records.jsonl
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VOCABULARY = 50_000
PEOPLE = 500
BAD_WAYS = (
    lambda record: {**record, "confidence": 7},
    lambda record: {key: value for key, value in record.items() if key != "summary"},
    lambda record: {**record, "participants": [{"name": "nobody"}], "subject": "nobody"},
    lambda record: {**record, "occurred_at": "yesterday"},
)


def vocabulary(rng: random.Random) -> tuple[list[str], list[float]]:
    """Return words and their cumulative Zipf weights."""
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    made = ("".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(VOCABULARY))
    words = list(dict.fromkeys(made))  # in the order in which they were made: the same in each process
    total, weights = 0.0, []
    for rank in range(1, len(words) + 1):
        total += 1 / rank
        weights.append(total)
    return words, weights


def summary(rng: random.Random, words: list[str], weights: list[float], templated: bool) -> str:
    """Return a text of 8 to 60 words; templated texts share most of theirs."""
    if templated:
        name, number = rng.choice(words[:2000]), rng.randrange(1000)
        return f"the user told the assistant that they prefer {name} over {rng.choice(words[:2000])} on day {number}"
    return " ".join(rng.choices(words, cum_weights=weights, k=rng.randint(8, 60)))


def records(
    count: int, *, exact: float, near: float, bad: float, seed: int = 7, templated: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield records; shares `exact` and `near` repeat an earlier one, wholly or with a word more."""
    rng = random.Random(seed)
    words, weights = vocabulary(rng)
    earlier: list[dict[str, Any]] = []
    for number in range(count):
        chance = rng.random()
        if earlier and chance < exact:
            yield rng.choice(earlier)
            continue
        if earlier and chance < exact + near:
            old = rng.choice(earlier)
            text = old["summary"] + " " + rng.choice(words)
            record = {**old, "id": f"n{number}", "summary": text, "source_message_ids": [f"m{number}"]}
            yield record
            continue
        person, other = rng.sample(range(PEOPLE), 2)
        record = {
            "id": f"r{number}",
            "summary": summary(rng, words, weights, templated),
            "kind": "fact",
            "subject": f"p{person}",
            "participants": [
                {"id": f"p{person}", "name": f"Person {person}"},
                {"id": f"p{other}", "role": "friend"},
            ],
            "source_message_ids": [f"m{number}", f"m{number + 1}"],
            "scope": {"user_id": "u1", "session_id": f"s{number // 50}"},
            "confidence": round(rng.random(), 2),
            "emotional_context": {
                "primary": "joy",
                "intensity": 0.5,
                "valence": 0.4,
                "themes": ["family", "work"],
            },
            "tags": ["generated", "benchmark"],
            "created_at": "2024-05-01T10:00:00Z",
            "metadata": {"model": "extractor-1", "batch": number // 1000},
        }
        if rng.random() < bad:
            yield rng.choice(BAD_WAYS)(record)
            continue
        if len(earlier) < 200_000:
            earlier.append(record)
        else:
            earlier[rng.randrange(len(earlier))] = record
        yield record


def write(path: Path, count: int, **shares: Any) -> Path:
    """Write records as JSON lines unless the file is there already; return the path."""
    if not path.exists():
        with path.open("w", encoding="utf-8") as stream:
            for record in records(count, **shares):
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--exact", type=float, default=0.10)
    parser.add_argument("--near", type=float, default=0.0)
    parser.add_argument("--bad", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--templated", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    shares = {"exact": arguments.exact, "near": arguments.near, "bad": arguments.bad, "seed": arguments.seed}
    write(arguments.output, arguments.count, templated=arguments.templated, **shares)


if __name__ == "__main__":
    main()
