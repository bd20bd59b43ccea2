"""Other systems' exports through the command: convert, explain, what resume and retry remember, bounded memory."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from .command import lines, membatch, report_of

MEM0 = {"id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e", "memory": "Anna moved", "hash": "h", "user_id": "anna"}
EXACT = ("--strategy", "exact")
MAPPING = """
format = "mapping"
[mapping]
items = ["/rows"]
[mapping.fields]
summary = "/text"
confidence = { from = "/score", scale = [0, 10] }
"""


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), "utf-8")
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_what_converts_to_a_file_loads_as_what_loads_at_once(suffix: str, tmp_path: Path) -> None:
    write(tmp_path / "in.json", {"results": [MEM0, {**MEM0, "id": "7", "memory": "a, b", "categories": ["x"]}]})
    done = membatch("convert", "in.json", "--output", f"out.{suffix}", folder=tmp_path)
    assert done.returncode == 0
    assert b"read as mem0: its items hold id, memory and hash" in done.stderr
    for source, store in ((f"out.{suffix}", "sqlite:///a.db"), ("in.json", "sqlite:///b.db")):
        assert membatch("run", source, "--store", store, *EXACT, folder=tmp_path).returncode == 0
    exports = [membatch("export", "--store", f"sqlite:///{name}.db", folder=tmp_path).stdout for name in "ab"]
    assert exports[0] == exports[1] != b""


def test_convert_counts_what_it_cannot_write_and_explains_without_moving_the_cursor(tmp_path: Path) -> None:
    write(tmp_path / "in.json", {"results": [{**MEM0, "memory": "red \x1b[31m text\n\x07"}, {"id": "2", "hash": "h"}]})
    arguments = ("convert", "in.json", "--format", "mem0", "--explain", 2, "--output", "out.jsonl", "--json")
    done = membatch(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert b"\x1b" not in done.stdout
    assert "conversion-failed" in done.stdout.decode()
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 1
    assert membatch("convert", "in.json", folder=tmp_path).returncode == 2
    unknown = membatch("convert", "in.json", "--output", "out.jsonl", "--to-version", 99, folder=tmp_path)
    assert (unknown.returncode, b"no schema version 99" in unknown.stderr) == (2, True)


def test_records_of_older_shapes_are_counted_with_what_changed(tmp_path: Path) -> None:
    old = {"text": "We moved", "date": "2024-05-08", "sender": "Anna", "mood": "happy"}
    lines(tmp_path / "in.jsonl", old, {**old, "text": "We stayed"}, {"summary": "They met", "confidence": 4})
    report = report_of(membatch("run", "in.jsonl", "--format", "mnemosyne", "--json", *EXACT, folder=tmp_path))
    assert report["migration"] == {
        "from": {"mnemosyne 1.0": 2, "mnemosyne legacy": 1},
        "changed": {"text": 2, "date": 2, "sender": 2, "mood": 2, "confidence": 1},
        "lost": [],
    }
    assert report_of(membatch("report", "--json", folder=tmp_path))["migration"] == report["migration"]
    shown = " ".join(membatch("report", folder=tmp_path).stdout.decode().split())
    assert "migrated: 2 from mnemosyne 1.0, 1 from mnemosyne legacy; changed: date, mood, sender, text" in shown
    membatch("report", "--output", "report.html", folder=tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Migration" in page
    assert "mnemosyne legacy" in page


def test_the_reason_for_a_format_is_kept_with_the_run(tmp_path: Path) -> None:
    write(tmp_path / "in.json", [MEM0])
    first = report_of(membatch("run", "in.json", "--json", *EXACT, folder=tmp_path))
    expected = {"name": "mem0", "reason": "its items hold id, memory and hash"}
    assert first["format"] == expected
    assert report_of(membatch("report", "--json", folder=tmp_path))["format"] == expected


def test_resume_and_retry_convert_as_the_run_did(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text(MAPPING, "utf-8")
    rows = [{"text": f"number {number}", "score": number} for number in range(6)]
    write(tmp_path / "in.json", {"by": "me", "rows": [*rows[:2], {"score": 1}, *rows[2:]]})
    stopped = report_of(membatch("run", "in.json", "--max-errors", 0, "--json", *EXACT, folder=tmp_path))
    assert (stopped["status"], stopped["counts"]["read"], stopped["counts"]["rejected"]) == ("stopped", 3, 1)
    (tmp_path / "membatch.toml").unlink()
    resumed = report_of(membatch("resume", "--max-errors", 5, "--json", folder=tmp_path))
    assert (resumed["status"], resumed["counts"]["inserted"], resumed["counts"]["rejected"]) == ("done", 6, 1)
    retried = report_of(membatch("retry", 1, "--json", folder=tmp_path))
    assert (retried["counts"]["rejected"], retried["errors"]["by_code"]) == (1, {"summary-missing": 1})


def test_a_retry_under_the_right_format_knows_what_stood_around_the_items(tmp_path: Path) -> None:
    memory = {
        "id": "m1",
        "type": "fact",
        "content": "Anna sings",
        "temporal": {"created_at": "2024-06-01T10:00:00Z"},
        "provenance": {"platform": "chatgpt"},
    }
    write(tmp_path / "in.json", {"schema": "portable-ai-memory", "owner": {"id": "anna"}, "memories": [memory]})
    assert membatch("run", "in.json", "--format", "mem0", *EXACT, folder=tmp_path).returncode == 1
    (tmp_path / "in.json").unlink()
    assert membatch("retry", 1, "--format", "pam", folder=tmp_path).returncode == 0
    (user,) = sqlite3.connect(tmp_path / "memories.db").execute("SELECT user_id FROM memory_field").fetchone()
    assert user == "anna"


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_what_is_no_memory_in_a_wrapper_costs_itself_only(suffix: str, tmp_path: Path) -> None:
    other = {**MEM0, "id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8f", "memory": "Tom stayed"}
    text = json.dumps({"next": "abc", "results": [None, MEM0, {"id": "7", "hash": "h"}, "text", other]})
    (tmp_path / f"in.{suffix}").write_text(text + "\n", "utf-8")
    report = report_of(membatch("run", f"in.{suffix}", "--json", *EXACT, folder=tmp_path))
    assert (report["format"]["name"], report["counts"]["inserted"], report["counts"]["rejected"]) == ("mem0", 2, 3)
    raws = [json.loads(line)["raw"] for line in membatch("rejects", "1", folder=tmp_path).stdout.splitlines()]
    assert [json.loads(raw) for raw in raws] == [None, {"id": "7", "hash": "h"}, "text"]
    records = [json.loads(line) for line in membatch("export", folder=tmp_path).stdout.splitlines()]
    around = {"around": {"next": "abc"}} if suffix == "jsonl" else {}
    assert [record["metadata"] for record in records] == [{"hash": "h", **around}, {"hash": "h"}]
    again = report_of(membatch("run", f"in.{suffix}", "--json", *EXACT, folder=tmp_path))
    assert (again["counts"]["duplicates"], again["counts"]["rejected"]) == (2, 3)


CHAT: dict[str, Any] = {
    "conversation_id": "c1",
    "title": "Moving",
    "current_node": "b",
    "mapping": {
        "b": {
            "id": "b",
            "parent": None,
            "message": {"author": {"role": "user"}, "content": {"parts": ["I am moving."]}},
        }
    },
}


def test_of_a_folder_the_files_of_the_format_are_read_whatever_their_names_and_the_others_are_named(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder / "my-chats.json", [CHAT])
    report = report_of(membatch("convert", "export", "--output", "out.jsonl", "--json", folder=tmp_path))
    assert (report["format"]["name"], report["counts"]["valid"]) == ("chatgpt", 1)
    write(folder / "conversations-000.json", [{**CHAT, "conversation_id": "c2"}])
    write(folder / "user.json", {"id": "user-1", "email": "anna@example.org"})
    report = report_of(membatch("convert", "export", "--output", "out.jsonl", "--json", folder=tmp_path))
    assert report["format"]["reason"].endswith("; left out, as it is something else: user.json")
    assert (report["counts"]["valid"], report["counts"]["rejected"]) == (2, 0)
    named = membatch("convert", "export", "--format", "chatgpt", "--output", "out.jsonl", "--json", folder=tmp_path)
    report = report_of(named)
    assert report["counts"]["valid"] == 1  # a format that is named takes the names that it knows
    assert report["format"]["reason"].endswith("another name than the format's files: my-chats.json, user.json")
    (folder / "conversations-000.json").unlink()
    refused = membatch("convert", "export", "--format", "chatgpt", "--output", "out.jsonl", folder=tmp_path)
    assert (refused.returncode, b"holds no file named conversations.json or" in refused.stderr) == (4, True)


def test_a_member_of_an_archive_whose_path_leads_outside_is_read_and_nothing_is_written_there(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(inside / "records.zip", "w") as archive:
        archive.writestr("../../memories.jsonl", '{"summary": "Anna moved to Oslo"}\n')
    before = sorted(tmp_path.rglob("*"))
    report = report_of(membatch("validate", "records.zip", "--json", folder=inside))
    assert report["counts"]["valid"] == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path / "my-chats.json", [CHAT])
    write(tmp_path / "user.json", {"id": "user-1"})
    report = report_of(
        membatch("convert", "my-chats.json", "user.json", "--output", "out.jsonl", "--json", folder=tmp_path)
    )
    assert (report["counts"]["valid"], report["errors"]["by_code"]) == (1, {"conversion-failed": 1})


def test_explain_shows_so_many_records_and_cuts_what_is_long(tmp_path: Path) -> None:
    node = CHAT["mapping"]["b"]
    said = {**node, "parent": "b", "message": {**node["message"], "content": {"parts": ["x" * 2_000]}}}
    long = {**CHAT, "mapping": {"b": node, "c": said}, "current_node": "c"}
    empty = {**CHAT, "conversation_id": "c3", "mapping": {}}
    write(tmp_path / "in.json", [empty, {**CHAT, "conversation_id": "7" * 60}, *[long] * 9])
    environment = {"COLUMNS": "80"}
    done = membatch("convert", "in.json", "--explain", 3, folder=tmp_path, environment=environment)
    shown = done.stdout.decode()
    assert max(map(len, shown.splitlines())) <= 80
    after = " ".join(" ".join(line.split("│")[2] for line in shown.splitlines() if line.startswith("│")).split())
    assert "rejected, nothing-found: format 'chatgpt': the conversation holds no message with text" in after
    assert after.count('"summary"') == 2
    assert "… and 1 more records" in after
    assert "7" * 60 + "/b" in after.replace(" ", "")  # wrapped, not cut
    whole = membatch("convert", "in.json", "--explain", 99, folder=tmp_path, environment=environment).stdout.decode()
    assert "1,700 more" in whole


def test_a_format_without_conversations_cannot_be_divided(tmp_path: Path) -> None:
    write(tmp_path / "in.json", [MEM0])
    for arguments in (("run", "in.json", "--per", "turn"), ("validate", "in.json", "--per", "turn")):
        refused = membatch(*arguments, folder=tmp_path)
        assert (refused.returncode, b"holds no conversations" in refused.stderr) == (2, True)


BAD_MAPPINGS = {
    "nothing": ("", b"[mapping.fields]"),
    "no summary": ('[mapping.fields]\nkind = "/k"', b"where the summary stands"),
    "a field that is none": ('[mapping.fields]\nsummary = "/t"\nsumary = "/u"', b"'sumary' is no field"),
    "neither from nor constant": ("[mapping.fields]\nsummary = { scale = [0, 1] }", b"either from or constant"),
    "a scale that falls": ('[mapping.fields]\nsummary = "/t"\nconfidence = {from="/c", scale=[1, 0]}', b"must rise"),
    "an unknown key": ('[mapping]\nitem = ["/x"]\n[mapping.fields]\nsummary = "/t"', b"item"),
}


@pytest.mark.parametrize("name", BAD_MAPPINGS)
def test_a_mapping_that_makes_no_sense_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    settings, message = BAD_MAPPINGS[name]
    (tmp_path / "membatch.toml").write_text(settings, "utf-8")
    lines(tmp_path / "in.jsonl", {"t": "x"})
    refused = membatch("run", "in.jsonl", "--format", "mapping", folder=tmp_path)
    assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert b"Traceback" not in refused.stderr


def test_the_format_of_the_documentation_is_found_by_its_entry_point(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "formats-intro.md").read_text("utf-8")
    section = page.partition("## A format of your own")[2]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (point,) = re.findall(r'```toml\n\[project.entry-points."(.*?)"\]\n(.*?)```', section, re.DOTALL)
    package = tmp_path / "site" / "my_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", "utf-8")
    (package / "diary.py").write_text(code, "utf-8")
    facts = tmp_path / "site" / "my_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", "utf-8")
    entry = point[1].replace('"', "")
    (facts / "entry_points.txt").write_text(f"[{point[0]}]\n{entry}", "utf-8")
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    pages = [{"entry": "Rain all day", "day": "2024-05-08", "sure": 10, "ink": "blue"}, {"day": "2024-05-09"}]
    write(tmp_path / "in.json", {"owner": "anna", "pages": pages})
    assert b"pages of a diary" in membatch("formats", folder=tmp_path, environment=environment).stdout
    report = report_of(membatch("run", "in.json", "--json", *EXACT, folder=tmp_path, environment=environment))
    assert report["format"] == {"name": "diary", "reason": "its pages hold entry and day"}
    assert (report["counts"]["inserted"], report["errors"]["by_code"]) == (1, {"conversion-failed": 1})
    assert "the page has no entry" in report["errors"]["samples"][0]["message"]
    (record,) = [json.loads(line) for line in membatch("export", folder=tmp_path).stdout.splitlines()]
    assert (record["confidence"], record["scope"], record["metadata"]) == (
        1.0,
        {"user_id": "anna"},
        {"ink": "blue", "sure": 10},
    )


@pytest.mark.slow
def test_a_wrapper_of_200_megabytes_converts_in_bounded_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 400_000):
        with (tmp_path / "in.json").open("w", encoding="utf-8") as stream:
            stream.write('{"count": 0, "results": [\n')
            for number in range(count):
                item = {**MEM0, "id": f"{number:032x}", "memory": f"fact {number} " + "x" * 400}
                stream.write(("," if number else "") + json.dumps(item) + "\n")
            stream.write('], "next": null}')
        report = report_of(membatch("convert", "in.json", "--output", "out.jsonl", "--json", folder=tmp_path))
        assert report["counts"]["valid"] == count
        peaks.append(report["resources"]["peak_rss_bytes"])
    assert (tmp_path / "in.json").stat().st_size > 200_000_000
    assert peaks[1] - peaks[0] < 120_000_000


def test_a_wrong_pointer_of_a_mapping_is_answered_with_what_the_source_has(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"text": "Anna moved"})
    (tmp_path / "membatch.toml").write_text('format = "mapping"\n[mapping.fields]\nsummary = "/txet"\n', "utf-8")
    said = membatch("run", "in.jsonl", *EXACT, folder=tmp_path).stderr
    assert b"summary is missing; your source has `text`." in said


def test_settings_of_a_mapping_that_a_load_would_refuse_are_refused_by_config_too(tmp_path: Path) -> None:
    (tmp_path / "membatch.toml").write_text('[mapping.fields]\nsumary = "/text"\n', "utf-8")
    shown = membatch("config", folder=tmp_path)
    assert (shown.returncode, b"'sumary' is no field of a record: did you mean 'summary'?" in shown.stderr) == (2, True)


def test_an_explained_record_shows_its_own_id(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"id": "my-own-id", "summary": "Anna moved"})
    before, _, after = membatch("convert", "in.jsonl", "--explain", 1, folder=tmp_path).stdout.decode().partition("│")
    assert (before + after).count("my-own-id") == 2


def test_each_users_memories_and_those_of_nobody_can_be_had_as_pam(tmp_path: Path) -> None:
    anna = {"summary": "Anna sings", "scope": {"user_id": "anna"}}
    lines(tmp_path / "in.jsonl", anna, {"summary": "Nobody sings"})
    membatch("run", "in.jsonl", *EXACT, folder=tmp_path)
    asked = membatch("export", "--format", "pam", folder=tmp_path)
    assert (asked.returncode, b"those of anna, nobody (--user '')" in asked.stderr) == (2, True)
    for user, text in (("anna", "Anna sings"), ("", "Nobody sings")):
        found = json.loads(membatch("export", "--format", "pam", "--user", user, folder=tmp_path).stdout)
        assert [memory["content"] for memory in found["memories"]] == [text]
    for user in ("nobody", "tom"):
        wrong = membatch("export", "--format", "pam", "--user", user, "--output", "out.json", folder=tmp_path)
        assert (wrong.returncode, b"has no memory: there are those of anna" in wrong.stderr) == (2, True)
    assert not (tmp_path / "out.json").exists()


def test_files_of_a_folder_that_would_be_read_if_they_were_named_are_said_to_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    lines(tmp_path / "in" / "a.jsonl", {"summary": "Anna sings"})
    for name in ("notes.md", "old.zip", ".hidden.md", "picture.png"):
        (tmp_path / "in" / name).write_bytes(b"")
    result = membatch("run", "in", *EXACT, folder=tmp_path)
    assert (result.returncode, b"left out" in result.stderr) == (0, True)
    reason = report_of(membatch("report", "--json", folder=tmp_path))["format"]["reason"]
    assert reason.endswith("; left out, as its kind is read only where it is named: notes.md, old.zip")
    alone = membatch("run", "in/a.jsonl", *EXACT, folder=tmp_path)
    assert b"left out" not in alone.stderr
