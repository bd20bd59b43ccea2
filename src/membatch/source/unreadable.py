"""Rejections of what could not be read: an item over the limit, or the remainder of a source."""

from __future__ import annotations

from typing import Final

from membatch.plan import Rejection

# A raw record over the limit keeps this much of itself in its rejection.
KEPT_OF_TOO_LONG: Final = 64 * 1024


def too_long(beginning: bytes, length: int, sha256: str, limit: int) -> Rejection:
    """Return the rejection of an item longer than the limit: its beginning, its length and its SHA-256."""
    return Rejection(
        category="source",
        code="too-long",
        message=f"the record has {length:,} bytes; source.max_record_bytes is {limit:,}",
        raw=beginning[:KEPT_OF_TOO_LONG],
        raw_length=length,
        raw_sha256=sha256,
    )


def remainder(code: str, message: str, raw: bytes = b"") -> Rejection:
    """Return the rejection that stands for the unreadable rest of a source; `raw` is what was left of it."""
    return Rejection(category="source", code=code, message=message, raw=raw[:KEPT_OF_TOO_LONG])
