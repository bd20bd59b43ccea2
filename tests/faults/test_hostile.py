"""Hostile input: no crash, no hang, no way out of a text; every record is accounted for."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import pty
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from membatch import Config, check, process, validate
from tests.acceptance.command import membatch, report_of
from tests.laws.data import config

from .fuzz import fuzzed
from .hostile import NAUGHTY, odd_bytes

# What no terminal should get: control characters, and characters that turn the direction of what follows.
DANGEROUS = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202b\u202d\u202e\u2066\u2067"} - {"\n"}


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[] if n < 2 else pytest.mark.slow) for n in range(20)])
def test_every_hostile_item_comes_out_as_records_or_rejections(seed: int) -> None:
    found = fuzzed(5000, seed)
    assert set(found.outcomes) >= {"valid", "source", "conversion", "validation"}


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_a_hostile_file_is_loaded_whole(suffix: str, tmp_path: Path) -> None:
    rng = random.Random(7)
    items = [odd_bytes(rng) for _ in range(3000)]
    between = b",\n" if suffix == "json" else b"\n"
    head = {"jsonl": b"", "json": b"[", "csv": b"summary,content,metadata\n"}[suffix]
    source = tmp_path / f"in.{suffix}"
    source.write_bytes(head + between.join(items))
    url = f"sqlite:///{tmp_path}/a.db"
    report = process(source, config=config(tmp_path / "a.db", guards=None, size=500))
    counts = report.counts
    assert counts.read == counts.inserted + counts.duplicates + counts.merged + counts.held + counts.rejected
    if suffix == "jsonl":
        lines = source.read_bytes().split(b"\n")
        assert counts.read == sum(1 for line in lines if line and not line.isspace())
    assert counts.read > 100
    assert check(url).is_whole
    again = process(source, config=config(tmp_path / "a.db", guards=None, size=77))
    assert again.counts.read == again.counts.duplicates + again.counts.rejected == counts.read


def naughty_file(folder: Path) -> int:
    """Write a record for each naughty text that JSON can say, with the text wherever one can be; return how many."""
    count = 0
    with (folder / "in.jsonl").open("w", encoding="utf-8") as stream:
        for text in NAUGHTY:
            record = {
                "summary": f"says {text}",
                "kind": text or None,
                "content": text or None,
                "participants": [{"id": "p" + text, "name": text}],
                "tags": ["t" + text[:40]],
                "source": {"uri": text},
                "metadata": {"k": text, "x" + text: 1},
                "unknown" + text: text,
            }
            stream.write(json.dumps(record) + "\n")
            count += 1
    return count


def test_naughty_texts_are_kept_as_they_are_or_rejected_with_reason(tmp_path: Path) -> None:
    count = naughty_file(tmp_path)
    report = report_of(
        membatch("run", "in.jsonl", "--json", "--strategy", "exact", "--same-id", "reject", folder=tmp_path)
    )
    counts = report["counts"]
    assert (counts["read"], counts["rejected"]) == (count, sum(report["errors"]["by_code"].values()))
    assert set(report["errors"]["by_code"]) <= {"surrogate-lone", "summary-nul", "content-nul", "metadata-nul"}
    stored = [json.loads(line) for line in membatch("export", folder=tmp_path).stdout.splitlines()]
    texts = {record["summary"].removeprefix("says ") for record in stored}
    fine = {text for text in NAUGHTY if "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)}
    assert texts == fine
    for record in stored:
        assert record["metadata"]["k"] == record["summary"].removeprefix("says ")
    tables = sqlite3.connect(tmp_path / "memories.db").execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    assert tables > 10
    assert not (tmp_path / "owned").exists()


def test_nothing_that_a_record_says_drives_the_terminal(tmp_path: Path) -> None:
    count = naughty_file(tmp_path)
    with (tmp_path / "in.jsonl").open("a") as stream:
        for text in NAUGHTY:
            bad = {"summary": "", "subject": text, "confidence": text, "id": text, text + "?": {"x": text}}
            stream.write(json.dumps(bad) + "\n")
            stream.write(json.dumps({"id": "same", "summary": f"{text} and {text}"}) + "\n")
    shown = membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    assert shown.returncode == 1
    outputs = [shown.stderr, membatch("report", folder=tmp_path).stdout]
    outputs.append(membatch("runs", folder=tmp_path).stdout)
    store = sqlite3.connect(tmp_path / "memories.db")
    ids = [row[0] for row in store.execute("SELECT id FROM memory LIMIT 200")]
    store.close()
    outputs += [membatch("history", identity, folder=tmp_path).stdout for identity in ids[::12]]
    outputs += [membatch("explain", ids[3], identity, folder=tmp_path).stdout for identity in ids[5::20]]
    for output in outputs:
        text = output.decode()
        assert text.strip()
        assert not DANGEROUS & set(text), sorted(DANGEROUS & set(text))
    assert count > 50


def on_a_terminal(*arguments: str, folder: Path) -> bytes:
    """Run the command with a terminal for its output, and return what it wrote there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "membatch.cli", *arguments]
    running = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    written = b""
    while True:
        try:
            data = os.read(master, 65_536)
        except OSError:  # how the end of a terminal looks
            data = b""
        if not data:
            break
        written += data
    os.close(master)
    assert running.wait() == 0, written
    return written.replace(b"\r\n", b"\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("command", ["rejects 1", "export", "report --json", "history same --json", "review --json"])
def test_json_on_a_terminal_is_harmless_and_of_the_same_value(command: str, tmp_path: Path) -> None:
    driving = "\x80\x9b31m\x9d0;title\x9c\u202egnp.exe\u2066\x7f\x1b[2J"
    with (tmp_path / "in.jsonl").open("w", encoding="utf-8") as stream:
        for record in (
            {"id": "same", "summary": f"{driving} comes"},
            {"summary": f"{driving} never comes"},
            {"summary": driving, "confidence": driving},
        ):
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    membatch("run", "in.jsonl", folder=tmp_path)
    shown = on_a_terminal(*command.split(), folder=tmp_path).decode()
    assert not DANGEROUS & set(shown), sorted(DANGEROUS & set(shown))
    plain = membatch(*command.split(), folder=tmp_path).stdout.decode()
    assert "\x9b" in plain
    many = command in ("rejects 1", "export")
    texts = [text.splitlines() if many else [text] for text in (shown, plain.replace("\x85", ""))]
    values = [[json.loads(line) for line in lines] for lines in texts]
    assert values[0] == values[1]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_is_exported_comes_back_whatever_it_says(suffix: str, tmp_path: Path) -> None:
    naughty_file(tmp_path)
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    membatch("export", "--output", f"out.{suffix}", folder=tmp_path)
    again = report_of(membatch("run", f"out.{suffix}", "--json", "--strategy", "exact", folder=tmp_path))
    assert (again["counts"]["duplicates"], again["counts"]["rejected"]) == (again["counts"]["read"], 0), again["errors"]


BOMBS: dict[str, Callable[[int], bytes]] = {
    ".gz": lambda size: gzip.compress(bytes(size), 9),
    ".bz2": lambda size: bz2.compress(bytes(size), 9),
    ".xz": lambda size: lzma.compress(bytes(size), preset=1),
    ".zst": lambda size: zstandard.ZstdCompressor(19).compress(bytes(size)),
}


@pytest.mark.parametrize("suffix", BOMBS)
def test_a_decompression_bomb_is_one_rejection_and_little_memory(suffix: str, tmp_path: Path) -> None:
    good = b'{"summary": "before"}\n'
    whole = BOMBS[suffix](1 << 30 if suffix != ".bz2" else 1 << 28)
    packed: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.compress,
    }
    head: bytes = packed[suffix](good)
    (tmp_path / f"in.jsonl{suffix}").write_bytes(head + whole)
    result = membatch("run", f"in.jsonl{suffix}", "--json", "--strategy", "exact", folder=tmp_path)
    report = report_of(result)
    assert (report["counts"]["inserted"], report["counts"]["rejected"]) == (1, 1), report["errors"]
    assert set(report["errors"]["by_code"]) <= {"too-long", "decompression-bomb"}
    assert report["resources"]["peak_rss_bytes"] < 400_000_000


def test_names_of_files_may_be_any(tmp_path: Path) -> None:
    names = [
        b"a b.jsonl",
        b"'; DROP TABLE run;--.jsonl",
        b"new\nline.jsonl",
        b"-v.jsonl",
        b"\x1b[31m.jsonl",
    ]
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(names):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b'{"summary": "r%d"}\n{\n' % number)
    shown = membatch("run", "in", "--strategy", "exact", folder=tmp_path)
    assert (shown.returncode, b"Traceback" in shown.stderr) == (1, False), shown.stderr
    assert not DANGEROUS & set(shown.stderr.decode("utf-8", "replace"))
    report = report_of(membatch("report", "--json", folder=tmp_path))
    assert (report["counts"]["read"], report["counts"]["inserted"]) == (10, 5)
    assert len(membatch("rejects", folder=tmp_path).stdout.splitlines()) == 5


def test_a_name_that_is_no_text_is_refused_with_a_word(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[31m.jsonl")).write_bytes(b"{}\n")
    result = membatch("run", ".", folder=tmp_path)
    assert (result.returncode, b"not UTF-8" in result.stderr, b"\x1b" in result.stderr) == (4, True, False)


def test_what_a_record_says_is_never_taken_for_a_path(tmp_path: Path) -> None:
    target = tmp_path / "outside.jsonl"
    for name in ("../outside", "/etc/passwd", "a/../../outside"):
        (tmp_path / "in.jsonl").write_text(json.dumps({"id": name, "summary": name, "source": {"uri": name}}) + "\n")
        membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    membatch("export", "--output", "out.csv", folder=tmp_path)
    assert not target.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "memories.db", "memories.db.lock", "out.csv"}


def test_deep_or_wide_documents_cost_little(tmp_path: Path) -> None:
    wide = {"summary": "wide", "metadata": {f"k{n}": n for n in range(50_000)}}
    strange = {f"field{n}": n for n in range(20_000)} | {"summary": "strange"}
    deep = b'{"summary": "deep", "metadata": ' + b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000 + b"}"
    lists = b'{"summary": "lists", "tags": ' + b"[" * 3_000_000
    lines = [json.dumps(wide).encode(), json.dumps(strange).encode(), deep, lists, b'{"summary":"fine"}']
    found = validate(iter(lines), config=Config())
    assert (found.counts.valid, found.counts.rejected) == (3, 2)
    assert found.timing["seconds"] < 20


def test_no_cell_of_an_export_is_a_formula_and_all_come_back(tmp_path: Path) -> None:
    texts = ("=1+1", "@SUM(1)", "'=1", "fine", "'tis")
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"summary": text}) + "\n" for text in texts))
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    membatch("export", "--output", "out.csv", folder=tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [row["summary"] for row in rows] == ["'=1+1", "'@SUM(1)", "''=1", "fine", "'tis"]
    again = report_of(membatch("run", "out.csv", "--json", "--strategy", "exact", folder=tmp_path))
    assert again["counts"]["duplicates"] == len(texts)
