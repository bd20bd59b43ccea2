"""A report in words: its outcome in one sentence, figures as people read them.

Rule: what comes from records is shown with control characters made visible, so that it cannot move the
cursor, change colours or the direction of writing.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from membatch.report import Report

STATUS: Final = {
    "done": "finished",
    "stopped": "stopped at the tolerance",
    "interrupted": "was interrupted",
    "undone": "was undone",
    "running": "is running",
}
DRY_RUN: Final = "dry run"  # the kind of a run that was rolled back, and has no number
OUTCOMES: Final = ("inserted", "duplicates", "merged", "held", "rejected")
PART_WORDS: Final = {
    "source": "reading the source",
    "decode": "decoding and checking",
    "matching": "matching and merging",
    "store": "writing to the store",
}


def printable(text: str) -> str:
    """Return a text with control and formatting characters written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character)[0] != "C" else character.encode("unicode_escape").decode()
        for character in text
    )


def plural(amount: int, one: str, many: str = "") -> str:
    """Return an amount with its noun: 1 record, 2 records."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def name_of(report: Report) -> str:
    """Return what a run is called: load 3."""
    return report.kind if report.run_id is None else f"{report.kind} {report.run_id}"


def outcome(report: Report) -> str:
    """Return how a run ended, in one sentence."""
    counts = report.counts
    head = f"{name_of(report).capitalize()} {STATUS.get(report.status, report.status)}"
    if report.changes is not None:
        return f"{head}: {changed(report)}."
    if not counts.read:
        return f"{head}: no record was read."
    if report.kind == "validate":
        parts = [f"{counts.valid:,} valid", f"{counts.rejected:,} rejected"]
    else:
        words = ("new", "known already", "merged", "held for review", "rejected")
        amounts = (counts.inserted, counts.duplicates, counts.merged, counts.held, counts.rejected)
        parts = [f"{amount:,} {word}" for amount, word in zip(amounts, words, strict=True) if amount]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{head}: of {plural(counts.read, 'record')}, {listed}."


def changed(report: Report) -> str:
    """Return what a run that is no load did, in words."""
    changes = report.changes or {}
    parts = []
    if report.kind == "review":
        accepted = changes["accepted"]
        parts.append(f"{plural(accepted, 'pair')} merged" if accepted else "1 pair is kept apart")
    if report.kind == "unmerge":
        parts.append("1 merge taken back")
    if report.kind == "forget":
        rows = ", ".join(f"{table} {count:,}" for table, count in changes["removed"].items())
        parts.append(f"rows removed for good: {rows}")
    if changes["undone"]:
        runs = ", ".join(map(str, changes["undone"]))
        parts.append(f"{'run' if len(changes['undone']) == 1 else 'runs'} {runs} taken out")
    return "; ".join(parts)


def next_step(report: Report) -> str:
    """Return the one thing to do next."""
    if report.recommendations:
        text = report.recommendations[0]["text"]
        return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")
    if report.kind == "validate":
        return "Nothing needs mending: load the source with `membatch run`."
    return "Nothing is left to do; `membatch export` writes the memories to a file."


def percent(share: float | None) -> str:
    """Return a share in percent, or a dash where there is none."""
    return "–" if share is None else f"{100 * share:.2f}%" if 0 < share < 1 else f"{100 * share:.0f}%"


def duration(seconds: float) -> str:
    """Return seconds as people say them: 0.31 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Return bytes with a unit: 12.4 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
