"""A package with faults costs the records over which it fails: rejected, with the stack trace, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import lines, membatch, report_of

FAULTY = """
import msgspec
from membatch.formats.declare import Converted, Format

def records(item, document):
    text = item["says"]
    if text == "deep":
        return records(item, document)
    if text == "short of memory":
        raise MemoryError
    if text == "no shape":
        raise KeyError("says what")
    if text == "bug":
        raise RuntimeError("a bug of the format")
    return [Converted({"summary": text})]

def recognises(sample):
    raise RuntimeError("a bug of the format")

FORMAT = Format(name="faulty", describes="texts", records=records, recognises=recognises)

def place(record, memory):
    if "bug" in str(record.document.get("tags")):
        raise ZeroDivisionError("a bug of the guard")
    return "same"

def odd(mine, other, pair):
    if "rule" in str(other):
        raise LookupError("a bug of the rule")
    return {1, 2} if "value" in str(other) else mine
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables under which a package with faults is installed."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "faulty.py").write_text(FAULTY)
    facts = folder / "faulty-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1\n")
    points = "[membatch.formats]\nfaulty = faulty:FORMAT\n[membatch.guards]\nbuggy = faulty:place\n"
    (facts / "entry_points.txt").write_text(points + "[membatch.merge_rules]\nodd = faulty:odd\n")
    return {"PYTHONPATH": str(folder)}


def rejects(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in membatch("rejects", folder=folder).stdout.splitlines()]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_format_raises_rejects_its_item_only(workers: int, environment: dict[str, str], tmp_path: Path) -> None:
    texts = ("fine", "bug", "also fine", "no shape", "deep", "short of memory", "fine at the end")
    lines(tmp_path / "in.jsonl", *({"says": text} for text in texts))
    options = ("--format", "faulty", "--strategy", "exact", "--workers", workers, "--json")
    result = membatch("run", "in.jsonl", *options, folder=tmp_path, environment=environment)
    report = report_of(result)
    assert (result.returncode, report["counts"]["inserted"], report["status"]) == (1, 3, "done")
    assert b"Traceback" not in result.stderr
    codes = ["unexpected", "conversion-failed", "conversion-failed", "memory-exhausted"]
    found = rejects(tmp_path)
    assert [reject["code"] for reject in found] == codes
    assert [reject["category"] for reject in found] == ["internal", "conversion", "conversion", "resource"]
    assert [json.loads(reject["raw"])["says"] for reject in found] == ["bug", "no shape", "deep", "short of memory"]
    assert "a bug of the format" in found[0]["message"]
    assert "RuntimeError: a bug of the format" in found[0]["exception"]
    assert "faulty.py" in found[0]["exception"]
    retried = membatch("retry", 1, "--json", folder=tmp_path, environment=environment)
    assert report_of(retried)["counts"]["rejected"] == 4


def pair(number: int, **more: Any) -> list[dict[str, Any]]:
    return [{"summary": f"text {number}", "kind": "a"}, {"summary": f"text {number}.", **more}]


def decided(folder: Path, environment: dict[str, str], *options: str) -> Any:
    """Load pairs of which some make the guard or the rule fail, with repeats of those."""
    guilty = [*pair(1, tags=["bug"]), *pair(2, kind="rule"), *pair(3, kind="value"), *pair(4, kind="fine")]
    lines(folder / "in.jsonl", *guilty, *guilty[::-1])
    settings = '[dedup]\nstrategy = "exact"\nguards = ["buggy"]\n[merge]\nkind = "odd"\n'
    (folder / "membatch.toml").write_text(settings)
    return membatch("run", "in.jsonl", "--json", *options, folder=folder, environment=environment)


@pytest.mark.parametrize("size", ["1", "3", "100"])
def test_what_a_guard_or_rule_raises_rejects_the_record_and_decides_the_rest_anew(
    size: str, environment: dict[str, str], tmp_path: Path
) -> None:
    result = decided(tmp_path, environment, "--batch-size", size)
    report = report_of(result)
    assert (result.returncode, report["status"], b"Traceback" in result.stderr) == (1, "done", False)
    found = rejects(tmp_path)
    assert {reject["code"] for reject in found} == {"unexpected"}
    assert sorted(json.loads(reject["raw"])["summary"] for reject in found) == [
        f"text {number}." for number in (1, 1, 2, 2)
    ]
    counts = report["counts"]
    assert (counts["inserted"], counts["merged"], counts["duplicates"]) == (4, 1, 6)
    assert counts["held"] == 1  # what the rule made of the third would not validate
    assert "ZeroDivisionError: a bug of the guard" in found[0]["exception"]
    assert membatch("check", folder=tmp_path).returncode == 0


def test_isolation_by_run_ends_it_with_the_place_in_the_code_and_no_word_of_a_record(
    environment: dict[str, str], tmp_path: Path
) -> None:
    result = decided(tmp_path, environment, "--isolation", "run")
    assert (result.returncode, b"ZeroDivisionError at faulty.py:" in result.stderr) == (4, True), result.stderr
    assert b"Traceback" not in result.stderr
    assert b"text" not in result.stderr
    assert membatch("export", folder=tmp_path).stdout == b""


def test_isolation_by_batch_quarantines_it(environment: dict[str, str], tmp_path: Path) -> None:
    report = report_of(decided(tmp_path, environment, "--isolation", "batch", "--batch-size", "2"))
    assert report["errors"]["by_code"] == {"unexpected": 2, "batch-quarantined": 2}
    assert report["counts"]["read"] == 16


def test_a_format_that_fails_over_a_sample_does_not_know_it(tmp_path: Path, environment: dict[str, str]) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"})
    result = membatch("run", "in.jsonl", folder=tmp_path, environment=environment)
    assert result.returncode == 0, result.stderr
