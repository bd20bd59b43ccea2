"""Each format converts as its golden files say, loses no value, loads twice as duplicates, and bears bad input."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membatch import process
from membatch.config import Config, DedupSettings
from membatch.formats import NATIVE, detect, known_formats
from membatch.formats.fields import time_of
from membatch.formats.goemotions import LABELS
from membatch.layout import Document, unwrapped
from membatch.plan import Checkpoint, Position, RawBatch
from membatch.prepare import Prepare
from membatch.runs.inputs import looked_at
from membatch.source import sample_of
from membatch.validate import Validator

from .cases import CASES, Case, converted, name_of

each_case = pytest.mark.parametrize("case", CASES, ids=name_of)


@each_case
def test_a_file_converts_as_its_golden_file_says(case: Case, tmp_path: Path) -> None:
    records, _, rejected = converted(case.file, case.config, tmp_path)
    assert records == [json.loads(line) for line in case.golden.read_text("utf-8").splitlines()]
    assert rejected == {}


@each_case
def test_a_file_is_recognised_and_the_reason_is_said(case: Case) -> None:
    if case.format != "mapping":
        found = detect([sample_of(str(case.file), Config().source)], known_formats())
        assert found.format == case.format
        assert found.reason


@each_case
def test_every_value_of_a_file_is_found_in_its_records_or_with_the_run(case: Case, tmp_path: Path) -> None:
    records, _, _ = converted(case.file, case.config, tmp_path)
    kept = [*records, *(file.rest for file in looked_at([case.file], case.config).files)]
    found = list(leaves(kept))
    for value in leaves(values_of(case.file)):
        assert is_kept(value, found), f"{value!r} has vanished"


def is_kept(value: Any, found: list[Any]) -> bool:
    """Return whether a value is among others, whole or in its parts."""
    if any(is_same(value, other) for other in found):
        return True
    parts = [part for part in re.split(r"[,;.]\s*", str(value)) if part]
    return len(parts) > 1 and all(any(is_same(part, other) for other in found) for part in parts)


def values_of(file: Path) -> list[Any]:
    """Return what a file says, as values; JSON within texts counts as what it says."""
    text = file.read_text("utf-8")
    if file.suffix == ".json":
        return [json.loads(text)]
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    if file.suffix == ".md":
        head, _, body = text.removeprefix("---\n").partition("---\n")
        return [yaml.load(head, Loader=yaml.BaseLoader), body.splitlines()]
    if file.suffix == ".tsv":
        return list(csv.reader(io.StringIO(text), delimiter="\t"))
    if file.suffix == ".txt":
        return [part.strip() for line in text.splitlines() for part in re.split(r"\t|__eou__|(?<=\d) (?=\d)", line)]
    return [_row(row) for row in csv.DictReader(io.StringIO(text))]


def _row(row: dict[str, str]) -> dict[str, str]:
    """Return a row with its columns of 0 and 1, one a label, told as the labels that they say."""
    labels = {name: name for name in LABELS if row.get(name) == "1"}
    return {**{name: cell for name, cell in row.items() if name not in LABELS}, **labels}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str) and value[:1] in ("[", "{") and (inner := decoded(value)) is not None:
        yield from leaves(inner)
    elif value not in (None, ""):
        yield value


def decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def is_same(value: Any, other: Any) -> bool:
    """Return whether a value is another one: equal, within a text, or the same time."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, int | float) and isinstance(other, int | float):
        return value == other
    text = str(value).strip("\"' {}[]")
    if isinstance(other, str) and (text == other or (len(text) > 2 and text in other) or text in other.split("/")):
        return True
    if isinstance(other, str) and text.isdigit() and re.search(rf"(?<!\d){text}(?!\d)", other):
        return True
    times = [moment(value), moment(other)]
    return None not in times and times[0] == times[1]


def moment(value: Any) -> dt.datetime | None:
    for form in ("%d.%m.%Y %H:%M",):
        try:
            return dt.datetime.strptime(str(value), form).replace(tzinfo=dt.UTC)
        except ValueError:
            pass
    is_epoch = isinstance(value, str) and re.fullmatch(r"\d{9,10}\.\d+", value)
    found = time_of(float(value) if is_epoch else value)
    if found is None:
        return None
    time = dt.datetime.fromisoformat(found)
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


@each_case
def test_a_file_loads_again_from_elsewhere_as_duplicates_only(case: Case, tmp_path: Path) -> None:
    exact = DedupSettings(strategy="exact")
    config = msgspec.structs.replace(case.config, store=f"sqlite:///{tmp_path}/memories.db", dedup=exact)
    first = process([case.file], config=config)
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / case.file.name
    shutil.copy(case.file, moved)
    if case.file.suffix != ".md":
        packed = moved.with_name(moved.name + ".gz")
        packed.write_bytes(gzip.compress(moved.read_bytes()))
        moved = packed
    again = process([moved], config=config)
    assert first.counts.inserted == first.counts.read > 0
    assert again.counts.duplicates == again.counts.read == first.counts.read
    assert again.counts.warnings == first.counts.warnings


def items_of(case: Case) -> list[Any]:
    """Return the items of a file as its format gets them."""
    raws = raw_batches_of(case.file, case.config)
    return [msgspec.json.decode(item) for raw in raws for item in raw.items]


def raw_batches_of(file: Path, config: Config) -> list[RawBatch]:
    from membatch.runs.inputs import opened

    raws, _ = opened(looked_at([file], config), config, lambda: 1000)
    return list(raws)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@each_case
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_item_that_is_broken_anywhere_raises_nothing_but_value_errors(case: Case, data: st.DataObject) -> None:
    format_ = known_formats()[case.format]
    item = data.draw(st.sampled_from(items_of(case)))
    for _ in range(data.draw(st.integers(1, 3))):
        item = broken(item, data)
    rest = data.draw(st.sampled_from([{}, {"owner": 3, "relations": {}, "id": [], "title": 7, "participants": "x"}]))
    per = data.draw(st.sampled_from([None, *format_.per]))
    document = Document(name="file", rest=rest, per=per, mapping=case.config.mapping)
    inside = unwrapped(item, format_.layout.members)
    try:
        made = [each for one in ([item] if inside is None else inside[0]) for each in format_.records(one, document)]
    except ValueError:
        return
    validate = Validator()
    for record, _, _ in made:
        validate(json.dumps(record).encode())


def broken(value: Any, data: st.DataObject) -> Any:
    """Return a value with one thing in it replaced, taken away, or put beside the others."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        name = data.draw(st.sampled_from(sorted(value)))
        how = data.draw(st.integers(0, 2))
        if how == 0:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: broken(value[name], data) if how == 1 else data.draw(json_values)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], broken(value[at], data), *value[at + 1 :]]
    if isinstance(value, str) and value and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value)))
        return value[:at] + data.draw(st.text(max_size=3)) + value[at + data.draw(st.integers(0, 3)) :]
    return data.draw(json_values)


@pytest.mark.parametrize("name", [name for name in known_formats() if name != NATIVE])
@settings(max_examples=40, deadline=None)
@given(raw=st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode("utf-8", "replace")))
def test_any_bytes_are_a_record_or_a_rejection(name: str, raw: bytes) -> None:
    config = Config(mapping={"fields": {"summary": "/a"}})
    batch = Prepare(config, name)(
        RawBatch(items=[raw], positions=[Position(0, 1, 0)], rejected={}, skip=0, after=Checkpoint(), documents={})
    )
    assert len(batch) >= 1
    assert all(batch.records[number] or number in batch.rejections for number in range(len(batch)))


def test_the_beginnings_of_files_of_two_formats_are_not_loaded_together(tmp_path: Path) -> None:
    from membatch import ConfigError

    files = [next(case.file for case in CASES if case.format == name) for name in ("mem0", "graphiti")]
    with pytest.raises(ConfigError, match="several formats"):
        looked_at(files, Config())
