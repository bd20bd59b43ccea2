"""Fold tallies into a Report: the account of a run, for programs (JSON) and people (text, HTML).

Rule: the keys are stable; a report read back from the store tells the same as the one that a run returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from membatch.plan import MemoryKey
from membatch.report.advice import recommendations
from membatch.report.patterns import patterns
from membatch.report.quality import LENGTH_NAMES, OPTIONAL_FIELDS, Quality, shares
from membatch.report.tally import HISTOGRAM_BINS, Counts, Pair, Tally, add, checked_tally, rates, tally_of
from membatch.report.words import DRY_RUN

STAGES: Final = ("read", "decode", "fingerprint", "match", "merge", "write", "commit")
# Stage → the part of the work that it belongs to; the slowest part is the bottleneck.
PARTS: Final = {
    "read": "source",
    "decode": "decode",
    "fingerprint": "decode",
    "match": "matching",
    "merge": "matching",
    "write": "store",
    "commit": "store",
}
# Fingerprints are made in the loop that decodes: telling the two apart would cost more than the hashes do.
_INSIDE: Final = ("fingerprint",)
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
    emotions: dict[str, Any]
    quality: dict[str, Any]
    migration: dict[str, Any] | None = None
    recommendations: list[dict[str, str]] = []
    format: dict[str, str | None] | None = None  # what the sources were taken for, and why
    changes: dict[str, Any] | None = None  # of a run that reads nothing: what it took out, merged, removed

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

    def to_html(self) -> str:
        """Return the report as one self-contained HTML page."""
        from membatch.report.html import html_of  # draws charts: loaded only where it is used

        return html_of(self)


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
    ending: dict[str, Any]  # what is known only at the end: `rest`, a tally of what no batch counted; where it resumed
    summaries: Mapping[MemoryKey, str] = {}  # the beginnings of the texts that examples show; none if redacted
    format: dict[str, str | None] | None = None
    changes: dict[str, Any] | None = None


def report_of(account: Account) -> Report:
    """Return the report of a run from its tallies."""
    total = Tally()
    for tally in account.batches:
        add(total, tally)
    if "rest" in account.ending:
        add(total, account.ending["rest"])
    report = Report(
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
            "patterns": patterns(total.patterns, total.hints),
        },
        batches=[_batch_entry(number, tally) for number, tally in enumerate(account.batches, 1)],
        batch_size=_batch_size(account.batches),
        timing=_timing(total),
        resources={
            "cpu_seconds": round(total.cpu_seconds, 3),
            "cpu_percent": total.cpu_percent,
            "rss_bytes": account.batches[-1].rss_bytes if account.batches else total.rss_bytes,
            "peak_rss_bytes": total.peak_rss_bytes,
            "read_bytes": total.read_bytes,
            "written_bytes": total.written_bytes,
            "gc_seconds": round(total.gc_seconds, 6),
        },
        recovery={
            "retries": total.retries,
            "rollbacks": total.rollbacks,
            "isolated": total.isolated,
            "resumed_from": account.ending.get("resumed_from"),
            "rebuilt": account.ending.get("rebuilt"),
        },
        deduplication=_deduplication(total, account.summaries),
        emotions={
            "examined": total.quality.examined,
            "with_context": total.quality.with_context,
            "primary": dict(sorted(total.quality.primary.items(), key=lambda item: (-item[1], item[0]))),
            "conflicts": total.emotion_conflicts,
        },
        quality=_quality(total.quality),
        migration=_migration(total),
        format=account.format,
        changes=account.changes,
    )
    report.recommendations = recommendations(report)
    return report


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


def _batch_size(batches: Sequence[Tally]) -> dict[str, Any]:
    targets = [tally.target or tally.size for tally in batches]
    return {
        "initial": targets[0] if targets else 0,
        "final": targets[-1] if targets else 0,
        "changes": [
            {"batch": number, "from": tally.change.before, "to": tally.change.after, "reason": tally.change.reason}
            for number, tally in enumerate(batches, 1)
            if tally.change is not None
        ],
    }


def _timing(total: Tally) -> dict[str, Any]:
    found = bottleneck(total.stages)
    return {
        "seconds": round(total.seconds, 6),
        "records_per_second": round(total.counts.read / total.seconds, 1) if total.seconds else None,
        "stages": _by_stage(total.stages),
        "stages_cpu": _by_stage(total.stages_cpu),
        "bottleneck": None if found is None else found[0],
        "bottleneck_share": None if found is None else round(found[1], 4),
    }


def bottleneck(stages: dict[str, float]) -> tuple[str, float] | None:
    """Return the part of the work that took longest, with its share of all stages, or None if none was timed."""
    parts: dict[str, float] = {}
    for name, seconds in stages.items():
        part = PARTS[name]
        parts[part] = parts.get(part, 0.0) + seconds
    total = sum(parts.values())
    if not total:
        return None
    slowest = max(parts, key=lambda part: parts[part])
    return slowest, parts[slowest] / total


def _by_stage(measured: dict[str, float]) -> dict[str, float | None]:
    """Return seconds by stage; None for a stage that is part of another one, and not measured by itself."""
    return {
        name: None if name in _INSIDE and name not in measured else round(measured.get(name, 0.0), 6) for name in STAGES
    }


def _deduplication(total: Tally, summaries: Mapping[MemoryKey, str]) -> dict[str, Any]:
    guards = sorted({*total.guard_different, *total.guard_unsure})
    return {
        "exact": total.counts.duplicates,
        "similar": total.by_step.get("similar", 0),
        "by_step": total.by_step,
        "candidates": sum(total.score_histogram.values()),
        "pairs_compared": total.pairs_compared,
        "score_histogram": [total.score_histogram.get(str(number), 0) for number in range(HISTOGRAM_BINS)],
        "by_guard": {
            name: {"different": total.guard_different.get(name, 0), "unsure": total.guard_unsure.get(name, 0)}
            for name in guards
        },
        "examples": {
            "held": _examples(total.held, summaries),
            "refused": _examples(total.refused, summaries),
        },
        "conflicts": total.conflicts,
        "records_saved": total.counts.duplicates + total.counts.merged,
        "bytes_saved": total.bytes_saved,
    }


def _examples(pairs: dict[str, list[Pair]], summaries: Mapping[MemoryKey, str]) -> dict[str, list[dict[str, Any]]]:
    shown = {}
    for guard, some in sorted(pairs.items()):
        known = [pair for pair in some if pair.older in summaries and pair.younger in summaries]
        if known:
            shown[guard] = [
                {
                    "older": summaries[pair.older],
                    "younger": summaries[pair.younger],
                    "score": round(pair.shared / pair.union, 4),
                }
                for pair in known
            ]
    return shown


def _quality(quality: Quality) -> dict[str, Any]:
    sure = sum(quality.confidence.values())
    return {
        "examined": quality.examined,
        "missing": shares(quality.missing, OPTIONAL_FIELDS),
        "confidence": {
            "mean": round(quality.confidence_sum / sure, 4) if sure else None,
            "histogram": [quality.confidence.get(str(tenth), 0) for tenth in range(10)],
        },
        "text_length": shares(quality.text_length, LENGTH_NAMES),
        "scripts": dict(sorted(quality.scripts.items(), key=lambda item: (-item[1], item[0]))),
    }


def example_keys(batches: Sequence[Tally]) -> set[MemoryKey]:
    """Return the memories whose texts the examples of a report show."""
    total = Tally()
    for tally in batches:
        add(total, tally)
    pairs = [pair for table in (total.held, total.refused) for some in table.values() for pair in some]
    return {key for pair in pairs for key in (pair.older, pair.younger)}


__all__ = [
    "DRY_RUN",
    "MAX_SAMPLES",
    "SAMPLE_LENGTH",
    "Account",
    "Counts",
    "Report",
    "Tally",
    "add",
    "checked_tally",
    "example_keys",
    "report_of",
    "tally_of",
]
