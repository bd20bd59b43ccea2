"""Imports point down the drawing in the design, never up or round; core and I/O never import each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "membatch"

# From the bottom up; a module may import modules of lower ranks, and of its own package.
RANKS = {
    "errors": 0,
    "extension": 0,
    "folding": 0,
    "layout": 0,
    "memory": 0,
    "patch": 0,
    "signals": 0,
    "terminal": 0,
    "ahead": 2,
    "writing": 4,
    "threads": 1,
    "cells": 1,
    "config": 1,
    "plan": 1,
    "spelling": 1,
    "explanation": 2,
    "consistency": 3,
    "formats": 2,
    "fingerprint": 2,
    "validate": 4,
    "similarity": 3,
    "merge": 3,
    "merge_rules": 2,
    "prepare": 5,
    "monitor": 3,
    "sizing": 3,
    "source": 3,
    "store": 3,
    "report": 4,
    "export": 3,
    "rules": 4,
    "decide": 5,
    "isolation": 5,
    "tolerance": 5,
    "workers": 6,
    "unforeseen": 2,
    "run": 6,
    "progress": 7,
    "runs": 7,
    "founding": 4,
    "rebuild": 6,
    "check": 8,
    "forget": 8,
    "judgement": 8,
    "lineage": 8,
    "review": 8,
    "reversal": 8,
    "": 9,
    "cli": 10,
    "__main__": 11,
}
CORE = {
    "decide",
    "rules",
    "similarity",
    "merge",
    "merge_rules",
    "validate",
    "fingerprint",
    "formats",
    "spelling",
    "prepare",
    "explanation",
    "consistency",
    "unforeseen",
}
INPUT_OUTPUT = {"source", "store"}


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("membatch"):
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "membatch" else [node.module]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("membatch")]
        for name in names:
            found.add([*name.split("."), ""][1])
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    mine = room(path)
    for other in imported_rooms(path) - {mine}:
        assert RANKS[other] < RANKS[mine], f"{mine} imports {other}"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_core_and_input_output_do_not_import_each_other(path: Path) -> None:
    mine, others = room(path), imported_rooms(path)
    assert not (mine in CORE and others & INPUT_OUTPUT)
    assert not (mine in INPUT_OUTPUT and others & CORE)


def test_the_public_face_is_pinned() -> None:
    import membatch

    assert membatch.__all__ == sorted(membatch.__all__)
    assert all(callable(getattr(membatch, name)) for name in ("process", "validate", "report", "resume", "retry"))
