"""A row of a table gives the record that its cells say, loses none of them, and ends in no unforeseen error."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, convert, process


def converted(folder: Path, row: dict[str, str]) -> tuple[list[Any], dict[str, int]]:
    """Return the records that a table of one row gives, and the codes of its rejections."""
    source, output = folder / "in.csv", folder / "out.jsonl"
    with source.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([list(row), list(row.values())])
    report = convert(source, output, format="membatch")
    return [json.loads(line) for line in output.read_text().splitlines()], report.errors["by_code"]


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "1e999", "0_1", "１"])
def test_cell_that_is_no_number_is_refused(cell: str, tmp_path: Path) -> None:
    assert converted(tmp_path, {"summary": "Anna", "confidence": cell}) == ([], {"confidence-type": 1})


@pytest.mark.parametrize("cell", ['{"a": 1e999}', '{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1'])
def test_cell_that_is_not_json_is_refused(cell: str, tmp_path: Path) -> None:
    assert converted(tmp_path, {"summary": "Anna", "metadata": cell}) == ([], {"metadata-type": 1})


@pytest.mark.parametrize("more", [{}, {"metadata.b": "c"}])
def test_cell_that_nests_too_deep_is_refused(more: dict[str, str], tmp_path: Path) -> None:
    cell = '{"a":' * 500 + "1" + "}" * 500
    assert converted(tmp_path, {"summary": "Anna", "metadata": cell, **more}) == ([], {"too-deep": 1})


@pytest.mark.parametrize("more", [{}, {"scope.user_id": "u"}])
def test_object_in_a_cell_stays_one_whatever_its_names(more: dict[str, str], tmp_path: Path) -> None:
    records, _ = converted(tmp_path, {"summary": "Anna", "metadata": '{"0": "a", "b": {"0": "c", "1": "d"}}', **more})
    assert records[0]["metadata"] == {"0": "a", "b": {"0": "c", "1": "d"}}


def test_names_of_columns_that_are_numbers_make_a_list(tmp_path: Path) -> None:
    row = {"summary": "Anna", "participants.1.id": "b", "participants.0.id": "a"}
    assert converted(tmp_path, row)[0][0]["participants"] == [{"id": "a"}, {"id": "b"}]


@pytest.mark.parametrize("sign", ["²", "9" * 5000])
def test_name_that_is_no_place_in_a_list_is_refused(sign: str, tmp_path: Path) -> None:
    assert converted(tmp_path, {"summary": "Anna", f"participants.{sign}": "a"}) == ([], {"participants-type": 1})


@pytest.mark.parametrize(
    ("row", "metadata"),
    [
        ({"metadata.a": "1", "metadata": '{"b": 2}'}, {"a": "1", "b": 2}),
        ({"metadata.a": "1", "metadata": '{"a": 2}'}, {"a": 2, "metadata.a": "1"}),
        ({"metadata.a": "1", "metadata.a.b": "2"}, {"a": "1", "metadata.a.b": "2"}),
        ({"metadata.a.b": "2", "metadata.a": "1"}, {"a": {"b": "2"}, "metadata.a": "1"}),
    ],
)
def test_columns_that_lead_to_one_place_are_all_kept(
    row: dict[str, str], metadata: dict[str, Any], tmp_path: Path
) -> None:
    assert converted(tmp_path, {"summary": "Anna", **row})[0][0]["metadata"] == metadata


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json", ".jsonl"])
def test_what_was_written_is_a_duplicate_when_it_is_loaded(suffix: str, tmp_path: Path) -> None:
    record = {"summary": "Anna", "confidence": 1e-7, "metadata": {"0": {"0": "a"}, "n": [1, 2.5, None, {"1": "b"}]}}
    output = tmp_path / f"out{suffix}"
    convert([record], output)
    config = Config(store=f"sqlite:///{tmp_path / 'a.db'}")
    process([record], config=config)
    assert process(output, config=config).counts.duplicates == 1


@pytest.mark.parametrize("text", ["a\rb", "\r", "a\r\nb", "a\nb", 'a"b', "a,b", "'=a", "\u2028"])
def test_text_that_csv_could_divide_is_read_back_whole(text: str, tmp_path: Path) -> None:
    record = {"id": text, "summary": f"Anna {text} Tom", "kind": text, "scope": {"user_id": text}}
    convert([record], tmp_path / "out.csv")
    config = Config(store=f"sqlite:///{tmp_path / 'a.db'}")
    process([record], config=config)
    assert process(tmp_path / "out.csv", config=config).counts.duplicates == 1
