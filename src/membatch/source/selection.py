"""What the URL of a database names.

Rule: what is shown of it has no password in it.
"""

from __future__ import annotations

from typing import NamedTuple


class Selection(NamedTuple):
    """A file with a table or a query in it, None where the URL names neither, and the column to order by."""

    shown: str  # the URL as it may be shown
    path: str
    table: str | None
    query: str | None
    order: str | None
