"""The named queries of queries.sql."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources


@cache
def query(name: str) -> str:
    """Return a named query."""
    return _queries()[name]


@cache
def _queries() -> dict[str, str]:
    text = (resources.files("membatch.store") / "queries.sql").read_text("utf-8")
    found = re.findall(r"^-- name: (\w+): .*\n((?:(?!--).*\n)+)", text + "\n", re.MULTILINE)
    return {name: body.strip().rstrip(";") for name, body in found}
