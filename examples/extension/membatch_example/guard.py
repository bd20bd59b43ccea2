"""A guard: memories of two places are not the same, however alike they read."""

from __future__ import annotations

from membatch.similarity.guards import Facts, Verdict


def place(record: Facts, memory: Facts) -> Verdict:
    """Different if both say where, in `metadata.place`, and it is not the same; unsure if only one says it."""
    mine = record.document.get("metadata", {}).get("place")
    other = memory.document.get("metadata", {}).get("place")
    if mine == other:
        return "same"
    return "unsure" if mine is None or other is None else "different"
