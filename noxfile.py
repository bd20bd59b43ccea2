"""The one task runner: `nox -s format lint types tests docs bench`, each in the environment that is active.

Rule: thin; a session only names the command that one would type.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests", "docs"]


@nox.session
def format(session: nox.Session) -> None:  # noqa: A001
    """Write the code in its form."""
    session.run("ruff", "format", ".")
    session.run("ruff", "check", "--fix", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Look for slips, and whether the form holds."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; `nox -s tests -- -m ''` runs the slow ones too."""
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs; a warning is an error."""
    session.run("python", "docs/generate.py", "--check")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "-q", "-b", "html", "docs", "build/docs")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; `nox -s bench -- --count 20000` is quicker."""
    session.run("python", "benchmarks/load.py", *session.posargs)
    session.run("python", "benchmarks/matching.py", *session.posargs)
