"""File to file: what a run would load, written as records instead; no store is touched.

Rule: the same way in as a run, so that what converts here loads there; nothing is de-duplicated.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from membatch.config import Config
from membatch.errors import ConfigError
from membatch.export import export
from membatch.formats.migrate import STEPS, known_versions, migrated
from membatch.memory import SCHEMA_VERSION
from membatch.plan import Migration, RawBatch
from membatch.prepare import Prepare
from membatch.report import Report
from membatch.runs.inputs import Input, looked_at, opened, with_choices
from membatch.runs.validation import Pass


class Explained(NamedTuple):
    """An item as it was read, and the records or the rejection that came of it, each as lines of text."""

    before: str
    after: str


def convert(
    source: Input,
    output: str | os.PathLike[str],
    *,
    config: Config | None = None,
    format: str | None = None,  # noqa: A002
    to_version: int = SCHEMA_VERSION,
) -> Report:
    """Write the records that a source holds to a file .jsonl, .json, .csv or .parquet, and return the report.

    Rejected records are not written; the report counts them and shows the first. With `to_version` the records
    are of that schema version. Raises ConfigError where there is no way to it, SourceError, or SurroundingsError.
    """
    settings = with_choices(config or Config(), None, format).check()
    if known_versions() != str(to_version) and str(to_version) not in known_versions().split(", "):
        raise ConfigError(f"there is no schema version {to_version}: known are {known_versions()}")
    check = Pass(source, settings, "convert")

    def rows() -> Iterator[tuple[str, bytes]]:
        for batch, count in check.batches():
            for record in range(count):
                if record not in batch.rejections:
                    encoded, migration = in_version(batch.records[record], to_version)
                    check.note(migration)
                    yield batch.ids[record], encoded

    export(rows(), output)
    return check.report()


def in_version(record: bytes, version: int) -> tuple[bytes, Migration | None]:
    """Return an encoded record in a schema version, and what happened to it."""
    if version == SCHEMA_VERSION:
        return record, None
    made, migration = migrated(msgspec.json.decode(record), version, STEPS)
    return msgspec.json.encode(made), migration


def explain(source: Input, count: int, *, config: Config | None = None) -> Iterator[Explained]:
    """Yield the first items of a source, each with the records that it becomes or why it is rejected."""
    settings = with_choices(config or Config(), None, None).check()
    raws, detection = opened(looked_at(source, settings), settings, lambda: count)
    prepare = Prepare(settings, detection.format)
    for single in itertools.islice(_singles(raws), count):
        batch = prepare(single)
        after = []
        for record in range(len(batch)):
            rejection = batch.rejections.get(record)
            if rejection is not None:
                after.append(f"rejected, {rejection.code}: {rejection.message}")
                continue
            after.append(_pretty(batch.records[record]))
            after.extend(f"warning {warning.code} at {warning.pointer}" for warning in batch.warnings.get(record, ()))
        yield Explained(_pretty(single.items[0]), "\n".join(after))


def _singles(raws: Iterator[RawBatch]) -> Iterator[RawBatch]:
    for raw in raws:
        for number, item in enumerate(raw.items):
            rejected = {0: raw.rejected[number]} if number in raw.rejected else {}
            yield RawBatch(
                items=[item],
                positions=[raw.positions[number]],
                rejected=rejected,
                skip=0,
                after=raw.after,
                flat=raw.flat,
                documents=raw.documents,
            )


def _pretty(text: bytes) -> str:
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text.decode("utf-8", "replace")
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
