"""What the laws share: generated records, memory data as a value, a load that tells each record's outcome."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from membatch import Config, Report, process
from membatch.config import BatchSettings, DedupSettings, ToleranceSettings
from membatch.plan import Duplicate, Hold, Insert, Merge, Plan

WORDS = [
    "anna",
    "lake",
    "went",
    "the",
    "to",
    "dog",
    "blue",
    "tea",
    "Zürich",
    "我爱",
    "苹果",
    "c++",
    "🍎",
    "5",
]
FACT_GUARDS = ("subject", "participants", "when")

summaries = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
people = st.sampled_from(["p1", "p2", "p3"])


shares = st.sampled_from([0.25, 0.5, 0.75])
texts = st.lists(st.sampled_from(["x", "y", "z"]), unique=True, min_size=1)
markers = st.lists(  # a record may give the same evidence twice
    st.fixed_dictionaries(
        {"type": st.just("word"), "text": st.sampled_from(["x", "y"])}, optional={"confidence": shares}
    ),
    min_size=1,
    max_size=3,
)
FELT: dict[str, st.SearchStrategy[Any]] = {
    "primary": st.sampled_from(["joy", "fear"]),
    "intensity": shares,
    "valence": st.sampled_from([-0.5, 0.25, 0.5]),
    "themes": texts,
    "markers": markers,
    "temporal": st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), min_size=1),
}
RELATED: dict[str, st.SearchStrategy[Any]] = {"pattern": st.sampled_from(["open", "formal"]), "strength": shares}
feelings = st.fixed_dictionaries({}, optional=FELT).filter(bool)


@st.composite
def valid_records(draw: st.DrawFn) -> dict[str, Any]:
    record: dict[str, Any] = {"summary": draw(summaries)}
    options: dict[str, st.SearchStrategy[Any]] = {
        "id": st.sampled_from(["i1", "i2", "i3"]),
        "confidence": st.sampled_from([0.25, 0.5, 0.75]),
        "updated_at": st.sampled_from(["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"]),
        "occurred_at": st.sampled_from(
            ["2024-05-01T00:00:00Z", "2024-05-01T20:00:00Z", "2024-05-02T12:00:00Z", "2024-05-03T13:00:00Z"]
        ),
        "source_message_ids": st.lists(st.sampled_from(["m1", "m2", "m3"]), unique=True, min_size=1),
        "tags": st.lists(st.sampled_from(["t1", "t2", "t3"]), unique=True, min_size=1),
        "metadata": st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), min_size=1),
        "emotional_context": feelings,
    }
    for name, strategy in options.items():
        if draw(st.integers(0, 3)) == 0:
            record[name] = draw(strategy)
    if draw(st.booleans()):
        ids = draw(st.lists(people, unique=True, min_size=1, max_size=2))
        record["participants"] = [{"id": name} for name in ids]
        if draw(st.booleans()):
            record["subject"] = ids[0]
        if draw(st.integers(0, 3)) == 0:
            parties = [  # and speak of a participant twice
                {"participant_id": ids[0], "metadata": draw(st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)))}
                for _ in range(draw(st.integers(1, 2)))
            ]
            related = draw(st.fixed_dictionaries({}, optional=RELATED))
            record["relationship_dynamics"] = {"participants": parties, **related}
    if draw(st.integers(0, 2)) == 0:
        record["scope"] = {"user_id": draw(st.sampled_from(["u1", "u2"]))}
    return record


bad_records = st.sampled_from(
    [
        {"summary": ""},
        {"confidence": 3},
        {"summary": "x", "subject": "nobody"},
        {"summary": "x", "confidence": 2},
        [],
        5,
    ]
)
some = st.one_of(*[valid_records()] * 6, bad_records)


@st.composite
def records_of(draw: st.DrawFn, least: int = 0, most: int = 40) -> list[Any]:
    """Records with repeats: of whole records, and of records with one field changed."""
    found: list[Any] = []
    for _ in range(draw(st.integers(least, most))):
        kind = draw(st.integers(0, 3))
        if kind < 2 or not found:
            found.append(draw(some))
            continue
        old = found[draw(st.integers(0, len(found) - 1))]
        if kind == 2 and isinstance(old, dict):
            found.append({**old, **draw(st.fixed_dictionaries({}, optional=CHANGES))})
        else:
            found.append(old)
    return found


@st.composite
def doubtful_records(draw: st.DrawFn, path: Path) -> list[dict[str, Any]]:
    """Records of few texts, so that many are held, merged or known, with ids that others had in the store before."""
    connection = sqlite3.connect(path)
    sql = "SELECT id FROM memory UNION SELECT id FROM merge ORDER BY 1"
    ids = ["i1", "i2", "i3", *(row[0] for row in connection.execute(sql))]
    connection.close()
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(3, 8))):
        how, what, end = (
            draw(st.sampled_from(words)) for words in (["never", "always"], ["black", "green"], ["", "."])
        )
        record: dict[str, Any] = {"summary": f"anna {how} drinks {what} tea in the old house by the sea{end}"}
        if draw(st.integers(0, 4)) == 0:
            record = {"summary": draw(summaries)}
        if draw(st.booleans()):
            record["id"] = draw(st.sampled_from(ids))
        if draw(st.integers(0, 2)) == 0:
            record |= draw(st.fixed_dictionaries({}, optional=CHANGES))
        found.append(record)
    return found


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "summary": summaries,
    "confidence": st.sampled_from([0.1, 0.9]),
    "updated_at": st.sampled_from(["2024-01-15T00:00:00Z", "2024-04-01T00:00:00Z"]),
    "occurred_at": st.sampled_from(["2024-05-02T00:00:00Z", "2024-06-01T00:00:00Z"]),
    "source_message_ids": st.lists(st.sampled_from(["m4", "m5"]), unique=True, min_size=1),
    "metadata": st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), min_size=1),
    "emotional_context": feelings,
}
records = records_of(10, 40)


def config(
    store: Path,
    *,
    size: int = 7,
    workers: int = 1,
    strategy: str = "similar",
    guards: tuple[str, ...] | None = FACT_GUARDS,
    **dedup: Any,
) -> Config:
    settings = dict(strategy=strategy, threshold="0.6", **dedup)
    if guards is not None:
        settings["guards"] = guards
    return Config(
        store=f"sqlite:///{store}",
        format="membatch",
        batch=BatchSettings(size=size, min=1, workers=workers),
        dedup=msgspec.convert(settings, DedupSettings),
        tolerance=ToleranceSettings(max_error_rate=None),
    )


def load(values: list[Any], settings: Config) -> tuple[Report, list[tuple[str, int | None]]]:
    """Load values; return the report and the outcome and memory of each record."""
    outcomes: list[tuple[str, int | None]] = []

    def observe(plan: Plan, _: object) -> None:
        for step in plan.steps:
            match step:
                case Insert(_, key):
                    outcomes.append(("inserted", key))
                case Duplicate(_, memory):
                    outcomes.append(("duplicate", memory))
                case Merge():
                    outcomes.append(("merged", step.memory))
                case Hold():
                    outcomes.append(("held", step.key))
                case _:
                    outcomes.append(("rejected", None))

    return process(iter(values), config=settings, observers=[observe]), outcomes


def memory_data(store: Path) -> dict[str, list[Any]]:
    """Return all memory data of a store, without run and batch numbers and clock times."""
    connection = sqlite3.connect(store)
    found = {}
    for table, columns in {
        "memory": "memory, id, match_scope, stated, record",
        "fingerprint": "memory, number, founder, superseded_by, digest, content_hash, id_hash",
        "merge": "merge, memory, step, shared, union_size, replaces, id, record, rules, conflicts, guards, reverse, "
        "stated_before",
        "review": "review, older, younger, step, shared, union_size, guards, state, closed_by",
    }.items():
        found[table] = connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()
    connection.close()
    return found


def exported(store: Path) -> list[str]:
    """Return the memories of a store as JSON texts with their ids, the oldest first."""
    connection = sqlite3.connect(store)
    rows = connection.execute("SELECT id, record FROM memory ORDER BY memory").fetchall()
    connection.close()
    return [json.dumps({"id": identity, **json.loads(record)}) for identity, record in rows]


def counts_in_store(store: Path) -> dict[str, int]:
    """Return how many rows of each outcome a store of one run holds, counted from its tables."""
    connection = sqlite3.connect(store)

    def count(sql: str) -> int:
        return int(connection.execute(sql).fetchone()[0])

    held = count("SELECT count(*) FROM review")
    found = {
        "inserted": count("SELECT count(*) FROM memory") - held,
        "duplicates": count("SELECT count(*) FROM duplicate"),
        "merged": count("SELECT count(*) FROM merge"),
        "held": held,
        "rejected": count("SELECT count(*) FROM reject"),
    }
    connection.close()
    return found


def write_lines(path: Path, values: list[Any]) -> Path:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), "utf-8")
    return path
