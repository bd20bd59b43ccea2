"""Forgetting leaves counts and no byte of what was said."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from membatch import Config, ConfigError, check, forget, history, process, report, retry, undo, unmerge
from membatch.errors import StoreBusyError
from membatch.review import accept, open_pairs

from .acceptance.command import lines, membatch, report_of
from .laws.data import config, memory_data

ROOT = Path(__file__).parent.parent
SECRET = "Wilhelmine keeps the key under the third flowerpot"
OTHER = "Ottokar repairs bicycles on Sundays"


def files_of(folder: Path) -> bytes:
    """All bytes of the store's files, whatever they are for."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("a.db*")))


def holds(folder: Path, text: str = "flowerpot") -> bool:
    """Whether a text is in the files, as UTF-8 or as UTF-16."""
    found = files_of(folder)
    return any(text.encode(encoding) in found for encoding in ("utf-8", "utf-16-le"))


def a_store(folder: Path) -> str:
    """A store in which the secret is in every table: founder, absorbed, duplicate, held, rejected, replaced."""
    settings = config(folder / "a.db", guards=("negation",))
    values: list[dict[str, object]] = [
        {"id": "s", "summary": SECRET, "updated_at": "2024-01-01T00:00:00Z"},
        {"summary": OTHER},
        {"summary": SECRET + "!", "confidence": 0.9},
        {"summary": SECRET + "!", "confidence": 0.9},
        {"id": "s", "summary": SECRET.upper(), "updated_at": "2024-02-01T00:00:00Z"},
        {"summary": SECRET.replace("keeps", "never keeps")},
        {"summary": SECRET, "confidence": 7},
        {"id": "s", "summary": "a quite different text under its id"},
        {"id": "t", "summary": OTHER, "confidence": 7},
    ]
    process(iter(values), config=settings)
    process(iter([b'{"summary": "' + SECRET.encode() + b'", "x']), config=settings)
    return f"sqlite:///{folder}/a.db"


def test_no_byte_of_it_stays_and_the_accounts_hold(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    before = [report(run, store=url).counts for run in (1, 2)]
    assert holds(tmp_path)
    held = next(pair["younger"]["id"] for pair in open_pairs(url))
    removed = forget("s", store=url).removed
    assert (removed["memory"], removed["duplicate"], removed["review"]) == (1, 1, 1)
    assert holds(tmp_path)  # the held one is a memory of its own
    forget(held, store=url)
    assert not holds(tmp_path)
    assert not holds(tmp_path, "FLOWERPOT")
    assert holds(tmp_path, "bicycles")
    assert [report(run, store=url).counts for run in (1, 2)] == before
    assert check(url).is_whole
    with pytest.raises(ConfigError, match="no memory has"):
        history("s", store=url)


def test_rejects_that_say_something_else_stay_without_the_quotation(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    forget("s", store=url)
    connection = sqlite3.connect(tmp_path / "a.db")
    left = connection.execute("SELECT code, message, raw FROM reject ORDER BY reject").fetchall()
    assert [row[0] for row in left] == ["id-conflict", "confidence-range"]
    assert (b"different text" in left[0][2], "forgotten" in left[0][1]) == (True, True)
    connection.close()
    retry(1, config=config(tmp_path / "a.db"))
    assert check(url).is_whole


def test_what_stood_around_the_items_of_a_wrapper_is_looked_through_too(tmp_path: Path) -> None:
    said = {
        "results": [{"id": "s", "memory": SECRET, "user_id": "u"}, {"memory": OTHER, "user_id": "u"}],
        "note": f"The export begins with: {SECRET}.",
        "said": {SECRET: 1, "deep": [{"last": SECRET.upper()}, "bicycles"]},
        "page": 7,
    }
    (tmp_path / "in.json").write_text(json.dumps(said))
    settings = config(tmp_path / "a.db", guards=("negation",))
    assert process(tmp_path / "in.json", config=settings, format="mem0").counts.inserted == 2
    url = settings.store
    identity = next(json.loads(line)["id"] for line in exported(tmp_path) if "flowerpot" in line)
    forget(identity, store=url)
    assert not holds(tmp_path)
    assert not holds(tmp_path, "FLOWERPOT")
    assert holds(tmp_path, "bicycles")
    connection = sqlite3.connect(tmp_path / "a.db")
    (sources,) = connection.execute("SELECT sources FROM run WHERE run = 1").fetchone()
    connection.close()
    assert json.loads(sources)["files"][0]["rest"] == {"said": {"deep": [{}, "bicycles"]}, "page": 7}
    assert check(url).is_whole


def test_a_stack_trace_that_quotes_it_goes(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    forget(next(pair["younger"]["id"] for pair in open_pairs(url)), store=url)
    connection = sqlite3.connect(tmp_path / "a.db")
    trace = f"Traceback …\nValueError: cannot merge with {SECRET!r}"
    connection.execute("UPDATE reject SET exception = ? WHERE code = 'id-conflict'", (trace,))
    connection.commit()
    connection.close()
    forget("s", store=url)
    assert not holds(tmp_path)


def exported(folder: Path) -> list[str]:
    shown = membatch("export", "--store", f"sqlite:///{folder}/a.db", folder=folder)
    return shown.stdout.decode().splitlines()


def test_it_cannot_be_undone_and_earlier_runs_still_can(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    run = forget("s", store=url).run
    with pytest.raises(ConfigError, match="kind forget, which cannot be undone"):
        undo(run, store=url)
    undo(2, store=url)
    undo(1, store=url)
    assert check(url).is_whole
    assert memory_data(tmp_path / "a.db") == {"memory": [], "fingerprint": [], "merge": [], "review": []}


def test_a_later_import_brings_it_back(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    forget("s", store=url)
    again = process([{"id": "s", "summary": SECRET}], config=config(tmp_path / "a.db", guards=("negation",)))
    assert again.counts.inserted + again.counts.held == 1
    assert check(url).is_whole


def test_while_another_program_reads_old_pages_the_rest_is_erased_later(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    forget(next(pair["younger"]["id"] for pair in open_pairs(url)), store=url)
    reader = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM memory").fetchone()
    with pytest.raises(StoreBusyError, match="old pages"):
        forget("s", store=url)
    reader.execute("COMMIT")
    reader.close()
    with pytest.raises(ConfigError):
        history("s", store=url)
    process([{"summary": "anything"}], config=config(tmp_path / "a.db"))
    assert not holds(tmp_path)
    assert check(url).is_whole


def test_killed_between_removing_and_erasing_the_next_writer_erases(tmp_path: Path) -> None:
    url = a_store(tmp_path)
    forget(next(pair["younger"]["id"] for pair in open_pairs(url)), store=url)
    program = f"""
import os, signal
from tests.faults.watch import on_statement
import membatch
on_statement(lambda sql: sql == "VACUUM" and os.kill(os.getpid(), signal.SIGKILL))
membatch.forget("s", store={url!r})
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == -9
    process([{"summary": "anything"}], config=config(tmp_path / "a.db"))
    assert not holds(tmp_path)
    assert check(url).is_whole


def test_the_command_says_what_is_gone_and_nothing_of_what_was_said(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"id": "s", "summary": SECRET})
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    result = membatch("forget", "s", folder=tmp_path)
    assert (result.returncode, b"memory 1" in result.stderr, b"flowerpot" in result.stderr) == (0, True, False)
    assert membatch("forget", "s", folder=tmp_path).returncode == 2
    listed = json.loads(membatch("runs", "--json", folder=tmp_path).stdout)
    assert [run["kind"] for run in listed] == ["load", "forget"]
    again = report_of(membatch("run", "in.jsonl", "--strategy", "exact", "--json", folder=tmp_path))
    assert again["counts"]["inserted"] == 1


OLDER: dict[str, object] = {"id": "o", "summary": "Anna never drinks black tea in the old house by the sea"}
YOUNGER: dict[str, object] = {
    "id": "y",
    "summary": "Anna always drinks black tea in the old house by the sea",
    "metadata": {"m": "MARKY"},
}


def held(folder: Path, *more: dict[str, object]) -> Config:
    """A store with one held pair, whose younger memory absorbs `more`."""
    settings = config(folder / "a.db", guards=("negation",))
    process([OLDER, YOUNGER, *more], config=settings)
    return settings


def test_nothing_stays_where_a_review_was_taken_back(tmp_path: Path) -> None:
    settings = held(tmp_path)
    accept(1, config=settings)
    unmerge(1, store=settings.store)
    forget("y", store=settings.store)
    assert not holds(tmp_path, "always drinks")
    assert not holds(tmp_path, "MARKY")
    assert holds(tmp_path, "never drinks")
    assert check(settings.store).is_whole


def test_nothing_stays_in_a_review_that_held_what_was_taken_back_after_it(tmp_path: Path) -> None:
    settings = held(tmp_path, {**YOUNGER, "id": "z", "summary": f"{YOUNGER['summary']}.", "metadata": {"s": "SECRET"}})
    accept(1, config=settings)
    unmerge(2, store=settings.store)
    unmerge(1, store=settings.store)
    forget("z", store=settings.store)
    assert not holds(tmp_path, "SECRET")
    assert holds(tmp_path, "MARKY")
    assert check(settings.store).is_whole


def test_nothing_stays_in_stacked_reviews_that_were_taken_back(tmp_path: Path) -> None:
    settings = config(tmp_path / "a.db", guards=("substitution",))
    texts = [f"my {who} died in high school" for who in ("mother", "father", "sister")]
    values: list[dict[str, object]] = [{"id": name, "summary": text} for name, text in zip("abc", texts, strict=True)]
    values.append({"id": "d", "summary": f"{texts[2]}.", "metadata": {"s": "SECRET"}})
    process(values, config=settings)
    pairs = {(pair["older"]["id"], pair["younger"]["id"]): pair["review"] for pair in open_pairs(settings.store)}
    accept(pairs["a", "c"], config=settings)  # c, which absorbed d, goes into a
    process([{"summary": f"{texts[0]}.", "metadata": {"s": "OTHER"}}], config=settings)  # a clash with the secret
    assert check(settings.store).is_whole
    for merge in (3, 2, 1):
        unmerge(merge, store=settings.store)
    forget("d", store=settings.store)
    assert not holds(tmp_path, "SECRET")
    assert holds(tmp_path, "OTHER")
    assert check(settings.store).is_whole
    again = next(row for row in history("a", store=settings.store)["merges"] if row["merge"] == 3)
    assert (again["conflicts"], again["unmerged_in"]) == ([], 4)


def test_a_merge_that_was_taken_back_before_a_review_does_not_take_that_away(tmp_path: Path) -> None:
    settings = held(tmp_path, {**YOUNGER, "id": "z", "summary": f"{YOUNGER['summary']}.", "metadata": {"s": "SECRET"}})
    unmerge(1, store=settings.store)
    accept(1, config=settings)
    forget("z", store=settings.store)
    assert not holds(tmp_path, "SECRET")
    assert [row["step"] for row in history("o", store=settings.store)["merges"]] == ["review"]
    undo(3, store=settings.store)
    assert sorted(json.loads(line)["id"] for line in exported(tmp_path)) == ["o", "y"]
    assert check(settings.store).is_whole
