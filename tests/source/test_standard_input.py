"""Standard input is JSON lines, or one document as a file would hold it; what it is, its first two lines say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch.source.standard_input import is_document

from ..acceptance.command import membatch, report_of

MEM0 = {"id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e", "memory": "Anna moved", "hash": "h", "user_id": "anna"}
OTHER = {**MEM0, "id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8f", "memory": "Tom stayed"}
EXACT = ("--strategy", "exact")

DOCUMENTS: dict[str, bytes] = {
    "a list": json.dumps([MEM0, OTHER]).encode(),
    "a list, indented": json.dumps([MEM0, OTHER], indent=2).encode(),
    "a wrapper on a line": json.dumps({"results": [MEM0, OTHER], "next": "abc"}).encode(),
    "a wrapper, indented": json.dumps({"next": "abc", "results": [MEM0, OTHER]}, indent=1).encode(),
    "a wrapper with an item a line": f'{{"results": [\n{json.dumps(MEM0)},\n{json.dumps(OTHER)}\n]}}'.encode(),
    "a wrapper that begins with blank lines": b"\n \n" + json.dumps({"results": [MEM0, OTHER]}, indent=1).encode(),
    "lines": f"{json.dumps(MEM0)}\n{json.dumps(OTHER)}\n".encode(),
    "lines with pages": f"{json.dumps({'results': [MEM0]})}\n{json.dumps({'results': [OTHER]})}\n".encode(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_piped_loads_as_the_same_in_a_file(name: str, tmp_path: Path) -> None:
    report = report_of(membatch("run", "-", "--json", *EXACT, folder=tmp_path, stdin=DOCUMENTS[name]))
    assert report["format"]["name"] == "mem0"
    assert (report["counts"]["inserted"], report["counts"]["rejected"]) == (2, 0)
    again = report_of(membatch("run", "-", "--json", *EXACT, folder=tmp_path, stdin=DOCUMENTS[name]))
    assert again["counts"]["duplicates"] == again["counts"]["read"] == 2


def test_what_stands_around_the_items_of_a_piped_wrapper_is_kept_with_the_run(tmp_path: Path) -> None:
    store = json.dumps({"schema": "portable-ai-memory", "owner": {"id": "anna"}, "memories": [{"id": "m"}]}, indent=1)
    first = report_of(membatch("run", "-", "--json", folder=tmp_path, stdin=store.encode()))
    assert (first["format"]["name"], first["counts"]["rejected"], first["counts"]["warnings"]) == ("pam", 1, 0)
    whole = store.replace('"id": "m"', '"id": "m", "content": "Anna sings"').encode()
    report_of(membatch("run", "-", "--json", folder=tmp_path, stdin=whole))
    (record,) = [json.loads(line) for line in membatch("export", folder=tmp_path).stdout.splitlines()]
    assert record["scope"] == {"user_id": "anna"}


def test_what_stands_around_the_items_of_a_line_is_kept_with_its_first_record(tmp_path: Path) -> None:
    page = {"results": [{**MEM0, "metadata": {"around": 1}}, OTHER], "next": "abc"}
    pages = json.dumps(page) + "\n" + json.dumps({"results": [{**MEM0, "id": "7"}], "next": None}) + "\n"
    report = report_of(
        membatch("run", "-", "--json", "--strategy", "memory-only", folder=tmp_path, stdin=pages.encode())
    )
    assert (report["counts"]["inserted"], report["counts"]["warnings"]) == (3, 0)
    records = [json.loads(line) for line in membatch("export", folder=tmp_path).stdout.splitlines()]
    assert records[0]["metadata"] == {"around": 1, "hash": "h", "_fields": {"around": {"next": "abc"}}}
    assert [record["metadata"] for record in records[1:]] == [{"hash": "h"}, {"hash": "h"}]


@pytest.mark.parametrize("first", [b'{"summary": "cut ', b'{"summary": "cut",', b'{"summary": "cut', b"junk", b"{"])
def test_a_broken_first_line_costs_itself_only(first: bytes, tmp_path: Path) -> None:
    report = report_of(
        membatch("run", "-", "--json", *EXACT, folder=tmp_path, stdin=first + b'\n{"summary": "Anna moved"}\n')
    )
    assert (report["counts"]["inserted"], report["counts"]["rejected"]) == (1, 1)


@pytest.mark.parametrize("cut", ["]", "}", "3"])
def test_of_a_damaged_wrapper_on_a_line_the_whole_items_are_read_as_from_a_file(cut: str, tmp_path: Path) -> None:
    text = json.dumps({"results": [MEM0, OTHER, {**MEM0, "id": "3"}]}).rpartition(cut)[0].encode()
    (tmp_path / "in.json").write_bytes(text)
    from_file = report_of(membatch("validate", "in.json", "--json", folder=tmp_path))
    piped = report_of(membatch("validate", "-", "--json", folder=tmp_path, stdin=text))
    assert piped["counts"] == from_file["counts"]
    assert piped["counts"]["valid"] >= 2


TABLE = "summary,confidence\n" + "".join(f'"Anna saw bird {number}, again",0.9\n' for number in range(12))


def test_a_piped_table_is_told_to_be_saved_to_a_file(tmp_path: Path) -> None:
    done = membatch("run", "-", *EXACT, folder=tmp_path, stdin=TABLE.encode())
    assert done.returncode == 1
    assert "look like rows of a table: give the file the suffix .csv" in done.stderr.decode()
    (tmp_path / "saved.csv").write_text(TABLE, "utf-8")
    assert membatch("run", "saved.csv", *EXACT, folder=tmp_path).returncode == 0


def test_broken_json_is_not_taken_for_a_table(tmp_path: Path) -> None:
    broken = b'{"summary": "Anna, Ben",\n  "summary": "Anna, Ben",\n  "tags": [\n    "a",\n  ]\n'
    (tmp_path / "in.jsonl").write_bytes(broken)
    done = membatch("run", "in.jsonl", *EXACT, folder=tmp_path)
    assert (done.returncode, b"table" in done.stderr) == (1, False)


def test_lines_are_read_as_they_come_and_not_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "membatch.cli", "convert", "-", "--output", "out.jsonl", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path, env={"TMPDIR": "/nowhere"}) as child:
        assert child.stdin is not None
        for number in range(3):
            child.stdin.write(b'{"summary": "number %d"}\n' % number)
            child.stdin.flush()
        child.stdin.close()
        assert child.wait(60) == 0
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 3


objects = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def first_two(text: bytes) -> list[bytes]:
    return [line for line in text.split(b"\n") if line.strip()][:2]


@settings(max_examples=300, deadline=None)
@given(st.lists(objects, min_size=2, max_size=4))
def test_lines_of_objects_are_lines(values: list[Any]) -> None:
    assert not is_document(*first_two(b"\n".join(json.dumps(value).encode() for value in values)))


@settings(max_examples=300, deadline=None)
@given(objects | st.lists(objects), st.sampled_from([None, 0, 1, 4]))
def test_an_object_or_a_list_is_a_document_however_it_is_indented(value: Any, indent: int | None) -> None:
    assert is_document(*first_two(json.dumps(value, indent=indent).encode()))
