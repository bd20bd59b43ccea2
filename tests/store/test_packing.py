"""New memories are stored as they are, however many go in with one statement and however texts are written."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, StoreError, process
from membatch.config import BatchSettings
from tests.store.test_fingerprints import in_utf_16

RECORDS: list[dict[str, Any]] = [
    {"id": 'a"b\\c', "summary": 'quotes " and \\ and \n new lines', "scope": {"user_id": 'u"1'}},
    {"id": "🍎\u2028", "summary": "我爱🍎 and Zürich", "scope": {"user_id": "ü", "namespace": "n\\n"}},
    {"id": " ", "summary": "...", "scope": {"user_id": "ü"}},
    {"summary": "!?"},
    {"id": "é" * 500, "summary": "x" * 50_000, "content": "y" * 1000},
    {"summary": "plain words of a plain record", "metadata": {"number": 1, "text": "\x7f\u0085"}},
]


def stored(path: Path, records: list[dict[str, Any]], size: int, encoding: str) -> list[tuple[Any, ...]]:
    settings = Config(store=f"sqlite:///{path}", batch=BatchSettings(size=size))
    process(iter([]), config=settings)
    in_utf_16(path, encoding)
    assert process(iter(records), config=settings).counts.inserted == len(records)
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT id, memory.match_scope, record, hex(digest), hex(content_hash), id_hash, quote(tokens), "
        "typeof(id) || typeof(memory.match_scope) || typeof(record), fingerprint.match_scope "
        "FROM memory JOIN fingerprint USING (memory) ORDER BY memory"
    ).fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_rows_are_the_same_whether_they_go_in_one_by_one_or_together(encoding: str, tmp_path: Path) -> None:
    together = stored(tmp_path / "a.db", RECORDS, 1000, encoding)
    assert together == stored(tmp_path / "b.db", RECORDS, 1, encoding)
    assert together == stored(tmp_path / "c.db", RECORDS, 1000, "UTF-8")
    assert [row[0] for row in together[:3]] == [record["id"] for record in RECORDS[:3]]


def test_no_tokens_are_an_empty_value_where_no_record_of_a_batch_has_any(tmp_path: Path) -> None:
    rows = stored(tmp_path / "a.db", [{"summary": "..."}, {"summary": "!?"}], 1000, "UTF-8")
    assert [row[6] for row in rows] == ["X''", "X''"]


@pytest.mark.parametrize("table", ["memory", "fingerprint"])
def test_a_trigger_that_names_a_table_that_is_missing_is_no_records_fault(table: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    process(iter([]), store=url)
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute(f'CREATE TRIGGER log AFTER INSERT ON "{table}" BEGIN INSERT INTO missing VALUES (1); END')
    connection.commit()
    with pytest.raises(StoreError, match="missing"):
        process(iter(RECORDS), store=url)
    assert connection.execute("SELECT count(*) FROM reject").fetchone() == (0,)
    connection.close()
