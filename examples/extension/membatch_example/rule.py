"""A merge rule: the shorter text wins."""

from __future__ import annotations

from membatch.merge_rules import Pair
from membatch.patch import Json


def shortest(mine: Json, other: Json, pair: Pair) -> Json:
    """Return the shorter of the survivor's value and the record's; ties: the survivor's."""
    return other if len(str(other)) < len(str(mine)) else mine
