"""How a run shows itself while it goes: a bar on a terminal, plain lines elsewhere, JSON lines on demand.

Rule: figures only, never a word of a record; all of it goes to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from membatch.config import Config
from membatch.report.tally import Counts, Tally, add
from membatch.source import is_database

if TYPE_CHECKING:
    from membatch.plan import Plan
    from membatch.report import Report
    from membatch.run import Observer

PLAIN_EVERY_SECONDS: Final = 5.0
_COMPRESSED: Final = (".gz", ".zst", ".bz2", ".xz", ".parquet")


def known_size(paths: list[str]) -> int | None:
    """Return how many bytes will be read, or None where that cannot be known."""
    if any(is_database(path) or path.endswith(_COMPRESSED) or not Path(path).is_file() for path in paths):
        return None  # standard input, a member of an archive
    return sum(Path(path).stat().st_size for path in paths)


@contextmanager
def shown(config: Config, paths: list[str], *, quiet: bool) -> Iterator[list[Observer]]:
    """Yield the observers that show a run, for the length of the block."""
    if config.log.format == "json":
        yield [_json_lines(config.log.level)]
        return
    if quiet or config.log.level in ("warning", "error"):
        yield []
        return
    if sys.stderr.isatty():
        with _bar(known_size(paths)) as observer:
            yield [observer]
    else:
        yield [_plain_lines()]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _outcomes(total: Tally) -> str:
    counts = total.counts
    return (
        f"{counts.read:,} read, {counts.inserted:,} inserted, {counts.duplicates:,} duplicates, "
        f"{counts.merged:,} merged, {counts.held:,} held, {counts.rejected:,} rejected"
    )


def _plain_lines() -> Observer:
    total, begun = Tally(), time.monotonic()
    last = begun

    def observe(plan: Plan, tally: Tally) -> None:
        nonlocal last
        add(total, tally)
        now = time.monotonic()
        if now - last >= PLAIN_EVERY_SECONDS:
            last = now
            rate = total.counts.read / (now - begun)
            memory = total.rss_bytes / 1e6
            print(f"{_outcomes(total)}; {rate:,.0f}/s, {memory:,.0f} MB", file=sys.stderr, flush=True)

    return observe


def _json_lines(level: str) -> Observer:
    total = Tally()

    def observe(plan: Plan, tally: Tally) -> None:
        add(total, tally)
        if level in ("warning", "error") and not tally.counts.rejected:
            return
        figures = {
            "total_read": total.counts.read,
            "rejected_by_code": tally.by_code,
            "rss_bytes": tally.rss_bytes,
            "seconds": round(tally.seconds, 3),
        }
        _say(_json_line("batch", tally.counts, figures))

    return observe


def _json_line(event: str, counts: Counts, more: dict[str, object]) -> str:
    head = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": "warning" if counts.rejected else "info",
        "event": event,
    }
    return json.dumps({**head, **msgspec.structs.asdict(counts), **more})


def end_line(report: Report) -> str:
    """Return the JSON line that ends the log of a run."""
    figures = {
        "run_id": report.run_id,
        "kind": report.kind,
        "status": report.status,
        "rejected_by_code": report.errors["by_code"],
        "seconds": round(report.timing["seconds"], 3),
    }
    return _json_line("end", report.counts, figures)


@contextmanager
def _bar(size: int | None) -> Iterator[Observer]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[outcomes]}"),
        TextColumn("{task.fields[memory]}"),
    )
    total, begun = Tally(), time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=size, rate="", outcomes="starting …", memory="")

        def observe(plan: Plan, tally: Tally) -> None:
            add(total, tally)
            counts = total.counts
            rate = counts.read / max(1e-9, time.monotonic() - begun)
            short = (
                f"+{counts.inserted:,} ={counts.duplicates:,} ~{counts.merged:,} ?{counts.held:,} !{counts.rejected:,}"
            )
            progress.update(
                task,
                completed=total.read_bytes + counts.read,
                rate=f"{counts.read:,} ({rate:,.0f}/s)",
                outcomes=short,
                memory=f"{total.rss_bytes / 1e6:,.0f} MB",
            )

        yield observe
        progress.update(task, completed=size)
