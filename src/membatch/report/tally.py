"""What one batch adds to a report: counts and sums that can be added up, batch by batch.

Rule: a tally is stored with its batch, and a report is nothing but the sum of tallies; so a report read from
the store equals the one that the run printed. It holds figures and keys of memories, never their texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from membatch.plan import Batch, Duplicate, Hold, Insert, MemoryKey, Merge, Migration, Plan, Reject, Rejection
from membatch.report.patterns import LOOKED_AT, OTHER, hints_of, place_of
from membatch.report.quality import Quality, quality_of

if TYPE_CHECKING:
    from membatch.monitor import Lap

HISTOGRAM_BINS: Final = 20  # of a twentieth each, the last one holding 1.0
MAX_EXAMPLES: Final = 5  # of each guard
MOST_KEYS: Final = 500  # of any table; the record's own fields and codes are fewer
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


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """Two memories that look alike; their score is shared / union."""

    older: MemoryKey
    younger: MemoryKey
    shared: int
    union: int


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """The batch size was changed before a batch, and why."""

    before: int
    after: int
    reason: str


class Tally(msgspec.Struct, omit_defaults=True):
    """The sums of a batch, or of a run so far."""

    counts: Counts = msgspec.field(default_factory=Counts)
    by_category: dict[str, int] = {}
    by_code: dict[str, int] = {}
    by_field: dict[str, int] = {}
    patterns: dict[str, int] = {}
    hints: dict[str, int] = {}
    warnings: dict[str, int] = {}
    by_step: dict[str, int] = {}
    guard_different: dict[str, int] = {}
    guard_unsure: dict[str, int] = {}
    score_histogram: dict[str, int] = {}
    refused: dict[str, list[Pair]] = {}  # by guard, a few examples
    held: dict[str, list[Pair]] = {}
    quality: Quality = msgspec.field(default_factory=Quality)
    conflicts: int = 0
    emotion_conflicts: int = 0
    pairs_compared: int = 0
    bytes_saved: int = 0
    read_bytes: int = 0
    retries: int = 0
    rollbacks: int = 0
    isolated: int = 0
    size: int = 0
    target: int = 0  # the batch size that was asked for
    change: Change | None = None  # of the batch size, before this batch
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    gc_seconds: float = 0.0
    written_bytes: int = 0
    stages: dict[str, float] = {}
    stages_cpu: dict[str, float] = {}
    rss_bytes: int = 0
    peak_rss_bytes: int = 0
    migrated: dict[str, int] = {}
    migrated_fields: dict[str, int] = {}
    migration_lost: dict[str, int] = {}

    def measured(self, lap: Lap) -> None:
        """Note what the batch cost."""
        for name, value in lap._asdict().items():
            setattr(self, name, value)

    @property
    def cpu_percent(self) -> float:
        """CPU time in percent of wall time."""
        return round(100 * self.cpu_seconds / self.seconds, 1) if self.seconds > 0 else 0.0


_LARGEST: Final = ("rss_bytes", "peak_rss_bytes", "target")
_OF_ONE_BATCH: Final = ("change",)


def add(total: Tally, part: Tally) -> None:
    """Add a batch's tally to a run's, in place."""
    _add(total, part)


def _add(total: Any, part: Any) -> None:
    for name in total.__struct_fields__:
        mine, other = getattr(total, name), getattr(part, name)
        if name in _OF_ONE_BATCH:
            continue
        if isinstance(other, dict):
            for key, amount in other.items():
                if isinstance(amount, list):
                    mine[key] = (mine.get(key, []) + amount)[:MAX_EXAMPLES]
                else:
                    _count(mine, key, amount)
        elif isinstance(other, msgspec.Struct):
            _add(mine, other)
        else:
            setattr(total, name, max(mine, other) if name in _LARGEST else mine + other)


def tally_of(plan: Plan, before: int = 0) -> Tally:
    """Return what a plan adds to the report; `before` records of its run were read earlier."""
    tally, batch, length = Tally(), plan.batch, len(plan.steps)
    counts = tally.counts
    counts.read = length
    rejections: list[Rejection] = []
    counts.inserted = length - len(plan.others)
    for step in plan.others:
        match step:
            case Duplicate(record, _):
                counts.duplicates += 1
                tally.bytes_saved += len(batch.records[record])
                _count(tally.by_step, "digest")
            case Merge(record):
                counts.merged += 1
                tally.bytes_saved += len(batch.records[record])
                tally.conflicts += len(step.conflicts)
                tally.emotion_conflicts += sum(_is_of_feeling(conflict) for conflict in step.conflicts)
                _count(tally.by_step, step.step)
            case Hold():
                counts.held += 1
                for guard in step.guards:
                    _count(tally.guard_unsure, guard)
                    _example(tally.held, guard, Pair(step.memory, step.key, step.shared, step.union))
            case Reject(_, rejection):
                rejections.append(rejection)
    for record, refusals in plan.refusals.items():
        if record < length:
            for guard, amount in refusals.items():
                _count(tally.guard_different, guard, amount)
    for refused in plan.refused:
        founding = plan.steps[refused.record] if refused.record < length else None
        if isinstance(founding, Insert | Hold):  # else the record has become part of another memory
            pair = Pair(refused.memory, founding.key, refused.shared, refused.union)
            _example(tally.refused, refused.guard, pair)
    for record, scores in plan.scores.items():
        if record < length:
            for (shared, union), amount in scores.items():
                _count(tally.score_histogram, str(min(HISTOGRAM_BINS - 1, HISTOGRAM_BINS * shared // union)), amount)
    _add_rejections(tally, rejections)
    _add_records(tally, batch, length, before)
    return tally


def checked_tally(batch: Batch, length: int, before: int = 0) -> Tally:
    """Return what the first `length` records of a batch add to the report of a validation."""
    tally = Tally()
    tally.counts.read = length
    _add_rejections(tally, [rejection for record, rejection in batch.rejections.items() if record < length])
    _add_records(tally, batch, length, before)
    return tally


def _add_records(tally: Tally, batch: Batch, length: int, before: int) -> None:
    counts = tally.counts
    for record, warnings in batch.warnings.items():
        if record < length:
            counts.warnings += len(warnings)
            for warning in warnings:
                _count(tally.warnings, warning.code)
    counts.valid = counts.read - sum(tally.by_category.get(name, 0) for name in _VALIDATION_CATEGORIES)
    tally.size = counts.read
    tally.read_bytes = batch.read_bytes
    tally.quality = quality_of(batch, length, before)
    for record, migration in batch.migrations.items():
        if record < length:
            add_migration(tally, migration)


def add_migration(tally: Tally, migration: Migration) -> None:
    """Count a record that came from, or went to, another version."""
    _count(tally.migrated, migration.origin)
    for name in migration.changed:
        _count(tally.migrated_fields, name)
    for name in migration.lost:
        _count(tally.migration_lost, name)


def _add_rejections(tally: Tally, rejections: Iterable[Rejection]) -> None:
    rejections = list(rejections)
    for rejection in rejections:
        tally.counts.rejected += 1
        _count(tally.by_category, rejection.category)
        _count(tally.by_code, rejection.code)
        for error in rejection.errors:
            place = place_of(error)
            _count(tally.by_field, place)
            _count(tally.patterns, f"{error.code} {place}")
        if not rejection.errors:
            _count(tally.patterns, rejection.code)
    for rejection in islice(rejections, LOOKED_AT):
        for hint in hints_of(rejection):
            _count(tally.hints, hint)


def _is_of_feeling(conflict: dict[str, Any]) -> bool:
    return bool(conflict["path"]) and conflict["path"][0] == "emotional_context"


def _example(table: dict[str, list[Pair]], guard: str, pair: Pair) -> None:
    examples = table.setdefault(guard, [])
    if len(examples) < MAX_EXAMPLES:
        examples.append(pair)


def _count(table: dict[str, Any], key: str, amount: Any = 1) -> None:
    """Count a key; what a hostile input could name without end is counted as other."""
    if key not in table and len(table) >= MOST_KEYS:
        key = OTHER
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
