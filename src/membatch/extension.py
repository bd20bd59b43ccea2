"""What other packages add to the tables of formats, sources, stores, guards and merge rules.

Rule: what is installed is looked up once a process, because each look reads a file of every package there is.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import cast


@cache
def _installed() -> EntryPoints:
    return cast(EntryPoints, entry_points())  # 3.11 gives another type, which selects just as well


def extensions(group: str) -> EntryPoints:
    """Return the entry points of a group, not loaded yet."""
    return _installed().select(group=group)
