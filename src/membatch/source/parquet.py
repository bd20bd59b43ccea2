"""Parquet → items: each row as a JSON object; nested columns stay nested, dotted names are resolved later.

Rule: a row costs itself only; how many are decoded at once depends on how long the file says they are. Row groups
are decoded one by one, each from its first row, so that a damage shows at the same row wherever reading began; it
costs the rest of its group, as one rejected item that says how many rows that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from membatch.config import SourceSettings
from membatch.errors import SourceError
from membatch.plan import Checkpoint, Rejection
from membatch.source.chunk import BYTES_PER_CHUNK, Chunk
from membatch.source.unreadable import remainder, too_long
from membatch.source.values import has_infinity, infinite, text_of

_ROWS_PER_CHUNK = 2000


def read(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the rows of a file from the checkpoint's row on; a row's number stands as its line."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = after.line
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise SourceError(f"cannot read {path}: {error.strerror}") from None
        yield _broken(row, error)
        return
    with file:
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            yield _broken(row, "a column name occurs twice")
            return
        size, following = _rows_per_batch(file.metadata), 1
        for group in range(file.metadata.num_row_groups):
            at, following = following, following + file.metadata.row_group(group).num_rows
            if at <= following <= row:
                continue
            fault: Exception | str = f"row group {group + 1} has another number of rows than the file says"
            try:
                for batch in file.iter_batches(batch_size=size, row_groups=[group]):
                    yield from _chunks(batch, at, row, settings.max_record_bytes)
                    at += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                if isinstance(error, OSError) and error.errno is not None:  # no fault of what the file says
                    reason = f"reading {path} failed: {error.strerror}"
                    raise SourceError(f"{reason}: when it can be read again, go on with `membatch resume`") from None
                fault = error
            if at < following:
                yield _damaged(at, following, fault)
            elif at > following:  # then nothing says which rows come next
                yield _broken(at, fault)
                return


def _chunks(batch: Any, first: int, start: int, limit: int) -> Iterator[Chunk]:
    """Yield the rows of a batch, whose first one has that number, from row `start` on."""
    rows = max(1, batch.num_rows * BYTES_PER_CHUNK // max(1, batch.nbytes))
    for number in range(max(0, start - first), batch.num_rows, rows):
        yield _chunk(_values(batch.slice(number, rows)), first + number, limit)


def _values(batch: Any) -> list[dict[str, Any] | Rejection]:
    """Return the rows of a batch, or why one is none: a text that is not UTF-8, a time out of all bounds."""
    try:
        values: list[dict[str, Any]] = _cast(batch).to_pylist()
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            return [_no_json(error)]
        return [_values(batch.slice(number, 1))[0] for number in range(batch.num_rows)]
    kinds = {field.name: str(field.type) for field in batch.schema}
    numbers = [name for name, kind in kinds.items() if "float" in kind or "double" in kind]
    binary = [name for name, kind in kinds.items() if "binary" in kind]
    return [_plain(row, numbers, binary) for row in values]


def _plain(row: dict[str, Any], numbers: list[str], binary: list[str]) -> dict[str, Any] | Rejection:
    """Return a row with its bytes as texts, or why it is none; given which columns hold numbers, and which bytes."""
    for name in binary:
        if type(row[name]) is bytes:
            row[name] = text_of(row[name])
    endless = next((name for name in numbers if has_infinity(row[name])), None)
    return row if endless is None else infinite(row, endless)


def _cast(batch: Any) -> Any:
    """Return a batch with times to the microsecond, as records have them; Python knows no finer ones."""
    import pyarrow as pa

    coarser = {pa.time64("ns"): pa.time64("us"), pa.duration("ns"): pa.duration("us")}
    fields = []
    for field in batch.schema:
        kind = field.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            kind = pa.timestamp("us", kind.tz)
        fields.append(field.with_type(coarser.get(kind, kind)))
    schema = pa.schema(fields)
    return batch if schema.equals(batch.schema) else batch.cast(schema, safe=False)


def _rows_per_batch(metadata: Any) -> int:
    """Return how many rows are decoded at once: fewer where the file says that they are long."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return min(_ROWS_PER_CHUNK, max(1, BYTES_PER_CHUNK // max(1, longest)))


def _chunk(rows: list[dict[str, Any] | Rejection], first: int, limit: int) -> Chunk:
    items: list[bytes] = []
    rejected: dict[int, Rejection] = {}
    for number, row in enumerate(rows):
        item = row if isinstance(row, Rejection) else _encoded(row)
        if isinstance(item, bytes) and len(item) > limit:
            item = too_long(item, len(item), hashlib.sha256(item).hexdigest(), limit)
        if isinstance(item, Rejection):
            rejected[number] = item
            item = b""
        items.append(item)
    lines = list(range(first, first + len(rows)))
    return Chunk(items, lines, None, rejected, first + len(rows), 0)


def _encoded(row: dict[str, Any]) -> bytes | Rejection:
    try:
        return msgspec.json.encode(row, enc_hook=str)
    except (TypeError, ValueError, RecursionError) as error:
        return _no_json(error)


def _no_json(error: Exception) -> Rejection:
    return remainder("parquet-malformed", f"the row cannot be written as JSON: {error}")


def _damaged(row: int, following: int, error: Exception | str) -> Chunk:
    """Return the rejection that stands for the rows of a row group from one on; reading goes on behind them."""
    which = f"row {row:,} was" if following - row == 1 else f"rows {row:,} to {following - 1:,} were"
    rejection = remainder("parquet-malformed", f"{which} not read, as the Parquet data is damaged: {error}")
    return Chunk([b""], [row], None, {0: rejection}, following, 0)


def _broken(row: int, error: Exception | str) -> Chunk:
    rejection = remainder("parquet-malformed", f"the Parquet data cannot be read: {error}")
    return Chunk([b""], [row], None, {0: rejection}, row + 1, 0, ends=True)
