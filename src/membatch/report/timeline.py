"""The batches of a run over time, at most a thousand points.

Rule: where there are more batches, neighbours are taken together; sums stay sums, memory is the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

MOST_POINTS: Final = 1_000


class Moment(NamedTuple):
    """One batch, or some neighbours: when it ended, in seconds since the start, and what it did."""

    name: str
    at: float
    records: float  # a batch, on average
    speed: float  # records a second
    rss_bytes: int
    rejected: int


def timeline(batches: Sequence[dict[str, Any]], most: int = MOST_POINTS) -> list[Moment]:
    """Return what happened when, from the entries of a report's `batches`."""
    together = -(-len(batches) // most) or 1
    moments, at = [], 0.0
    for start in range(0, len(batches), together):
        some = batches[start : start + together]
        read, seconds = sum(batch["read"] for batch in some), sum(batch["seconds"] for batch in some)
        at += seconds
        first, last = some[0]["number"], some[-1]["number"]
        moments.append(
            Moment(
                name=str(first) if first == last else f"{first}-{last}",
                at=at,
                records=read / len(some),
                speed=read / seconds if seconds else 0.0,
                rss_bytes=max(batch["rss_bytes"] for batch in some),
                rejected=sum(batch["rejected"] for batch in some),
            )
        )
    return moments
