"""A report for people: one screen of plain text, that ends in the next commands to type.

Rule: one screen, so the few most frequent of everything, and where to see the rest; figures of content only
through `printable`.
"""

from __future__ import annotations

import difflib
from typing import Final

from membatch.report import Report
from membatch.report.advice import arguments_of
from membatch.report.words import (
    OUTCOMES,
    PART_WORDS,
    STATUS,
    changed,
    duration,
    name_of,
    percent,
    plural,
    printable,
    size,
)

_MOST_PATTERNS: Final = 6
_MOST_SAMPLES: Final = 2
_MOST_GUARDS: Final = 6


def marked(one: str, other: str) -> tuple[str, str]:
    """Return two texts with the words that differ in square brackets."""
    mine, theirs = one.split(), other.split()
    shown: tuple[list[str], list[str]] = ([], [])
    for tag, start, stop, begin, end in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        for words, place in ((mine[start:stop], 0), (theirs[begin:end], 1)):
            text = printable(" ".join(words))
            if text:
                shown[place].append(text if tag == "equal" else f"[{text}]")
    return " ".join(shown[0]), " ".join(shown[1])


# Kinds of runs that check records and store none.
CHECKS = ("validate", "convert")


def text_of(report: Report) -> str:
    """Return the report as text, ending in the next commands to type."""
    lines = [
        _head(report),
        *_format(report),
        *_rebuilt(report),
        *_outcomes(report),
        *_migration(report),
        *_rates(report),
        *_time(report),
        *_guards(report),
        *_errors(report),
        *[f"next: {printable(item['text'])}" for item in report.recommendations],
    ]
    return "\n".join(lines)


def _head(report: Report) -> str:
    seconds, speed = report.timing["seconds"], report.timing["records_per_second"]
    status = STATUS.get(report.status, report.status)
    if report.changes is not None:
        return f"{name_of(report)} {status}: {changed(report)}"
    head = f"{name_of(report)} {status}: {plural(report.counts.read, 'record')} read in {duration(seconds)}"
    return head + (f" ({speed:,.0f} a second)" if speed else "")


def _format(report: Report) -> list[str]:
    if report.format is None:
        return []
    reason = report.format["reason"]
    if report.format["name"] == "membatch" and "left out" not in (reason or ""):
        return []
    return [f"  read as {report.format['name']}" + (f": {printable(reason)}" if reason else "")]


def _rebuilt(report: Report) -> list[str]:
    changed = report.recovery["rebuilt"] or {}
    told = [f"{name.replace('_', ' ')} {before}, here it is {now}" for name, (before, now) in changed.items()]
    return [f"  fingerprints made anew: they were of {printable('; of '.join(told))}"] if told else []


def _outcomes(report: Report) -> list[str]:
    counts = report.counts
    if not counts.read:
        return []
    names = ("valid", "rejected") if report.kind in CHECKS else OUTCOMES
    lines = []
    for name in names:
        amount = getattr(counts, name)
        lines.append(f"  {name:<11}{amount:>13,}  {100 * amount / counts.read:6.2f}%")
    if counts.warnings:
        lines.append(f"  {'warnings':<11}{counts.warnings:>13,}")
    return lines


def _migration(report: Report) -> list[str]:
    """Return how many records were of another shape or version, what had to change, and what could not be carried."""
    migration = report.migration
    if migration is None:
        return []
    came = ", ".join(f"{amount:,} from {name}" for name, amount in _frequent(migration["from"]))
    changed = ", ".join(name for name, _ in _frequent(migration["changed"]))
    lost = [f"  not carried: {printable(entry['what'])} ({entry['count']:,})" for entry in migration["lost"]]
    more = (
        [f"  not carried: {len(lost) - _MOST_PATTERNS:,} more kinds, see the report"] if lost[_MOST_PATTERNS:] else []
    )
    head = f"migrated: {printable(came)}" + (f"; changed: {printable(changed)}" if changed else "")
    return [head, *lost[:_MOST_PATTERNS], *more]


def _frequent(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_PATTERNS]


def _rates(report: Report) -> list[str]:
    if not report.counts.read:
        return []
    shown = [f"success {percent(report.rates['success'])}", f"validation {percent(report.rates['validation'])}"]
    if report.kind not in CHECKS:
        shown.append(f"duplicates {percent(report.rates['duplicate'])}")
    if report.rates["merge_success"] is not None:
        shown.append(f"merged of merged or held {percent(report.rates['merge_success'])}")
    return [f"rates: {', '.join(shown)}"]


def _time(report: Report) -> list[str]:
    timing = report.timing
    if timing["bottleneck"] is None or not report.counts.read:
        return []
    share = f"{100 * timing['bottleneck_share']:.0f}% of the work is {PART_WORDS[timing['bottleneck']]}"
    memory = f"at most {size(report.resources['peak_rss_bytes'])} of memory"
    return [f"time: {share}; {memory}, {plural(len(report.batches), 'transaction')}"]


def _guards(report: Report) -> list[str]:
    by_guard = report.deduplication["by_guard"]
    if not by_guard:
        return []
    ordered = sorted(by_guard.items(), key=lambda item: -sum(item[1].values()))
    parts = [f"{name} {each['different']:,}/{each['unsure']:,}" for name, each in ordered[:_MOST_GUARDS]]
    return ["guards (refused/held): " + ", ".join(parts) + (" …" if len(ordered) > _MOST_GUARDS else "")]


def _errors(report: Report) -> list[str]:
    errors = report.errors
    patterns = errors["patterns"]
    lines = [f"  {printable(pattern['text'])}" for pattern in patterns[:_MOST_PATTERNS]]
    if len(patterns) > _MOST_PATTERNS:
        run, store = arguments_of(report)
        rest = plural(len(patterns) - _MOST_PATTERNS, "other pattern")
        where = "--report FILE.html shows them" if report.run_id is None else f"`membatch report{run}{store} --json`"
        lines.append(f"  and {rest}: {where}")
    firsts = {sample["code"]: sample for sample in reversed(errors["samples"])}  # of each code the first
    for sample in list(firsts.values())[::-1][:_MOST_SAMPLES]:
        place = f"{printable(sample['source'])}:{sample['line']}"
        what = printable(sample["message"])[:160] if "message" in sample else sample["code"]
        lines.append(f"    {place}: {what}")
    return ["errors:", *lines] if lines else []
