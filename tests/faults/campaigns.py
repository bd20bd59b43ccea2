"""What is done to a load, over and over; each function returns how many times, and how often it mattered.

Rule: after each disturbance the store is whole (no half batch), and resuming ends as if nothing had happened; what
is not so raises AssertionError with all that is known.
"""

from __future__ import annotations

import errno
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from .arena import FAIL, FULL, KILL_AFTER, KILL_BEFORE, KINDS, OPENS, SYNCS, TRUNCATES, UNLINKS, WRITES, Result
from .job import Job, said_clearly

CHANGES: Final = WRITES | SYNCS | TRUNCATES | UNLINKS | OPENS
SECTOR: Final = 512


class Figures(NamedTuple):
    """How often something was done, and how often the run noticed (was killed or failed)."""

    trials: int
    noticed: int


def _ends_as_undisturbed(job: Job, what: str) -> None:
    assert job.is_whole(), what
    job.finish()
    assert job.ending() == job.expected, what


def kills_at_random_moments(job: Job, count: int, seed: int = 1) -> Figures:
    """Kill the process at random moments of its life, until so many were killed before they ended."""
    rng, trials, noticed = random.Random(seed), 0, 0
    while noticed < count:
        job.again()
        moment = rng.uniform(0, job.undisturbed.seconds)
        result = job.run(kill_at=moment)
        if result.code != -9:
            continue
        trials, noticed = trials + 1, noticed + 1
        _ends_as_undisturbed(job, f"kill {noticed} at {moment:.4f} s")
    return Figures(trials, noticed)


def kills_before_statements(job: Job, step: int = 1, first: int = 1) -> Figures:
    """Kill the process before each SQL statement that it is about to run, which is after the one before."""
    trials = noticed = 0
    for number in range(first, job.undisturbed.statements + 1, step):
        job.again()
        result = job.run(kill_at_statement=number)
        trials, noticed = trials + 1, noticed + (result.code == -9)
        _ends_as_undisturbed(job, f"kill before statement {number}")
    return Figures(trials, noticed)


def kills_at_calls(job: Job, how: int, step: int = 1, first: int = 1) -> Figures:
    """Kill the process before (or after) each call that changes the store's files."""
    assert how in (KILL_BEFORE, KILL_AFTER)
    trials = noticed = 0
    number = first
    while True:
        job.again()
        result = job.run(fault=job.fault(how, CHANGES, number))
        if result.code != -9:
            return Figures(trials, noticed)
        trials, noticed = trials + 1, noticed + 1
        _ends_as_undisturbed(job, f"kill at call {number}")
        number += step


def failing_calls(job: Job, kind: str, error: int, *, stays: bool, step: int = 1, first: int = 1) -> Figures:
    """Let the N-th call of a kind fail (and all after it, if it stays so), for N = 1, 2, … until none fails."""
    trials = noticed = 0
    number = first
    while True:
        job.again()
        result = job.run(fault=job.fault(FAIL, KINDS[kind], number, error=error, stays=stays))
        if not result.fired:
            return Figures(trials, noticed)
        trials += 1
        what = f"{errno.errorcode[error]} at {kind} {number}{' and on' if stays else ''}"
        noticed += _bore_it_or_said_so(result, what)
        _ends_as_undisturbed(job, what)
        number += step


def _bore_it_or_said_so(result: Result, what: str) -> bool:
    assert result.code in (0, 1) or said_clearly(result), (what, result)
    return result.code == 4


def full_disks(job: Job, count: int, seed: int = 2) -> Figures:
    """Let the disk be full after a random number of bytes; then there is room again."""
    job.again()
    log = job.folder / "log"
    job.run(fault=job.fault(0, 0, 0, log=str(log)))
    most = sum(len(event.data) for event in events_of(log) if event.what == "w")
    log.unlink()
    rng, noticed = random.Random(seed), 0
    for _ in range(count):
        job.again()
        room = rng.randrange(most)
        result = job.run(fault=job.fault(FULL, 0, room))
        what = f"disk full after {room} bytes"
        noticed += _bore_it_or_said_so(result, what)
        _ends_as_undisturbed(job, what)
    return Figures(count, noticed)


class Event(NamedTuple):
    """One change of a file: w(ritten at an offset), s(ynced), t(runcated to a length), u(nlinked).

    Or the run said something: a(cknowledged), by the line that it writes after each batch.
    """

    what: str
    path: str
    offset: int
    data: bytes


def events_of(log: Path) -> Iterator[Event]:
    """Yield what a run did to the files of its store, as the shim wrote it down."""
    text, at = log.read_bytes(), 0
    while at < len(text):
        what, length, offset, size = struct.unpack_from("<ciqq", text, at)
        at += 21
        path, data = text[at : at + length].decode(), text[at + length : at + length + size]
        at += length + size
        yield Event(what.decode(), path, offset, data)


def power_losses(job: Job, count: int, seed: int = 3) -> Figures:
    """Lose power at random moments: what was synced is there, of the rest each sector may or may not be.

    What a run had told of as committed when the power went must be there.
    """
    log = job.folder / "log"
    job.again()
    job.run("--log-format", "json", fault=job.fault(0, 0, 0, log=str(log)))
    events = list(events_of(log))
    log.unlink()
    rng, noticed = random.Random(seed), 0
    for number in range(count):
        moment = rng.randrange(1, len(events))
        noticed += _after_power_loss(job, events[:moment], rng)
        acknowledged = sum(event.what == "a" for event in events[:moment])
        assert job.batches() >= acknowledged, (number, moment, acknowledged)
        _ends_as_undisturbed(job, f"power loss {number} after {moment} of {len(events)} changes")
    return Figures(count, noticed)


def _after_power_loss(job: Job, events: list[Event], rng: random.Random) -> bool:
    """Leave in the store's folder what the disk could hold; return whether something was lost."""
    durable: dict[str, bytearray] = {}
    pending: dict[str, list[Event]] = {}
    for event in events:
        if event.what == "s":
            for waiting in pending.pop(event.path, []):
                _do(durable, waiting)
        elif event.what == "a":
            continue
        elif event.what == "u":
            durable.pop(event.path, None)
            pending.pop(event.path, None)
        else:
            pending.setdefault(event.path, []).append(event)
    is_lossy = False
    for waiting_events in pending.values():
        for event in waiting_events:
            is_lossy |= _do_in_part(durable, event, rng)
    job.again()
    for path, data in durable.items():
        Path(path).write_bytes(data)
    return is_lossy


def _do(files: dict[str, bytearray], event: Event) -> None:
    data = files.setdefault(event.path, bytearray())
    if event.what == "t":
        del data[event.offset :]
        data.extend(bytes(event.offset - len(data)))
    else:
        data.extend(bytes(max(0, event.offset + len(event.data) - len(data))))
        data[event.offset : event.offset + len(event.data)] = event.data


def _do_in_part(files: dict[str, bytearray], event: Event, rng: random.Random) -> bool:
    """Do some sectors of what was not synced; return whether any was lost."""
    if event.what == "t":
        if rng.random() < 0.5:
            return True
        _do(files, event)
        return False
    is_lossy = False
    for start in range(0, len(event.data), SECTOR):
        if rng.random() < 0.5:
            is_lossy = True
            continue
        part = event.data[start : start + SECTOR]
        _do(files, Event("w", event.path, event.offset + start, part))
    return is_lossy
