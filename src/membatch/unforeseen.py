"""What nobody foresaw and one record brought about, as a rejection of that record.

Rule: the record and the stack trace are kept; a machine that has no memory left is not the record's fault.
"""

from __future__ import annotations

import traceback
from typing import Final

from membatch.plan import Rejection

# Where as much as this can still be had, the record that ran out of memory asked for too much.
_ROOM_BYTES: Final = 64 << 20


def unforeseen(raw: bytes, error: Exception, kind: str | None = None) -> Rejection:
    """Return the rejection of a record whose handling raised; `kind` is the format of `raw`, None the run's.

    Raises the error itself if it says that memory ran out, and it has.
    """
    if isinstance(error, MemoryError):
        if not _has_room():
            raise error
        message = "handling the record asked for more memory than there is"
        return Rejection(
            category="resource",
            code="memory-exhausted",
            message=message,
            raw=raw,
            format=kind,
            exception=trace_of(error),
        )
    return Rejection(
        category="internal",
        code="unexpected",
        message=f"{type(error).__name__}: {error}",
        raw=raw,
        format=kind,
        exception=trace_of(error),
    )


def trace_of(error: BaseException) -> str:
    """Return the end of a stack trace."""
    return "".join(traceback.format_exception(error, limit=-5))


def _has_room() -> bool:
    try:
        bytes(_ROOM_BYTES)
    except MemoryError:
        return False
    return True
