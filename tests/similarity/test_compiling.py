"""The compiled loops where nothing is compiled yet, where nothing can be kept, and where two compile at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import membatch
from membatch.similarity.compiling import TEXT

# Nothing is read-only to root, unless it gives that right up.
OBEYING = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
RECORDS = '{"summary": "Anna bought a car"}\n{"summary": "Anna bought a new car"}\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can enter, with a copy of the package that was never compiled."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(membatch.__file__).parent, place / "package" / "membatch", ignore=ignored)
        yield place


def started(folder: Path, store: str, *flags: str, through: Sequence[str] = ()) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "package"), "HOME": os.devnull}
    settings = ["--store", f"sqlite:///{store}", "--threshold", "0.6", *flags]
    return subprocess.Popen(
        [*through, sys.executable, "-m", "membatch.cli", "run", "-", *settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=Path(store).parent,
        text=True,
    )


def said_by(process: subprocess.Popen[str], *, merged: bool = True) -> str:
    _, errors = process.communicate(RECORDS, timeout=300)
    assert process.returncode == 0, errors
    assert ("merged" in errors) == merged
    return errors


def test_two_processes_compile_at_once_and_say_so(folder: Path) -> None:
    both = [started(folder, f"{folder}/{number}.db") for number in range(2)]
    assert all(said_by(process).count(TEXT) <= 1 for process in both)
    assert list((folder / "package").rglob("*.nbi"))
    assert TEXT not in said_by(started(folder, f"{folder}/3.db"))


def test_a_first_compilation_is_announced_unless_quiet(folder: Path) -> None:
    said = said_by(started(folder, f"{folder}/1.db"))
    assert said.count(TEXT) == 1
    for path in (folder / "package").rglob("*.nb?"):
        path.unlink()
    assert said_by(started(folder, f"{folder}/2.db", "--quiet"), merged=False) == ""


@pytest.mark.skipif(bool(OBEYING) and shutil.which("setpriv") is None, reason="root cannot give its rights up here")
def test_it_works_where_nothing_can_be_kept(folder: Path) -> None:
    package = folder / "package"
    folders = [package, *(path for path in package.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        assert TEXT in said_by(started(folder, f"{folder}/1.db", through=OBEYING))
        assert not list(package.rglob("*.nb?"))
    finally:
        for path in folders:
            path.chmod(0o755)
