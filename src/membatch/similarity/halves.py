"""Work on the rows of a store that is opened, by two threads at once.

Rule: a half touches nothing that the other one writes; compiled loops and numpy need no interpreter meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from membatch.threads import other_thread

_WORTH_IT: Final = 1_000  # rows; fewer take less time than a thread


def half_of(rows: int) -> int:
    """Return where the second half of rows 0..rows begins, 0 where two threads are not worth it."""
    return rows // 2 if rows >= _WORTH_IT else 0


def in_halves(rows: int, work: Callable[[int, int], None]) -> None:
    """Do some work on rows 0..rows; it is given the first row of a half and where that ends."""
    half = half_of(rows)
    if not half:
        work(0, rows)
        return
    with other_thread("half") as other:
        second = other.submit(work, half, rows)
        work(0, half)
        second.result()
