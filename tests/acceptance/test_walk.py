"""Real observations and a copy of them with seeded edits: nothing that a record said is lost by merging."""

from __future__ import annotations

import copy
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, Report, process
from membatch.config import DedupSettings
from membatch.patch import apply
from membatch.runs import convert

from .command import DATA, lines

SOURCE = DATA / "locomo" / "locomo10.json"
pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="LoCoMo is not here")
Leaf = tuple[tuple[str, ...], str]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield each value of a record with its path; entries of lists by what they are, not by their place."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            inner = (*path, str(item.get("id", item.get("text", "")))) if isinstance(item, dict) else path
            yield from leaves(item, inner)
    else:
        yield path, json.dumps(value)


def edited(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a record with one to three edits, without its id."""
    found = copy.deepcopy(record)
    found.pop("id", None)
    found.get("source", {}).pop("external_id", None)
    for edit in chance.sample(["case", "punctuation", "swap", "source", "metadata", "tags", "feeling"], chance.randint(1, 3)):
        words = found["summary"].split()
        match edit:
            case "case":
                found["summary"] = found["summary"].upper()
            case "punctuation":
                found["summary"] = found["summary"].rstrip(".") + chance.choice(["", "...", " ."])
            case "swap":
                place = chance.randrange(max(1, len(words) - 1))
                words[place : place + 2] = words[place : place + 2][::-1]
                found["summary"] = " ".join(words)
            case "source":
                found.setdefault("source_message_ids", []).append(f"added:{chance.randrange(1000)}")
            case "metadata":
                found.setdefault("metadata", {})["seen"] = chance.randrange(3)
            case "tags":
                found["tags"] = [f"t{chance.randrange(5)}"]
            case _:
                found["confidence"] = chance.choice([0.25, 0.5, 0.9])
                found["emotional_context"] = {
                    "primary": chance.choice(["joy", "fear"]),
                    "intensity": chance.choice([0.25, 0.5]),
                    "markers": [{"type": "word", "text": words[0], "confidence": chance.choice([0.1, 0.2])}],
                }
    return found


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Report]]:
    """Return a store with the observations and two edited copies of them, and the report of each load."""
    folder = tmp_path_factory.mktemp("walk")
    convert(SOURCE, folder / "records.jsonl", format="locomo")
    records = [json.loads(line) for line in (folder / "records.jsonl").open(encoding="utf-8")]
    chance = random.Random(5)
    config = Config(store=f"sqlite:///{folder}/a.db", dedup=DedupSettings(threshold="0.7"))
    reports = [process(folder / "records.jsonl", config=config)]
    for number in range(2):
        copies = lines(folder / f"copy{number}.jsonl", *[edited(record, chance) for record in records])
        reports.append(process(copies, config=config))
    return folder / "a.db", reports


def test_every_value_of_every_absorbed_record_is_in_its_survivor_or_its_lineage(
    loaded: tuple[Path, list[Report]],
) -> None:
    path, reports = loaded
    assert sum(report.counts.read for report in reports) == 3 * 2541
    assert sum(report.counts.rejected for report in reports) == 0
    read = {leaf for report in reports for leaf in ()}
    assert read == set()
    connection = sqlite3.connect(path)
    survivors = {key: set(leaves(json.loads(text))) for key, text in connection.execute("SELECT memory, record FROM memory")}
    merges = connection.execute("SELECT memory, record, conflicts, reverse, rules FROM merge ORDER BY merge").fetchall()
    connection.close()
    assert len(merges) == sum(report.counts.merged for report in reports) > 2000
