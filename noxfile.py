"""The one task runner: `nox -s format lint types tests docs bench`, in the environment that nox itself is in.

Rule: thin; a session only names the command that one would type.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

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
def sanitize(session: nox.Session) -> None:
    """Run the tests of the compiled loops with the compiler's sanitizers (gcc): no array is left, nothing overflows."""
    source = Path("build", "sanitized", "src")
    shutil.copytree("src", source, dirs_exist_ok=True)
    module = source / "membatch" / "similarity" / "kernels.abi3.so"
    module.unlink(missing_ok=True)
    flags = ["-O1", "-g", "-std=c11", "-fPIC", "-shared", "-fsanitize=address,undefined"]
    headers = ["-DPy_LIMITED_API=0x030b0000", f"-I{sysconfig.get_path('include')}"]
    loops = map(str, sorted(Path("src", "membatch", "similarity", "native").glob("*.c")))
    session.run("gcc", *flags, *headers, *loops, "-o", str(module), external=True)
    libraries = ("libasan.so", "libubsan.so")
    found = [session.run("gcc", f"-print-file-name={name}", external=True, silent=True) for name in libraries]
    environment = {
        "LD_PRELOAD": " ".join(str(name).strip() for name in found),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "halt_on_error=1",
        "PYTHONPATH": str(source.resolve()),
    }
    session.run(PYTHON, "-m", "pytest", "tests/similarity", "tests/laws", *session.posargs, env=environment)


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
