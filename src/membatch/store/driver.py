"""Errors of SQLite's driver → ours, sorted into what a record causes, what passes by itself, what the machine causes.

Rule: every error of the driver leaves the store as one of ours; what we do not know is a refusal, never dropped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from membatch.errors import RefusedError, StoreError, SurroundingsError, TransientError

_TRANSIENT: Final = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL", "SQLITE_INTERRUPT")
_SURROUNDINGS: Final = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_NOMEM",
    "SQLITE_CANTOPEN",
    "SQLITE_PERM",
    "SQLITE_AUTH",
)
_WORDS: Final = {
    "SQLITE_FULL": "the disk is full; make room, then resume",
    "SQLITE_READONLY": "the database or its folder is read-only; allow writing, then resume",
    "SQLITE_CORRUPT": "the database file is damaged; restore a copy",
    "SQLITE_NOTADB": "the file is not a SQLite database; name another store",
    "SQLITE_NOMEM": "memory ran out; free some, then resume",
    "SQLITE_CANTOPEN": "the file cannot be opened; check that its folder exists and allows writing",
}


def translated(error: sqlite3.Error) -> StoreError:
    """Return our error for one of the driver's."""
    name = getattr(error, "sqlite_errorname", None) or ""
    words = next((text for prefix, text in _WORDS.items() if name.startswith(prefix)), "")
    message = f"{error} ({name})" if name else str(error)
    if str(error).startswith("Could not decode"):  # and quotes what it could not
        return SurroundingsError(f"the store cannot be used: {_WORDS['SQLITE_CORRUPT']}")
    if name.startswith(_TRANSIENT):
        return TransientError(f"the store is locked: {message}")
    if name.startswith(_SURROUNDINGS):
        return SurroundingsError(f"the store cannot be used: {message}" + (f": {words}" if words else ""))
    return RefusedError(message)


@contextmanager
def ours() -> Iterator[None]:
    """Let the driver's errors leave the block as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error
    except UnicodeDecodeError as error:  # SQLite quotes the damage in its message
        raise SurroundingsError(f"the store cannot be used: {_WORDS['SQLITE_CORRUPT']}") from error
    except MemoryError as error:
        raise SurroundingsError("memory ran out; free some, then resume") from error
