"""Help is quick, fits a screen and shows examples that parse; the shell completes commands, options and names."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import membatch
from membatch.cli.program import cli

from .command import lines
from .command import membatch as membatch_command

HEAVY = {"jsonschema_rs", "msgspec", "numpy", "psutil", "pyarrow", "rich", "sqlite3"}
SCREEN = {"columns": 80, "lines": 40}


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **environment}
    )
    return done.stdout


def help_of(name: str) -> str:
    arguments = [] if name == "membatch" else [name]
    return run(sys.executable, "-m", "membatch.cli", *arguments, "--help", COLUMNS=str(SCREEN["columns"]))


def modules_of(*arguments: str, folder: Path) -> set[str]:
    """Run a command; return what it imported."""
    script = "import sys, membatch.cli\ntry: membatch.cli.main()\nfinally: print('\\nmodules', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=folder
    )
    modules = set(done.stdout.rpartition("modules ")[2].split())
    assert "click" in modules
    return modules


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    assert not modules_of(*arguments, folder=tmp_path) & HEAVY


LOOKS = ["runs", "report", "history a", "review", "rejects", "config", "formats", "schema"]


@pytest.mark.parametrize("line", LOOKS)
def test_a_look_imports_nothing_that_only_a_load_needs(line: str, tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"id": "a", "summary": "Anna sings"}, {"summary": ""})
    membatch_command("run", "in.jsonl", "--strategy", "exact", folder=tmp_path)
    loads = {"numpy", "psutil", "pyarrow", "jsonschema_rs", "membatch.run", "membatch.source"}
    assert not modules_of(*line.split(), folder=tmp_path) & loads


@pytest.mark.parametrize("name", ["membatch", *cli.commands])
def test_help_fits_a_screen_and_shows_examples(name: str) -> None:
    lines = help_of(name).splitlines()
    assert len(lines) <= SCREEN["lines"]
    assert max(map(len, lines)) <= SCREEN["columns"]
    assert "Examples:" in help_of(name)


def test_the_list_of_commands_is_complete_and_cuts_no_sentence() -> None:
    text = help_of("membatch")
    assert "..." not in text.partition("Load:")[2]
    for name in cli.commands:
        assert f"\n  {name} " in text


@pytest.mark.parametrize("name", cli.commands)
def test_each_example_of_help_parses(name: str) -> None:
    examples = [line.strip() for line in (cli.commands[name].epilog or "").splitlines() if "membatch" in line]
    assert examples
    for example in examples:
        words = shlex.split(example.replace("&&", "|").partition("membatch ")[2].split(" | ")[0], comments=True)
        words = words[: words.index(">")] if ">" in words else words
        with cli.commands[words[0]].make_context(words[0], words[1:], parent=click.Context(cli)):
            pass


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("membatch re", {"resume", "retry", "report", "rejects", "review"}),
        ("membatch run --strat", {"--strategy"}),
        ("membatch run --strategy ex", {"exact"}),
        ("membatch run --format memb", {"membatch"}),
    ],
)
def test_bash_completes_commands_options_and_names(typed: str, offered: set[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    command = tmp_path / "membatch"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m membatch.cli "$@"\n', "utf-8")
    command.chmod(0o755)
    script = f"""
        eval "$(_MEMBATCH_COMPLETE=bash_source membatch)"
        COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _membatch_completion membatch
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    found = run(bash, "-c", script, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}").split()
    assert offered <= set(found)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str) -> None:
    script = run(sys.executable, "-m", "membatch.cli", _MEMBATCH_COMPLETE=f"{shell}_source")
    assert "complete" in script


def test_public_names_are_imported_from_the_rooms_that_type_checkers_see() -> None:
    tree = ast.parse(Path(membatch.__file__).read_text("utf-8"))
    seen = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("membatch.")
        for alias in node.names
    }
    assert seen | {"__version__"} == set(membatch.__all__)
    for name in membatch.__all__:
        assert getattr(membatch, name).__class__.__name__ != "module"
    assert set(membatch.__all__) <= set(dir(membatch))


def test_a_public_function_goes_before_the_module_of_its_name() -> None:
    import importlib

    for name in ("check", "forget", "report", "validate"):
        importlib.import_module(f"membatch.{name}")
        assert callable(getattr(membatch, name))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(membatch, "nothing")
