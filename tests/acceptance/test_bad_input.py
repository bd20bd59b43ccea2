"""Bad input: one clear message and the right exit code, the good records around it loaded, nothing lost."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from .command import membatch, report_of

GOOD = b'{"summary": "a good record"}'
ALSO_GOOD = b'{"summary": "another good record"}'

LINES = {
    "not JSON": (b"hello", "json-malformed"),
    "not UTF-8": (b'{"summary": "caf\xe9"}', "encoding"),
    "raw NUL bytes": (b'{"summary": "a\x00b"}', "json-malformed"),
    "escaped NUL": (b'{"summary": "a\\u0000b"}', "summary-nul"),
    "NaN": (b'{"summary": "a", "confidence": NaN}', "json-malformed"),
    "Infinity": (b'{"summary": "a", "confidence": Infinity}', "json-malformed"),
    "a number beyond 64 bits": (b'{"summary": "a", "metadata": {"n": 123456789012345678901234567890}}', "number-range"),
    "a number beyond a double": (b'{"summary": "a", "metadata": {"n": 1e999}}', "number-range"),
    "a lone surrogate": (b'{"summary": "a \\ud800 b"}', "surrogate-lone"),
    "an array": (b'["summary"]', "not-object"),
    "a text": (b'"summary"', "not-object"),
    "100,000 levels": (b'{"summary": "a", "metadata": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "too-deep"),
    "101 levels": (b'{"summary": "a", "metadata": {"a": ' + b"[" * 101 + b"]" * 101 + b"}}", "too-deep"),
    "a truncated object": (b'{"summary": "a"', "json-truncated"),
    "two values": (b'{"summary": "a"} {"summary": "b"}', "json-malformed"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_line_costs_itself_only(name: str, tmp_path: Path) -> None:
    bad, code = LINES[name]
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n" + bad + b"\n" + ALSO_GOOD + b"\n")
    result = membatch("run", "in.jsonl", "--json", "--strategy", "exact", folder=tmp_path)
    report = report_of(result)
    assert result.returncode == 1
    assert report["counts"]["inserted"] == 2
    assert report["errors"]["by_code"] == {code: 1}
    assert report["errors"]["samples"][0]["line"] == 2
    assert report["errors"]["samples"][0]["offset"] == len(GOOD) + 1
    kept = sqlite3.connect(tmp_path / "memories.db").execute("SELECT raw FROM reject").fetchone()[0]
    assert kept == bad
    assert b"Traceback" not in result.stderr


def test_a_line_over_the_limit_is_kept_short_with_its_length_and_hash(tmp_path: Path) -> None:
    with (tmp_path / "in.jsonl").open("wb") as stream:
        stream.write(GOOD + b"\n" + b'{"summary": "')
        for _ in range(200):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n' + ALSO_GOOD + b"\n")
    result = membatch("run", "in.jsonl", "--json", "--strategy", "exact", folder=tmp_path)
    report = report_of(result)
    assert (report["counts"]["inserted"], report["errors"]["by_code"]) == (2, {"too-long": 1})
    row = sqlite3.connect(tmp_path / "memories.db").execute("SELECT length(raw), raw_length FROM reject").fetchone()
    assert row == (64 * 1024, 200_000_015)
    assert report["resources"]["peak_rss_bytes"] < 250_000_000


def test_a_byte_order_mark_and_crlf_are_no_part_of_a_record(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n" + ALSO_GOOD + b"\r\n")
    result = membatch("run", "in.jsonl", "--json", "--strategy", "exact", folder=tmp_path)
    assert (result.returncode, report_of(result)["counts"]["inserted"]) == (0, 2)


def test_of_a_key_given_twice_the_last_wins(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'{"summary": "first", "summary": "last"}\n')
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    assert b'"summary":"last"' in membatch("export", folder=tmp_path).stdout


def test_an_empty_file_is_done_with_nothing_read(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"")
    result = membatch("run", "in.jsonl", "--json", folder=tmp_path)
    assert (result.returncode, report_of(result)["counts"]["read"]) == (0, 0)


def test_a_truncated_gzip_file_gives_its_whole_lines_and_one_rejection(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"summary": "record %d"}\n' % number for number in range(20_000)))
    (tmp_path / "in.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    result = membatch("run", "in.jsonl.gz", "--json", "--strategy", "exact", folder=tmp_path)
    report = report_of(result)
    assert result.returncode == 1
    assert report["counts"]["inserted"] > 1000
    assert report["errors"]["by_code"] == {"compression": 1}


ENDINGS = {
    "a missing file": (["run", "missing.jsonl"], 4, b"no such file: missing.jsonl"),
    "a glob without a match": (["run", "*.jsonl"], 4, b"no file matches *.jsonl"),
    "a folder without data": (["run", "empty"], 4, b"folder empty holds no data"),
    "an unknown suffix": (["run", "notes.txt"], 4, b"unknown kind of file '.txt'"),
    "a database that is none": (["run", "in.jsonl", "--store", "sqlite:///notes.db"], 4, b"not a SQLite database"),
    "a store in a folder that is missing": (["run", "in.jsonl", "--store", "sqlite:///no/a.db"], 4, b"cannot"),
    "a store in memory": (["run", "in.jsonl", "--store", "sqlite:///:memory:"], 2, b"gone at once"),
    "an unknown store": (
        ["run", "in.jsonl", "--store", "mysql://u:secret@h/d"],
        2,
        b'unknown store "mysql://u:***@h/d"',
    ),
    "an unknown format": (["run", "in.jsonl", "--format", "nope"], 2, b"unknown format 'nope'"),
    "an unknown option": (["run", "in.jsonl", "--batchsize", "3"], 2, b"--batch-size"),
    "a threshold above 1": (["run", "in.jsonl", "--threshold", "1.5"], 2, b"between 0 and 1"),
    "a report of no run": (["report"], 4, b"there is no store"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_stops_a_command_gives_one_message_and_its_exit_code(name: str, tmp_path: Path) -> None:
    arguments, code, message = ENDINGS[name]
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_bytes(b"hello")
    (tmp_path / "notes.db").write_bytes(b"this is no database, only some text that is long enough" * 20)
    if name != "a glob without a match":
        (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n")
    result = membatch(*arguments, folder=tmp_path)
    assert result.returncode == code
    assert message.replace(b'"', b"'") in result.stderr.replace(b'"', b"'")
    assert b"Traceback" not in result.stderr
    assert b"secret" not in result.stderr


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "memories.db")
    connection.execute("CREATE TABLE mine (a)")
    connection.commit()
    connection.close()
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n")
    result = membatch("run", "in.jsonl", folder=tmp_path)
    assert result.returncode == 4
    assert b"no membatch store" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n")
    (tmp_path / "sealed").mkdir(mode=0o500)
    result = membatch("run", "in.jsonl", "--store", "sqlite:///sealed/a.db", folder=tmp_path)
    assert (result.returncode, b"Traceback" in result.stderr) == (4, False)


def sealed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command where the folder `sealed` cannot be written to: for root, who may, it is mounted read-only."""
    command = [sys.executable, "-m", "membatch.cli", *arguments]
    if os.geteuid() == 0:
        mounted = "mount --bind sealed sealed && mount -o remount,bind,ro sealed"
        command = ["unshare", "--mount", "sh", "-c", f'{mounted} && exec "$@"', "sh", *command]
    else:
        (folder / "sealed").chmod(0o500)
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)


can_seal = pytest.mark.skipif(
    os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0,
    reason="root may write everywhere, and may not mount here",
)


@can_seal
def test_a_store_in_a_folder_that_cannot_be_written_to_can_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir()
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n{}\n")
    membatch("run", "in.jsonl", "--store", "sqlite:///sealed/a.db", folder=tmp_path)
    for command in ("runs", "export", "check", "report", "rejects", "review"):
        result = sealed(tmp_path, command, "--store", "sqlite:///sealed/a.db")
        assert (result.returncode, b"Traceback" in result.stderr) == (0, False), (command, result.stderr)
    assert b"a good record" in sealed(tmp_path, "export", "--store", "sqlite:///sealed/a.db").stdout
    loaded = sealed(tmp_path, "run", "in.jsonl", "--store", "sqlite:///sealed/a.db")
    assert (loaded.returncode, b"sealed/a.db" in loaded.stderr) == (4, True)


@can_seal
def test_a_store_whose_last_changes_cannot_be_read_there_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir()
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n")
    url = "sqlite:///sealed/a.db"
    membatch("run", "in.jsonl", "--store", url, folder=tmp_path)
    (tmp_path / "sealed" / "a.db-wal").write_bytes(b"changes of a run that died")
    result = sealed(tmp_path, "runs", "--store", url)
    assert (result.returncode, b"copy both files" in result.stderr) == (4, True)


def test_files_are_private_to_the_user(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"\n")
    membatch("run", "in.jsonl", "--strategy", "exact", "--report", "report.json", folder=tmp_path)
    membatch("init", folder=tmp_path)
    for name in ("memories.db", "memories.db.lock", "report.json", "membatch.toml"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, name


@pytest.mark.parametrize("name", ["memories", "records", "data", "items", "results"])
def test_an_object_with_one_list_of_records_gives_the_records_of_the_list(name: str, tmp_path: Path) -> None:
    document = b'{"count": 2, "%s": [%s,\n %s]}' % (name.encode(), GOOD, ALSO_GOOD)
    (tmp_path / "in.json").write_bytes(document)
    result = membatch("run", "in.json", "--json", "--strategy", "exact", folder=tmp_path)
    assert (result.returncode, report_of(result)["counts"]["inserted"]) == (0, 2)
    piped = membatch("run", "-", "--json", "--strategy", "exact", folder=tmp_path, stdin=document)
    assert report_of(piped)["counts"]["duplicates"] == 2


def test_a_record_that_has_such_a_list_itself_is_one_record(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(b'{"items": [{"summary": "inside"}, {"x": 1}], "summary": "the record"}')
    result = membatch("run", "in.json", "--json", "--strategy", "exact", folder=tmp_path)
    assert (result.returncode, report_of(result)["counts"]["inserted"]) == (0, 1)
    kept = membatch("export", folder=tmp_path).stdout
    assert b'"metadata":{"items":[{"summary":"inside"},{"x":1}]},"summary":"the record"' in kept
