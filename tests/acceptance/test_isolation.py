"""What the database refuses is one record's fault: it is rejected, and the rest is decided as if it were not there."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from membatch import Config, StoreError, check, process
from membatch.config import BatchSettings
from tests.laws.data import config, memory_data

from .command import lines, membatch, report_of

ROOT = Path(__file__).parent.parent.parent

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


@pytest.mark.parametrize("size", [1, 1000])
def test_each_record_that_is_refused_is_told_its_own_reason(size: int, tmp_path: Path) -> None:
    store_that_refuses(tmp_path)  # the table that comes first is asked first, whatever the order of the records
    connection = sqlite3.connect(tmp_path / "memories.db")
    connection.execute(
        "CREATE TRIGGER twice BEFORE INSERT ON duplicate BEGIN SELECT RAISE(ABORT, 'nothing comes twice'); END"
    )
    connection.close()
    lines(tmp_path / "in.jsonl", *({"summary": text} for text in ("tea", "tea", "cake", "poison")))
    membatch("run", "in.jsonl", "--strategy", "exact", "--batch-size", size, folder=tmp_path)
    rejects = [json.loads(line) for line in membatch("rejects", folder=tmp_path).stdout.splitlines()]
    reasons = ["nothing comes twice", "no poison here"]
    assert [(reject["line"], reason in reject["message"]) for reject, reason in zip(rejects, reasons, strict=True)] == [
        (2, True),
        (4, True),
    ]


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


# What each table refuses; the sources bring a row of each kind, several of them guilty.
REFUSALS = {
    "memory": "new.record LIKE '%poison%'",
    "fingerprint": "new.number = 0 AND (SELECT record FROM memory WHERE memory = new.memory) LIKE '%poison%'",
    "merge": "new.record LIKE '%poison%'",
    "duplicate": "new.id LIKE 'poison%'",
    "review": "(SELECT id FROM memory WHERE memory = new.younger) LIKE 'poison%'",
}
CASES = [*((table, "ABORT") for table in REFUSALS), ("memory", "ROLLBACK"), ("memory", "FAIL"), ("merge", "FAIL")]


def refusing(path: Path, table: str, way: str = "ABORT") -> Config:
    """Make a store whose table refuses what says poison, also where it changes a survivor."""
    settings = config(path, strategy="exact", guards=("valence",), size=1000)
    process(iter([]), config=settings)
    connection = sqlite3.connect(path)
    rule = f"WHEN {REFUSALS[table]} BEGIN SELECT RAISE({way}, 'no poison here'); END"
    connection.execute(f'CREATE TRIGGER refuse BEFORE INSERT ON "{table}" {rule}')
    if table == "merge":
        rule = "WHEN new.record LIKE '%strong%' BEGIN SELECT RAISE(ABORT, 'not so strong'); END"
        for change in ("INSERT", "UPDATE"):
            connection.execute(f"CREATE TRIGGER refuse_{change} BEFORE {change} ON memory {rule}")
    connection.commit()
    connection.close()
    return settings


def mixed(count: int = 400) -> list[dict[str, Any]]:
    """New records, repeats, merges and holds, one in seven with poison in it."""
    rng = random.Random(11)
    said: list[dict[str, Any]] = []
    for number in range(count):
        poison = "poison " if rng.random() < 0.15 else ""
        record: dict[str, Any] = {"id": f"{poison.strip()}{number}", "summary": f"{poison}record {number}"}
        known = rng.choice(said) if said else record
        match rng.randrange(5):
            case 0:
                record = known
            case 1:
                record |= {"summary": known["summary"] + ".", "tags": [poison or "strong" if number % 9 == 0 else "t"]}
            case 2:
                record |= {"summary": known["summary"], "emotional_context": {"valence": 0.9 - number % 2 * 1.8}}
        said.append(record)
    return said


@pytest.mark.parametrize(("table", "way"), CASES)
def test_whatever_table_refuses_the_rest_is_as_if_loaded_one_by_one(table: str, way: str, tmp_path: Path) -> None:
    found = []
    for size in (1, 1000):
        settings = refusing(tmp_path / f"{size}.db", table, way)
        settings = msgspec.structs.replace(settings, batch=BatchSettings(size=size))
        report = process(iter(mixed()), config=settings)
        assert report.errors["by_code"].keys() == {"constraint"}
        assert report.counts.rejected > 1
        assert check(settings.store).is_whole
        found.append((memory_data(tmp_path / f"{size}.db"), report.counts))
    assert found[0] == found[1]


COUNTING = """
import sys
from tests.faults.watch import on_statement
from membatch import Config, process
from membatch.config import BatchSettings, DedupSettings
begun = []
on_statement(lambda sql: sql.startswith("BEGIN IMMEDIATE") and begun.append(sql))
values = ({"summary": "poison" if number == 234 else f"record {number}"} for number in range(300))
settings = Config(store=sys.argv[1], batch=BatchSettings(size=500), dedup=DedupSettings(strategy="exact"))
print(process(values, config=settings).counts.rejected, len(begun))
"""


def transactions(path: Path, way: str) -> int:
    """Load 300 records in one batch, one of which is refused; return how many transactions it took."""
    settings = refusing(path, "memory", way)
    command = [sys.executable, "-c", COUNTING, settings.store]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rejected, count = map(int, done.stdout.split())
    assert rejected == 1
    return count


def test_the_row_that_the_database_names_spares_the_bisection(tmp_path: Path) -> None:
    assert transactions(tmp_path / "a.db", "ABORT") < 9  # of which six write
    assert transactions(tmp_path / "b.db", "ROLLBACK") > 11  # nothing can be asked of what has rolled back


@pytest.mark.parametrize("size", [1, 1000])
def test_a_dry_run_that_the_database_rolls_back_whole_says_so_and_leaves_nothing(size: int, tmp_path: Path) -> None:
    settings = refusing(tmp_path / "a.db", "memory", "ROLLBACK")
    settings = msgspec.structs.replace(settings, batch=BatchSettings(size=size, min=1))
    before = memory_data(tmp_path / "a.db")
    with pytest.raises(StoreError, match=r"the whole dry run .*no poison here"):
        process([{"summary": text} for text in ("tea", "poison", "cake")], config=settings, dry_run=True)
    assert memory_data(tmp_path / "a.db") == before
    assert check(settings.store).is_whole


def test_a_table_that_is_missing_is_no_records_fault(tmp_path: Path) -> None:
    membatch("init", "--quiet", folder=tmp_path)
    connection = sqlite3.connect(tmp_path / "memories.db")
    connection.execute("DROP TABLE duplicate")
    connection.commit()
    lines(tmp_path / "in.jsonl", *({"summary": f"record {n}"} for n in range(9)))
    result = membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    assert (result.returncode, b"no such table: duplicate" in result.stderr) == (4, True), result.stderr
    assert connection.execute("SELECT count(*) FROM memory").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM reject").fetchone() == (0,)


def test_what_only_the_commit_refuses_is_blamed_on_no_record(tmp_path: Path) -> None:
    membatch("init", "--quiet", folder=tmp_path)
    connection = sqlite3.connect(tmp_path / "memories.db")
    connection.executescript(
        """CREATE TABLE late (memory REFERENCES memory (memory) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER late AFTER INSERT ON memory WHEN new.record LIKE '%poison%'
        BEGIN INSERT INTO late VALUES (-1); END;"""
    )
    connection.close()
    lines(tmp_path / "in.jsonl", *({"summary": f"{'poison' if n == 4 else 'record'} {n}"} for n in range(9)))
    result = membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    assert (result.returncode, b"FOREIGN KEY constraint failed" in result.stderr) == (4, True), result.stderr
    assert membatch("rejects", folder=tmp_path).stdout == b""
    assert membatch("check", folder=tmp_path).returncode == 0
