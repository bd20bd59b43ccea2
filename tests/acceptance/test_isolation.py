"""What the database refuses is one record's fault: it is rejected, and the rest is decided as if it were not there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from .command import lines, membatch, report_of

TRIGGER = """CREATE TRIGGER refuse BEFORE INSERT ON memory WHEN new.record LIKE '%poison%'
BEGIN SELECT RAISE(ABORT, 'no poison here'); END"""


def store_that_refuses(folder: Path) -> None:
    membatch("init", "--quiet", folder=folder)
    connection = sqlite3.connect(folder / "memories.db")
    connection.execute(TRIGGER)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_only_the_guilty_records_are_rejected(size: int, tmp_path: Path) -> None:
    store_that_refuses(tmp_path)
    texts = [f"poison {number}" if number in (3, 17) else f"record {number}" for number in range(20)]
    texts += ["poison 3", "record 5"]  # repeats: of one that is refused, of one that is stored
    lines(tmp_path / "in.jsonl", *({"summary": text} for text in texts))
    report = report_of(
        membatch("run", "in.jsonl", "--json", "--strategy", "exact", "--batch-size", size, folder=tmp_path)
    )
    counts = report["counts"]
    assert (counts["read"], counts["inserted"], counts["duplicates"], counts["rejected"]) == (22, 18, 1, 3)
    assert report["errors"]["by_code"] == {"constraint": 3}
    reject = json.loads(membatch("rejects", folder=tmp_path).stdout.splitlines()[0])
    assert (reject["line"], "no poison here" in reject["message"]) == (4, True)
    assert json.loads(reject["raw"])["summary"] == "poison 3"


def test_a_quarantined_batch_rejects_all_its_records_and_no_other(tmp_path: Path) -> None:
    store_that_refuses(tmp_path)
    lines(tmp_path / "in.jsonl", *({"summary": f"{'poison' if n == 4 else 'record'} {n}"} for n in range(9)))
    result = membatch(
        "run", "in.jsonl", "--json", "--strategy", "exact", "--batch-size", 3, "--isolation", "batch", folder=tmp_path
    )
    report = report_of(result)
    assert report["errors"]["by_code"] == {"constraint": 1, "batch-quarantined": 2}
    assert report["counts"]["inserted"] == 6


def test_isolation_of_the_run_stops_it_with_nothing_of_the_batch_written(tmp_path: Path) -> None:
    store_that_refuses(tmp_path)
    lines(tmp_path / "in.jsonl", *({"summary": f"{'poison' if n == 4 else 'record'} {n}"} for n in range(9)))
    arguments = ("run", "in.jsonl", "--strategy", "exact", "--batch-size", 3, "--isolation", "run")
    result = membatch(*arguments, folder=tmp_path)
    assert result.returncode == 4
    assert b"Traceback" not in result.stderr
    assert len(membatch("export", folder=tmp_path).stdout.splitlines()) == 3
