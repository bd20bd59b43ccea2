"""Sending rejects through again, as a new run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from membatch.config import Config, hide_password, to_plain
from membatch.errors import ConfigError
from membatch.plan import Batch, Checkpoint, Plan, Position, RawBatch, Reject
from membatch.prepare import ROW
from membatch.report import Report
from membatch.run import (
    Observer,
    Stop,
    batch_size,
    collected_by_batch,
)
from membatch.runs.accounts import report_from
from membatch.runs.inputs import with_choices
from membatch.runs.session import opened_session, to_json


def retry(
    run: int,
    *,
    store: str | None = None,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
    wait: bool = False,
    observers: Sequence[Observer] = (),
) -> Report:
    """Send the open rejects of a run through again, as a new run; each success marks its reject resolved."""
    config = with_choices(config or Config(), store, None).check()
    with opened_session(config, wait=wait) as session, Stop().listening() as stop, collected_by_batch():
        row = next((row for row in session.store.runs() if row.run == run), None)
        if row is None:
            raise ConfigError(f"there is no run {run} in {hide_password(config.store)}: see `membatch runs`")
        if row.status == "undone":
            raise ConfigError(f"run {run} was undone: its rejects count as absent")
        rejects = [
            reject
            for reject in session.store.rejects(run)
            if reject.resolved_by is None and reject.raw_length is None and reject.raw
        ]
        begun = msgspec.json.decode(row.sources)
        first_key = session.store.next_key()
        new_run = session.store.begin_run(
            kind="retry",
            parent=run,
            format=format or row.format,
            sources=to_json({"files": begun["files"], "first_memory": first_key}),
            config=to_json(to_plain(config)),
        )
        numbers: dict[Position, int] = {}

        def batches() -> Iterator[Batch]:
            for name, raw in _raws_of_rejects(rejects, row.format, format, batch_size(config), numbers):
                yield session.prepare(name)(raw)

        def resolve(plan: Plan) -> list[int]:
            return [
                numbers[plan.batch.positions[step.record]]
                for step in plan.steps
                if not isinstance(step, Reject) and plan.batch.positions[step.record] in numbers
            ]

        forgive = frozenset(session.store.conflicting_digests())
        loader = session.loader(new_run, first_key, forgive=forgive)
        outcome = loader.load(batches(), stop, observers=observers, resolve=resolve)
        session.finish(new_run, outcome.status)
        return report_from(session.store, new_run, config)


def _raws_of_rejects(
    rejects: list[Any], run_format: str, given: str | None, size: int, numbers: dict[Position, int]
) -> Iterator[tuple[str, RawBatch]]:
    """Yield rejects as raw batches, each with its format, noting which position is which reject."""

    def kind(reject: Any) -> tuple[str, bool]:
        if reject.format == ROW:
            return given or run_format, True
        return (reject.format or given or run_format), False

    for (name, flat), group in itertools.groupby(rejects, key=kind):
        for some in _batched(group, size):  # itertools.batched came with Python 3.12
            positions = [Position(item.source, item.line, item.offset, item.item_index) for item in some]
            numbers.update(zip(positions, [item.reject for item in some], strict=True))
            yield (
                name,
                RawBatch(
                    items=[item.raw for item in some],
                    positions=positions,
                    rejected={},
                    skip=0,
                    after=Checkpoint(),
                    flat=flat,
                ),
            )


def _batched(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    iterator = iter(items)
    while some := tuple(itertools.islice(iterator, size)):
        yield some
