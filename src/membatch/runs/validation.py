"""Checking sources without a store."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec

from membatch.config import Config, to_plain
from membatch.monitor import Clock
from membatch.plan import Checkpoint, Position, Rejection
from membatch.prepare import Prepare
from membatch.report import MAX_SAMPLES, Account, Report, report_of
from membatch.report.samples import sample_of
from membatch.report.tally import Tally, checked_tally
from membatch.run import (
    Breaker,
    Stop,
    collected_by_batch,
    prepared,
)
from membatch.runs.inputs import Input, detected, looked_at, raw_batches, with_choices
from membatch.sizing import sizer
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
    clock, started = Clock(), now()
    size = sizer(config.batch, 0).size  # nothing is committed: nothing to adapt to
    tallies: list[Tally] = []
    samples: list[dict[str, Any]] = []
    names = [file.path for file in files]
    status = "done"
    with closing(clock), Stop().listening() as stop, collected_by_batch():
        raws, format_name = detected(raw_batches(files, values, config, Checkpoint(), lambda: size), config)
        breaker = Breaker(config.tolerance)
        for batch in prepared(raws, Prepare(config, format_name), config.batch.workers, clock):
            before = breaker.read
            cut = breaker.count([_category(batch.rejections.get(record)) for record in range(len(batch))])
            length = len(batch) if cut is None else cut
            tally = checked_tally(batch, length, before)
            tally.counts.valid = tally.counts.read - tally.counts.rejected
            tally.measured(clock.lap())
            tallies.append(tally)
            shown = [item for item in batch.rejections.items() if item[0] < length][: MAX_SAMPLES - len(samples)]
            for record, rejection in shown:
                samples.append(_live_sample(rejection, batch.positions[record], names, config.redact))
            if cut is not None:
                status = "stopped"
                break
            if stop.requested:
                status = "interrupted"
                break
        rest = Tally()
        rest.measured(clock.lap())
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
            ending={"rest": rest},
        )
    )


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
