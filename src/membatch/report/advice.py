"""What to do next, and what would help, from the figures of a report.

Rule: each recommendation follows from a figure that it names; the most pressing comes first.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from membatch.report.words import DRY_RUN

if TYPE_CHECKING:
    from membatch.report import Report

WORTH_SAYING_RECORDS: Final = 10_000
WORTH_SAYING_SECONDS: Final = 5.0  # a run shorter than that needs no advice on speed
MOST_OF_THE_WORK: Final = 0.4
NEARLY_ALL: Final = 0.9


def recommendations(report: Report) -> list[dict[str, str]]:
    """Return what to do next, the most pressing first, each with its code."""
    if report.status == "undone":
        return []  # what it brought is gone, its rejects too
    found = [*_to_end(report), *_to_mend(report), *_to_load(report), *_to_decide(report), *_to_speed_up(report)]
    return [{"code": code, "text": text} for code, text in found]


def arguments_of(report: Report) -> tuple[str, str]:
    """Return the run and the store as a command takes them, each with a blank before it."""
    run = f" {report.run_id}" if report.run_id is not None else ""
    return run, f" --store {shlex.quote(report.store)}" if report.store else ""


def _to_end(report: Report) -> list[tuple[str, str]]:
    run, store = arguments_of(report)
    if report.kind == "convert" and report.status != "done":
        text = "no file was written, and one of its name is as it was: convert again"
        raised = ", with a raised --max-errors or --max-error-rate" if report.status == "stopped" else ""
        return [("convert-again", text + raised)]
    if report.kind not in ("load", "retry") or report.run_id is None:
        return []
    if report.status == "stopped":
        text = f"the tolerance was reached: look at `membatch rejects{run}{store}`, then `membatch resume{run}{store}`"
        return [("raise-tolerance", text + " with a raised --max-errors or --max-error-rate")]
    if report.status == "interrupted":
        return [("resume", f"go on with `membatch resume{run}{store}`")]
    return []


def _to_mend(report: Report) -> list[tuple[str, str]]:
    run, store = arguments_of(report)
    counts, errors = report.counts, report.errors
    found = []
    if counts.rejected and errors["patterns"]:
        first = errors["patterns"][0]
        if "--format" in first["text"]:
            found.append(("name-the-format", first["text"]))
        elif first["count"] >= NEARLY_ALL * counts.read and counts.read >= 10:
            found.append(("mend-the-source", f"nearly every record has the same fault: {first['text']}"))
    if counts.rejected and report.run_id is not None:
        text = (
            f"see why with `membatch rejects{run}{store}`; mend the source and run it again, or, where a setting "
            f"or the format was wrong, `membatch retry{run}{store}`"
        )
        found.append(("look-at-rejects", text))
    return found


def _to_load(report: Report) -> list[tuple[str, str]]:
    if report.kind != DRY_RUN:
        return []
    kept = ", and keeps what it rejects for `membatch rejects`" if report.counts.rejected else ""
    return [("dry-run", f"nothing was kept: the same without --dry-run loads for good{kept}")]


def _to_decide(report: Report) -> list[tuple[str, str]]:
    _, store = arguments_of(report)
    counts = report.counts
    found = []
    if counts.held and report.run_id is not None:
        pairs = "1 pair waits" if counts.held == 1 else f"{counts.held:,} pairs wait"
        found.append(("review", f"{pairs} for your decision: `membatch review{store}`"))
    if report.kind == "load" and report.status == "done" and counts.read and counts.duplicates == counts.read:
        found.append(("nothing-new", "every record was known already: nothing is left to do"))
    return found


def _to_speed_up(report: Report) -> list[tuple[str, str]]:
    timing, batch = report.timing, report.config.get("batch", {})
    slowest, share = timing["bottleneck"], timing["bottleneck_share"]
    if slowest is None or timing["seconds"] < WORTH_SAYING_SECONDS or share < MOST_OF_THE_WORK:
        return []
    if report.counts.read < WORTH_SAYING_RECORDS:  # what took so long was the first compile
        return []
    return [(f"bottleneck-{slowest}", f"{100 * share:.0f}% of the work is {_helps(slowest, report, batch)}")]


def _helps(slowest: str, report: Report, batch: dict[str, Any]) -> str:
    if slowest == "source":
        return "reading the source: decompress it first, or copy it to a faster disk"
    if slowest == "decode":
        if batch.get("workers", 1) == 1:
            return "decoding and checking records: --workers 2 or more lets other processors do it"
        return "waiting for workers that decode and check records: raise --workers if there are idle processors"
    if slowest == "matching":
        compared = report.deduplication["pairs_compared"] / max(1, report.counts.read)
        what = f"matching and merging ({compared:.1f} pairs compared a record)"
        return f"{what}: a higher --threshold compares fewer, --strategy exact none"
    commit, write = report.timing["stages"]["commit"], report.timing["stages"]["write"]
    if commit > write:
        larger = "batch.min and batch.max" if batch.get("size") == "auto" else "--batch-size"
        return f"commits, which wait for the disk: raise {larger}, or put the store on a faster disk"
    return "writing rows: put the store on a faster disk"
