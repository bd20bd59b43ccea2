"""What frames say of pairs that are one word apart is what the guards say of each pair."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import Config, decide, process
from membatch.config import DEFAULT_GUARDS, BatchSettings
from membatch.plan import MemoryKey
from membatch.similarity.frames import OTHER_NAME, Frames
from membatch.similarity.guards import Facts, judge, resolve
from tests.similarity.test_guards import WORDS

KEY = MemoryKey(1)
PLAIN = [
    "apples",
    "apple",
    "Anna",
    "Annas",
    "Ben",
    "Jos",
    "running",
    "run",
    "bread",
    "Bread",
    "colour",
    "color",
    "may",
    "per",
    "cent",
    "ice-cream",
    "icecream",
]
words = st.one_of(st.sampled_from(PLAIN), WORDS)
days = st.sampled_from(["2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"])
some_fields = st.fixed_dictionaries({}, optional={"occurred_at": days, "subject": st.sampled_from("ab")})
guards = st.sampled_from([list(DEFAULT_GUARDS), ["names", "limits"], ["when", "substitution"], ["numbers", "order"]])


@settings(max_examples=3000, deadline=None)
@given(st.lists(words, max_size=7), words, words, st.lists(words, max_size=7), some_fields, some_fields, guards)
def test_frames_say_only_what_the_guards_say_pair_by_pair(
    before: list[str],
    mine: str,
    other: str,
    after: list[str],
    fields: dict[str, Any],
    other_fields: dict[str, Any],
    names: list[str],
) -> None:
    asked = resolve(names)
    record = {"summary": " ".join([*before, mine, *after]), **fields}
    memory = {"summary": " ".join([*before, other, *after]), **other_fields}
    frames = Frames(asked)
    frames.add(KEY, memory)
    apart = frames.apart(record)
    judged = judge(asked, Facts(record), Facts(memory), equal_hashes=False)
    if KEY in apart.different:
        assert judged == OTHER_NAME
    if KEY in apart.unsure:
        assert judged.verdict == "unsure"


@pytest.mark.parametrize(
    ("mine", "other", "said"),
    [
        ("bread", "cheese", "unsure"),
        ("Anna", "Ben", "different"),
        ("apple", "apples", None),
        ("colour", "color", None),
        ("bread", "Ben", None),
        ("Anna", "Annas", None),
        ("five", "six", None),
        ("bread", "bread", None),
        ("5 per cent", "5 per house", None),
    ],
)
def test_frames_know_other_words_and_other_names_and_leave_the_rest_to_the_guards(
    mine: str, other: str, said: str | None
) -> None:
    frames = Frames(resolve(DEFAULT_GUARDS))
    frames.add(KEY, {"summary": f"they said that {other} was there in the morning"})
    apart = frames.apart({"summary": f"they said that {mine} was there in the morning"})
    assert (KEY in apart.unsure, KEY in apart.different) == (said == "unsure", said == "different")


def test_a_word_that_is_there_with_a_hyphen_too_is_left_to_the_guards() -> None:
    frames = Frames(resolve(DEFAULT_GUARDS))
    frames.add(KEY, {"summary": "they had bread and ice-cream"})
    assert KEY not in frames.apart({"summary": "they had icecream and ice-cream"}).unsure


def test_frames_know_nothing_of_a_memory_that_was_taken_out() -> None:
    frames = Frames(resolve(DEFAULT_GUARDS))
    frames.add(KEY, {"summary": "they ate bread"})
    frames.discard(KEY)
    assert KEY not in frames
    assert not frames.apart({"summary": "they ate cheese"}).unsure


CAME = "on that day the user said that {} came to see them at home"
MADE = [f"{one}{two}{three}" for one in "bdfgk" for two in ("ana", "olo", "umi") for three in "kmntz"]


def ends(folder: Path, name: str) -> tuple[Any, ...]:
    """Return how a flood ends in which some records merge, some are refused, and some have other days."""
    things = ["bread", "breads", "Anna", "Ben", "5 eggs", "not fish", *MADE]
    told = [f"the user said that they saw {thing} for breakfast in the early morning" for thing in things]
    told += [CAME.format(thing.title()) for thing in things]
    records = [
        {
            "summary": summary + (" again" if number % 7 == 0 else ""),
            **({"occurred_at": f"2024-0{1 + number % 3}-01T00:00:00Z"} if number % 5 == 0 else {}),
            "confidence": number % 10 / 10,
        }
        for number, summary in enumerate([*told, *told[::-1]])
    ]
    report = process(iter(records), config=Config(store=f"sqlite:///{folder}/{name}.db", batch=BatchSettings(size=60)))
    found = report.deduplication
    connection = sqlite3.connect(folder / f"{name}.db")
    memories, pairs = (
        connection.execute(query).fetchall()
        for query in ("SELECT memory, id, record FROM memory", "SELECT older, younger, guards FROM review")
    )
    connection.close()
    return report.counts, found["by_guard"], found["score_histogram"], found["examples"], memories, pairs


def test_a_flood_ends_with_frames_as_it_does_pair_by_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_frames = ends(tmp_path, "with")
    monkeypatch.setattr(decide, "_MANY", 1 << 30)
    assert with_frames == ends(tmp_path, "without")
    counts, by_guard, *_ = with_frames
    assert (counts.merged > 60, counts.held > 60, by_guard["names"]["different"] > 500) == (True, True, True)


def test_a_memory_that_took_another_name_is_met_by_it_in_a_flood(tmp_path: Path) -> None:
    told = [CAME.format(name.title()) for name in [*MADE, "zoe", "pia"]]
    records: list[dict[str, Any]] = [{"summary": summary, "confidence": 0.5} for summary in told]
    records.append({"summary": CAME.format("Zoe") + " with Kim", "confidence": 1})
    records.append({"summary": CAME.format("Kim"), "confidence": 0.5})
    config = Config(store=f"sqlite:///{tmp_path}/a.db", batch=BatchSettings(size=200))
    counts = process(records, config=config).counts
    assert (counts.inserted, counts.merged) == (len(told), 2)
