"""What one batch adds to a report: counts and sums that can be added up, batch by batch.

Rule: a tally is stored with its batch, and a report is nothing but the sum of tallies; so a report read from
the store equals the one that the run printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from membatch.plan import Batch, Duplicate, Hold, Insert, Merge, Migration, Plan, Reject

HISTOGRAM_BINS: Final = 20  # of a twentieth each, the last one holding 1.0
_VALIDATION_CATEGORIES: Final = ("source", "conversion", "validation")


class Counts(msgspec.Struct):
    """How many records had which outcome; `read` is the sum of the five outcomes, or valid + rejected."""

    read: int = 0
    valid: int = 0
    inserted: int = 0
    duplicates: int = 0
    merged: int = 0
    held: int = 0
    rejected: int = 0
    warnings: int = 0


class Tally(msgspec.Struct, omit_defaults=True):
    """The sums of a batch, or of a run so far."""

    counts: Counts = msgspec.field(default_factory=Counts)
    by_category: dict[str, int] = {}
    by_code: dict[str, int] = {}
    by_field: dict[str, int] = {}
    patterns: dict[str, int] = {}
    warnings: dict[str, int] = {}
    by_step: dict[str, int] = {}
    guard_different: dict[str, int] = {}
    guard_unsure: dict[str, int] = {}
    score_histogram: dict[str, int] = {}
    conflicts: int = 0
    bytes_saved: int = 0
    read_bytes: int = 0
    retries: int = 0
    rollbacks: int = 0
    isolated: int = 0
    size: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = {}
    rss_bytes: int = 0
    cpu_percent: float = 0.0
    migrated: dict[str, int] = {}
    migrated_fields: dict[str, int] = {}
    migration_lost: dict[str, int] = {}


def add(total: Tally, part: Tally) -> None:
    """Add a batch's tally to a run's, in place."""
    for name in Tally.__struct_fields__:
        mine, other = getattr(total, name), getattr(part, name)
        if isinstance(other, dict):
            for key, amount in other.items():
                mine[key] = mine.get(key, 0) + amount
        elif isinstance(other, Counts):
            for field in Counts.__struct_fields__:
                setattr(mine, field, getattr(mine, field) + getattr(other, field))
        elif name == "rss_bytes":
            total.rss_bytes = max(mine, other)
        else:
            setattr(total, name, mine + other)


def tally_of(plan: Plan) -> Tally:
    """Return what a plan adds to the report."""
    tally = Tally()
    counts, batch = tally.counts, plan.batch
    counts.read = len(plan.steps)
    for step in plan.steps:
        match step:
            case Insert():
                counts.inserted += 1
            case Duplicate(record, _):
                counts.duplicates += 1
                tally.bytes_saved += len(batch.records[record])
                _count(tally.by_step, "digest")
            case Merge(record):
                counts.merged += 1
                tally.bytes_saved += len(batch.records[record])
                tally.conflicts += len(step.conflicts)
                _count(tally.by_step, step.step)
            case Hold():
                counts.held += 1
                for guard in step.guards:
                    _count(tally.guard_unsure, guard)
            case Reject(_, rejection):
                _add_rejection(tally, rejection)
    add_notes(tally, batch, len(plan.steps))
    for record, refusals in plan.refusals.items():
        if record < len(plan.steps):
            for guard, amount in refusals.items():
                _count(tally.guard_different, guard, amount)
    for record, scores in plan.scores.items():
        if record < len(plan.steps):
            for shared, union in scores:
                _count(tally.score_histogram, str(min(HISTOGRAM_BINS - 1, HISTOGRAM_BINS * shared // union)))
    unread = sum(tally.by_category.get(name, 0) for name in _VALIDATION_CATEGORIES)
    counts.valid = counts.read - unread
    tally.size = counts.read
    tally.read_bytes = batch.read_bytes
    return tally


def add_notes(tally: Tally, batch: Batch, read: int) -> None:
    """Set the warnings and migrations of a tally to those of the first `read` records of a batch."""
    tally.counts.warnings, tally.warnings = 0, {}
    tally.migrated, tally.migrated_fields, tally.migration_lost = {}, {}, {}
    for record, warnings in batch.warnings.items():
        if record < read:
            tally.counts.warnings += len(warnings)
            for warning in warnings:
                _count(tally.warnings, warning.code)
    for record, migration in batch.migrations.items():
        if record < read:
            add_migration(tally, migration)


def add_migration(tally: Tally, migration: Migration) -> None:
    """Count a record that came from, or went to, another version."""
    _count(tally.migrated, migration.origin)
    for name in migration.changed:
        _count(tally.migrated_fields, name)
    for name in migration.lost:
        _count(tally.migration_lost, name)


def _add_rejection(tally: Tally, rejection: Any) -> None:
    tally.counts.rejected += 1
    _count(tally.by_category, rejection.category)
    _count(tally.by_code, rejection.code)
    for error in rejection.errors:
        place = re.sub(r"/\d+(?=/|$)", "[]", error.pointer).lstrip("/").replace("/", ".")
        _count(tally.by_field, place)
        _count(tally.patterns, f"{error.code} {place}")
    if not rejection.errors:
        _count(tally.patterns, rejection.code)


def _count(table: dict[str, int], key: str, amount: int = 1) -> None:
    table[key] = table.get(key, 0) + amount


def rates(counts: Counts) -> Mapping[str, float | None]:
    """Return the rates of DESIGN: shares of what was read, None where nothing was."""

    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 6) if whole else None

    return {
        "success": share(counts.read - counts.rejected, counts.read),
        "validation": share(counts.valid, counts.read),
        "duplicate": share(counts.duplicates + counts.merged, counts.read),
        "merge_success": share(counts.merged, counts.merged + counts.held),
        "error": share(counts.rejected, counts.read),
    }
