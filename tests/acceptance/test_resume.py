"""Going on where a run stopped: exactly once, from every kind of source, from anywhere, a retry too."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import json
import lzma
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from membatch import Config, ConfigError, Report, SourceError, check, forget, process, resume, retry, undo, unmerge
from membatch.config import BatchSettings, DedupSettings, ToleranceSettings
from membatch.plan import Plan
from tests.laws.data import memory_data

from .command import lines, membatch, report_of

COUNT = 60


def config(path: Path, **tolerance: Any) -> Config:
    return Config(
        store=f"sqlite:///{path}",
        batch=BatchSettings(size=7),
        dedup=DedupSettings(strategy="exact"),
        tolerance=ToleranceSettings(max_error_rate=None, **tolerance),
    )


def interrupted_after_the_first(path: Path, rows: list[dict[str, Any]], chosen: Config) -> None:
    def stop(plan: Plan, _: object) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        process(write(path, rows), config=chosen, observers=[stop])


def looking_at_its_own(folder: Path) -> Config:
    """The settings of a run that merges into its own memories only, a record a batch."""
    return Config(
        store=f"sqlite:///{folder}/m.db",
        format="membatch",
        batch=BatchSettings(size=1, min=1),
        dedup=DedupSettings(against="run"),
    )


def test_what_other_runs_made_meanwhile_is_no_candidate_of_a_run_that_looks_at_its_own(tmp_path: Path) -> None:
    chosen = looking_at_its_own(tmp_path)
    rows = [{"summary": "Bo sings"}, {"summary": "Cleo dances"}, {"summary": "bo sings."}]
    interrupted_after_the_first(tmp_path / "a.jsonl", rows, chosen)
    process([{"summary": "cleo dances."}, {"summary": "cleo DANCES"}], config=chosen)
    resumed = resume(store=chosen.store)
    assert resumed is not None
    assert (resumed.counts.inserted, resumed.counts.merged) == (2, 1)


def test_a_run_that_looks_at_its_own_memories_finds_them_where_an_undo_made_their_keys_free(tmp_path: Path) -> None:
    chosen = looking_at_its_own(tmp_path)
    process([{"summary": f"Number {number}"} for number in range(5)], config=chosen)
    rows = [{"summary": ""}, {"summary": "Cleo dances"}, {"summary": "cleo dances."}]
    interrupted_after_the_first(tmp_path / "a.jsonl", rows, chosen)
    undo(1, store=chosen.store)
    resumed = resume(store=chosen.store)
    assert resumed is not None
    assert (resumed.counts.inserted, resumed.counts.merged) == (1, 1)


@pytest.mark.parametrize("first", [{"id": "a", "summary": "Bo sings"}, {"id": "a", "summary": "Cleo dances"}])
def test_a_run_is_not_undone_alone_where_one_that_was_resumed_after_it_names_its_memories(
    tmp_path: Path, first: dict[str, Any]
) -> None:
    chosen = Config(store=f"sqlite:///{tmp_path}/m.db", format="membatch", batch=BatchSettings(size=1, min=1))
    load = [first, {"id": "b", "summary": "cleo dances.", "tags": ["y"]}]
    interrupted_after_the_first(tmp_path / "a.jsonl", load, chosen)
    process([{"id": "c", "summary": "Cleo dances.", "tags": ["x"]}], config=chosen)
    resume(store=chosen.store)
    before = memory_data(tmp_path / "m.db")
    with pytest.raises(ConfigError, match=r"run 1: merge \d of b"):
        undo(2, store=chosen.store)
    assert memory_data(tmp_path / "m.db") == before
    undo(2, store=chosen.store, cascade=True)
    assert check(chosen.store).is_whole
    assert not any(memory_data(tmp_path / "m.db").values())


def test_merges_of_runs_that_ran_by_turns_are_taken_back_in_the_order_of_their_commits(tmp_path: Path) -> None:
    chosen = Config(store=f"sqlite:///{tmp_path}/m.db", format="membatch", batch=BatchSettings(size=1, min=1))
    process([{"id": "m", "summary": "Cleo dances"}], config=chosen)
    before = memory_data(tmp_path / "m.db")
    load = [{"summary": "Cleo dances.", "tags": [tag]} for tag in ("1", "3")]
    interrupted_after_the_first(tmp_path / "a.jsonl", load, chosen)
    process([{"summary": "Cleo dances.", "tags": ["2"]}], config=chosen)
    resume(store=chosen.store)
    with pytest.raises(ConfigError, match="cannot be taken out without its own run: use `membatch undo 3 --cascade`"):
        unmerge(2, store=chosen.store, cascade=True)
    undo(2, store=chosen.store, cascade=True)
    assert check(chosen.store).is_whole
    assert memory_data(tmp_path / "m.db") == before


def test_what_was_done_before_a_run_was_interrupted_does_not_stand_in_the_way_of_an_undo(tmp_path: Path) -> None:
    chosen = Config(store=f"sqlite:///{tmp_path}/m.db", format="membatch", batch=BatchSettings(size=1, min=1))
    load = [{"id": "a", "summary": "Cleo dances"}, {"id": "b", "summary": "Bo sings"}]
    interrupted_after_the_first(tmp_path / "a.jsonl", load, chosen)
    process([{"id": "c", "summary": "Cleo dances.", "tags": ["x"]}], config=chosen)
    resume(store=chosen.store)
    undo(2, store=chosen.store)
    assert check(chosen.store).is_whole
    assert [row[1] for row in memory_data(tmp_path / "m.db")["memory"]] == ["a", "b"]
    assert not memory_data(tmp_path / "m.db")["merge"]


def records() -> list[dict[str, Any]]:
    return [{"summary": "" if n % 9 == 4 else f"record {n % 50}", "kind": f"k{n}"} for n in range(COUNT)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows the way that the file's suffix says."""
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    match "".join(path.suffixes):
        case ".jsonl":
            path.write_bytes(text)
        case ".json":
            path.write_text(json.dumps(rows, indent=1))
        case ".jsonl.gz":
            path.write_bytes(gzip.compress(text[:700]) + gzip.compress(text[700:]))
        case ".jsonl.bz2":
            path.write_bytes(bz2.compress(text))
        case ".jsonl.xz":
            path.write_bytes(lzma.compress(text))
        case ".jsonl.zst":
            path.write_bytes(zstandard.compress(text))
        case ".json.gz":
            path.write_bytes(gzip.compress(json.dumps(rows).encode()))
        case ".csv":
            with path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, ["summary", "kind"])
                writer.writeheader()
                writer.writerows({**row, "kind": row["kind"] + ",\n"} for row in rows)
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=11)
    return path


class DiedError(Exception):
    """What ends a run in the middle, as if the process had died after a commit."""


def aborts_after(batches: int) -> Any:
    seen = []

    def observe(plan: Plan, _: object) -> None:
        seen.append(len(plan.steps))
        if len(seen) == batches:
            raise DiedError

    return observe


def by_little_steps(sources: list[Path], settings: Config) -> Report:
    """Load sources, dying after each second batch and resuming until it is done."""
    try:
        return process([str(path) for path in sources], config=settings, observers=[aborts_after(2)])
    except DiedError:
        pass
    while True:
        try:
            report = resume(config=settings, observers=[aborts_after(2)])
            assert report is not None
            return report
        except DiedError:
            continue


SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".jsonl.bz2", ".jsonl.xz", ".jsonl.zst", ".json.gz", ".csv", ".parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_kind_of_file_goes_on_exactly_once(suffix: str, tmp_path: Path) -> None:
    source = write(tmp_path / f"in{suffix}", records())
    whole = process(source, config=config(tmp_path / "whole.db"))
    report = by_little_steps([source], config(tmp_path / "a.db"))
    assert (report.status, report.counts) == ("done", whole.counts)
    assert memory_data(tmp_path / "a.db") == memory_data(tmp_path / "whole.db")
    assert check(f"sqlite:///{tmp_path}/a.db").is_whole


def test_many_files_of_many_kinds_go_on_as_one_input(tmp_path: Path) -> None:
    sources = [write(tmp_path / f"{n}{suffix}", records()[n : n + 13]) for n, suffix in enumerate(SUFFIXES)]
    whole = process([str(path) for path in sources], config=config(tmp_path / "whole.db"))
    report = by_little_steps(sources, config(tmp_path / "a.db"))
    assert report.counts == whole.counts
    assert memory_data(tmp_path / "a.db") == memory_data(tmp_path / "whole.db")


def damaged(path: Path) -> Path:
    """Write a few records the way that the file's name says, cut short or with more behind their array."""
    write(path, records()[:9])
    content = path.read_bytes()
    match path.stem:
        case "behind":
            path.write_bytes(content + b'{"summary": "one"} {"summary": "two"}')
        case "within":
            path.write_bytes(content[: content.rindex(b"summary")])
        case "before":
            path.write_bytes(content[: content.rindex(b"{")])
        case _:
            path.write_bytes(content[:-5])
    return path


DAMAGED = ("behind.json", "within.json", "before.json", "cut.json", "cut.json.gz", "cut.jsonl.gz", "cut.jsonl.zst",
           "cut.jsonl.xz", "cut.parquet")  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_the_rejection_of_an_unreadable_rest_is_given_exactly_once(name: str, tmp_path: Path) -> None:
    sources = [str(damaged(tmp_path / name)), str(write(tmp_path / "next.jsonl", records()[20:22]))]
    whole = process(sources, config=config(tmp_path / "whole.db"))
    settings = config(tmp_path / "a.db")
    settings = msgspec.structs.replace(settings, batch=BatchSettings(size=1))
    report: Report | None = None
    with contextlib.suppress(DiedError):
        process(sources, config=settings, observers=[aborts_after(1)])
    while report is None:
        with contextlib.suppress(DiedError):
            report = resume(config=settings, observers=[aborts_after(1)])
    assert (report.status, report.counts) == ("done", whole.counts)
    assert memory_data(tmp_path / "a.db") == memory_data(tmp_path / "whole.db")
    assert rejects_in(tmp_path / "a.db") == rejects_in(tmp_path / "whole.db")


@pytest.mark.parametrize("name", DAMAGED)
def test_a_tolerance_that_stops_at_an_unreadable_rest_counts_it_once(name: str, tmp_path: Path) -> None:
    sources = [str(damaged(tmp_path / name)), str(write(tmp_path / "next.jsonl", records()[20:22]))]
    whole = process(sources, config=config(tmp_path / "whole.db"))
    report: Report | None = process(sources, config=config(tmp_path / "a.db", max_errors=0))
    for allowed in range(1, whole.counts.rejected + 1):
        assert report is not None
        assert report.status == "stopped"
        report = resume(config=config(tmp_path / "a.db", max_errors=allowed))
    assert report is not None
    assert (report.status, report.counts) == ("done", whole.counts)
    assert rejects_in(tmp_path / "a.db") == rejects_in(tmp_path / "whole.db")


def rejects_in(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    found = connection.execute(
        "SELECT source, line, byte_offset, code, message, raw FROM reject ORDER BY reject"
    ).fetchall()
    connection.close()
    return found


def test_files_that_are_done_may_change_and_those_to_come_may_not(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"{name}.jsonl", records()[:14]) for name in "ab")
    with pytest.raises(DiedError):
        process([str(first), str(second)], config=config(tmp_path / "a.db"), observers=[aborts_after(3)])
    first.write_text("")
    kept = second.read_text()
    second.write_text(kept.replace("record", "letter"))
    with pytest.raises(SourceError, match=r"b\.jsonl has other content now"):
        resume(config=config(tmp_path / "a.db"))
    second.write_text(kept)
    with pytest.raises(SourceError, match="written to since"):
        resume(config=config(tmp_path / "a.db"))
    report = resume(config=config(tmp_path / "a.db"), force=True)
    assert report is not None
    assert report.counts.read == 28


def test_a_run_is_resumed_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    write(tmp_path / "there" / "in.jsonl", records())
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(DiedError):
        process("in.jsonl", config=config(tmp_path / "a.db"), observers=[aborts_after(2)])
    monkeypatch.chdir(tmp_path / "here")
    report = resume(config=config(tmp_path / "a.db"))
    assert report is not None
    assert (report.counts.read, report.sources) == (COUNT, ["in.jsonl"])


def test_a_finished_run_never_silences_another_input(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", records())
    process(source, config=config(tmp_path / "a.db"))
    assert resume(config=config(tmp_path / "a.db")) is None
    write(source, [{"summary": f"new {n}"} for n in range(COUNT)])
    assert process(source, config=config(tmp_path / "a.db")).counts.inserted == COUNT


def test_a_retry_that_died_is_resumed_exactly_once(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", *({"id": "x", "summary": f"text {n}"} for n in range(40)))
    settings = config(tmp_path / "a.db")
    process(source, config=settings)
    update = Config(
        store=settings.store,
        batch=settings.batch,
        dedup=DedupSettings(strategy="exact", same_id="update"),
        tolerance=settings.tolerance,
    )
    with pytest.raises(DiedError):
        retry(1, config=update, observers=[aborts_after(2)])
    for _ in range(2):
        with pytest.raises(DiedError):
            resume(config=update, observers=[aborts_after(1)])
    report = resume(config=update)
    assert report is not None
    assert (report.kind, report.counts.read, report.counts.merged) == ("retry", 39, 39)
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("SELECT count(*), count(resolved_by) FROM reject").fetchone() == (39, 39)
    assert connection.execute("SELECT count(*) FROM merge").fetchone() == (39,)
    connection.close()
    assert check(settings.store).is_whole


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_what_a_retry_refused_again_stays_so_where_it_is_resumed(tmp_path: Path, is_interrupted: bool) -> None:
    settings = Config(store=f"sqlite:///{tmp_path}/a.db", batch=BatchSettings(size=1, min=1))
    older = {"id": "x", "summary": "Cleo dances"}
    process([{"id": "x", "summary": "Bo sings"}], config=settings)
    refusing = msgspec.structs.replace(settings, dedup=DedupSettings(same_id="reject"))
    process([older, {**older, "updated_at": "2024-01-01T00:00:00Z"}, older], config=refusing)
    if is_interrupted:
        with pytest.raises(DiedError):
            retry(2, config=settings, observers=[aborts_after(1)])
        report = resume(config=settings)
    else:
        report = retry(2, config=settings)
    assert report is not None
    assert (report.counts.merged, report.counts.rejected) == (1, 2)


def test_a_retry_that_the_tolerance_stopped_goes_on_with_the_next_reject(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"summary": ""} for _ in range(30)])
    process(source, config=config(tmp_path / "a.db"))
    stopped = retry(1, config=config(tmp_path / "a.db", max_errors=9))
    assert stopped is not None
    assert (stopped.status, stopped.counts.read) == ("stopped", 10)
    report = resume(config=config(tmp_path / "a.db", max_errors=100))
    assert report is not None
    assert (report.status, report.counts.read, report.counts.rejected) == ("done", 30, 30)


def test_a_retry_that_goes_on_tries_a_reject_that_took_the_number_of_one_forgotten(tmp_path: Path) -> None:
    updating = looking_at_its_own(tmp_path)
    updating = msgspec.structs.replace(updating, dedup=DedupSettings(same_id="update"))
    refusing = msgspec.structs.replace(updating, dedup=DedupSettings(same_id="reject"))
    texts = [("x", "Bo sings"), ("y", "Tom swims"), ("x", "Cleo dances"), ("y", "Nine red cars"), ("x", "Eve draws")]
    source = lines(tmp_path / "in.jsonl", *({"id": name, "summary": text} for name, text in texts))
    with pytest.raises(DiedError):
        process(source, config=refusing, observers=[aborts_after(4)])
    with pytest.raises(DiedError):
        retry(1, config=updating, observers=[aborts_after(2)])
    forget("y", store=updating.store)  # and with it the latest reject
    resume(1, config=refusing)
    report = resume(2, config=updating)
    assert report is not None
    assert (report.status, report.counts.read, report.counts.merged) == ("done", 3, 3)
    assert retry(1, config=updating) is None
    assert check(updating.store).is_whole


@pytest.mark.parametrize("batches", [None, 1, 2, 4])
def test_rejects_of_one_line_that_give_several_records_each_are_retried_whole(
    tmp_path: Path, batches: int | None
) -> None:
    sample = Path(__file__).parent.parent / "formats" / "data" / "chatgpt" / "conversations.json"
    (conversation,) = json.loads(sample.read_text("utf-8"))
    source = lines(tmp_path / "in.jsonl", {"results": [conversation, {**conversation, "title": "again"}]})
    settings = msgspec.structs.replace(config(tmp_path / "a.db"), batch=BatchSettings(size=2, min=1))
    assert process(source, config=settings, format="mem0").counts.rejected == 2
    if batches is None:
        report = retry(1, config=settings, format="chatgpt")
    else:
        with pytest.raises(DiedError):
            retry(1, config=settings, format="chatgpt", observers=[aborts_after(batches)])
        report = resume(config=settings)
    assert report is not None
    assert (report.counts.read, report.counts.rejected) == (12, 0)
    assert retry(1, config=settings) is None


def test_a_retry_that_goes_on_takes_records_for_what_they_are(tmp_path: Path) -> None:
    # A row of a table may hold numbers as texts and texts as numbers, a record may not.
    bad: list[dict[str, Any]] = [
        {"summary": ""},
        {"summary": ""},
        {"summary": 5},
        {"summary": "tea", "confidence": "0.5"},
    ]
    source = write(tmp_path / "in.jsonl", bad)
    settings = config(tmp_path / "a.db")
    process(source, config=settings)
    stopped = retry(1, config=config(tmp_path / "a.db", max_errors=0))
    report = resume(config=settings)
    again = retry(2, config=settings)
    assert stopped is not None
    assert stopped.status == "stopped"
    assert report is not None
    assert (report.status, report.counts.read, report.counts.rejected) == ("done", 4, 4)
    assert again is not None
    assert again.counts.rejected == 4


def test_an_undone_run_is_not_resumed(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", records())
    settings = config(tmp_path / "a.db")
    with pytest.raises(DiedError):
        process(source, config=settings, observers=[aborts_after(2)])
    undo(1, store=settings.store)
    assert resume(config=settings) is None
    with pytest.raises(ConfigError, match="undone"):
        resume(1, config=settings)


def test_each_reject_tells_where_what_and_what_to_do(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "fine"}, {"summary": ""}, {"summary": "x", "confidence": 7})
    membatch("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    rejects = [json.loads(line) for line in membatch("rejects", folder=tmp_path).stdout.splitlines()]
    for number, reject in enumerate(rejects):
        place = {name: reject[name] for name in ("run", "batch", "source", "line")}
        assert place == {"run": 1, "batch": 1, "source": "in.jsonl", "line": number + 2}
        assert all(reject[name] for name in ("offset", "category", "code", "message", "advice", "errors", "raw"))
    again = report_of(membatch("retry", 1, "--json", folder=tmp_path))
    assert (again["counts"]["read"], again["counts"]["rejected"]) == (2, 2)
