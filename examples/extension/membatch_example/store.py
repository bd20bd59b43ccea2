"""A store: `shelf://NAME` is a SQLite file of that name in the folder that the variable SHELF names."""

from __future__ import annotations

import os
from pathlib import Path

from membatch.errors import ConfigError
from membatch.store import Store
from membatch.store.sqlite import SqliteStore


def open_shelf(url: str, scope: tuple[str, ...] | None, *, write: bool, dry_run: bool, wait: bool) -> Store:
    """Return the store that the URL names, opened; the faces of what it returns are in `membatch.store`."""
    name = url.removeprefix("shelf://")
    if not name.isidentifier():
        raise ConfigError(f"{url!r} names no store: write shelf://NAME, a word")
    if "SHELF" not in os.environ:
        raise ConfigError("shelf:// stores stand in the folder that the variable SHELF names: set it")
    path = Path(os.environ["SHELF"]).absolute() / f"{name}.db"
    return SqliteStore(f"sqlite:///{path}", scope, write=write, dry_run=dry_run, wait=wait)
