"""A report for people: one screen of plain text.

Rule: what comes from records is shown with control characters made visible, so that it cannot move the
cursor or change colours.
"""

from __future__ import annotations

import difflib
import unicodedata
from typing import Any

from membatch.report import Report

_STATUS = {
    "done": "finished",
    "stopped": "stopped at the tolerance",
    "interrupted": "was interrupted",
    "undone": "was undone",
}


def printable(text: str) -> str:
    """Return a text with control and formatting characters written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character)[0] != "C" else character.encode("unicode_escape").decode()
        for character in text
    )


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


def text_of(report: Report) -> str:
    """Return the report as text, ending in the next commands to type."""
    counts = report.counts
    name = report.kind if report.run_id is None else f"{report.kind} {report.run_id}"
    seconds = report.timing["seconds"]
    speed = report.timing["records_per_second"]
    head = f"{name} {_STATUS.get(report.status, report.status)}: {counts.read:,} records read in {seconds:.1f} s"
    lines = [head + (f" ({speed:,.0f} a second)" if speed else "")]
    if report.format is not None and report.format["name"] != "membatch":
        reason = report.format["reason"]
        lines.append(f"  read as {report.format['name']}" + (f": {printable(reason)}" if reason else ""))
    outcomes: tuple[tuple[str, int], ...]
    if report.kind == "validate" or report.kind == "convert":
        outcomes = (("valid", counts.valid), ("rejected", counts.rejected))
    else:
        outcomes = (
            ("inserted", counts.inserted),
            ("duplicates", counts.duplicates),
            ("merged", counts.merged),
            ("held", counts.held),
            ("rejected", counts.rejected),
        )
    for label, amount in outcomes:
        share = f"{100 * amount / counts.read:6.2f}%" if counts.read else ""
        lines.append(f"  {label:<11}{amount:>13,}  {share}".rstrip())
    if counts.warnings:
        lines.append(f"  {'warnings':<11}{counts.warnings:>13,}")
    lines.extend(_guards(report.deduplication))
    lines.extend(_errors(report.errors))
    for item in report.recommendations:
        lines.append(f"next: {printable(item['text'])}")
    return "\n".join(lines)


def _guards(deduplication: dict[str, Any]) -> list[str]:
    by_guard = deduplication["by_guard"]
    if not by_guard:
        return []
    parts = [f"{name} {figures['different']:,}/{figures['unsure']:,}" for name, figures in by_guard.items()]
    return ["guards (refused/held): " + ", ".join(parts)]


def _errors(errors: dict[str, Any]) -> list[str]:
    lines = []
    for pattern in errors["patterns"][:8]:
        where = f" at {printable(pattern['field'])}" if pattern["field"] else ""
        lines.append(f"{pattern['count']:>8,} × {pattern['code']}{where}: {pattern['meaning']}. {pattern['advice']}")
    for sample in errors["samples"][:3]:
        place = f"{printable(sample['source'])}:{sample['line']}"
        if "message" in sample:
            lines.append(f"    {place}: {printable(sample['message'])[:160]}")
        else:
            lines.append(f"    {place}: {sample['code']}")
    return lines
