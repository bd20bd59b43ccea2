"""What leads to memories comes out of a store in blocks of columns, whole and in step, or not at all."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, StoreError, process, undo
from membatch.plan import MemoryKey
from membatch.store import Store, open_store
from tests.test_check import a_store

Row = tuple[int, int, bytes, tuple[str, bytes] | None]


def by_columns(store: Store) -> list[Row]:
    """Return memory, id hash, hashes, and of founders that stand scope and tokens, from the blocks."""
    found: list[Row] = []
    for block in store.fingerprints():
        bounds = [0, *block.sizes.cumsum().tolist()]
        tokens = (block.tokens[begin:end].tobytes() for begin, end in itertools.pairwise(bounds))
        standing = zip(block.scopes, tokens, strict=True)
        for at, (memory, id_hash) in enumerate(zip(block.memories.tolist(), block.id_hashes.tolist(), strict=True)):
            assert not (block.stands[at] and block.superseded[at])
            of_founder = next(standing) if block.stands[at] else None
            found.append((memory, id_hash, block.hashes[at].tobytes(), of_founder))
        assert not list(standing)
    return found


def row_by_row(store: Store) -> list[Row]:
    found: list[Row] = []
    for memory in range(1, store.next_key()):
        for row in store.fingerprints_of(MemoryKey(memory)):
            stands = row.founder and not row.superseded
            assert not stands or (row.match_scope is not None and row.tokens is not None)
            of_founder = (row.match_scope or "", row.tokens or b"") if stands else None
            found.append((row.memory, row.id_hash, row.hashes, of_founder))
    return found


def assert_whole(path: Path) -> None:
    with_tokens = Config(store=f"sqlite:///{path}")
    store = open_store(with_tokens.store, with_tokens.dedup.scope)
    try:
        assert sorted(by_columns(store), key=repr) == sorted(row_by_row(store), key=repr)
    finally:
        store.close()


def in_utf_16(path: Path, encoding: str) -> None:
    """Write a store anew as a database whose texts are UTF-16."""
    old = sqlite3.connect(path)
    script = "\n".join(old.iterdump())
    old.close()
    path.unlink()
    new = sqlite3.connect(path)
    new.execute(f"PRAGMA encoding = '{encoding}'")
    new.executescript(script)
    new.close()


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_blocks_hold_what_the_rows_hold_whatever_the_encoding_of_texts(encoding: str, tmp_path: Path) -> None:
    path = a_store(tmp_path)  # with merges, replaced founders, several match scopes
    in_utf_16(path, encoding)
    assert_whole(path)


def test_a_store_whose_texts_are_utf_16_knows_its_records(tmp_path: Path) -> None:
    records = [{"summary": f"我爱 {number} apples 🍎", "scope": {"user_id": f"ü{number % 3}"}} for number in range(50)]
    path = tmp_path / "memories.db"
    process(iter(records), store=f"sqlite:///{path}")
    in_utf_16(path, "UTF-16be")

    again = process(iter(records), store=f"sqlite:///{path}")
    near = process(iter([{**records[7], "summary": "我爱  7 Apples 🍎 now"}]), store=f"sqlite:///{path}")
    assert (again.counts.duplicates, near.counts.merged) == (50, 1)


def test_blocks_go_on_behind_what_an_undone_run_has_left(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memories.db'}"
    process(iter([{"summary": "the first"}]), store=url)
    undone = process(iter({"summary": f"word{number} word{-number}"} for number in range(7_000)), store=url)
    last = process(iter({"summary": f"other{number} thing{-number}"} for number in range(2_500)), store=url)
    assert undone.run_id is not None
    undo(undone.run_id, store=url)
    assert_whole(tmp_path / "memories.db")
    again = process(iter({"summary": f"other{number} thing{-number}"} for number in range(2_500)), store=url)
    assert (last.counts.inserted, again.counts.duplicates) == (2_500, 2_500)


@pytest.mark.parametrize(
    "damage",
    [
        "digest = x'00'",
        "tokens = x'0011'",
        "content_hash = zeroblob(17)",
        "memory = 5000000000",
        "memory = '?'",
        "founder = 1.5",
    ],
)
def test_damaged_fingerprints_are_told(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    process(iter([{"summary": "one"}, {"summary": "two"}]), store=f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE fingerprint SET {damage} WHERE memory = 2")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="fingerprints of this store are damaged"):
        process(iter([{"summary": "three"}]), store=f"sqlite:///{path}")


def test_damaged_tokens_are_told_where_texts_are_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    process(iter([{"summary": "one"}, {"summary": "two"}]), store=f"sqlite:///{path}")
    in_utf_16(path, "UTF-16le")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE fingerprint SET tokens = zeroblob(1) WHERE memory = 2")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="fingerprints of this store are damaged"):
        process(iter([{"summary": "three"}]), store=f"sqlite:///{path}")


def test_a_damaged_match_scope_is_told_without_those_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    records: list[dict[str, Any]] = [{"summary": "one", "scope": {"user_id": "secret"}}, {"summary": "two"}]
    process(records, store=f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE fingerprint SET match_scope = CAST(x'ff22' AS TEXT) WHERE memory = 2")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="damaged") as caught:
        process(iter([{"summary": "three"}]), store=f"sqlite:///{path}")
    assert "secret" not in str(caught.value)


def test_a_first_memory_with_very_many_words_does_not_ask_for_as_much_room_for_each(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memories.db'}"
    process(iter([{"summary": " ".join(map(str, range(9_000)))}]), store=url)
    connection = sqlite3.connect(tmp_path / "memories.db")
    connection.execute(  # what as many merges into it leave
        "INSERT INTO fingerprint (memory, number, founder, digest, content_hash) "
        "SELECT 1, value, 0, randomblob(16), randomblob(16) FROM json_each(?)",
        (json.dumps(list(range(1, 5_001))),),
    )
    connection.commit()
    connection.close()
    code = (
        "import psutil, resource, sys; from membatch import process; process(iter([{'summary': 'warm up'}]));"
        "most = psutil.Process().memory_info().vms + 200_000_000; resource.setrlimit(resource.RLIMIT_AS, (most, most));"
        "print(process(iter([{'summary': 'b'}]), store=sys.argv[1]).counts.inserted)"
    )
    done = subprocess.run([sys.executable, "-c", code, url], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr


def test_tokens_are_added_by_the_first_opening_that_needs_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memories.db'}"
    text = "the number {} and ten more words that are the same in all of them"
    records = [{"summary": text.format(f"n{number}")} for number in range(2_100)]
    exact = Config.load(store=url, dedup__strategy="exact")
    assert process(iter(records), config=exact).counts.inserted == 2_100
    assert process(iter(records[:5]), config=exact).counts.duplicates == 5
    nearly = process(iter([{"summary": text.format("of") + " too"}]), config=Config.load(store=url))
    assert nearly.counts.inserted == 1  # no number is the same
    again = process(iter([{"summary": text.format("N2099") + " also"}]), config=Config.load(store=url))
    assert (again.counts.merged, again.counts.inserted) == (1, 0)
    assert_whole(tmp_path / "memories.db")
