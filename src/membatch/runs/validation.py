"""Checking sources without a store."""

from __future__ import annotations

from typing import Any

import msgspec

from membatch.config import Config, to_plain
from membatch.monitor import Clock, Resources
from membatch.plan import Batch, Checkpoint, Plan, Position, Reject, Rejection
from membatch.prepare import Prepare
from membatch.report import MAX_SAMPLES, Account, Report, report_of
from membatch.report.samples import sample_of
from membatch.report.tally import Tally, tally_of
from membatch.run import (
    Breaker,
    Stop,
    collected_by_batch,
    prepared,
)
from membatch.runs.inputs import Input, detected, looked_at, raw_batches, with_choices
from membatch.store import now


def validate(
    source: Input,
    *,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
) -> Report:
    """Check all records of a source and return the report; no store is touched."""
    config = with_choices(config or Config(), None, format).check()
    files, values = looked_at(source)
    clock, resources, started = Clock(), Resources(), now()
    with Stop().listening() as stop, collected_by_batch():
        raws, format_name = detected(raw_batches(files, values, config, Checkpoint()), config)
        breaker = Breaker(config.tolerance)
        tallies: list[Tally] = []
        samples: list[dict[str, Any]] = []
        status = "done"
        names = [file.path for file in files]
        for batch in prepared(raws, Prepare(config, format_name), config.batch.workers, clock):
            cut = breaker.count([_category(batch.rejections.get(record)) for record in range(len(batch))])
            steps = [Reject(record, rejection) for record, rejection in batch.rejections.items()]
            tally = tally_of(Plan(batch=batch, steps=steps, refusals={}, scores={}))
            tally.counts.read = tally.size = len(batch) if cut is None else cut
            if cut is not None:
                kept = [step for step in steps if step.record < cut]
                tally = tally_of(Plan(batch=batch, steps=kept, refusals={}, scores={}))
                tally.counts.read = tally.size = cut
                steps = kept
            tally.counts.valid = tally.counts.read - tally.counts.rejected
            tally.counts.warnings = _warnings(tally, batch, tally.counts.read)
            tally.stages, tally.seconds, tally.cpu_percent = clock.lap()
            tally.rss_bytes = resources.resident_bytes()
            tallies.append(tally)
            for step in steps[: MAX_SAMPLES - len(samples)]:
                samples.append(_live_sample(step.rejection, batch.positions[step.record], names, config.redact))
            if cut is not None:
                status = "stopped"
                break
            if stop.requested:
                status = "interrupted"
                break
    return report_of(
        Account(
            run_id=None,
            kind="validate",
            status=status,
            started_at=started,
            finished_at=now(),
            sources=names,
            store=None,
            config=to_plain(config),
            batches=tallies,
            samples=samples,
            ending={"seconds": clock.seconds(), "resources": resources.used()},
        )
    )


def _category(rejection: Rejection | None) -> Any:
    return None if rejection is None else rejection.category


def _warnings(tally: Tally, batch: Batch, read: int) -> int:
    tally.warnings = {}
    count = 0
    for record, warnings in batch.warnings.items():
        if record < read:
            count += len(warnings)
            for warning in warnings:
                tally.warnings[warning.code] = tally.warnings.get(warning.code, 0) + 1
    return count


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
