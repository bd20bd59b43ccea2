"""Formats of conversations: messages, turns and whole ones; ids that do not meet; exports that grow and are zipped."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, ConfigError, Report, process
from membatch.formats import known_formats
from membatch.layout import Per

from .cases import CASES, DATA, Case, converted, name_of
from .test_formats import is_kept, leaves, values_of

WAYS: list[Per] = ["message", "turn", "conversation"]
OF_CONVERSATIONS = [case for case in CASES if known_formats()[case.format].per]
DIVISIBLE = [case for case in OF_CONVERSATIONS if len(known_formats()[case.format].per) == len(WAYS)]


def records_of(path: Path, folder: Path, per: Per | None = None) -> list[Any]:
    records, _, rejected = converted(path, Config(per=per), folder)
    assert rejected == {}
    return records


def load(source: Any, store: Path, name: str, per: Per | None = None) -> Report:
    return process(source, config=Config(store=f"sqlite:///{store}", format=name, per=per))


@pytest.mark.parametrize("per", WAYS)
@pytest.mark.parametrize("case", DIVISIBLE, ids=name_of)
def test_no_value_vanishes_however_a_conversation_is_divided(case: Case, per: Per, tmp_path: Path) -> None:
    records = records_of(case.file, tmp_path, per)
    found = list(leaves(records))
    for value in leaves(values_of(case.file)):
        assert is_kept(value, found), f"{value!r} has vanished"
    assert {record["kind"] for record in records} <= {per, "memory", "project"}


@pytest.mark.parametrize("per", WAYS)
def test_ids_are_unique_across_conversations_and_files(per: Per, tmp_path: Path) -> None:
    cases = [case for case in OF_CONVERSATIONS if per in known_formats()[case.format].per]
    records = [record for case in cases for record in records_of(case.file, tmp_path, per)]
    ids = [message for record in records for message in record.get("source_message_ids", [])]
    assert len(ids) == len(set(ids))
    external = [record["source"].get("external_id") for record in records if record["kind"] != "memory"]
    assert None not in external
    assert len(external) == len(set(external))


def test_an_id_that_occurs_twice_in_a_conversation_is_numbered(tmp_path: Path) -> None:
    records = records_of(DATA / "evermem" / "trip_chat.json", tmp_path)
    ids = [record["source_message_ids"][0] for record in records]
    assert [identity.rpartition("/")[2] for identity in ids] == ["msg_0001", "msg_0002", "msg_0002#2"]


def test_numbers_that_start_again_in_each_file_or_episode_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("part_sent_emo.csv", "other_sent_emo.csv"):
        shutil.copy(DATA / "meld" / "part_sent_emo.csv", tmp_path / "in" / name)
    records = records_of(tmp_path / "in", tmp_path)
    assert len({record["source"]["external_id"] for record in records}) == 6
    scenes = [record["scope"]["namespace"] for record in records_of(DATA / "meld" / "part_emorynlp.csv", tmp_path)]
    assert scenes == ["sea1_ep15_sc3", "sea1_ep15_sc3", "sea1_ep16_sc3"]


def test_the_ways_to_divide_a_conversation_give_messages_turns_or_the_whole(tmp_path: Path) -> None:
    path = DATA / "chatgpt" / "conversations.json"
    messages, turns, whole = (records_of(path, tmp_path, per) for per in WAYS)
    speakers = [record["subject"] for record in messages]
    assert speakers == ["user", "user", "assistant", "assistant", "python", "assistant"]
    assert [record["subject"] for record in turns] == ["user", "assistant"]
    assert len(turns[1]["source_message_ids"]) == 4  # a tool speaks within the turn of whoever called it
    assert len(whole) == 1
    assert whole[0]["summary"].splitlines()[-2:] == ["assistant: It is a minke whale.", "There were seven of them."]


def test_a_format_of_rows_cannot_be_divided_otherwise(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format meld cannot be divided per turn: it knows message"):
        load(DATA / "meld", tmp_path / "m.db", "meld", "turn")


def test_an_export_is_read_from_its_folder_and_from_its_zip_without_the_other_files(tmp_path: Path) -> None:
    for name in ("chatgpt", "claude"):
        files = [case.file for case in CASES if case.format == name]
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder / file.name)
        (folder / "user.json").write_text('{"id": "user-1", "email": "ann@example.org"}', "utf-8")
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, f"export/{file.name}")
        config = Config(store=f"sqlite:///{tmp_path / name}.db")
        first = process(folder, config=config)
        assert first.format is not None
        assert first.format["name"] == name
        assert first.counts.inserted == first.counts.read > 0
        again = process(tmp_path / f"{name}.zip", config=config).counts
        assert again.duplicates == again.read == first.counts.read


def grown(conversation: dict[str, Any]) -> dict[str, Any]:
    """Return the conversation with a message more, and another title."""
    mapping = json.loads(json.dumps(conversation["mapping"]))
    mapping["ans-1"]["children"] = ["new-1"]
    message = {
        "id": "new-1",
        "author": {"role": "user"},
        "create_time": 1755701000.5,
        "content": {"content_type": "text", "parts": ["Thank you, I will log it."]},
    }
    mapping["new-1"] = {"id": "new-1", "message": message, "parent": "ans-1", "children": []}
    later = {"mapping": mapping, "current_node": "new-1", "update_time": 1755701001.5, "title": "Whales"}
    return {**conversation, **later}


@pytest.mark.parametrize(("per", "inserted"), [("message", 1), ("turn", 1), ("conversation", 0)])
def test_a_conversation_that_has_grown_adds_or_replaces_and_is_never_refused(
    per: Per, inserted: int, tmp_path: Path
) -> None:
    [conversation] = json.loads((DATA / "chatgpt" / "conversations.json").read_text("utf-8"))
    store = tmp_path / "m.db"
    assert load([conversation], store, "chatgpt", per).counts.rejected == 0
    counts = load([grown(conversation)], store, "chatgpt", per).counts
    assert (counts.inserted, counts.rejected) == (inserted, 0)
    assert counts.merged == 1  # the record that carries the title and the other nodes
    again = load([grown(conversation)], store, "chatgpt", per).counts
    assert again.duplicates == again.read


def test_a_chatgpt_graph_without_current_node_goes_to_its_latest_message_and_a_circle_ends(tmp_path: Path) -> None:
    [conversation] = json.loads((DATA / "chatgpt" / "conversations.json").read_text("utf-8"))
    del conversation["current_node"]
    conversation["mapping"]["root-1"]["parent"] = "tol-1"
    (tmp_path / "conversations.json").write_text(json.dumps([conversation]), "utf-8")
    records = records_of(tmp_path / "conversations.json", tmp_path)
    assert records[-1]["summary"] == "7"  # the tool's, the latest that has a time
    assert (
        "old-1"
        in next(record for record in records if "conversation" in record["metadata"])["metadata"]["conversation"][
            "mapping"
        ]
    )


def test_messages_of_different_conversations_of_a_data_set_do_not_merge(tmp_path: Path) -> None:
    row = {"Utterance": "What?", "Speaker": "Ross", "Emotion": "surprise", "Utterance_ID": "0"}
    rows = [{**row, "Dialogue_ID": "1"}, {**row, "Dialogue_ID": "2", "Emotion": "anger"}]
    assert load(rows, tmp_path / "m.db", "meld").counts.inserted == 2


def test_raters_of_one_comment_become_one_memory(tmp_path: Path) -> None:
    comment = {
        "text": "Lovely!",
        "id": "ab1",
        "rater_id": "1",
        "example_very_unclear": "False",
        "joy": "1",
        "love": "0",
    }
    counts = load([comment, {**comment, "rater_id": "2", "love": "1"}], tmp_path / "m.db", "goemotions").counts
    assert (counts.inserted, counts.merged) == (1, 1)


def test_a_message_longer_than_a_summary_is_whole_in_its_content(tmp_path: Path) -> None:
    text = "word " * 12_000
    message = {"uuid": "m1", "sender": "human", "text": text, "created_at": "2026-01-01T00:00:00Z"}
    item = {"uuid": "c1", "chat_messages": [message]}
    (tmp_path / "conversations.json").write_text(json.dumps([item]), "utf-8")
    [record] = records_of(tmp_path / "conversations.json", tmp_path)
    assert (len(record["summary"]), record["content"]) == (50_000, text)


def test_a_message_that_is_no_object_costs_itself_only_and_is_kept(tmp_path: Path) -> None:
    good = {"uuid": "m1", "sender": "human", "text": "I like rye.", "created_at": "2026-01-01T00:00:00Z"}
    item = {"uuid": "c1", "chat_messages": [good, "stray", None]}
    report = load([item], tmp_path / "m.db", "claude")
    assert (report.counts.inserted, report.counts.rejected, report.counts.warnings) == (1, 0, 2)


def test_a_claude_conversation_that_names_its_leaf_gives_that_branch_only(tmp_path: Path) -> None:
    messages = [
        {"uuid": "m1", "sender": "human", "text": "Name a tree.", "parent_message_uuid": None},
        {"uuid": "m2", "sender": "assistant", "text": "Oak.", "parent_message_uuid": "m1"},
        {"uuid": "m3", "sender": "assistant", "text": "Birch.", "parent_message_uuid": "m1"},
    ]
    item = {"uuid": "c1", "current_leaf_message_uuid": "m3", "chat_messages": messages}
    (tmp_path / "conversations.json").write_text(json.dumps([item]), "utf-8")
    records = records_of(tmp_path / "conversations.json", tmp_path)
    assert [record["summary"] for record in records] == ["Name a tree.", "Birch."]
    assert records[0]["metadata"]["conversation"]["messages_off_branch"][0]["text"] == "Oak."
