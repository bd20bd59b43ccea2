"""A table or query gives every row with its place, whole or from anywhere, and is left as it was."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import SourceError
from membatch.config import SourceSettings
from membatch.plan import Checkpoint, RawBatch, Reached, checkpoint_at
from membatch.source import changes, expand, look_at, read
from membatch.source.names import reader_of
from membatch.source.sql import ROWS_PER_PAGE, selection_of


def database(path: Path, *statements: str, rows: list[tuple[Any, ...]] | None = None) -> Path:
    """Make a database by statements; the last one is given each of the rows."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements[:-1] if rows is not None else statements:
            connection.execute(statement)
        if rows is not None:
            connection.executemany(statements[-1], rows)
        connection.commit()
    return path


def notes(folder: Path, count: int = 50, mode: str = "DELETE") -> Path:
    return database(
        folder / "old.db",
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, summary TEXT, level INTEGER)",
        "CREATE VIEW recent AS SELECT id, summary FROM notes",
        "INSERT INTO notes (summary, level) VALUES (?, ?)",
        rows=[(f"number {number} ☃", number % 7) for number in range(count)],
    )


def url(path: Path, options: str) -> str:
    return f"sqlite:///{path}?{options}"


def batches(source: str, after: Checkpoint | None = None, size: int = 3) -> Iterator[RawBatch]:
    return read([look_at(source)], after or Checkpoint(), SourceSettings(max_record_bytes=10_000), lambda: size)


def items(source: str, after: Checkpoint | None = None, size: int = 3) -> list[Any]:
    found = []
    for batch in batches(source, after, size):
        for number, item in enumerate(batch.items):
            rejection = batch.rejected.get(number)
            found.append(rejection.code if rejection else json.loads(item))
    return found


def assert_is_read_from_everywhere(source: str, size: int = 3) -> None:
    """Read a source on from each record and from behind each batch: what was not read then is what comes."""
    everything = items(source, size=size)
    done = 0
    for batch in batches(source, size=size):
        for number, position in enumerate(batch.positions):
            assert position.line == done + number + 1
            assert items(source, checkpoint_at(position), size) == everything[done + number :]
        done += len(batch.items)
        assert items(source, batch.after, size) == everything[done:]
    assert done == len(everything)


WHOLE = {
    "a table": "table=notes",
    "a table by its key": "table=notes&order=id",
    "names in another case": "table=NOTES&order=ID",
    "a table by a column without an index": "table=notes&order=summary",
    "a table by a column that repeats its values": "table=notes&order=level",
    "a table by its rowid": "table=notes&order=rowid",
    "a view": "table=recent&order=id",
    "a query": "query=SELECT * FROM notes&order=id",
    "a query that ends in a comment": "query=SELECT * FROM notes -- all of them&order=id",
    "a query with an end": "query=SELECT * FROM notes;&order=id",
    "a query that sorts otherwise": "query=SELECT * FROM notes ORDER BY level&order=id",
    "a query that cannot begin anywhere": "query=SELECT level, count(*) AS n FROM notes GROUP BY level&order=level",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_table_or_query_is_read_whole_and_from_everywhere(name: str, tmp_path: Path) -> None:
    source = url(notes(tmp_path), WHOLE[name])
    assert len(items(source)) == (7 if "GROUP" in source else 50)
    assert_is_read_from_everywhere(source)


@pytest.mark.parametrize("index", ["", "CREATE INDEX by_level ON notes (level)"])
@pytest.mark.parametrize("order", ["id", "level"])
def test_pages_join_whatever_value_they_end_at(order: str, index: str, tmp_path: Path) -> None:
    path = notes(tmp_path, 3 * ROWS_PER_PAGE + 10)
    database(path, *filter(None, [index]))
    expected: list[dict[str, Any]] = [
        {"id": n + 1, "summary": f"number {n} ☃", "level": n % 7} for n in range(3 * ROWS_PER_PAGE + 10)
    ]
    expected.sort(key=lambda row: row[order])
    source = url(path, f"table=notes&order={order}")
    assert items(source, size=900) == expected
    done = 0
    for batch in batches(source, size=900):
        done += len(batch.items)
        assert items(source, batch.after, 900) == expected[done:]


KEYS = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(0, 3)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.sampled_from(["a", "A", "b", "é", "E"])
    | st.binary(max_size=3)
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(KEYS, st.booleans()), max_size=12),
    st.sampled_from(["", "TEXT", "TEXT COLLATE NOCASE", "INTEGER", "REAL", "BLOB"]),
    st.booleans(),
    st.sampled_from(["UTF-8", "UTF-16le", "UTF-16be"]),
    st.integers(1, 5),
)
def test_any_values_of_any_column_are_an_order(
    tmp_path_factory: pytest.TempPathFactory,
    keys: list[tuple[Any, bool]],
    kind: str,
    has_index: bool,
    encoding: str,
    size: int,
) -> None:
    path = tmp_path_factory.mktemp("orders") / "old.db"
    database(
        path,
        f"PRAGMA encoding = '{encoding}'",
        f"CREATE TABLE notes (k {kind}, n INTEGER)",
        *["CREATE INDEX by_k ON notes (k)"][:has_index],
    )
    rows = [(key, is_cast, number) for number, (key, is_cast) in enumerate(keys)]
    for key, is_cast, number in rows:  # bytes cast to text may be no UTF-8
        value = "CAST(? AS TEXT)" if is_cast and isinstance(key, bytes) else "?"
        database(path, f"INSERT INTO notes VALUES ({value}, ?)", rows=[(key, number)])
    source = url(path, "table=notes&order=k")
    with closing(sqlite3.connect(path)) as connection:
        numbers = [n for (n,) in connection.execute("SELECT n FROM notes ORDER BY k COLLATE BINARY")]
    found = items(source, size=size)
    assert [row["n"] for row in found if isinstance(row, dict)] == [
        number for number, row in zip(numbers, found, strict=True) if isinstance(row, dict)
    ]
    assert_is_read_from_everywhere(source, size)


CELLS = {
    "a text": ("'Anna'", "Anna"),
    "a whole number": ("9007199254740993", 9007199254740993),
    "a number": ("0.5", 0.5),
    "nothing": ("NULL", None),
    "JSON in a text": ("""'{"user_id": "u"}'""", '{"user_id": "u"}'),
    "JSON in bytes": ("""CAST('{"user_id": "ü"}' AS BLOB)""", '{"user_id": "ü"}'),
    "bytes that are no text": ("x'c8ff00'", "yP8A"),
    "bytes with a zero": ("x'6100'", "YQA="),
    "a text that is not UTF-8": ("CAST(x'61ff' AS TEXT)", "encoding"),
    "a surrogate": ("CAST(x'eda080' AS TEXT)", "encoding"),
    "an endless number": ("9e999", "number-range"),
    "a long text": ("printf('%.20000c', 'x')", "too-long"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_row_is_an_object_of_its_columns_or_costs_itself_only(name: str, tmp_path: Path) -> None:
    cell, expected = CELLS[name]
    is_rejected = isinstance(expected, str) and expected in ("encoding", "number-range", "too-long")
    path = database(tmp_path / "old.db", "CREATE TABLE notes (cell)", f"INSERT INTO notes VALUES (1), ({cell}), (2)")
    between = expected if is_rejected else {"cell": expected}
    assert items(url(path, "table=notes")) == [{"cell": 1}, between, {"cell": 2}]
    rejected = [(number, raw) for batch in batches(url(path, "table=notes")) for number, raw in batch.rejected.items()]
    assert [number for number, _ in rejected] == ([1] if is_rejected else [])


def test_a_row_that_is_not_utf_8_is_kept_with_its_bytes(tmp_path: Path) -> None:
    path = database(
        tmp_path / "old.db", "CREATE TABLE notes (a, b)", "INSERT INTO notes VALUES ('é', CAST(x'ff' AS TEXT))"
    )
    (batch,) = batches(url(path, "table=notes"))
    assert batch.rejected[0].raw == '{"a": "é", "b": "'.encode() + b'\xff"}'


def test_a_query_without_an_order_column_is_read_in_its_own_order(tmp_path: Path) -> None:
    source = url(notes(tmp_path), "query=SELECT id FROM notes ORDER BY level DESC, id")
    expected = sorted(range(1, 51), key=lambda number: (-((number - 1) % 7), number))
    assert [row["id"] for row in items(source)] == expected
    assert [row["id"] for row in items(source, Checkpoint(line=20))] == expected[19:]


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    source = url(notes(tmp_path, 1), "query=SELECT a.id, b.id FROM notes a, notes b&order=id")
    assert items(source) == [{"id": 1, "id:1": 1}]


def test_names_hold_whatever_characters_they_like(tmp_path: Path) -> None:
    name = 'a "b" ; c&order=d%'
    path = database(
        tmp_path / "100%, really?.db",
        'CREATE TABLE "a ""b"" ; c&order=d%" ("x ""y""" TEXT, rowid TEXT)',
        'INSERT INTO "a ""b"" ; c&order=d%" VALUES (?, ?)',
        rows=[(f"{number}", "r") for number in range(9)],
    )
    order = quote('x "y"')
    source = f"sqlite:///{quote(str(path))}?table={quote(name)}&order={order}"
    assert items(source) == [{'x "y"': f"{number}", "rowid": "r"} for number in range(9)]
    assert_is_read_from_everywhere(source)
    assert_is_read_from_everywhere(f"sqlite:///{quote(str(path))}?table={quote(name)}")


QUERIES = (
    "SELECT id, summary FROM notes WHERE summary LIKE '%2%' AND id + 1 > 5 & 7",
    "SELECT '%20' AS a, '+' AS b FROM notes",
)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_may_be_encoded_or_not(query: str, tmp_path: Path) -> None:
    path = notes(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        expected = [list(row) for row in connection.execute(query)]
    for written in (query, quote(query), quote_plus(query)):
        assert [list(row.values()) for row in items(url(path, f"query={written}"))] == expected
        assert selection_of(url(path, f"query={written}&order=a")).order == "a"


WRONG = {
    "a file that is missing": ("sqlite:///no.db?table=notes", "no such file: no.db"),
    "a folder": ("sqlite:////?table=notes", "is a folder"),
    "no file": ("sqlite://?table=notes", "names no file"),
    "a host": (
        "sqlite://me:s3cret@host/old.db?table=notes",
        r"sqlite://me:\*\*\*@host/old.db\?table=notes names no file",
    ),
    "no database": ("sqlite:///text.txt?table=notes", "it is no SQLite database"),
    "no table": ("sqlite:///old.db", r"names no table, and no query: .*old.db\?table=notes'"),
    "a table that is missing": ("sqlite:///old.db?table=note", "has no table note: did you mean notes?"),
    "a table of another kind of name": ("sqlite:///old.db?table=x", "its tables are notes, recent"),
    "a column that is missing": ("sqlite:///old.db?table=notes&order=sumary", "did you mean summary?"),
    "an order that no query has": ("sqlite:///old.db?query=SELECT id FROM notes&order=rowid", "no column rowid"),
    "an option that is none": ("sqlite:///old.db?tabel=notes", "'tabel' is unknown: did you mean table?"),
    "an option without a value": ("sqlite:///old.db?table=", "'table' has no value"),
    "an option twice": ("sqlite:///old.db?table=a&table=b", "'table' is given twice"),
    "a table and a query": ("sqlite:///old.db?table=notes&query=SELECT 1", "names a table and a query"),
    "a query that deletes": ("sqlite:///old.db?query=DELETE FROM notes", 'one SELECT, .* near "DELETE"'),
    "a query that deletes and tells": ("sqlite:///old.db?query=DELETE FROM notes RETURNING *", "one SELECT"),
    "a query that makes": ("sqlite:///old.db?query=CREATE TABLE a AS SELECT 1", "one SELECT"),
    "a query that attaches": ("sqlite:///old.db?query=ATTACH 'x.db' AS x", "one SELECT"),
    "a pragma": ("sqlite:///old.db?query=PRAGMA journal_mode = DELETE", "one SELECT"),
    "several statements": ("sqlite:///old.db?query=SELECT 1; DELETE FROM notes", "one SELECT"),
    "a bracket too many": ("sqlite:///old.db?query=SELECT 1); DELETE FROM notes; --", "one SELECT"),
    "a parameter": ("sqlite:///old.db?query=SELECT ? AS a", "one SELECT"),
    "a query of a missing table": ("sqlite:///old.db?query=SELECT * FROM note", "no such table: note"),
    "a database without its URL": ("old.db", r"'sqlite:///old.db\?table=NAME'"),
    "another kind of database": ("mysql://me:s3cret@host/x", r"mysql://me:\*\*\*@host/x is a URL"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_refused_with_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, message = WRONG[name]
    before = hashlib.sha256(notes(tmp_path).read_bytes()).digest()
    (tmp_path / "text.txt").write_text("no database, but long enough to be looked at " * 50)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=message):
        look_at(expand([source])[0])
    assert hashlib.sha256((tmp_path / "old.db").read_bytes()).digest() == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_reading_changes_nothing_and_another_program_may_write_meanwhile(mode: str, tmp_path: Path) -> None:
    path = notes(tmp_path, 3 * ROWS_PER_PAGE, mode)
    before = hashlib.sha256(path.read_bytes()).digest()
    assert len(items(url(path, "table=notes"), size=1000)) == 3 * ROWS_PER_PAGE
    assert hashlib.sha256(path.read_bytes()).digest() == before
    reading = batches(url(path, "table=notes"), size=1000)
    first = next(reading)
    with closing(sqlite3.connect(path, timeout=0)) as connection, connection:
        connection.execute("INSERT INTO notes (summary) VALUES ('added')")
        connection.execute("DELETE FROM notes WHERE id < 2001")
    rows = [json.loads(item) for batch in itertools.chain([first], reading) for item in batch.items]
    assert [row["id"] for row in rows] == list(range(1, 3 * ROWS_PER_PAGE + 2))


def test_columns_that_change_meanwhile_are_told_or_left_for_the_next_run(tmp_path: Path) -> None:
    path = notes(tmp_path, 2 * ROWS_PER_PAGE)
    reading = batches(url(path, "table=notes"), size=1000)
    next(reading)
    database(path, "ALTER TABLE notes ADD COLUMN more DEFAULT 'more'")
    rest = [json.loads(item) for batch in reading for item in batch.items]
    assert {tuple(row) for row in rest} == {("id", "summary", "level")}
    reading = batches(url(path, "table=notes"), size=1000)
    next(reading)
    database(path, "ALTER TABLE notes DROP COLUMN level")
    with pytest.raises(SourceError, match=r"no such column: source.level.* go on with `membatch resume`"):
        list(reading)


def test_a_page_of_long_rows_ends_at_its_bytes(tmp_path: Path) -> None:
    rows = [(f"{number} " + "x" * 1_000_000,) for number in range(20)]
    path = database(tmp_path / "old.db", "CREATE TABLE notes (a)", "INSERT INTO notes VALUES (?)", rows=rows)
    source = url(path, "table=notes")
    chunks = list(reader_of(source).read(source, Checkpoint(), SourceSettings()))
    assert max(sum(map(len, chunk.items)) for chunk in chunks) < 6_000_000
    assert [json.loads(item)["a"] for chunk in chunks for item in chunk.items] == [row[0] for row in rows]


def test_a_database_that_is_locked_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = notes(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="another program holds it locked"):
            look_at(url(path, "table=notes"))


@pytest.mark.parametrize("options", ["table=notes", "table=notes&order=id", "query=SELECT * FROM notes&order=id"])
def test_a_damaged_page_ends_the_source_with_one_rejection(options: str, tmp_path: Path) -> None:
    path = notes(tmp_path, 2000)
    expected = items(url(path, options), size=500)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 100] = b"\xff" * 100
    path.write_bytes(content)
    found = items(url(path, options), size=500)
    assert 100 < len(found) < 2000
    assert found[:-1] == expected[: len(found) - 1]
    assert found[-1] == "sql-malformed"
    for line in (1, 2, 100, len(found) - 1, len(found)):
        reached = None if line == 1 else Reached(line - 1, 1)
        assert items(url(path, options), Checkpoint(line=line, reached=reached), 500) == found[line - 1 :]


def changed(source: str, *statements: str, lines: int = 20) -> str | None:
    """Return what is found to have changed after some rows were read and then statements were executed."""
    looks = look_at(source)
    after = next(iter(batches(source, size=lines))).after
    database(Path(selection_of(source).path), *statements)
    return changes(looks, after)


CHANGES = {
    "nothing": ("", None),
    "a row behind": ("INSERT INTO notes VALUES (99, 'new', 1)", None),
    "a row behind that is gone": ("DELETE FROM notes WHERE id = 40", None),
    "a row before": (
        "INSERT INTO notes VALUES (0, 'new', 1)",
        "had 20 rows up to where the run stopped and now has 21",
    ),
    "a row before that is gone": ("DELETE FROM notes WHERE id = 3", "had 20 rows .* now has 19"),
    "the row that was read last, behind which reading goes on all the same": ("DELETE FROM notes WHERE id = 20", None),
    "another column": ("ALTER TABLE notes ADD COLUMN more", "had the columns id, summary, level and now has"),
    "all rows": ("DELETE FROM notes", "had 20 rows .* now has 0"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_what_would_skip_or_repeat_rows_counts_as_a_change(name: str, tmp_path: Path) -> None:
    statement, message = CHANGES[name]
    found = changed(url(notes(tmp_path), "table=notes"), *filter(None, [statement]))
    if message is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(message, found)
