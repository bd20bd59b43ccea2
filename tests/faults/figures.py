"""The figures of docs/reliability.md about loads that are disturbed: `python -m tests.faults.figures [NAME]...`.

Each line is one campaign: how many loads were disturbed, how many of them ended by it, how many seconds it took.
All of them ended as an undisturbed load, or the script stops with what did not.
"""

from __future__ import annotations

import errno
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import campaigns
from .arena import KILL_AFTER, KILL_BEFORE, KINDS, arena
from .job import Job

OTHERS = [kind for kind in KINDS if kind != "write"]

# A call that fails once, or with all after it; there are the most writes, so they come last.
CALLS = [(kind, errno.EIO, stays) for kind in OTHERS for stays in (False, True)]
CALLS += [("write", errno.EIO, False), ("write", errno.ENOSPC, True)]

CAMPAIGNS: dict[str, Callable[[Job], campaigns.Figures]] = {
    "killed at a random moment": partial(campaigns.kills_at_random_moments, count=500),
    "killed before each statement": campaigns.kills_before_statements,
    "killed before each changing call": partial(campaigns.kills_at_calls, how=KILL_BEFORE),
    "killed after each changing call": partial(campaigns.kills_at_calls, how=KILL_AFTER),
    "power lost at a random moment": partial(campaigns.power_losses, count=200),
    "disk full after a random number of bytes": partial(campaigns.full_disks, count=200),
    **{
        f"the N-th {kind} fails with {errno.errorcode[error]}{', and all after it' if stays else ''}": partial(
            campaigns.failing_calls, kind=kind, error=error, stays=stays
        )
        for kind, error, stays in CALLS
    },
}


def main() -> None:
    """Run the campaigns whose names hold one of the words given, or all."""
    words = sys.argv[1:]
    print(
        "| what was done | loads disturbed | ended by it | as if nothing had happened | seconds |\n|---|--:|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        job = Job(arena(), Path(folder))
        for name, campaign in CAMPAIGNS.items():
            if words and not any(word in name for word in words):
                continue
            begun = time.perf_counter()
            found = campaign(job)
            seconds = time.perf_counter() - begun
            print(f"| {name} | {found.trials} | {found.noticed} | {found.trials} | {seconds:.0f} |", flush=True)
    arena().close()


if __name__ == "__main__":
    main()
