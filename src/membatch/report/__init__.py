"""Fold tallies into a Report: the account of a run, for programs (JSON) and people (text).

Rule: the keys are stable; a report read back from the store tells the same as the one that a run returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from membatch.errors import CODES, FIELD_KINDS
from membatch.report.tally import HISTOGRAM_BINS, Counts, Tally, add, rates, tally_of

STAGES: Final = ("read", "decode", "fingerprint", "match", "merge", "write", "commit")
MAX_SAMPLES: Final = 5
SAMPLE_LENGTH: Final = 200


class Report(msgspec.Struct, kw_only=True):
    """The account of one run; `exit_code` is what the command line returns for it."""

    run_id: int | None
    kind: str
    status: str
    started_at: str
    finished_at: str | None
    sources: list[str]
    store: str | None
    config: dict[str, Any]
    counts: Counts
    rates: dict[str, float | None]
    errors: dict[str, Any]
    batches: list[dict[str, Any]]
    batch_size: dict[str, Any]
    timing: dict[str, Any]
    resources: dict[str, Any]
    recovery: dict[str, Any]
    deduplication: dict[str, Any]
    emotions: dict[str, Any] | None = None
    quality: dict[str, Any] | None = None
    migration: dict[str, Any] | None = None
    recommendations: list[dict[str, str]] = []
    format: dict[str, str | None] | None = None  # what the sources were taken for, and why

    @property
    def exit_code(self) -> int:
        """0 done, 1 done with rejections, 3 stopped by the tolerance, 130 interrupted."""
        if self.status == "stopped":
            return 3
        if self.status == "interrupted":
            return 130
        return 1 if self.counts.rejected else 0

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


class Account(msgspec.Struct, kw_only=True):
    """What a report needs besides the tallies."""

    run_id: int | None
    kind: str
    status: str
    started_at: str
    finished_at: str | None
    sources: list[str]
    store: str | None
    config: dict[str, Any]
    batches: Sequence[Tally]
    samples: list[dict[str, Any]]
    format: dict[str, str | None] | None = None
    ending: dict[str, Any]  # what is known only at the end: resources, commit times, where it resumed


def report_of(account: Account) -> Report:
    """Return the report of a run from its tallies."""
    total = Tally()
    for tally in account.batches:
        add(total, tally)
    ending = account.ending
    seconds = ending.get("seconds", total.seconds)
    stages = {name: round(total.stages.get(name, 0.0), 6) for name in STAGES}
    for name, amount in ending.get("stages", {}).items():
        stages[name] = round(stages.get(name, 0.0) + amount, 6)
    busy = {name: amount for name, amount in stages.items() if amount}
    return Report(
        run_id=account.run_id,
        kind=account.kind,
        status=account.status,
        started_at=account.started_at,
        finished_at=account.finished_at,
        sources=account.sources,
        store=account.store,
        config=account.config,
        counts=total.counts,
        rates=dict(rates(total.counts)),
        errors={
            "by_category": total.by_category,
            "by_code": total.by_code,
            "by_field": total.by_field,
            "samples": account.samples,
            "patterns": patterns(total.patterns),
        },
        batches=[_batch_entry(number, tally) for number, tally in enumerate(account.batches, 1)],
        batch_size={
            "initial": account.batches[0].size if account.batches else None,
            "final": account.batches[-1].size if account.batches else None,
            "changes": [],
        },
        timing={
            "seconds": round(seconds, 6),
            "records_per_second": round(total.counts.read / seconds, 1) if seconds else None,
            "stages": stages,
            "bottleneck": max(busy, key=lambda name: busy[name]) if busy else None,
        },
        resources={"read_bytes": total.read_bytes, **ending.get("resources", {})},
        recovery={
            "retries": total.retries,
            "rollbacks": total.rollbacks,
            "isolated": total.isolated,
            "resumed_from": ending.get("resumed_from"),
        },
        deduplication={
            "exact": total.counts.duplicates,
            "similar": total.by_step.get("similar", 0),
            "by_step": total.by_step,
            "candidates": sum(total.score_histogram.values()),
            "pairs_compared": None,
            "score_histogram": [total.score_histogram.get(str(number), 0) for number in range(HISTOGRAM_BINS)],
            "by_guard": {
                name: {
                    "different": total.guard_different.get(name, 0),
                    "unsure": total.guard_unsure.get(name, 0),
                }
                for name in sorted({*total.guard_different, *total.guard_unsure})
            },
            "conflicts": total.conflicts,
            "records_saved": total.counts.duplicates + total.counts.merged,
            "bytes_saved": total.bytes_saved,
        },
        migration=_migration(total),
        recommendations=recommendations(account, total),
        format=account.format,
    )


def _migration(total: Tally) -> dict[str, Any] | None:
    if not total.migrated:
        return None
    lost = [{"what": what, "count": count} for what, count in sorted(total.migration_lost.items())]
    return {"from": total.migrated, "changed": total.migrated_fields, "lost": lost}


def _batch_entry(number: int, tally: Tally) -> dict[str, Any]:
    return {
        "number": number,
        "size": tally.size,
        **msgspec.to_builtins(tally.counts),
        "seconds": round(tally.seconds, 6),
        "stages": {name: round(amount, 6) for name, amount in tally.stages.items()},
        "rss_bytes": tally.rss_bytes,
        "cpu_percent": tally.cpu_percent,
        "attempts": tally.retries + 1,
    }


def patterns(counted: dict[str, int]) -> list[dict[str, Any]]:
    """Return what is wrong with how many records, the most frequent first, each with advice."""
    found = []
    for pattern, amount in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        code, _, place = pattern.partition(" ")
        kind = code.rpartition("-")[2]
        if place:
            meaning, advice = FIELD_KINDS.get(kind, ("", ""))
        else:
            meaning, advice = CODES[code].meaning, CODES[code].advice
        found.append({"count": amount, "code": code, "field": place, "meaning": meaning, "advice": advice})
    return found


def recommendations(account: Account, total: Tally) -> list[dict[str, str]]:
    """Return what to do next, the most pressing first."""
    found = []
    store = f" --store {account.store}" if account.store else ""
    run = f" {account.run_id}" if account.run_id is not None else ""
    if account.status == "stopped":
        text = f"the tolerance was reached: look at `membatch rejects{run}{store}`, then `membatch resume{run}{store}`"
        found.append({"code": "raise-tolerance", "text": text + " with a raised --max-errors or --max-error-rate"})
    elif account.status == "interrupted":
        found.append({"code": "resume", "text": f"go on with `membatch resume{run}{store}`"})
    if total.counts.rejected and account.run_id is not None:
        text = f"see why with `membatch rejects{run}{store}`; after mending, `membatch retry{run}{store}`"
        found.append({"code": "look-at-rejects", "text": text})
    if total.counts.held:
        found.append({"code": "review", "text": f"decide the held pairs with `membatch review{store}`"})
    return found


__all__ = [
    "MAX_SAMPLES",
    "SAMPLE_LENGTH",
    "Account",
    "Counts",
    "Report",
    "Tally",
    "add",
    "report_of",
    "tally_of",
]
