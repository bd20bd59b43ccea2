"""What a merge, and taking it back, costs does not grow with what is stored already."""

from __future__ import annotations

import datetime as dt
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytest

import membatch
from membatch import Config, ConfigError, check, history, process, undo
from membatch.config import BatchSettings, DedupSettings
from membatch.review import accept, accept_all, open_pairs
from membatch.store.queries import query


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


PACKAGE = str(Path(membatch.__file__).parent)


def lines_of(work: Callable[[], object]) -> int:
    """Return how many lines of membatch some work executes, loops and all."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "call" and not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_what_an_update_by_id_takes_does_not_grow_with_those_before_it(tmp_path: Path) -> None:
    def load(updates: int) -> None:
        records: list[dict[str, object]] = [
            {
                "id": "a",
                "summary": f"Anna saw bird {number}",
                "updated_at": f"2024-01-01T{number // 60:02}:00:{number % 60:02}Z",
            }
            for number in range(updates)
        ]
        config = Config(store=f"sqlite:///{tmp_path}/{updates}.db", dedup=DedupSettings(strategy="exact"))
        assert process(records, config=config).counts.merged == updates - 1
        assert check(config.store).is_whole

    load(20)  # imports what is imported once
    few, many = (lines_of(lambda updates=updates: load(updates)) for updates in (150, 600))  # type: ignore[misc]
    assert many < 5 * few


def test_a_check_of_duplicates_looks_not_through_all_that_led_to_their_memory(tmp_path: Path) -> None:
    def steps(merges: int) -> int:
        path = tmp_path / f"{merges}.db"
        config = Config(store=f"sqlite:///{path}", dedup=DedupSettings(strategy="exact"))
        records: list[dict[str, object]] = [
            {"summary": "Anna moved to Oslo", "source_message_ids": [f"m-{number}"]} for number in range(merges)
        ]
        process(records, config=config)
        assert process(records, config=config).counts.duplicates == merges
        connection, count = sqlite3.connect(path), 0

        def one_more() -> int:
            nonlocal count
            count += 1
            return 0

        connection.set_progress_handler(one_more, 100)  # instructions of SQLite
        assert connection.execute(query("check_duplicates")).fetchall() == []
        connection.execute("UPDATE duplicate SET memory = 2 WHERE duplicate = 1")
        assert connection.execute(query("check_duplicates")).fetchall() == [("duplicate 1",)]
        connection.close()
        return count

    assert steps(2000) < 6 * steps(500)


def test_what_an_undo_asks_does_not_grow_with_the_square_of_the_runs(tmp_path: Path) -> None:
    def lines(pairs: int) -> int:
        config = Config(store=f"sqlite:///{tmp_path}/{pairs}.db")
        told = [f"on day {day} my {who} wrote me a letter" for day in range(pairs) for who in ("mother", "father")]
        process([{"summary": summary} for summary in told], config=config)
        for number in range(1, pairs + 1):
            accept(number, config=config)

        def ask() -> None:
            with pytest.raises(ConfigError, match="use --cascade"):
                undo(1, store=config.store)

        count = lines_of(ask)
        undo(1, store=config.store, cascade=True)
        assert check(config.store).is_whole
        return count

    lines(2)  # imports what is imported once
    assert lines(24) < 5 * lines(6)


def test_a_history_looks_not_at_all_merges_for_each_that_a_review_made(tmp_path: Path) -> None:
    def lines(pairs: int) -> int:
        config = Config(store=f"sqlite:///{tmp_path}/{pairs}.db")
        words = [chr(97 + number // 26) + chr(97 + number % 26) * 3 for number in range(pairs + 1)]
        told = [f"on that day my {word} wrote me a very long letter about the old red house" for word in words]
        records: list[dict[str, object]] = [{"id": f"r{n}", "summary": summary} for n, summary in enumerate(told)]
        assert process(records, config=config).counts.held == pairs
        assert accept_all("substitution", "0.8", config=config) == (2, pairs)
        found: list[dict[str, Any]] = []
        count = lines_of(lambda: found.append(history("r0", store=config.store)))
        assert len(found[0]["merges"]) == pairs
        return count

    lines(2)  # imports what is imported once
    assert lines(160) < 5 * lines(40)


@pytest.mark.parametrize("strategy", ["exact", "similar"])
def test_what_repeats_of_similar_texts_take_does_not_grow_with_the_square_of_a_batch(
    strategy: Literal["exact", "similar"], tmp_path: Path
) -> None:
    words = ["bread", "apples", "cheese", "soup", "eggs"]

    def load(count: int) -> None:
        records = [
            {
                "summary": f"the user said that they really like to eat {words[number % 5]} for breakfast each day",
                "metadata": {"seen": number},
            }
            for number in range(count)
        ]
        url = f"sqlite:///{tmp_path}/{count}.db"
        config = Config(store=url, batch=BatchSettings(size=count), dedup=DedupSettings(strategy=strategy))
        assert process(iter(records), config=config).counts.merged == count - 5

    load(5)  # imports what is imported once
    few, many = (lines_of(lambda count=count: load(count)) for count in (400, 1600))  # type: ignore[misc]
    assert many < 5 * few


def test_what_one_text_on_many_days_takes_does_not_grow_with_the_square_of_a_batch(tmp_path: Path) -> None:
    def load(count: int) -> None:
        first = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
        records = [
            {"summary": "I had a headache", "occurred_at": (first + number * dt.timedelta(days=2)).isoformat()}
            for number in range(count)
        ]
        url = f"sqlite:///{tmp_path}/{count}.db"
        config = Config(store=url, batch=BatchSettings(size=count), dedup=DedupSettings(strategy="exact"))
        assert process(iter(records), config=config).counts.inserted == count

    load(70)  # imports what is imported once
    few, many = (lines_of(lambda count=count: load(count)) for count in (400, 1600))  # type: ignore[misc]
    assert many < 6 * few
