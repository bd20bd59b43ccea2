"""Published sets of conversations load whole: nothing is rejected, again all is known, ids of files do not meet."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from membatch import Config, process
from membatch.layout import Per

from ..acceptance.command import DATA
from .cases import converted

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not here")


class Given(NamedTuple):
    """What a data set is read as, and how many records it gives: by itself, per message, turn, conversation."""

    format: str
    records: int
    messages: int
    turns: int
    conversations: int


SETS = {
    "locomo/locomo10.json": Given("locomo", 2541, 5882, 5882, 272),
    "xdailydialog": Given("xdailydialog", 62964, 62964, 62964, 7964),
    "memorybank/memory_bank_en.json": Given("memorybank", 1132, 1132, 1132, 149),
    "memorybank/memory_bank_cn.json": Given("memorybank", 1132, 1132, 1132, 150),
    "evermem_teamchat/team_chat_en.json": Given("evermem", 509, 509, 470, 1),
    "evermem_teamchat/team_chat_zh.json": Given("evermem", 510, 510, 470, 1),
    "evermem_teamchat/solo_chat_en.json": Given("evermem", 104, 104, 104, 1),
}


@pytest.mark.parametrize("name", SETS)
def test_a_data_set_is_recognised_and_loads_with_nothing_rejected(name: str, tmp_path: Path) -> None:
    expected = SETS[name]
    config = Config(store=f"sqlite:///{tmp_path / 'memories.db'}")
    report = process(DATA / name, config=config)
    assert report.format is not None
    assert report.format["name"] == expected.format
    assert (report.counts.read, report.counts.rejected) == (expected.records, 0)
    again = process(DATA / name, config=config).counts
    assert again.duplicates == again.read == expected.records


@pytest.mark.parametrize("per", ["message", "turn", "conversation"])
@pytest.mark.parametrize("name", SETS)
def test_a_data_set_can_be_divided_otherwise(name: str, per: Per, tmp_path: Path) -> None:
    expected = SETS[name]
    records, _, rejected = converted(DATA / name, Config(per=per), tmp_path)
    numbers = {"message": expected.messages, "turn": expected.turns, "conversation": expected.conversations}
    assert (len(records), rejected) == (numbers[per], {})


def test_all_of_them_share_a_store_and_no_id_of_one_is_that_of_another(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    for name in SETS:
        assert process(DATA / name, store=f"sqlite:///{path}").counts.rejected == 0
    connection = sqlite3.connect(path)
    ids, distinct = connection.execute("SELECT count(*), count(DISTINCT id) FROM memory").fetchone()
    connection.close()
    assert ids == distinct
