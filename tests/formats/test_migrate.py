"""Records go from any older version to the current one by small steps, back where there is a way, and it is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membatch.formats.migrate import STEPS, Moved, Steps, known_versions, migrated
from membatch.memory import SCHEMA_VERSION
from membatch.plan import Migration

# A history as it could be: version -1 said `text`, version 0 had confidence in percent; there is no way below 0.
BEFORE = SCHEMA_VERSION - 2


def summary_from_text(record: dict[str, Any]) -> Moved:
    made = {("summary" if name == "text" else name): value for name, value in record.items()}
    return Moved(made, ("summary",))


def confidence_from_percent(record: dict[str, Any]) -> Moved:
    if "confidence" not in record:
        return Moved(record)
    return Moved({**record, "confidence": record["confidence"] / 100}, ("confidence",))


def confidence_to_percent(record: dict[str, Any]) -> Moved:
    left = {name: value for name, value in record.items() if name != "subject"}
    lost = ("subject: version 0 has no field for it",) if "subject" in record else ()
    if "confidence" in left:
        left["confidence"] = round(left["confidence"] * 100)
    return Moved(left, ("confidence",) if "confidence" in left else (), lost)


HISTORY = Steps(
    up={BEFORE: summary_from_text, BEFORE + 1: confidence_from_percent}, down={SCHEMA_VERSION: confidence_to_percent}
)


def test_a_record_of_the_current_version_is_left_alone() -> None:
    for record in ({"summary": "x"}, {"summary": "x", "schema_version": SCHEMA_VERSION}):
        assert migrated(record, steps=HISTORY) == (record, None)


def test_an_old_record_goes_up_step_by_step_and_what_changed_is_said() -> None:
    record = {"text": "x", "confidence": 50, "schema_version": BEFORE}
    expected = Migration(str(BEFORE), ("summary", "confidence"))
    assert migrated(record, steps=HISTORY) == ({"summary": "x", "confidence": 0.5}, expected)


def test_a_record_goes_down_where_there_is_a_way_and_what_is_lost_is_said() -> None:
    record = {"summary": "x", "confidence": 0.5, "subject": "anna"}
    made, migration = migrated(record, SCHEMA_VERSION - 1, HISTORY)
    assert made == {"summary": "x", "confidence": 50, "schema_version": SCHEMA_VERSION - 1}
    assert migration == Migration(str(SCHEMA_VERSION), ("confidence",), ("subject: version 0 has no field for it",))


def test_where_no_way_leads_the_versions_there_are_are_said() -> None:
    with pytest.raises(ValueError, match=f"known are {known_versions(HISTORY)}"):
        migrated({"summary": "x"}, BEFORE, HISTORY)
    with pytest.raises(ValueError, match="no way leads"):
        migrated({"summary": "x", "schemaVersion": 99}, steps=HISTORY)


@given(st.integers(0, 100))
def test_down_and_up_again_gives_the_same_record(percent: int) -> None:
    record = {"summary": "x", "confidence": percent / 100}
    down, _ = migrated(record, SCHEMA_VERSION - 1, HISTORY)
    assert migrated(down, steps=HISTORY)[0] == record


def test_every_version_before_the_current_has_its_step() -> None:
    versions = sorted(STEPS.up)
    assert versions == list(range(SCHEMA_VERSION - len(versions), SCHEMA_VERSION))
