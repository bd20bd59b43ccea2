"""Isolation: whose fault it is that a batch fails, and the batch without the guilty record.

Rule: blame follows input order: all before the guilty record passes, with it no more. What is not a record's
fault is raised.
"""

from __future__ import annotations

import msgspec

from membatch.config import Isolation
from membatch.errors import RefusedError
from membatch.plan import Batch, Plan, Rejection
from membatch.store import Store
from membatch.unforeseen import trace_of, unforeseen


def refused_step(store: Store, plan: Plan, error: RefusedError) -> tuple[int, RefusedError]:
    """Return the first step of a plan that the database refuses, and why; raises the error if none can be blamed.

    The step that the error names is tried first; where it names none, or another one is to blame, bisection
    finds it.
    """
    low, high = 0, len(plan.steps)  # the prefix of `low` steps passes, that of `high` steps is refused
    if store.refusal(plan.prefix(low)) is not None:
        raise error
    why: RefusedError | None = None
    hints = [] if error.step is None else [error.step, error.step + 1]
    while high - low > 1:
        edge = hints.pop(0) if hints else (low + high) // 2
        if low < edge < high:
            refusal = store.refusal(plan.prefix(edge))
            low, high, why = (edge, high, why) if refusal is None else (low, edge, refusal)
    if high - 1 in plan.batch.rejections:
        raise error  # the database refuses the account of the rejection itself
    why = why or store.refusal(plan)
    if why is None:
        raise error  # the rows pass, their commit does not: a constraint that is asked only then names no record
    return high - 1, why


def without(batch: Batch, guilty: int, error: Exception, isolation: Isolation) -> Batch:
    """Return a batch with the guilty record rejected; with isolation by batch all others too."""
    rejections = dict(batch.rejections)
    for record in range(len(batch)) if isolation == "batch" else [guilty]:
        if record not in rejections:
            rejections[record] = _blamed(batch, record, error) if record == guilty else _quarantined(batch, record)
    return msgspec.structs.replace(batch, rejections=rejections)


def _blamed(batch: Batch, record: int, error: Exception) -> Rejection:
    if not isinstance(error, RefusedError):
        return unforeseen(_raw(batch, record), error, "membatch")
    return Rejection(
        category="database",
        code="row-too-big" if "too big" in str(error) else "constraint",
        message=f"the database refuses the record: {error}",
        raw=_raw(batch, record),
        format="membatch",
        exception=trace_of(error),
    )


def _quarantined(batch: Batch, record: int) -> Rejection:
    message = "another record of its batch was refused"
    return Rejection(
        category="database",
        code="batch-quarantined",
        message=message,
        raw=_raw(batch, record),
        format="membatch",
    )


def _raw(batch: Batch, record: int) -> bytes:
    return b'{"id":' + msgspec.json.encode(batch.ids[record]) + b"," + batch.records[record][1:]
