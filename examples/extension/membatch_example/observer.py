"""An observer: writes a line for each batch that has committed. No entry point; it is given to the call."""

from __future__ import annotations

import sys

import membatch
from membatch.plan import Hold, Plan
from membatch.report.tally import Tally


def tell(plan: Plan, tally: Tally) -> None:
    """Say how a batch ended, and which of its records wait for review."""
    held = [plan.batch.ids[step.record] for step in plan.steps if isinstance(step, Hold)]
    print(f"{tally.counts.read} read, {tally.counts.inserted} new, held: {held}")


if __name__ == "__main__":
    config = membatch.Config.load(batch__size=2)
    membatch.process(sys.argv[1], config=config, observers=[tell])
