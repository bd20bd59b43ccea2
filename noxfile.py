"""The one task runner: `nox -s format lint types tests docs bench`, in the environment that nox itself is in.

Rule: thin; a session only names the command that one would type.
"""

from __future__ import annotations

import sys

import nox

PYTHON = sys.executable

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests", "docs"]


@nox.session
def format(session: nox.Session) -> None:  # noqa: A001
    """Write the code in its form."""
    session.run(PYTHON, "-m", "ruff", "format", ".")
    session.run(PYTHON, "-m", "ruff", "check", "--fix", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Look for slips, and whether the form holds."""
    session.run(PYTHON, "-m", "ruff", "check", ".")
    session.run(PYTHON, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.run(PYTHON, "-m", "mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; `nox -s tests -- -m ''` runs the slow ones too."""
    session.run(PYTHON, "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs; a warning is an error."""
    session.run(PYTHON, "docs/generate.py", "--check")
    session.run(PYTHON, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q", "docs", "build/docs")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure loading, matching and sizing; `nox -s bench -- --count 20000` is quicker."""
    for name in ("load", "matching", "sizing"):
        session.run(PYTHON, f"benchmarks/{name}.py", *session.posargs)
