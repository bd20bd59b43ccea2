"""Checking sources without a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec

from membatch.config import Config, to_plain
from membatch.monitor import Clock
from membatch.plan import Batch, Migration, Position, Rejection
from membatch.prepare import Prepare
from membatch.report import MAX_SAMPLES, Account, Report, report_of
from membatch.report.samples import sample_of
from membatch.report.tally import Tally, add_migration, checked_tally
from membatch.run import Stop, collected_by_batch
from membatch.runs.inputs import Input, looked_at, opened, with_choices
from membatch.sizing import sizer
from membatch.store import now
from membatch.tolerance import Breaker
from membatch.workers import prepared


class Pass:
    """One pass over sources without a store: `batches` reads them, `report` tells of it afterwards."""

    def __init__(self, source: Input, config: Config, kind: str) -> None:
        self._config, self._kind = config, kind
        self._found = looked_at(source, config)
        self._clock, self._started = Clock(), now()
        self.paths = [file.path for file in self._found.files]
        self._tallies: list[Tally] = []
        self._samples: list[dict[str, Any]] = []
        self._rest = Tally()
        self.status = "done"
        size = sizer(config.batch, 0).size  # nothing is committed: nothing to adapt to
        self._raws, self.detection = opened(self._found, config, lambda: size)

    def batches(self) -> Iterator[tuple[Batch, int]]:
        """Yield each batch with how many of its records count; all, except where the tolerance cuts the last."""
        config, clock = self._config, self._clock
        breaker = Breaker(config.tolerance)
        prepare = Prepare(config, self.detection.format)
        with closing(clock), Stop().listening() as stop, collected_by_batch():
            for batch in prepared(self._raws, prepare, config.batch.workers, clock):
                before = breaker.read
                cut = breaker.count(
                    len(batch), [(record, why.category) for record, why in sorted(batch.rejections.items())]
                )
                count = len(batch) if cut is None else cut
                self._count(batch, count, before)
                yield batch, count
                if cut is not None:
                    self.status = "stopped"
                    break
                if stop.requested:
                    self.status = "interrupted"
                    break
            self._rest.measured(clock.lap(is_last=True))

    def _count(self, batch: Batch, count: int, before: int) -> None:
        tally = checked_tally(batch, count, before)
        tally.counts.valid = count - tally.counts.rejected
        tally.measured(self._clock.lap())
        self._tallies.append(tally)
        shown = [item for item in batch.rejections.items() if item[0] < count][: MAX_SAMPLES - len(self._samples)]
        for record, rejection in shown:
            self._samples.append(_live_sample(rejection, batch.positions[record], self.paths, self._config.redact))

    def note(self, migration: Migration | None) -> None:
        """Count what happened to a record of the latest batch after it was read."""
        if migration is not None:
            add_migration(self._tallies[-1], migration)

    def report(self) -> Report:
        """Return the report of the pass."""
        return report_of(
            Account(
                run_id=None,
                kind=self._kind,
                status=self.status,
                started_at=self._started,
                finished_at=now(),
                sources=self.paths,
                store=None,
                config=to_plain(self._config),
                batches=self._tallies,
                samples=self._samples,
                format={"name": self.detection.format, "reason": self.detection.reason},
                ending={"rest": self._rest},
            )
        )


def validate(
    source: Input,
    *,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
) -> Report:
    """Check all records of a source and return the report; no store is touched."""
    check = Pass(source, with_choices(config or Config(), None, format).check(), "validate")
    for _ in check.batches():
        pass
    return check.report()


def _live_sample(rejection: Rejection, position: Position, names: list[str], redact: bool) -> dict[str, Any]:
    return sample_of(
        names[position.source],
        position.line,
        position.offset,
        category=rejection.category,
        code=rejection.code,
        message=rejection.message,
        errors=msgspec.to_builtins(rejection.errors),
        raw=rejection.raw,
        redact=redact,
    )
