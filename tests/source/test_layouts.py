"""Where items stand: in a wrapper's members, in an archive, in text files; whole, resumed, damaged."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import SourceError
from membatch.config import SourceSettings
from membatch.layout import Layout
from membatch.plan import Checkpoint, RawBatch
from membatch.source import expand, look_at, read
from membatch.source.json_members import _Around as Around
from membatch.source.json_members import _Reading as Reading
from membatch.source.sample import decoded_head, sample_of

WRAPPER = Layout(members=("/results", "/data/memories"), own=("id",))


def batches(path: Path, layout: Layout, after: Checkpoint | None = None, size: int = 2) -> list[RawBatch]:
    limit = SourceSettings(max_record_bytes=10_000)
    file = look_at(str(path), layout, limit.max_record_bytes)
    return list(read([file], after or Checkpoint(), limit, lambda: size, layout))


def items(path: Path, layout: Layout, after: Checkpoint | None = None) -> list[Any]:
    found = []
    for batch in batches(path, layout, after):
        for number, item in enumerate(batch.items):
            rejection = batch.rejected.get(number)
            found.append(rejection.code if rejection else json.loads(item))
    return found


WRAPPERS: dict[str, tuple[bytes, list[Any], Any]] = {
    "one member": (b'{"results":[{"a":1},{"a":2}]}', [{"a": 1}, {"a": 2}], {}),
    "what stands around": (b'{"n":2, "results" : [ {"a":1} ], "next":null}', [{"a": 1}], {"n": 2, "next": None}),
    "two members, one inside": (
        b'{"data":{"x":[1],"memories":[{"a":1}]},"results":[{"a":2}]}',
        [{"a": 1}, {"a": 2}],
        {"data": {"x": [1]}},
    ),
    "names that are escaped": (b'{"r\\u0065sults":[{"a":"]}"}]}', [{"a": "]}"}], {}),
    "an empty member": (b'{"results":[]}', [], {}),
    "no such member": (b'{"a":[{"b":1}]}', [{"a": [{"b": 1}]}], None),
    "a member that is no list": (b'{"results":{"b":1}}', [{"results": {"b": 1}}], None),
    "a member of texts is a field": (b'{"results":["a"],"b":1}', [{"results": ["a"], "b": 1}], None),
    "a field beside a member": (
        b'{"results":["a",2],"data":{"memories":[{"a":1}]}}',
        [{"a": 1}],
        {"results": ["a", 2]},
    ),
    "a text among the items": (b'{"results":["a",{"a":1},7]}', ["a", {"a": 1}, 7], {}),
    "an item of its own": (b'{"results":[],"id":1}', [{"results": [], "id": 1}], None),
    "a wrapper with an id": (b'{"results":[{"a":1}],"id":1}', [{"a": 1}], {"id": 1}),
    "a bare list": (b'[{"a":1}]', [{"a": 1}], None),
    "a member cut short": (b'{"n":2,"results":[{"a":1},{"a":2}', [{"a": 1}, {"a": 2}, "json-truncated"], {"n": 2}),
    "an item cut short": (b'{"results":[{"a":1},{"a":', [{"a": 1}, "json-truncated"], {}),
    "an object after it": (b'{"results":[{"a":1}]}{"b":2}', [{"a": 1}, {"b": 2}], {}),
    "a mark of byte order": (b'\xef\xbb\xbf{"results":[{"a":1}]}', [{"a": 1}], {}),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_items_of_a_wrapper_stand_in_its_members_and_the_rest_is_known(name: str, tmp_path: Path) -> None:
    content, expected, rest = WRAPPERS[name]
    (tmp_path / "in.json").write_bytes(content)
    assert items(tmp_path / "in.json", WRAPPER) == expected
    assert look_at(str(tmp_path / "in.json"), WRAPPER).rest == rest


def test_a_wrapper_is_read_on_from_every_checkpoint_with_places(tmp_path: Path) -> None:
    values = [{"number": number, "text": "☃" * number} for number in range(20)]
    content = json.dumps({"n": 1, "results": values[:9], "data": {"memories": values[9:]}}, indent=1).encode()
    (tmp_path / "in.json").write_bytes(content)
    done = 0
    for batch in batches(tmp_path / "in.json", WRAPPER):
        for item, position in zip(batch.items, batch.positions, strict=True):
            assert position.offset is not None
            assert content[position.offset : position.offset + len(item)] == item
            assert content[: position.offset].count(b"\n") + 1 == position.line
        done += len(batch.items)
        assert items(tmp_path / "in.json", WRAPPER, batch.after) == values[done:]
    assert done == len(values)


def test_what_cannot_be_read_around_the_items_is_a_rejected_item(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(b'{"a":tru,"results":[{"a":1}]}')
    batch = batches(tmp_path / "in.json", WRAPPER)[0]
    assert batch.items == [b"tru", b'{"a":1}']


def test_a_rest_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(json.dumps({"results": [], "x": ["y" * 9_000] * 3}).encode())
    with pytest.raises(SourceError, match="max_record_bytes"):
        batches(tmp_path / "in.json", WRAPPER)


def test_an_archive_is_read_as_a_folder_of_its_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/conversations-1.json", json.dumps([{"a": 2}]))
        archive.writestr("conversations-0.json", json.dumps([{"a": number} for number in range(5)]))
        archive.writestr("user.json", "{}")
        archive.writestr("chat.html", "<html>")
    layout = Layout(names=("conversations*.json",))
    paths = expand([tmp_path / "export.zip"], layout)
    assert [path.removeprefix(f"{tmp_path}/") for path in paths] == [
        "export.zip/b/conversations-1.json",
        "export.zip/conversations-0.json",
    ]
    assert len(expand([tmp_path / "export.zip"])) == 3
    files = [look_at(path, layout) for path in paths]
    found = list(read(files, Checkpoint(), SourceSettings(), lambda: 2, layout))
    assert [json.loads(item)["a"] for batch in found for item in batch.items] == [2, 0, 1, 2, 3, 4]
    assert [document.name for document in found[0].documents.values()] == ["conversations-1", "conversations-0"]
    rest = read(files, found[1].after, SourceSettings(), lambda: 2, layout)
    assert [json.loads(item)["a"] for batch in rest for item in batch.items] == [3, 4]


def test_a_damaged_archive_is_refused_and_a_damaged_member_rejected(tmp_path: Path) -> None:
    (tmp_path / "none.zip").write_bytes(b"no zip")
    with pytest.raises(SourceError, match="not a whole zip file"):
        expand([tmp_path / "none.zip"])
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("a.jsonl", '{"a":1}\n{"a":2}\n')
    content = (tmp_path / "bad.zip").read_bytes().replace(b'{"a":2}', b'{"a":3}', 1)
    (tmp_path / "bad.zip").write_bytes(content)
    assert items(Path(f"{tmp_path}/bad.zip/a.jsonl"), Layout())[-1] == "compression"


def test_text_files_are_read_whole_or_by_line_where_a_format_asks(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# One\n\ntwo ☃\n", "utf-8")
    (tmp_path / "b.txt").write_bytes(b"one\r\n\nt\xffwo\nthree")
    assert items(tmp_path / "a.md", Layout(suffixes=(".md",))) == ["# One\n\ntwo ☃\n"]
    assert items(tmp_path / "b.txt", Layout(suffixes=(".txt",), lines=True)) == ["one", "encoding", "three"]
    assert items(tmp_path / "b.txt", Layout(suffixes=(".txt",))) == ["encoding"]
    with pytest.raises(SourceError, match="unknown kind of file"):
        look_at(str(tmp_path / "a.md"))
    assert len(expand([tmp_path], Layout(suffixes=(".md",)))) == 1


def test_a_table_without_a_first_row_of_names_is_given_them(tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text('"Oh," he said\t27\teebbqej\nyes\t1,2\tab\n', "utf-8")
    layout = Layout(columns=("text", "emotions", "id"), quoted=False)
    expected = [
        {"text": '"Oh," he said', "emotions": "27", "id": "eebbqej"},
        {"text": "yes", "emotions": "1,2", "id": "ab"},
    ]
    assert items(tmp_path / "in.tsv", layout) == expected
    assert items(tmp_path / "in.tsv", layout, batches(tmp_path / "in.tsv", layout, size=1)[0].after) == expected[1:]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(json_values, min_size=1, max_size=5), st.data())
def test_the_beginning_of_a_file_is_a_beginning_of_its_value(values: list[Any], data: st.DataObject) -> None:
    content = json.dumps(values, ensure_ascii=False).encode()
    cut = data.draw(st.integers(1, len(content)))
    assert is_beginning(decoded_head(content[:cut]), values)
    assert decoded_head(content) == values


def is_beginning(found: Any, whole: Any) -> bool:
    if isinstance(found, list) and isinstance(whole, list):
        return len(found) <= len(whole) and all(map(is_beginning, found, whole))
    if isinstance(found, dict) and isinstance(whole, dict):
        return all(is_beginning(item, whole[name]) for name, item in found.items())
    return bool(found == whole)


def test_a_sample_shows_what_a_file_begins_with(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"results": [{"a": 1}, {"a": "x" * 2_000_000}]}), "utf-8")
    (tmp_path / "b.jsonl").write_text('{"a":1}\nbad\n{"a":2}\n', "utf-8")
    (tmp_path / "c.json").write_bytes(b"nothing")
    assert sample_of(str(tmp_path / "a.json"), SourceSettings()).items("/results") == [{"a": 1}, {}]
    assert sample_of(str(tmp_path / "b.jsonl"), SourceSettings()).values == ({"a": 1}, {"a": 2})
    assert sample_of(str(tmp_path / "c.json"), SourceSettings()).values == ()


class Windows:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size, self._at = content, size, 0

    def read(self) -> bytes:
        self._at += self._size
        return self._content[self._at - self._size : self._at]


def scanned(content: bytes, window: int) -> tuple[list[Any], dict[str, Any] | None]:
    """Return the items and the rest of a wrapper read through a small window; no rest where it is none."""
    streams: list[Any] = [Windows(content, window) for _ in range(2)]
    around = Around(streams[0], WRAPPER, 10_000)
    assert list(around.chunks()) == []
    if not around.is_wrapper(WRAPPER):
        return [], None
    found = []
    for chunk in Reading(streams[1], WRAPPER, 10_000, around.spans, Checkpoint()).chunks():
        assert len(chunk.items) == len(chunk.lines) == len(chunk.offsets or [])
        for number, item in enumerate(chunk.items):
            found.append(chunk.rejected[number].code if number in chunk.rejected else item)
    return found, around.rest


wrappers = st.dictionaries(
    st.sampled_from(["results", "data", "x", 'y"]', "id"]),
    st.lists(json_values, max_size=3)
    | json_values
    | st.dictionaries(st.sampled_from(["memories", "results", "z"]), st.lists(json_values, max_size=3), max_size=3),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(wrappers, st.integers(1, 9), st.sampled_from([None, 1]))
def test_any_wrapper_gives_its_items_and_its_rest_through_any_window(
    value: dict[str, Any], window: int, indent: int | None
) -> None:
    data = value.get("data")
    members = {"results": value.get("results"), "data": data.get("memories") if isinstance(data, dict) else None}
    lists = {name: found for name, found in members.items() if isinstance(found, list)}
    fields = {name for name, found in lists.items() if found and not any(isinstance(item, dict) for item in found)}
    found, rest = scanned(json.dumps(value, indent=indent).encode(), window)
    is_empty = all(name in fields or not found for name, found in lists.items())
    if not lists.keys() - fields or (is_empty and "id" in value):
        assert rest is None
        return
    items = [item for name in value if name in lists and name not in fields for item in lists[name]]
    assert [json.loads(item) for item in found] == items
    expected = {name: item for name, item in value.items() if name != "results" or name not in lists.keys() - fields}
    if "data" in lists.keys() - fields:
        expected["data"] = {name: item for name, item in value["data"].items() if name != "memories"}
        if not expected["data"]:
            del expected["data"]
    assert rest == expected or {**(rest or {}), "data": {}} == expected


@settings(max_examples=300, deadline=None)
@given(wrappers, st.binary(max_size=3), st.data())
def test_a_wrapper_that_is_cut_or_damaged_raises_nothing(
    value: dict[str, Any], junk: bytes, data: st.DataObject
) -> None:
    content = json.dumps(value).encode()
    at = data.draw(st.integers(0, len(content)))
    scanned(content[:at] + junk + content[at + data.draw(st.integers(0, 3)) :], 5)


def test_what_was_read_of_a_wrapper_is_not_read_again(tmp_path: Path) -> None:
    values = [{"number": number, "text": "x" * 90} for number in range(60_000)]
    content = json.dumps({"n": 1, "results": values[:30_000], "id": 7, "data": {"memories": values[30_000:]}})
    path = tmp_path / "in.json"
    path.write_text(content, "utf-8")
    file, limit = look_at(str(path), WRAPPER), SourceSettings()
    found = list(read([file], Checkpoint(), limit, lambda: 7_000, WRAPPER))
    done = 0
    for batch in found:
        done += len(batch.items)
        path.write_bytes(b'{"' + b"x" * (batch.after.offset - 2) + content[batch.after.offset :].encode())
        left = read([file], batch.after, limit, lambda: 7_000, WRAPPER)
        assert [json.loads(item)["number"] for rest in left for item in rest.items] == list(range(done, 60_000))
    assert done == 60_000


def test_of_a_name_given_twice_around_items_the_last_wins(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(b'{"data":5,"data":{"x":1,"memories":[{"a":1}]}}')
    assert look_at(str(tmp_path / "in.json"), WRAPPER).rest == {"data": {"x": 1}}
