"""A package that is installed adds one of each by entry points; an observer is a callable."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.acceptance.command import lines, membatch, report_of

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "extension"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages that holds the example, as an installer would write it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE / "membatch_example", folder / "membatch_example")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    facts = folder / f"membatch_example-{project['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    sections = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (facts / "entry_points.txt").write_text("\n".join(sections), "utf-8")
    return folder


def texts(folder: Path, site: Path, *options: str) -> list[str]:
    done = membatch("export", *options, folder=folder, environment={"PYTHONPATH": str(site), "SHELF": str(folder)})
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["summary"] for line in done.stdout.splitlines()]


def test_a_source_reads_another_kind_of_file_and_resumes_within_it(site: Path, tmp_path: Path) -> None:
    (tmp_path / "day.notes").write_text("# Monday\n- Anna moved to Oslo\n\n- Tom plays chess\n- Eve sings\n", "utf-8")
    without = membatch("run", "day.notes", folder=tmp_path)
    assert (without.returncode, b"unknown kind of file '.notes'" in without.stderr) == (4, True)
    crash = (
        "import os, membatch\n"
        "config = membatch.Config.load(batch__size=2, dedup__strategy='exact')\n"
        "membatch.process('day.notes', config=config, observers=[lambda plan, tally: os._exit(9)])"
    )
    environment = {"PYTHONPATH": str(site), "PATH": ""}
    subprocess.run([sys.executable, "-c", crash], cwd=tmp_path, env=environment, check=False)
    assert texts(tmp_path, site) == ["Anna moved to Oslo", "Tom plays chess"]
    assert membatch("resume", folder=tmp_path, environment={"PYTHONPATH": str(site)}).returncode == 0
    assert texts(tmp_path, site) == ["Anna moved to Oslo", "Tom plays chess", "Eve sings"]
    history = membatch("check", "--json", folder=tmp_path, environment={"PYTHONPATH": str(site)})
    assert history.returncode == 0, history.stdout


def test_a_guard_keeps_memories_apart_once_it_is_named(site: Path, tmp_path: Path) -> None:
    record = {"summary": "The bakery closes at noon"}
    lines(tmp_path / "in.jsonl", *({**record, "metadata": {"place": place}} for place in ("Oslo", "Rome")), record)
    settings = membatch("config", "--json", folder=tmp_path).stdout
    guards = [*json.loads(settings)["dedup.guards"]["value"], "place"]
    environment = {"PYTHONPATH": str(site), "MEMBATCH_DEDUP_GUARDS": ",".join(guards)}
    run = ["run", "in.jsonl", "--strategy", "exact", "--json", "--store"]
    plain = report_of(membatch(*run, "sqlite:///a.db", folder=tmp_path, environment={"PYTHONPATH": str(site)}))
    assert plain["counts"]["merged"] == 2
    guarded = report_of(membatch(*run, "sqlite:///b.db", folder=tmp_path, environment=environment))
    assert (guarded["counts"]["inserted"], guarded["counts"]["held"]) == (2, 1)
    assert guarded["deduplication"]["by_guard"]["place"]["different"] == 1
    unknown = membatch(*run, "sqlite:///c.db", folder=tmp_path, environment={"MEMBATCH_DEDUP_GUARDS": "place"})
    assert (unknown.returncode, b"dedup.guards names 'place': known are" in unknown.stderr) == (2, True)


def test_a_merge_rule_chooses_the_value_of_a_field(site: Path, tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "Anna  moved to  Oslo."}, {"summary": "anna moved to Oslo"})
    (tmp_path / "membatch.toml").write_text('[merge]\nsummary = "shortest"\n[dedup]\nstrategy = "exact"\n', "utf-8")
    environment = {"PYTHONPATH": str(site)}
    assert membatch("run", "in.jsonl", folder=tmp_path, environment=environment).returncode == 0
    assert texts(tmp_path, site) == ["anna moved to Oslo"]
    assert membatch("undo", "1", folder=tmp_path, environment=environment).returncode == 0


def test_a_store_of_another_scheme_holds_memories(site: Path, tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "Anna moved to Oslo"})
    environment = {"PYTHONPATH": str(site), "SHELF": str(tmp_path)}
    run = ["run", "in.jsonl", "--strategy", "exact", "--store"]
    assert membatch(*run, "shelf://work", folder=tmp_path, environment=environment).returncode == 0
    assert (tmp_path / "work.db").exists()
    assert texts(tmp_path, site, "--store", "shelf://work") == ["Anna moved to Oslo"]
    odd = membatch(*run, "shelf://../work", folder=tmp_path, environment=environment)
    assert (odd.returncode, b"write shelf://NAME" in odd.stderr) == (2, True)
    without = membatch(*run, "shelf://work", folder=tmp_path)
    assert (without.returncode, b"use sqlite:///FILE.db" in without.stderr) == (2, True)
    known = membatch(*run, "shell://work", folder=tmp_path, environment=environment)
    assert (known.returncode, "use sqlite:///FILE.db, shelf://…" in known.stderr.decode()) == (2, True)


def test_an_observer_hears_of_each_batch_after_its_commit(site: Path, tmp_path: Path) -> None:
    lines(
        tmp_path / "in.jsonl",
        {"id": "a", "summary": "Tom owes Anna forty euros for the tickets"},
        {"id": "b", "summary": "Anna owes Tom forty euros for the tickets"},
        {"id": "c", "summary": "Eve sings"},
    )
    done = subprocess.run(
        [sys.executable, site / "membatch_example" / "observer.py", "in.jsonl"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["2 read, 1 new, held: ['b']", "1 read, 1 new, held: []"]


def test_a_format_is_recognised_and_keeps_what_it_has_no_field_for(site: Path, tmp_path: Path) -> None:
    lines(tmp_path / "book.jsonl", {"guest": "Eve", "wrote": "The view is lovely", "sure": 10, "room": 7}, {"sure": 3})
    environment = {"PYTHONPATH": str(site)}
    done = membatch("run", "book.jsonl", "--strategy", "exact", folder=tmp_path, environment=environment)
    assert (done.returncode, b"read as visitors: its items hold guest and wrote" in done.stderr) == (1, True)
    assert b"an entry needs guest and wrote" in done.stderr
    stored = json.loads(membatch("export", folder=tmp_path).stdout)
    assert (stored["subject"], stored["confidence"], stored["metadata"]) == (
        "Eve",
        1.0,
        {"room": 7, "sure": 10},  # a value that was scaled stays there as it was
    )
    assert b"visitors" in membatch("formats", folder=tmp_path, environment=environment).stdout
