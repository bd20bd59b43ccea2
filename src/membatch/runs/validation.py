"""Checking sources without a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from membatch.config import Config, to_plain
from membatch.monitor import Clock, Resources
from membatch.plan import Batch, Migration, Plan, Position, Reject, Rejection
from membatch.prepare import Prepare
from membatch.report import MAX_SAMPLES, Account, Report, report_of
from membatch.report.samples import sample_of
from membatch.report.tally import Tally, add_migration, add_notes, tally_of
from membatch.run import (
    Breaker,
    Stop,
    collected_by_batch,
    prepared,
)
from membatch.runs.inputs import Input, looked_at, opened, with_choices
from membatch.store import now


class Pass:
    """One pass over sources without a store: `batches` reads them, `report` tells of it afterwards."""

    def __init__(self, source: Input, config: Config, kind: str) -> None:
        self._config, self._kind = config, kind
        self._found = looked_at(source, config)
        self._clock, self._resources, self._started = Clock(), Resources(), now()
        self._names = [file.path for file in self._found.files]
        self._tallies: list[Tally] = []
        self._samples: list[dict[str, Any]] = []
        self._status = "done"
        self._raws, self.detection = opened(self._found, config)

    def batches(self) -> Iterator[tuple[Batch, int]]:
        """Yield each batch with how many of its records count; all, except where the tolerance cuts the last."""
        config, clock = self._config, self._clock
        breaker = Breaker(config.tolerance)
        prepare = Prepare(config, self.detection.format)
        with Stop().listening() as stop, collected_by_batch():
            for batch in prepared(self._raws, prepare, config.batch.workers, clock):
                cut = breaker.count([_category(batch.rejections.get(record)) for record in range(len(batch))])
                count = len(batch) if cut is None else cut
                self._count(batch, count)
                yield batch, count
                if cut is not None:
                    self._status = "stopped"
                    break
                if stop.requested:
                    self._status = "interrupted"
                    break

    def _count(self, batch: Batch, count: int) -> None:
        steps = [Reject(record, rejection) for record, rejection in batch.rejections.items() if record < count]
        tally = tally_of(Plan(batch=batch, steps=steps, refusals={}, scores={}))
        tally.counts.read = tally.size = count
        tally.counts.valid = count - tally.counts.rejected
        add_notes(tally, batch, count)
        tally.stages, tally.seconds, tally.cpu_percent = self._clock.lap()
        tally.rss_bytes = self._resources.resident_bytes()
        self._tallies.append(tally)
        redact = self._config.redact
        for step in steps[: MAX_SAMPLES - len(self._samples)]:
            self._samples.append(_live_sample(step.rejection, batch.positions[step.record], self._names, redact))

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
                status=self._status,
                started_at=self._started,
                finished_at=now(),
                sources=self._names,
                store=None,
                config=to_plain(self._config),
                batches=self._tallies,
                samples=self._samples,
                format={"name": self.detection.format, "reason": self.detection.reason},
                ending={"seconds": self._clock.seconds(), "resources": self._resources.used()},
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


def _category(rejection: Rejection | None) -> Any:
    return None if rejection is None else rejection.category


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
