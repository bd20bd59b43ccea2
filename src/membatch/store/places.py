"""Where a SQLite store lies: the file of its URL, the files beside it, how it is opened.

Rule: a path is a path, whatever characters it holds; what cannot be opened says what to do.
"""

from __future__ import annotations

import os
from pathlib import Path

from membatch.config import hide_password
from membatch.errors import ConfigError, SurroundingsError


def path_of(url: str) -> str:
    """Return the file that a sqlite:/// URL names."""
    path = url.removeprefix("sqlite://")
    if not path.startswith("/") or len(path) < 2:
        raise ConfigError(f"store {hide_password(url)!r} names no file: write sqlite:///FILE.db")
    if path == "/:memory:":
        raise ConfigError("a store in memory would be gone at once: write sqlite:///FILE.db, or use --dry-run")
    return path[1:]


def files_of(url: str) -> list[str]:
    """Return the files that a store has on this machine, whether they are there or not."""
    if not url.startswith("sqlite:"):
        return []
    path = path_of(url)
    return [path, *(path + end for end in ("-wal", "-shm", "-journal", ".lock"))]


def uri_of(path: str, *, write: bool) -> str:
    """Return the URI by which SQLite opens a file; where no file can be made beside it, nobody can change it either.

    Raises SurroundingsError where such a file is not whole without the one beside it.
    """
    file = Path(path).absolute()
    if write or os.access(file.parent, os.W_OK):
        return file.as_uri()
    log = Path(f"{file}-wal")
    if log.exists() and log.stat().st_size:
        raise SurroundingsError(
            f"cannot open the store {path}: its last changes stand in {log.name} beside it, and the folder cannot "
            "be written to: copy both files to one that can"
        )
    return f"{file.as_uri()}?immutable=1"
