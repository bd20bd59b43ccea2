"""What a merge, and taking it back, costs does not grow with what is stored already."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from membatch import Config, check, process, undo
from membatch.config import BatchSettings, DedupSettings
from membatch.review import accept_all, open_pairs


def test_lineage_grows_by_the_same_bytes_with_each_merge(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path}/a.db", batch=BatchSettings(size=250, min=1))
    founder = {"id": "founder", "summary": "Anna moved to Oslo", "source_message_ids": ["m-00000"]}
    process([founder], config=config)
    records = (
        {
            "summary": "Anna moved to Oslo",
            "source_message_ids": [f"m-{number:05}"],
            "confidence": number % 90 / 100,
            "emotional_context": {"intensity": 0.5, "markers": [{"type": "word", "text": f"cue-{number:05}"}]},
        }
        for number in range(1, 3001)
    )
    report = process(records, config=config)
    assert report.counts.merged == 3000
    connection = sqlite3.connect(tmp_path / "a.db")
    sizes = """
        SELECT sum(length(record) + length(rules) + length(conflicts) + length(guards) + length(reverse))
               + sum(length(coalesce(stated_before, '')))
        FROM merge WHERE merge > ? AND merge <= ?
    """
    (first,), (last,) = (connection.execute(sizes, bounds).fetchone() for bounds in ((500, 1000), (2500, 3000)))
    connection.close()
    assert last < 1.05 * first  # a copy of the survivor in each would be several times as much
    assert first < 500 * 600
    undo(2, store=config.store)
    assert check(config.store).is_whole


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def test_an_undo_looks_not_through_the_whole_store_for_each_row(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path}/a.db", dedup=DedupSettings(strategy="exact"))
    records: list[dict[str, object]] = [
        {"id": f"r{number}", "summary": f"Anna saw bird {number}"} for number in range(20_000)
    ]
    first = seconds_of(lambda: (process(records, config=config), process(records, config=config)))
    again = [{**record, "id": f"again-{number}", "tags": ["seen"]} for number, record in enumerate(records[:3000])]
    new: list[dict[str, object]] = [{"summary": f"Ben saw bird {number}"} for number in range(3000)]
    counts = process(again + new, config=config).counts
    assert (counts.merged, counts.inserted) == (3000, 3000)
    assert seconds_of(lambda: undo(3, store=config.store)) < 2 * first  # else it is some twenty times that
    assert check(config.store).is_whole


def test_accepting_many_pairs_leaves_the_store_as_one_by_one_and_can_be_undone(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path}/a.db")
    told = [f"on day {number} my {who} wrote me a long letter" for number in range(100) for who in ("mother", "father")]
    records = [{"id": f"r{number}", "summary": summary} for number, summary in enumerate(told)]
    assert process(records, config=config).counts.held == 100
    process(records, config=config)
    assert accept_all("substitution", "0.8", config=config) == (3, 100)
    assert check(config.store).is_whole
    undo(3, store=config.store)
    assert len(open_pairs(config.store)) == 100
    assert check(config.store).is_whole
    connection = sqlite3.connect(tmp_path / "a.db")
    indexes = connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchone()
    connection.close()
    assert indexes == (5,)  # what a change needed is gone with it
