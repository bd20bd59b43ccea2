"""Which step of a plan a row of its transaction comes from, where the database names the row.

Rule: a hint and no more; whoever isolates a record tries the prefixes before and after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from membatch.plan import Duplicate, Hold, Insert, Merge, Plan, Reject
from membatch.store.rows import Row

# Queries whose rows stand in the order of the steps that give them.
_IN_ORDER = {
    "insert_merge": Merge,
    "insert_duplicate": Duplicate,
    "insert_review": Hold,
    "insert_reject": Reject,
}


def step_of(plan: Plan, name: str, rows: Sequence[Row], number: int) -> int | None:
    """Return the number of the step that gives a row of a query, None where that is not one step."""
    if name in _IN_ORDER:
        found = [at for at, step in enumerate(plan.steps) if isinstance(step, _IN_ORDER[name])]
        return found[number]
    memory = rows[number][0]
    made = (at for at, step in enumerate(plan.steps) if isinstance(step, Insert | Hold) and step.key == memory)
    return next(made, None)
