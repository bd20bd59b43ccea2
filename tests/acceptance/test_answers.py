"""What commands answer where there is little to say, where something is wrong, and where nobody reads to the end."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .command import lines, membatch, report_of

EXACT = ("--strategy", "exact")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines(tmp_path / "one.jsonl", {"id": "a", "summary": "Anna sings"}, {"summary": ""})
    lines(tmp_path / "two.jsonl", {"id": "b", "summary": "Ben sings"}, {"id": "c", "summary": ""})
    for name in ("one.jsonl", "two.jsonl"):
        membatch("run", name, *EXACT, folder=tmp_path)
    return tmp_path


def test_a_report_without_a_run_is_of_the_latest_that_read_records_and_stands(folder: Path) -> None:
    assert report_of(membatch("report", "--json", folder=folder))["run_id"] == 2
    membatch("undo", 2, folder=folder)
    assert report_of(membatch("report", "--json", folder=folder))["run_id"] == 1
    membatch("undo", 1, folder=folder)
    latest = report_of(membatch("report", "--json", folder=folder))
    assert (latest["run_id"], latest["kind"]) == (4, "undo")


def test_a_run_that_was_undone_sends_nobody_to_rejects_that_are_gone(folder: Path) -> None:
    membatch("undo", 2, folder=folder)
    assert report_of(membatch("report", 2, "--json", folder=folder))["recommendations"] == []
    refused = membatch("rejects", 2, folder=folder)
    assert refused.returncode == 2
    assert b"run 2 was undone, and its rejects with it" in refused.stderr


def test_a_retry_without_open_rejects_makes_no_run_and_says_so(folder: Path) -> None:
    lines(folder / "again.jsonl", {"id": "a", "summary": "Anna sings"}, {"id": "b", "summary": "Bo swims"})
    assert membatch("run", "again.jsonl", *EXACT, folder=folder).returncode == 1
    update = {"MEMBATCH_DEDUP_SAME_ID": "update"}
    assert membatch("retry", 3, folder=folder, environment=update).returncode == 0
    answer = membatch("retry", 3, folder=folder, environment=update)
    assert (answer.returncode, answer.stdout) == (0, b"")
    assert b"there is nothing to retry: run 3 has no reject that is open and whole" in answer.stderr
    assert [run["kind"] for run in json.loads(membatch("runs", "--json", folder=folder).stdout)] == [
        *3 * ["load"],
        "retry",
    ]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ("resume --json", None),
        ("review --accept-all --guard negation --json", None),
        ("init --json", {"store": "sqlite:///memories.db", "wrote": "membatch.toml"}),
        ("export --output e.jsonl --json", {"wrote": "e.jsonl", "memories": 2}),
        ("rejects --output r.jsonl --json", {"wrote": "r.jsonl", "run": 2, "rejects": 1}),
    ],
)
def test_every_answer_is_json_where_that_is_asked_for(arguments: str, answer: object, folder: Path) -> None:
    result = membatch(*arguments.split(), folder=folder)
    assert (json.loads(result.stdout), result.returncode) == (answer, 0)


def test_a_report_is_written_and_shown_as_json(folder: Path) -> None:
    shown = membatch("report", "--output", "r.json", "--json", folder=folder)
    assert shown.stdout == (folder / "r.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ("run one.jsonl --threshold 2", "--threshold: dedup.threshold = 2 must lie between 0 and 1"),
        ("run one.jsonl --batch-size 0", "--batch-size: batch.size = '0' is not acceptable"),
        ("run one.jsonl --format mem", "--format: unknown format 'mem': known are membatch, mapping"),
        ("retry 1 --format mem", "--format: unknown format 'mem': known are"),
        ("explain {} {} --format mem", "--format: unknown format 'mem': known are"),
        ("config --format mem", "--format: unknown format 'mem': known are"),
        ("runs --store mysql://here/m", "--store: unknown store 'mysql://here/m': use sqlite:///FILE.db"),
        ("runs --store m.db", "--store: the store 'm.db' is no URL: write sqlite:///m.db"),
        ("runs --store sqlite://m.db", "--store: store 'sqlite://m.db' names no file"),
        ("run one.jsonl --max-errors few", "--max-errors: tolerance.max_errors = 'few' is not acceptable"),
        ("explain 1 2 --json", "no memory has or absorbed the id '1': give one that `membatch export` shows"),
        ("review --min-score 0.9", "--min-score goes with --accept-all"),
        ("review --accept 1 --min-score 0.9", "--min-score goes with --accept-all"),
    ],
)
def test_a_refusal_names_what_was_typed(arguments: str, answer: str, folder: Path) -> None:
    refused = membatch(*arguments.split(), folder=folder)
    assert refused.returncode == 2
    assert answer in refused.stderr.decode()


@pytest.mark.parametrize(
    ("toml", "environment", "answer"),
    [
        ("[dedup]\nthreshold = 3\n", {}, "file s.toml: dedup.threshold = 3 must lie"),
        ("", {"MEMBATCH_DEDUP_THRESHOLD": "3"}, "environment: MEMBATCH_DEDUP_THRESHOLD: dedup.threshold = 3 must lie"),
        ('store = "m.db"\n', {}, "file s.toml: the store 'm.db' is no URL"),
        ("", {"MEMBATCH_STORE": "m.db"}, "environment: MEMBATCH_STORE: the store 'm.db' is no URL"),
        ("", {"MEMBATCH_FORMAT": "mem"}, "environment: MEMBATCH_FORMAT: unknown format 'mem'"),
        ("", {"MEMBATCH_MERGE_SUMMARY": "longest"}, "write the table [merge] into membatch.toml"),
        ("batch = 3\n", {}, "file s.toml: batch = 3 is not acceptable: write a table [batch]"),
        ("store = 3\n", {}, "file s.toml: store = 3 is not acceptable: write text in quotes"),
        (
            "[tolerance.by_category]\ndatabas = 3\n",
            {},
            "file s.toml: tolerance.by_category names 'databas': did you mean",
        ),
        ("[merge.summary]\nrule = 1\n", {}, 'write each like summary = "longest"'),
        ('[merge]\nsumary = "longest"\n', {}, "did you mean 'summary'?"),
        ('[dedup]\nguards = ["negaton"]\n', {}, "did you mean 'negation'?"),
    ],
)
def test_a_wrong_setting_says_where_it_came_from_and_what_is_right(
    toml: str, environment: dict[str, str], answer: str, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(toml)
    refused = membatch("config", "--config", "s.toml", folder=tmp_path, environment=environment)
    assert refused.returncode == 2
    assert answer in refused.stderr.decode()


def read_one_line(*arguments: str, folder: Path, errors_too: bool = False) -> int:
    """Run a command whose reader goes after one line, as `head -n 1` does; return its exit code."""
    command = [sys.executable, "-m", "membatch.cli", *arguments]
    errors = subprocess.STDOUT if errors_too else subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        return process.wait(120)


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", *({"summary": f"Anna saw bird {number} " + 200 * "x"} for number in range(2000)))
    membatch("run", "in.jsonl", *EXACT, folder=tmp_path)
    assert read_one_line("export", folder=tmp_path) == 0


def test_a_load_whose_progress_nobody_reads_is_interrupted_and_resumed(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", *({"summary": f"Anna saw bird {number}"} for number in range(20_000)))
    load = ["run", "in.jsonl", *EXACT, "--batch-size", "100", "--log-format", "json"]
    assert read_one_line(*load, folder=tmp_path, errors_too=True) == 130
    resumed = report_of(membatch("resume", "--json", folder=tmp_path))
    assert (resumed["status"], resumed["counts"]["inserted"]) == ("done", 20_000)


def test_a_load_whose_report_nobody_reads_ends_with_the_code_of_its_outcome(folder: Path) -> None:
    bad = ({"summary": ""} for _ in range(3000))
    lines(folder / "bad.jsonl", *bad)
    load = ["run", "bad.jsonl", *EXACT, "--max-error-rate", "1", "--batch-size", "1", "--json"]
    assert read_one_line(*load, folder=folder) == 1


FATHER, MOTHER = "my father died when I was in high school", "my mother died when I was in high school"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store that was reviewed, unmerged, undone, and from which a memory is forgotten."""
    folder = tmp_path_factory.mktemp("changed")
    lines(folder / "in.jsonl", {"id": "a", "summary": FATHER}, {"id": "b", "summary": MOTHER}, {"summary": FATHER})
    lines(folder / "c.jsonl", {"id": "c", "summary": "Cleo sings"})
    for line in ("run in.jsonl", "review --accept 1", "unmerge 1", "run c.jsonl", "undo 4", "forget a"):
        done = membatch(*line.split(), folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (2, "review 2 finished: 1 pair merged"),
        (3, "unmerge 3 finished: 1 merge taken back"),
        (5, "undo 5 finished: run 4 taken out"),
        (6, "forget 6 finished: rows removed for good: duplicate 1, memory 1, merge 1, review 1"),
    ],
)
def test_the_report_of_a_run_that_read_nothing_says_what_it_did_and_no_more(run: int, says: str, changed: Path) -> None:
    assert membatch("report", run, folder=changed).stdout.decode().splitlines() == [says]
    membatch("report", run, "--output", "r.html", folder=changed)
    page = (changed / "r.html").read_text("utf-8")
    assert f"<h1>{says[0].upper()}{says[1:]}.</h1>" in page
    assert [part for part in ("inserted</dt>", "garbage collection", 'class="tiles"') if part in page] == []
    assert "{\n  &quot;store&quot;" in page


def test_the_report_of_an_empty_file_shows_no_outcomes(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").touch()
    shown = membatch("run", "in.jsonl", *EXACT, folder=tmp_path).stderr.decode()
    assert "load 1 finished: 0 records read" in shown
    assert "inserted  " not in shown


LATIN = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
@pytest.mark.parametrize("line", ["history q", "explain q q", "review", "runs", "convert in.jsonl --explain 1"])
def test_what_the_terminal_cannot_write_is_no_error(line: str, encoding: str, tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"id": "q", "summary": "Zoë 中文 \U0001f600"})
    membatch("run", "in.jsonl", *EXACT, folder=tmp_path)
    environment = {**LATIN, "PYTHONIOENCODING": encoding}
    done = membatch(*line.split(), folder=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    if "history" in line:
        told = membatch("history", "q", "--json", folder=tmp_path, environment=environment).stdout
        assert json.loads(told)["record"]["summary"] == "Zoë 中文 \U0001f600"


@pytest.mark.parametrize(
    ("shell", "code", "says"),
    [
        ("run in.jsonl --strategy exact --store sqlite:///b.db 2>&-", 1, ""),
        ("runs >&-", 0, ""),
        ("run - --strategy exact <&-", 4, "standard input is closed: pipe the data into"),
        ("run ''", 4, "the name of a source is empty: is a variable not set?"),
    ],
)
def test_closed_streams_and_empty_names_are_answered(shell: str, code: int, says: str, folder: Path) -> None:
    lines(folder / "in.jsonl", {"summary": "Anna sings"}, {"summary": ""})
    command = f"{shlex.quote(sys.executable)} -m membatch.cli {shell}"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=False)
    assert (done.returncode, says in done.stderr.decode()) == (code, True), done.stderr


INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
class Interrupt:
    def find_spec(name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt)
from membatch.cli import main
main()
"""


def test_who_interrupts_at_once_sees_no_stack_trace(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, "runs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"membatch: interrupted at once\n")
