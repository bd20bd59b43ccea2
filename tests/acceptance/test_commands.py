"""The commands as a person uses them: load, report, resume, retry, settings, exit codes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from .command import DATA, lines, membatch, on_a_terminal, report_of

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not here")


@needs_data
def test_locomo_loads_whole_and_again_as_duplicates(tmp_path: Path) -> None:
    source = DATA / "locomo" / "locomo10.json"
    first = report_of(membatch("run", source, "--json", "--batch-size", 100, folder=tmp_path))
    assert (first["counts"]["read"], first["counts"]["inserted"], first["counts"]["rejected"]) == (2541, 2541, 0)
    again = report_of(membatch("run", source, "--format", "locomo", "--json", folder=tmp_path))
    assert again["counts"]["duplicates"] == 2541
    connection = sqlite3.connect(tmp_path / "memories.db")
    row = connection.execute("SELECT subject, namespace, occurred_at, source_message_ids FROM memory_field").fetchone()
    assert row == ("Caroline", "conv-26", "2023-05-08T13:56:00Z", '["conv-26/D1:3"]')
    people = connection.execute("SELECT count(*) FROM memory_participant").fetchone()[0]
    assert people == 2 * 2541


def test_a_run_ends_with_the_exit_code_of_its_outcome(tmp_path: Path) -> None:
    good, bad = {"summary": "good"}, {"summary": ""}
    lines(tmp_path / "good.jsonl", good)
    lines(tmp_path / "mixed.jsonl", good, bad)
    exact = ("--strategy", "exact")
    assert membatch("run", "good.jsonl", *exact, folder=tmp_path).returncode == 0
    assert membatch("run", "mixed.jsonl", *exact, folder=tmp_path).returncode == 1
    assert membatch("run", "mixed.jsonl", "--max-errors", 0, *exact, folder=tmp_path).returncode == 3
    assert membatch("validate", "mixed.jsonl", folder=tmp_path).returncode == 1


def test_a_tolerance_cuts_at_the_record_and_a_raised_one_resumes_there(tmp_path: Path) -> None:
    records = [{"summary": "" if number % 3 == 2 else f"record {number}"} for number in range(30)]
    lines(tmp_path / "in.jsonl", *records)
    stopped = report_of(
        membatch("run", "in.jsonl", "--max-errors", 3, "--json", "--strategy", "exact", folder=tmp_path)
    )
    assert (stopped["status"], stopped["counts"]["read"], stopped["counts"]["rejected"]) == ("stopped", 12, 4)
    refused = membatch("resume", "--max-errors", 3, folder=tmp_path)
    assert refused.returncode == 2
    assert b"raised" in refused.stderr
    resumed = report_of(membatch("resume", "--max-errors", 100, "--json", folder=tmp_path))
    assert (resumed["status"], resumed["counts"]["read"], resumed["counts"]["rejected"]) == ("done", 30, 10)
    nothing = membatch("resume", folder=tmp_path)
    assert (nothing.returncode, nothing.stderr) == (0, b"there is nothing to resume\n")


def test_resume_refuses_a_changed_source_unless_forced(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", {"summary": "a"}, {"summary": ""}, {"summary": "b"})
    membatch("run", "in.jsonl", "--max-errors", 0, "--strategy", "exact", folder=tmp_path)
    source.write_text(source.read_text() + '{"summary": "c"}\n')
    refused = membatch("resume", "--max-errors", 9, folder=tmp_path)
    assert refused.returncode == 4
    assert b"in.jsonl had" in refused.stderr
    forced = report_of(membatch("resume", "--max-errors", 9, "--force", "--json", folder=tmp_path))
    assert forced["counts"]["inserted"] == 3


def test_retry_brings_in_what_can_be_read_now(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"id": "1", "summary": "a"}, {"id": "1", "summary": "b"}, {"summary": ""})
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    environment = {"MEMBATCH_DEDUP_SAME_ID": "update"}
    result = membatch("retry", 1, "--json", folder=tmp_path, environment=environment)
    report = report_of(result)
    assert (report["kind"], report["counts"]["merged"], report["counts"]["rejected"]) == ("retry", 1, 1)
    resolved = sqlite3.connect(tmp_path / "memories.db").execute("SELECT code, resolved_by FROM reject ORDER BY 1")
    assert resolved.fetchall() == [("id-conflict", 2), ("summary-blank", None), ("summary-blank", None)]


def test_rejects_come_whole_with_errors_and_advice(tmp_path: Path) -> None:
    bad = {"summary": "", "confidence": 9, "participants": [{"name": "x"}], "subject": "y"}
    lines(tmp_path / "in.jsonl", bad)
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    entry = json.loads(membatch("rejects", folder=tmp_path).stdout)
    assert json.loads(entry["raw"]) == bad
    assert [error["code"] for error in entry["errors"]] == ["confidence-range", "id-missing", "summary-blank"]
    assert all(error["advice"] and error["expected"] for error in entry["errors"])


def test_a_dry_run_reports_and_leaves_nothing(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"}, {"summary": "A."})
    report = report_of(membatch("run", "in.jsonl", "--dry-run", "--json", "--batch-size", 1, folder=tmp_path))
    assert (report["counts"]["inserted"], report["counts"]["merged"]) == (1, 1)
    assert not (tmp_path / "memories.db").exists()
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    before = membatch("export", folder=tmp_path).stdout
    lines(tmp_path / "more.jsonl", {"summary": "b"})
    membatch("run", "more.jsonl", "--dry-run", folder=tmp_path)
    assert membatch("export", folder=tmp_path).stdout == before
    assert len(json.loads(membatch("runs", "--json", folder=tmp_path).stdout)) == 1


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_export_loads_again_as_duplicates_and_exports_the_same(suffix: str, tmp_path: Path) -> None:
    record = {
        "id": "m1",
        "summary": 'Anna, "the boss",\nwent home',
        "participants": [{"id": "p1", "name": "Anna"}],
        "subject": "p1",
        "confidence": 1,
        "tags": ["a", "b"],
        "scope": {"user_id": "u1"},
        "occurred_at": "2024-05-01T10:00:00+02:00",
        "metadata": {"n": 1.5, "deep": {"x": [1, None]}},
        "custom_field": 7,
    }
    lines(tmp_path / "in.jsonl", record, {"summary": "=1+1", "metadata": {"k": "v"}})
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    membatch("export", "--output", f"out.{suffix}", folder=tmp_path)
    again = report_of(membatch("run", f"out.{suffix}", "--json", "--strategy", "exact", folder=tmp_path))
    assert again["counts"]["duplicates"] == 2, again["errors"]
    membatch("run", f"out.{suffix}", "--strategy", "exact", "--store", "sqlite:///new.db", folder=tmp_path)
    exports = [
        membatch("export", "--store", f"sqlite:///{name}.db", folder=tmp_path).stdout for name in ("memories", "new")
    ]
    assert exports[0] == exports[1]


def test_flags_go_over_environment_over_file_over_default(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text(
        "[dedup]\nthreshold = 0.70\n[batch]\nsize = 7\n[tolerance]\nmax_errors = 5\n"
    )
    environment = {"MEMBATCH_BATCH_SIZE": "8", "MEMBATCH_TOLERANCE_MAX_ERRORS": "6"}
    result = membatch("config", "--json", "--max-errors", 9, folder=tmp_path, environment=environment)
    settings = json.loads(result.stdout)
    assert settings["dedup.threshold"] == {"value": "0.70", "origin": "file membatch.toml"}
    assert settings["batch.size"] == {"value": 8, "origin": "environment"}
    assert settings["tolerance.max_errors"] == {"value": 9, "origin": "flag"}
    assert settings["batch.workers"] == {"value": 1, "origin": "default"}


def test_config_refuses_what_a_load_would_refuse(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[merge]\nsummary = "earliest"\n')
    result = membatch("config", folder=tmp_path)
    assert (result.returncode, b"merge.summary" in result.stderr) == (2, True), result.stderr


def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text("[dedup]\ntreshold = 0.7\n")
    result = membatch("config", folder=tmp_path)
    assert result.returncode == 2
    assert b"did you mean 'dedup.threshold'?" in result.stderr


def test_timing_before_writes_nothing_past_the_tolerance(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"}, {"summary": ""})
    result = membatch("run", "in.jsonl", "--timing", "before", "--max-errors", 0, folder=tmp_path)
    assert result.returncode == 3
    assert not (tmp_path / "memories.db").exists()
    fine = membatch("run", "in.jsonl", "--timing", "before", "--strategy", "exact", folder=tmp_path)
    assert fine.returncode == 1
    only = membatch("run", "in.jsonl", "--timing", "only", "--json", "--store", "sqlite:///other.db", folder=tmp_path)
    assert (report_of(only)["counts"]["valid"], (tmp_path / "other.db").exists()) == (1, False)


def test_data_goes_to_standard_output_and_words_to_standard_error(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"})
    quiet = membatch("run", "in.jsonl", "--quiet", "--strategy", "exact", folder=tmp_path)
    assert (quiet.stdout, quiet.stderr) == (b"", b"")
    loud = membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    assert (loud.stdout, b"1 record read" in loud.stderr) == (b"", True)
    logged = membatch("run", "in.jsonl", "--log-format", "json", "--json", "--strategy", "exact", folder=tmp_path)
    assert json.loads(logged.stderr)["event"] == "batch"
    assert json.loads(logged.stdout)["run_id"] == 3


def test_each_line_of_a_json_log_is_json_and_the_last_one_says_how_it_ended(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"}, {"summary": ""})
    result = membatch("run", "in.jsonl", "--log-format", "json", "--strategy", "exact", folder=tmp_path)
    logged = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line["event"] for line in logged] == ["batch", "end"]
    assert (logged[-1]["status"], logged[-1]["read"], logged[-1]["rejected"]) == ("done", 2, 1)


def test_redact_leaves_no_content_in_a_report(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "", "content": "my secret"})
    open_report = membatch("run", "in.jsonl", "--json", "--strategy", "exact", folder=tmp_path).stdout
    assert b"my secret" in open_report
    redacted = membatch("run", "in.jsonl", "--json", "--redact", "--strategy", "exact", folder=tmp_path)
    assert b"my secret" not in redacted.stdout + redacted.stderr


def test_what_is_shown_of_a_record_cannot_drive_the_terminal(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a", "subject": "\x1b[31mred\x07"})
    result = membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    assert b"\x1b" not in result.stderr
    assert b"\x07" not in result.stderr


def test_standard_input_files_globs_and_folders_are_sources(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    lines(tmp_path / "a.jsonl", {"summary": "a"})
    lines(tmp_path / "sub" / "b.jsonl", {"summary": "b"})
    (tmp_path / "sub" / "c.json").write_text('[{"summary": "c"}, {"summary": "d"}]')
    result = membatch(
        "run",
        "a.jsonl",
        "sub",
        "*.jsonl",
        "-",
        "--json",
        "--strategy",
        "exact",
        folder=tmp_path,
        stdin=b'{"summary": "e"}\n',
    )
    report = report_of(result)
    assert report["sources"] == ["a.jsonl", "sub/b.jsonl", "sub/c.json", "a.jsonl", "-"]
    assert (report["counts"]["inserted"], report["counts"]["duplicates"]) == (5, 1)


def test_another_dedup_scope_is_refused(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"})
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    result = membatch("run", "in.jsonl", folder=tmp_path, environment={"MEMBATCH_DEDUP_SCOPE": "agent_id"})
    assert result.returncode == 4
    assert b"dedup.scope" in result.stderr


def test_the_table_of_runs_fits_a_narrow_terminal_and_is_whole_elsewhere(tmp_path: Path) -> None:
    for number in range(2):
        lines(tmp_path / "in.jsonl", *[{"summary": f"{number} {other}"} for other in range(3)])
        membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    whole = membatch("runs", folder=tmp_path).stdout.decode().splitlines()
    assert "duplicates" in whole[0]
    assert "started" in whole[0]
    assert all(line == line.rstrip() for line in whole)
    shown = on_a_terminal("runs", columns=80, folder=tmp_path)
    assert max(map(len, shown)) <= 80
    assert [word in shown[0] for word in ("read", "rejected", "a second", "duplicates")] == [True, True, True, False]
    assert "--json has all" in shown[-1]
    assert on_a_terminal("runs", columns=150, folder=tmp_path) == whole
    assert max(map(len, on_a_terminal("runs", columns=60, folder=tmp_path))) <= 60


def test_rejects_without_a_run_are_those_of_the_latest_that_read_records(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": ""}, {"summary": "fine"})
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    lines(tmp_path / "more.jsonl", {"summary": "more"})
    membatch("run", "more.jsonl", "--strategy", "exact", folder=tmp_path)
    membatch("undo", "2", folder=tmp_path)
    result = membatch("rejects", folder=tmp_path)
    assert json.loads(result.stdout)["run"] == 1
    assert b"rejects of run 1" in result.stderr
