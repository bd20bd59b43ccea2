"""Whatever fails under a load, no record is lost and no batch half done; see docs/reliability.md for the long form."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from . import campaigns
from .arena import COMPILER, KILL_AFTER, KILL_BEFORE, arena
from .campaigns import Figures
from .job import Job

pytestmark = pytest.mark.skipif(COMPILER is None, reason="the shim needs a C compiler")

Campaign = Callable[[Job], Figures]

# Each with the step that keeps it short; `python -m tests.faults.figures` takes every step.
SHORT: dict[str, Campaign] = {
    "killed at random moments": partial(campaigns.kills_at_random_moments, count=12),
    "killed before a statement": partial(campaigns.kills_before_statements, step=29, first=3),
    "killed before a call": partial(campaigns.kills_at_calls, how=KILL_BEFORE, step=29, first=2),
    "killed after a call": partial(campaigns.kills_at_calls, how=KILL_AFTER, step=29, first=1),
    "a write fails": partial(campaigns.failing_calls, kind="write", error=errno.EIO, stays=False, step=31),
    "no write succeeds": partial(campaigns.failing_calls, kind="write", error=errno.ENOSPC, stays=True, step=37),
    "a sync fails": partial(campaigns.failing_calls, kind="sync", error=errno.EIO, stays=False, step=4),
    "no sync succeeds": partial(campaigns.failing_calls, kind="sync", error=errno.EIO, stays=True, step=5),
    "a read fails": partial(campaigns.failing_calls, kind="read", error=errno.EIO, stays=False, step=4),
    "no read succeeds": partial(campaigns.failing_calls, kind="read", error=errno.EIO, stays=True, step=5),
    "opening fails": partial(campaigns.failing_calls, kind="open", error=errno.EACCES, stays=False),
    "truncating fails": partial(campaigns.failing_calls, kind="truncate", error=errno.EIO, stays=False),
    "removing fails": partial(campaigns.failing_calls, kind="unlink", error=errno.EIO, stays=False),
    "the disk is full": partial(campaigns.full_disks, count=8),
    "power is lost": partial(campaigns.power_losses, count=12),
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(arena(), tmp_path_factory.mktemp("job"))


@pytest.mark.parametrize("name", SHORT)
def test_a_load_ends_as_if_nothing_had_happened_although(name: str, job: Job) -> None:
    figures = SHORT[name](job)
    assert figures.trials > 0


def test_near_repeats_are_found_again_after_a_kill(tmp_path: Path) -> None:
    job = Job(arena(), tmp_path, "similar")
    assert campaigns.kills_before_statements(job, step=41, first=40).noticed > 3
