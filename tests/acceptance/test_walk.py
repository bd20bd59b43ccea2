"""Real observations and a copy of them with seeded edits: nothing that a record said is lost by merging."""

from __future__ import annotations

import copy
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from membatch import Config, convert, history, process
from membatch.config import DedupSettings
from membatch.patch import apply
from membatch.plan import Hold, Insert, Plan, Reject

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
    for edit in chance.sample(
        ["case", "punctuation", "swap", "source", "metadata", "tags", "feeling"], chance.randint(1, 3)
    ):
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


class Loaded(NamedTuple):
    """A store, and for each record that was read what it said and which memory it went to."""

    path: Path
    went: list[tuple[int, int, dict[str, Any], int, str]]  # run, line, record, memory, outcome


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Return a store with the observations and an edited copy of each."""
    folder = tmp_path_factory.mktemp("walk")
    convert(SOURCE, folder / "0.jsonl", format="locomo")
    records = [json.loads(line) for line in (folder / "0.jsonl").read_bytes().splitlines()]
    assert len(records) == 2541
    chance = random.Random(5)
    copies = [edited(record, chance) for record in records]
    lines(folder / "1.jsonl", *copies)
    config = Config(store=f"sqlite:///{folder}/a.db", dedup=DedupSettings(threshold="0.7"))
    went: list[tuple[int, int, dict[str, Any], int, str]] = []
    for run, said in enumerate((records, copies), start=1):
        places: list[tuple[int, str]] = []

        def observe(plan: Plan, _: object, places: list[tuple[int, str]] = places) -> None:
            for step in plan.steps:
                assert not isinstance(step, Reject)
                memory = step.key if isinstance(step, Insert | Hold) else step.memory
                places.append((memory, type(step).__name__))

        process(folder / f"{run - 1}.jsonl", config=config, observers=[observe])
        assert len(places) == len(said)
        went += [(run, line, record, *place) for line, (record, place) in enumerate(zip(said, places, strict=True), 1)]
    return Loaded(folder / "a.db", went)


def test_every_value_of_every_absorbed_record_is_in_its_survivor_or_its_lineage(loaded: Loaded) -> None:
    connection = sqlite3.connect(loaded.path)
    survivors = {
        key: set(leaves(json.loads(text))) for key, text in connection.execute("SELECT memory, record FROM memory")
    }
    lineage = {
        (run, line): [json.loads(text) for text in texts]
        for run, line, *texts in connection.execute(
            "SELECT run, line, record, rules, conflicts FROM merge JOIN batch USING (batch)"
        )
    }
    later: dict[int, set[str]] = {}  # by memory: what its merges took away again, kept for the way back
    for memory, reverse in connection.execute("SELECT memory, reverse FROM merge"):
        later.setdefault(memory, set()).update(value for _, value in leaves(json.loads(reverse)))
    connection.close()
    absorbed = [each for each in loaded.went if each[4] == "Merge"]
    assert len(absorbed) == len(lineage) > 1500
    for run, line, record, memory, _ in absorbed:
        whole, rules, conflicts = lineage[run, line]
        said = set(leaves({name: value for name, value in record.items() if name != "id"}))
        assert set(leaves(whole)) == said
        asked = {rule.partition(":")[0] for rule in rules}
        others = {value for conflict in conflicts for _, value in leaves(conflict["other"])}
        for path, value in said - survivors[memory]:
            # Not in the survivor: then a rule chose against it, or it is a conflict, or a later merge took it away.
            assert asked & set(path) or value in others or value in later[memory] or path == ("content",), (path, value)


def test_the_way_back_from_each_survivor_gives_its_founder(loaded: Loaded) -> None:
    connection = sqlite3.connect(loaded.path)
    states = {key: json.loads(text) for key, text in connection.execute("SELECT memory, record FROM memory")}
    for memory, reverse in connection.execute("SELECT memory, reverse FROM merge ORDER BY merge DESC"):
        states[memory] = apply(states[memory], json.loads(reverse))
    connection.close()
    founders = {memory: record for *_, record, memory, outcome in loaded.went if outcome in ("Insert", "Hold")}
    assert founders.keys() == states.keys()
    for memory, record in founders.items():
        assert states[memory] == {name: value for name, value in record.items() if name != "id"}


def test_the_history_of_a_survivor_tells_the_same_founder(loaded: Loaded) -> None:
    founders = {memory: record for *_, record, memory, outcome in loaded.went if outcome in ("Insert", "Hold")}
    absorbed = [each for each in loaded.went if each[4] == "Merge"]
    for _, _, _, memory, _ in absorbed[::100]:
        found = history(founders[memory].get("id") or _id_of(loaded.path, memory), store=f"sqlite:///{loaded.path}")
        assert found["founder"] == {name: value for name, value in founders[memory].items() if name != "id"}


def _id_of(path: Path, memory: int) -> str:
    connection = sqlite3.connect(path)
    (identity,) = connection.execute("SELECT id FROM memory WHERE memory = ?", (memory,)).fetchone()
    connection.close()
    return str(identity)
