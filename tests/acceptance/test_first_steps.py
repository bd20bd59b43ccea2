"""What a new user gets wrong is answered with the fix, and nothing is made or spoilt by a slip."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from membatch import Config, ConfigError, explain, process, retry
from membatch.config import DedupSettings
from membatch.runs.accounts import list_runs
from tests.acceptance.command import membatch

SLIPS = {
    "the command left out": ("m.jsonl", 2, "To load a file: membatch run m.jsonl"),
    "a command misspelt": ("rn m.jsonl", 2, "Did you mean one of: 'run', 'runs'?"),
    "options before the command": ("--store sqlite:///a.db run m.jsonl", 2, "Options of a command follow it"),
    "an option misspelt": ("run m.jsonl --treshold 0.9", 2, "Did you mean '--threshold'?"),
    "no source": ("run", 2, "Missing argument 'SOURCES...'"),
    "a file misspelt": ("run records.json", 4, "no such file: records.json"),
    "a file misspelt by a letter": ("run n.jsonl", 4, "did you mean m.jsonl?"),
    "an address": ("run https://example.org/m.jsonl", 4, "download it first, or pipe it"),
    "another kind of file": ("run notes.txt", 4, "expected .jsonl"),
    "a compressed file of no kind": ("run m.gz", 4, "call it like m.jsonl.gz"),
    "a file for a store": ("run m.jsonl --store memories.db", 2, "write sqlite:///memories.db"),
    "a store in no folder": ("run m.jsonl --store sqlite:///no/a.db", 4, "its folder does not exist: make it first"),
    "a strategy that is none": ("run m.jsonl --strategy fuzzy", 2, "'memory-only', 'exact', 'similar'"),
    "a batch size in words": ("run m.jsonl --batch-size big", 2, 'write a whole number from 1 to 1,000,000 or "auto"'),
    "a rate in percent": ("run m.jsonl --max-error-rate 5%", 2, "write a number from 0 to 1"),
    "a threshold in percent": ("run m.jsonl --threshold 80%", 2, "write one like 0.8"),
    "no workers": (
        "run m.jsonl --workers 0",
        2,
        "--workers: batch.workers = '0' is not acceptable: write a whole number",
    ),
    "settings that are missing": ("run m.jsonl --config no.toml", 2, "cannot read the settings file no.toml"),
    "a setting at the wrong place": ("run m.jsonl --config place.toml", 2, "did you mean 'dedup.threshold'?"),
    "a merge rule misspelt": ("run m.jsonl --config rule.toml", 2, "use one of confident, survivor, incoming, longest"),
    "a format misspelt": ("run m.jsonl --format mem", 2, "unknown format 'mem': known are membatch"),
    "a report as PDF": ("run m.jsonl --report out.pdf", 2, "use a name that ends in"),
    "undo before any run": ("undo 1", 4, "load something with `membatch run` first"),
    "unmerge before any run": ("unmerge 1", 4, "load something with `membatch run` first"),
    "retry before any run": ("retry 1", 4, "load something with `membatch run` first"),
    "a pair before any run": ("review --accept 1", 4, "load something with `membatch run` first"),
    "history before any run": ("history x", 4, "load something with `membatch run` first"),
    "forget before any run": ("forget x", 4, "load something with `membatch run` first"),
    "rejects before any run": ("rejects", 4, "load something with `membatch run` first"),
    "two decisions at once": ("review --accept 1 --reject 2", 2, "use one of --accept ID, --reject ID"),
    "a word for a run": ("undo latest", 2, "'latest' is not a valid integer"),
    "a pair that is no JSON": ("explain a b", 4, "there is no store"),
}


@pytest.mark.parametrize(("line", "code", "says"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_answered_with_the_fix_and_makes_no_store(line: str, code: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"summary": "Anna moved to Oslo"}\n', "utf-8")
    (tmp_path / "notes.txt").write_text("a note\n", "utf-8")
    (tmp_path / "m.gz").touch()
    (tmp_path / "place.toml").write_text("threshold = 0.9\n", "utf-8")
    (tmp_path / "rule.toml").write_text('[merge]\nsummary = "longer"\n', "utf-8")
    before = sorted(tmp_path.iterdir())
    done = membatch(*shlex.split(line), folder=tmp_path)
    assert (done.returncode, says in done.stderr.decode()) == (code, True), done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_store_with_runs_says_how_to_find_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"summary": "Anna moved to Oslo"}\n', "utf-8")
    membatch("run", "m.jsonl", "--strategy", "exact", folder=tmp_path)
    answers = {
        "export --output out.xlsx": "use a name that ends in .jsonl",
        "undo 7": "there is no run 7 in sqlite:///memories.db: see `membatch runs`",
        "report 7": "see `membatch runs`",
        "history x": "`membatch export` shows all ids",
        "review --accept 7": "see `membatch review`",
    }
    for line, says in answers.items():
        done = membatch(*shlex.split(line), folder=tmp_path)
        assert (done.returncode, says in done.stderr.decode()) == (2, True), done.stderr.decode()


@pytest.mark.parametrize("mark", [";", "|", "\t"])
@pytest.mark.parametrize("head", ["summary{0}confidence", '"summary"{0}"confidence"', "\ufeffsummary {0} confidence"])
def test_a_table_whose_columns_are_divided_by_something_else_is_read(head: str, mark: str, tmp_path: Path) -> None:
    text = f"{head.format(mark)}\nAnna moved to Oslo, again{mark}0.9\nTom sings{mark}0.5\n"
    (tmp_path / "table.csv").write_text(text, "utf-8")
    settings = ("--strategy", "exact", "--batch-size", "1")
    done = membatch("run", "table.csv", "--max-errors", "0", *settings, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = list(map(json.loads, membatch("export", folder=tmp_path).stdout.splitlines()))
    assert [(memory["summary"], memory["confidence"]) for memory in found] == [
        ("Anna moved to Oslo, again", 0.9),
        ("Tom sings", 0.5),
    ]


def test_a_table_of_one_column_stays_one(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text('"summary"\n"a; b; c"\n', "utf-8")
    assert membatch("run", "table.csv", "--strategy", "exact", folder=tmp_path).returncode == 0
    assert b'"summary":"a; b; c"' in membatch("export", folder=tmp_path).stdout


ANSWERS = {
    "run m.jsonl --store sqlite:m.db": "write sqlite:///m.db",
    "run m.jsonl --store ''": "write sqlite:///FILE.db",
    "convert m.jsonl --explain -1": "x>=1",
    "review --accept-all --guard foo": "unknown guard 'foo': known are",
}


@pytest.mark.parametrize("line", ANSWERS)
def test_typical_slips_are_answered_with_what_is_right(line: str, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"summary": "Anna sings"}\n', "utf-8")
    done = membatch(*shlex.split(line), folder=tmp_path)
    assert (done.returncode, ANSWERS[line] in done.stderr.decode()) == (2, True), done.stderr.decode()


def test_python_minus_m_membatch_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "membatch", "--version"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"membatch")


def test_wrong_types_from_python_are_answered_with_what_is_right(tmp_path: Path) -> None:
    store: Any = tmp_path / "m.db"
    record: Any = {"summary": "Anna sings"}
    with pytest.raises(ConfigError, match="not one dict: give a list"):
        process(record, store=f"sqlite:///{store}")
    with pytest.raises(ConfigError, match="not a URL"):
        process([{"summary": "Anna sings"}], store=store)
    config: Any = {"store": "sqlite:///m.db"}
    with pytest.raises(ConfigError, match="not a Config"):
        process([{"summary": "Anna sings"}], config=config)


def test_a_format_misspelt_from_python_is_refused_and_makes_no_run(tmp_path: Path) -> None:
    settings = Config(store=f"sqlite:///{tmp_path}/m.db", dedup=DedupSettings(strategy="exact"))
    process([{"summary": ""}], config=settings)
    with pytest.raises(ConfigError, match="unknown format 'mem'"):
        retry(1, config=settings, format="mem")
    with pytest.raises(ConfigError, match="unknown format 'mem'"):
        explain("{}", "{}", config=replace(settings, format="mem"))
    assert len(list_runs(settings.store)) == 1
