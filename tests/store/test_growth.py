"""Merging many records into one memory costs the store as much for the last one as for the first."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from membatch import Config, check, process, undo
from membatch.config import BatchSettings


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
