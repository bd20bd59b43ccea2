"""Every kind of file gives every record with its place, whole or resumed, whatever the batch size."""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import SourceError
from membatch.config import SourceSettings
from membatch.plan import Checkpoint, RawBatch
from membatch.source import expand, look_at, read
from membatch.source.names import reader_of

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def batches(path: Path, after: Checkpoint | None = None, size: int = 3, limit: int = 10_000) -> list[RawBatch]:
    found = read([look_at(str(path))], after or Checkpoint(), SourceSettings(max_record_bytes=limit), lambda: size)
    return list(found)


def items(path: Path, after: Checkpoint | None = None, size: int = 3, limit: int = 10_000) -> list[Any]:
    found = []
    for batch in batches(path, after, size, limit):
        for number, item in enumerate(batch.items):
            rejection = batch.rejected.get(number)
            found.append(rejection.code if rejection else json.loads(item))
    return found


def write(path: Path, kind: str, compression: str, values: list[dict[str, Any]]) -> Path:
    if kind == "jsonl":
        text = "".join(json.dumps(value) + "\n" for value in values)
    elif kind == "json":
        text = json.dumps(values, indent=1)
    else:
        separator = "," if kind == "csv" else "\t"
        rows = [separator.join(values[0]), *(separator.join(value.values()) for value in values)]
        text = "\n".join(rows) + "\n"
    file = path / f"in.{kind}{compression}"
    file.write_bytes(COMPRESS[compression](text.encode()))
    return file


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv"])
def test_every_kind_of_file_is_read_whole_and_from_every_checkpoint(
    kind: str, compression: str, tmp_path: Path
) -> None:
    values = [{"summary": f"number {number} ☃", "kind": "fact"} for number in range(20)]
    file = write(tmp_path, kind, compression, values)
    assert items(file) == values
    done = 0
    for batch in batches(file, size=4):
        done += len(batch.items)
        assert items(file, after=batch.after) == values[done:]


def test_parquet_is_read_whole_and_from_every_checkpoint(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [{"summary": f"number {number}", "tags": ["a", "b"]} for number in range(50)]
    pq.write_table(pa.Table.from_pylist(values), tmp_path / "in.parquet", row_group_size=7)
    assert items(tmp_path / "in.parquet") == values
    done = 0
    for batch in batches(tmp_path / "in.parquet", size=4):
        done += len(batch.items)
        assert items(tmp_path / "in.parquet", after=batch.after) == values[done:]


@pytest.mark.parametrize("kind", ["jsonl", "json"])
def test_positions_name_the_line_and_the_byte(kind: str, tmp_path: Path) -> None:
    file = write(tmp_path, kind, "", [{"summary": "é" * number} for number in range(1, 9)])
    content = file.read_bytes()
    for batch in batches(file):
        for item, position in zip(batch.items, batch.positions, strict=True):
            assert position.offset is not None
            assert content[position.offset : position.offset + len(item)] == item
            assert content[: position.offset].count(b"\n") + 1 == position.line


ARRAYS = {
    "an array on one line": (b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
    "nested arrays are elements": (b'[[1,[2]],{"a":"]"}]', [[1, [2]], {"a": "]"}]),
    "values one after another": (b'{"a":1}\n{"a":2} {"a":3}', [{"a": 1}, {"a": 2}, {"a": 3}]),
    "scalars are elements": (b'[1, "x,]", null]', [1, "x,]", None]),
    "an escaped quote": (b'[{"a":"\\\\\\"]}"}]', [{"a": '\\"]}'}]),
    "a missing comma": (b'[{"a":1} {"a":2}]', [{"a": 1}, {"a": 2}]),
    "an array that is cut": (b'[{"a":1},{"a":2}', [{"a": 1}, {"a": 2}, "json-truncated"]),
    "an element that is cut": (b'[{"a":1},{"a":', [{"a": 1}, "json-truncated"]),
    "a string that is cut": (b'[{"a":1},{"a":"x', [{"a": 1}, "json-truncated"]),
    "an empty array": (b"[ ]", []),
    "an empty file": (b"", []),
    "UTF-16": (b"\xff\xfe[\x00]\x00", ["encoding"]),
    "a byte order mark": (b'\xef\xbb\xbf[{"a":1}]', [{"a": 1}]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_json_file_is_taken_apart_by_its_brackets(name: str, tmp_path: Path) -> None:
    content, expected = ARRAYS[name]
    (tmp_path / "in.json").write_bytes(content)
    assert items(tmp_path / "in.json") == expected


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_a_file_of_another_kind_than_its_name_says_is_named_as_what_it_is(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"in.{suffix}"
    file.write_bytes(gzip.compress(b'{"summary": "a"}\n' * 100))
    (batch,) = batches(file)
    assert [(each.code, each.message) for each in batch.rejected.values()] == [
        ("other-kind", "this is no text but gzip-compressed")
    ]
    assert len(batch.items) == 1


def test_a_pipe_is_no_file_and_the_error_says_where_to_give_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.jsonl")
    with pytest.raises(SourceError, match="membatch run -"):
        expand([tmp_path / "in.jsonl"])


def test_an_element_over_the_limit_costs_itself_only(tmp_path: Path) -> None:
    content = json.dumps([{"a": 1}, {"a": 'x"]}' * 500_000}, {"a": 2}]).encode()
    (tmp_path / "in.json").write_bytes(content)
    assert items(tmp_path / "in.json", limit=1000) == [{"a": 1}, "too-long", {"a": 2}]
    rejection = next(iter(batches(tmp_path / "in.json", limit=1000)[0].rejected.values()))
    assert (rejection.raw_length, len(rejection.raw)) == (len(json.dumps({"a": 'x"]}' * 500_000})), 64 * 1024)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=8,
        ).filter(lambda value: not isinstance(value, int)),
        max_size=6,
    ),
    st.integers(0, 3),
    st.integers(1, 9),
)
def test_any_json_array_gives_its_elements_through_any_window(values: list[Any], indent: int, window: int) -> None:
    from membatch.source.json_array import Scanner

    content = json.dumps(values, indent=indent or None).encode()

    class Windows:
        at = 0

        def read(self) -> bytes:
            self.at += window
            return content[self.at - window : self.at]

    scanner = Scanner(Windows(), Checkpoint(), 10_000)  # type: ignore[arg-type]
    found = [json.loads(item) for chunk in scanner.chunks() for item in chunk.items]
    assert found == values


TABLES = {
    "quotes and line ends in cells": (b'a,b\n"x\ny","1,2"\n', [{"a": "x\ny", "b": "1,2"}]),
    "blank lines": (b"a,b\n\n1,2\n\n", [{"a": "1", "b": "2"}]),
    "too many cells": (b"a,b\n1,2,3\n4,5\n", ["csv-malformed", {"a": "4", "b": "5"}]),
    "too few cells": (b"a,b\n1\n", [{"a": "1"}]),
    "a quote in the wrong place": (b'a,b\n"x"y,2\n3,4\n', ["csv-malformed", {"a": "3", "b": "4"}]),
    "bytes that are not UTF-8": (b"a,b\n\xff,2\n3,4\n", ["encoding", {"a": "3", "b": "4"}]),
    "a byte order mark and CRLF": (b"\xef\xbb\xbfa,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
    "a column named twice": (b"a,a\n1,2\n", ["csv-malformed"]),
    "a header only": (b"a,b\n", []),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_csv_row_costs_itself_only(name: str, tmp_path: Path) -> None:
    content, expected = TABLES[name]
    (tmp_path / "in.csv").write_bytes(content)
    assert items(tmp_path / "in.csv") == expected


def test_a_quote_that_never_closes_costs_its_line_only(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b'a,b\n"x,2\n' + b"3,4\n" * 1000)
    assert items(tmp_path / "in.csv", limit=1000) == ["csv-malformed"] + [{"a": "3", "b": "4"}] * 1000


def test_files_of_a_folder_come_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/z.json", "ä.jsonl", "B.csv", ".hidden/x.jsonl", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [str(Path(path).relative_to(tmp_path)) for path in expand([tmp_path])] == [
        "B.csv",
        "a/z.json",
        "b.jsonl",
        "ä.jsonl",
    ]


def test_an_unknown_suffix_is_refused_with_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_bytes(b"")
    with pytest.raises(SourceError, match=r"\.jsonl"):
        expand([tmp_path / "in.xml"])


def test_a_decompression_bomb_is_read_past_in_little_memory(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(b"\0" * 300_000_000))
    assert items(tmp_path / "in.jsonl.gz") == ["too-long"]


def test_a_batch_of_long_records_closes_at_its_bytes(tmp_path: Path) -> None:
    line = b'{"summary": "' + b"x" * 10_000_000 + b'"}\n'
    (tmp_path / "in.jsonl").write_bytes(line * 20)
    sizes = [
        len(raw.items)
        for raw in read([look_at(str(tmp_path / "in.jsonl"))], Checkpoint(), SourceSettings(), lambda: 50)
    ]
    assert sum(sizes) == 20
    assert max(sizes) * len(line) < 100_000_000


def garbled(content: bytes, kind: str, upto: int) -> bytes:
    """Return a file of which all is overwritten that came before an offset, what tells its kind aside."""
    kept = {"json": 1, "csv": content.index(b"\n") + 1, "jsonl": 0}[kind]
    return content[:kept] + b"\xff" * max(0, upto - kept) + content[max(kept, upto) :]


@pytest.mark.parametrize("kind", ["json", "csv", "jsonl"])
def test_what_was_read_of_a_plain_file_is_not_read_again(kind: str, tmp_path: Path) -> None:
    values = [{"summary": f"number {number} " + "x" * 40, "kind": "fact"} for number in range(50_000)]
    file = write(tmp_path, kind, "", values)
    content = file.read_bytes()
    source, done = look_at(str(file)), 0
    for batch in read([source], Checkpoint(), SourceSettings(), lambda: 9_000):
        done += len(batch.items)
        file.write_bytes(garbled(content, kind, batch.after.offset))
        left = list(read([source], batch.after, SourceSettings(), lambda: 9_000))
        assert [json.loads(item) for rest in left for item in rest.items] == values[done:]
        assert not left or (left[0].positions[0].offset or 0) >= batch.after.offset
        file.write_bytes(content)
    assert done == len(values)


def test_a_damaged_row_group_of_parquet_costs_its_own_rows_and_says_which(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, values = tmp_path / "in.parquet", [{"summary": f"number {number} {'x' * 50}"} for number in range(40)]
    pq.write_table(pa.Table.from_pylist(values), path, row_group_size=10, use_dictionary=False)
    content = bytearray(path.read_bytes())
    for group in (1, 3):
        column = pq.ParquetFile(path).metadata.row_group(group).column(0)
        at = column.data_page_offset
        content[at : at + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    found = items(path, size=7)
    assert found == [*values[:10], "parquet-malformed", *values[20:30], "parquet-malformed"]
    messages = [rejection.message for batch in batches(path, size=7) for rejection in batch.rejected.values()]
    assert [message.partition(" were")[0] for message in messages] == ["rows 11 to 20", "rows 31 to 40"]
    done = 0
    for batch in batches(path, size=3):
        done += len(batch.items)
        assert items(path, after=batch.after) == found[done:]


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_a_chunk_of_long_rows_closes_at_its_bytes(kind: str, tmp_path: Path) -> None:
    values = [{"summary": f"{number} " + "x" * 1_000_000, "kind": "fact"} for number in range(20)]
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = tmp_path / "in.parquet"
        pq.write_table(pa.Table.from_pylist(values), file)
    else:
        file = write(tmp_path, kind, "", values)
    chunks = list(reader_of(str(file)).read(str(file), Checkpoint(), SourceSettings()))
    assert max(sum(map(len, chunk.items)) for chunk in chunks) < 6_000_000
    assert [json.loads(item) for chunk in chunks for item in chunk.items] == values


@pytest.mark.parametrize("compression", [".gz", ".zst", ".bz2", ".xz"])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_a_damaged_stream_ends_with_one_rejection(kind: str, compression: str, tmp_path: Path) -> None:
    values = [{"summary": f"number {number}", "kind": "fact"} for number in range(20)]
    file = write(tmp_path, kind, compression, values)
    packed = file.read_bytes()
    for cut in range(1, len(packed), 7):
        file.write_bytes(packed[: len(packed) - cut])
        found = list(itertools.islice(items(file), 100))
        good = [item for item in found if isinstance(item, dict)]
        assert good == values[: len(good)]
        assert found[len(good) :] in (["compression"], [] if good == values else ["compression"])


def test_values_of_parquet_that_json_has_not_are_said_or_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read_back(column: Any) -> list[Any]:
        pq.write_table(pa.table({"a": column}), tmp_path / "in.parquet")
        return items(tmp_path / "in.parquet")

    assert read_back([b"text", b"\xff", None]) == [{"a": "text"}, {"a": "/w=="}, {"a": None}]
    assert read_back([1.5, float("inf"), float("nan")]) == [{"a": 1.5}, "number-range", {"a": None}]
    assert read_back([{"b": [float("-inf")]}, {"b": [1]}]) == ["number-range", {"a": {"b": [1]}}]
    nanoseconds = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC"))
    assert read_back(nanoseconds) == [{"a": "2023-11-14T22:13:20.123456Z"}]


def test_a_column_of_parquet_that_occurs_twice_is_refused_as_in_csv(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_arrays([pa.array(["one"]), pa.array(["two"])], names=["summary", "summary"])
    pq.write_table(table, tmp_path / "in.parquet")
    assert items(tmp_path / "in.parquet") == ["parquet-malformed"]
