"""Formats of conversations: what they make of a documented shape, that nothing vanishes, that bad input is no crash."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membatch import Config, process
from membatch.config import DedupSettings
from membatch.formats import known_formats
from membatch.layout import Document, Per

from .conversion import FIXTURES, converted, vanished
from .mutation import near

# Format, file or folder, its golden conversion.
CASES = [
    ("chatgpt", "chatgpt/conversations.json", "chatgpt"),
    ("chatgpt", "chatgpt/split", "chatgpt-split"),
    ("claude", "claude/conversations.json", "claude"),
    ("claude", "claude/memories.json", "claude-memories"),
    ("claude", "claude/memories", "claude-memories-by-account"),
    ("esconv", "esconv/ESConv.json", "esconv"),
    ("evermem", "evermem/trip_chat.json", "evermem"),
    ("goemotions", "goemotions/part.tsv", "goemotions"),
    ("goemotions", "goemotions/full.csv", "goemotions-full"),
    ("locomo", "locomo/locomo.json", "locomo"),
    ("meld", "meld/part_sent_emo.csv", "meld"),
    ("meld", "meld/part_emorynlp.csv", "meld-emorynlp"),
    ("memorybank", "memorybank/bank.json", "memorybank"),
    ("xdailydialog", "xdailydialog", "xdailydialog"),
]
DIVISIBLE = [
    (name, path) for name, path, _ in CASES if known_formats()[name].per == ("message", "turn", "conversation")
]
WAYS: list[Per] = ["message", "turn", "conversation"]

by_file = pytest.mark.parametrize(("name", "path"), [case[:2] for case in CASES], ids=[case[2] for case in CASES])


@pytest.mark.parametrize(("name", "path", "golden"), CASES, ids=[case[2] for case in CASES])
def test_a_file_is_recognised_and_converted_as_its_golden_says(name: str, path: str, golden: str) -> None:
    found = converted(FIXTURES / path)
    assert not found.rejections
    expected = (FIXTURES / "golden" / f"{golden}.jsonl").read_text("utf-8").splitlines()
    assert found.records == [json.loads(line) for line in expected]


@by_file
def test_no_value_of_the_input_vanishes(name: str, path: str) -> None:
    found = converted(FIXTURES / path, name)
    assert vanished(found.items, found.records) == []


@pytest.mark.parametrize("per", WAYS)
@pytest.mark.parametrize(("name", "path"), DIVISIBLE)
def test_no_value_vanishes_however_a_conversation_is_divided(name: str, path: str, per: Per) -> None:
    found = converted(FIXTURES / path, name, per)
    assert vanished(found.items, found.records) == []
    assert {record["kind"] for record in found.records} <= {per, "memory"}


@by_file
def test_loading_again_from_elsewhere_compressed_or_zipped_changes_nothing(
    name: str, path: str, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'memories.db'}"
    first = process(FIXTURES / path, store=store, format=name).counts
    assert first.rejected == 0
    again = process(FIXTURES / path, store=store, format=name).counts
    assert again.duplicates == again.read == first.read
    elsewhere = tmp_path / "other" / "place"
    elsewhere.mkdir(parents=True)
    files = sorted(file for file in [FIXTURES / path, *(FIXTURES / path).rglob("*")] if file.is_file())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in files:
            (elsewhere / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            archive.write(file, f"folder/{file.name}")
    for source in ([elsewhere / f"{file.name}.gz" for file in files], [tmp_path / "all.zip"]):
        counts = process(source, store=store, format=name).counts
        assert counts.duplicates == counts.read == first.read


def test_ids_are_unique_across_conversations_and_files() -> None:
    paths = [(name, path) for name, path, golden in CASES if golden != "goemotions-full"]
    for per in WAYS:
        names = [(name, path) for name, path in paths if per in known_formats()[name].per]
        records = [record for name, path in names for record in converted(FIXTURES / path, name, per).records]
        ids = [message for record in records for message in record.get("source_message_ids", [])]
        assert len(ids) == len(set(ids))
        external = [record["source"].get("external_id") for record in records if record["kind"] != "memory"]
        assert None not in external
        assert len(external) == len(set(external))


def test_an_id_that_occurs_twice_in_a_conversation_is_numbered() -> None:
    ids = [record["source_message_ids"][0] for record in converted(FIXTURES / "evermem").records]
    assert [identity.rpartition("/")[2] for identity in ids] == ["msg_0001", "msg_0002", "msg_0002#2"]


def test_numbers_that_start_again_in_each_file_or_episode_do_not_meet(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "meld" / "part_sent_emo.csv", tmp_path / "other_sent_emo.csv")
    shutil.copy(FIXTURES / "meld" / "part_sent_emo.csv", tmp_path / "part_sent_emo.csv")
    records = converted(tmp_path, "meld").records
    assert len({record["source"]["external_id"] for record in records}) == 6
    scenes = [record["scope"]["namespace"] for record in converted(FIXTURES / "meld" / "part_emorynlp.csv").records]
    assert scenes == ["sea1_ep15_sc3", "sea1_ep15_sc3", "sea1_ep16_sc3"]


def test_the_ways_to_divide_a_conversation_give_messages_turns_or_the_whole() -> None:
    path = FIXTURES / "chatgpt" / "conversations.json"
    messages = converted(path, per="message").records
    turns = converted(path, per="turn").records
    whole = converted(path, per="conversation").records
    assert [record["subject"] for record in messages] == [
        "user",
        "user",
        "assistant",
        "assistant",
        "python",
        "assistant",
    ]
    assert [record["subject"] for record in turns] == ["user", "assistant"]
    assert len(turns[1]["source_message_ids"]) == 4  # a tool speaks within the turn of whoever called it
    assert len(whole) == 1
    assert whole[0]["summary"].splitlines()[-2:] == ["assistant: It is a minke whale.", "There were seven of them."]


def test_a_conversation_of_rows_cannot_be_divided_otherwise(tmp_path: Path) -> None:
    from membatch import ConfigError

    with pytest.raises(ConfigError, match="format meld cannot be divided per turn: it knows message"):
        process(FIXTURES / "meld", config=Config(store=f"sqlite:///{tmp_path / 'm.db'}", format="meld", per="turn"))


def test_a_conversation_that_has_grown_replaces_or_adds_and_is_never_refused(tmp_path: Path) -> None:
    [conversation] = json.loads((FIXTURES / "chatgpt" / "conversations.json").read_text("utf-8"))
    grown = json.loads(json.dumps(conversation))
    grown["mapping"]["ans-1"]["children"] = ["new-1"]
    message = {
        "id": "new-1",
        "author": {"role": "user"},
        "create_time": 1755701000.5,
        "content": {"content_type": "text", "parts": ["Thank you, I will log it."]},
    }
    grown["mapping"]["new-1"] = {"id": "new-1", "message": message, "parent": "ans-1", "children": []}
    grown |= {"current_node": "new-1", "update_time": 1755701001.5, "title": "Whales"}
    for per, inserted in (("message", 1), ("turn", 1), ("conversation", 0)):
        store = f"sqlite:///{tmp_path / per}.db"
        config = Config(store=store, format="chatgpt", per=per)  # type: ignore[arg-type]
        assert process([conversation], config=config).counts.rejected == 0
        counts = process([grown], config=config).counts
        assert (counts.inserted, counts.rejected) == (inserted, 0)
        assert counts.merged == 1  # the first record, which carries the title and the other nodes
    assert process([grown], config=config).counts.duplicates == 1


def test_messages_of_different_conversations_of_a_data_set_do_not_merge(tmp_path: Path) -> None:
    row = {"Utterance": "What?", "Speaker": "Ross", "Emotion": "surprise", "Utterance_ID": "0"}
    rows = [{**row, "Dialogue_ID": "1"}, {**row, "Dialogue_ID": "2", "Emotion": "anger"}]
    config = Config(store=f"sqlite:///{tmp_path / 'm.db'}", format="meld")
    assert process(rows, config=config).counts.inserted == 2


def test_raters_of_one_comment_become_one_memory(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path / 'm.db'}", dedup=DedupSettings(strategy="memory-only"))
    counts = process(FIXTURES / "goemotions" / "full.csv", config=config).counts
    assert (counts.read, counts.inserted, counts.merged) == (3, 2, 1)


ITEMS: list[tuple[str, Any]] = [
    (name, item) for name, path, _ in CASES for item in converted(FIXTURES / path, name).items
]


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_bad_input_is_converted_or_refused_with_a_reason(data: st.DataObject) -> None:
    name, item = data.draw(st.sampled_from(ITEMS))
    format_ = known_formats()[name]
    per = data.draw(st.sampled_from([None, *format_.per]))
    bad = data.draw(near(item))
    try:
        records = [made.record for made in format_.records(bad, Document(name="file", per=per))]
    except ValueError:  # by which a format refuses an item; anything else would be a fault of its own
        return
    assert all(isinstance(record.get("summary"), str) for record in records)
