"""File to file: what a run would load, written as records instead; no store is touched.

Rule: the same way in as a run, so that what converts here loads there; nothing is de-duplicated.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from membatch.config import Config
from membatch.errors import ConfigError
from membatch.export import export, whole
from membatch.formats.migrate import STEPS, known_versions, migrated
from membatch.memory import SCHEMA_VERSION
from membatch.plan import Migration, RawBatch
from membatch.prepare import Prepare
from membatch.report import Report
from membatch.runs.inputs import Input, looked_at, opened, with_choices
from membatch.runs.outputs import check_output
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
    are of that schema version. Where the tolerance or a signal ends it early, the report's status says so and no
    file is written: one that is there stays. Raises ConfigError where there is no way to the version, or the file
    is one of the sources; SourceError, or SurroundingsError.
    """
    settings = with_choices(config or Config(), None, format).check()
    if known_versions() != str(to_version) and str(to_version) not in known_versions().split(", "):
        raise ConfigError(f"there is no schema version {to_version}: known are {known_versions()}")
    check = Pass(source, settings, "convert")
    check_output(output, check.paths)

    def rows() -> Iterator[tuple[str, bytes]]:
        for batch, count in check.batches():
            for record in range(count):
                if record not in batch.rejections:
                    encoded, migration = in_version(batch.records[record], to_version)
                    check.note(migration)
                    yield batch.ids[record], encoded
        if check.status != "done":
            raise _EndedEarlyError

    with contextlib.suppress(_EndedEarlyError):
        export(rows(), output)
    return check.report()


class _EndedEarlyError(Exception):
    """Leaves the writing of a file that would not be whole."""


def in_version(record: bytes, version: int) -> tuple[bytes, Migration | None]:
    """Return an encoded record in a schema version, and what happened to it."""
    if version == SCHEMA_VERSION:
        return record, None
    made, migration = migrated(msgspec.json.decode(record), version, STEPS)
    return msgspec.json.encode(made), migration


def explain(source: Input, count: int, *, config: Config | None = None) -> Iterator[Explained]:
    """Yield the items of a source up to its first `count` records, each with what it becomes or why it is rejected.

    Long texts and long items are cut, and it is said how much more there is.
    """
    settings = with_choices(config or Config(), None, None).check()
    raws, detection = opened(looked_at(source, settings), settings, lambda: max(1, count))
    prepare = Prepare(settings, detection.format)
    for single in _singles(raws):
        if count <= 0:
            return
        batch = prepare(single)
        after = []
        for record in range(min(len(batch), count)):
            rejection = batch.rejections.get(record)
            if rejection is not None:
                after.append(f"rejected, {rejection.code}: {rejection.message}")
                continue
            after.append(_shown(whole(batch.ids[record], batch.records[record]), first=_FIRST, last=_LAST))
            after.extend(f"warning {warning.code} at {warning.pointer}" for warning in batch.warnings.get(record, ()))
        if len(batch) > count:
            after.append(f"… and {len(batch) - count:,} more records")
        count -= len(batch)
        yield Explained(_shown(single.items[0] or single.rejected[0].raw), "\n".join(after))


# Of a record these fields are shown first and last; of a long text and a long item no more than so much is.
_FIRST: Final = ("id", "summary", "content", "kind", "subject", "participants", "occurred_at")
_LAST: Final = ("source_message_ids", "scope", "source", "tags", "metadata")
_LONGEST_TEXT: Final = 300
_MOST_LINES: Final = 80


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


def _shown(text: bytes, *, first: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> str:
    """Return a JSON text as people read it, some fields of an object first, some last."""
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _cut(text[: 4 * _LONGEST_TEXT].decode("utf-8", "replace"))
    if isinstance(value, dict) and first:
        middle = [name for name in value if name not in first and name not in last]
        value = {name: value[name] for name in (*first, *middle, *last) if name in value}
    if isinstance(value, str):
        lines = [_cut(line) for line in value.split("\n")]
    else:
        lines = json.dumps(_with_cut_texts(value), indent=2, ensure_ascii=False).split("\n")
    more = len(lines) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"… and {more:,} more lines"] if more > 0 else [])])


def _with_cut_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_cut_texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_cut_texts(item) for item in value]
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    more = len(text) - _LONGEST_TEXT
    return text if more <= 0 else f"{text[:_LONGEST_TEXT]}… and {more:,} more characters"
