"""What a command may write to: a file of its own, in a folder that is there.

Rule: nothing that is read is written over, whatever name it goes by; this is asked before anything is read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from membatch.errors import ConfigError
from membatch.source.sql import is_database, selection_of
from membatch.source.stream import STANDARD_INPUT, member_of
from membatch.store.places import files_of


def check_output(output: str | os.PathLike[str], sources: Iterable[str] = (), store: str | None = None) -> None:
    """Raise ConfigError where a file cannot be written, or is one of the sources or of the store's files."""
    path = Path(output)
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {path}: its folder does not exist: make it first")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"cannot write {path}: its folder cannot be written to: name another one")
    if store is not None and any(_is_same(path, file) for file in files_of(store)):
        raise ConfigError(f"cannot write {path}: it is the store itself: name another file")
    if not path.exists():
        return
    for source in sources:
        if _is_same(path, source):
            raise ConfigError(f"cannot write {path}: it is a source, and would be lost: name another file")
    if not path.is_file():
        raise ConfigError(f"cannot write {path}: it is {'a folder' if path.is_dir() else 'no file'}: name a file")


def _is_same(path: Path, other: str) -> bool:
    if path.absolute() == Path(other).absolute():
        return True
    try:
        if other == STANDARD_INPUT:
            return os.path.samestat(path.stat(), os.fstat(sys.stdin.fileno()))
        if is_database(other):
            return path.samefile(selection_of(other).path)
        inside = member_of(other)
        return path.samefile(other if inside is None else inside[0])
    except (OSError, ValueError):  # one of them is not there, or has no file
        return False
