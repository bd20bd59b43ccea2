"""Cells of a table that we write: no spreadsheet takes one for a formula, and reading gives back what was said.

Rule: a cell that a spreadsheet would run gets an apostrophe in front, which it shows as text; a cell that has
apostrophes there already gets one more. Only tables with our own header are read back this way.
"""

from __future__ import annotations

import re
from typing import Final

from membatch.memory import Memory

# A table has a column for each field; what is not a text or a number is JSON in its cell.
COLUMNS: Final = (
    "id",
    *(name for name in Memory.__struct_fields__ if name not in ("id", "schema_version")),
)

# What spreadsheets run (OWASP, "CSV Injection"), the full-width signs of East Asian ones too.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the cell that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
