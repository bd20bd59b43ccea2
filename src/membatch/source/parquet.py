"""Parquet → items: each row as a JSON object; nested columns stay nested, dotted names are resolved later.

Rule: a row costs itself only; how many are decoded at once depends on how long the file says they are.
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

_ROWS_PER_CHUNK = 2000


def read(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the rows of a file from the checkpoint's row on; a row's number stands as its line."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = after.line
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise SourceError(f"cannot read {path}: {error.strerror}") from None
        yield _broken(row, error)
        return
    with file:
        done = 0
        groups: list[int] = []
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if groups or done + rows >= row:
                groups.append(group)
            else:
                done += rows
        skip = row - 1 - done
        size = _rows_per_batch(file.metadata)
        batches = file.iter_batches(batch_size=size, row_groups=groups) if groups else iter(())
        while True:
            try:
                batch = next(batches, None)
            except (OSError, pa.ArrowException) as error:
                yield _broken(row, error)
                return
            if batch is None:
                return
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            rows = max(1, batch.num_rows * BYTES_PER_CHUNK // max(1, batch.nbytes))
            for start in range(skip, batch.num_rows, rows):
                chunk = _chunk(batch.slice(start, rows).to_pylist(), row, settings.max_record_bytes)
                row = chunk.next_line
                yield chunk
            skip = 0


def _rows_per_batch(metadata: Any) -> int:
    """Return how many rows are decoded at once: fewer where the file says that they are long."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return min(_ROWS_PER_CHUNK, max(1, BYTES_PER_CHUNK // max(1, longest)))


def _chunk(rows: list[dict[str, Any]], first: int, limit: int) -> Chunk:
    items: list[bytes] = []
    rejected: dict[int, Rejection] = {}
    for number, row in enumerate(rows):
        try:
            item = msgspec.json.encode(row, enc_hook=str)
        except (TypeError, ValueError, RecursionError) as error:
            rejected[number] = remainder("parquet-malformed", f"the row cannot be written as JSON: {error}")
            item = b""
        if len(item) > limit:
            rejected[number] = too_long(item, len(item), hashlib.sha256(item).hexdigest(), limit)
            item = b""
        items.append(item)
    lines = list(range(first, first + len(rows)))
    return Chunk(items, lines, None, rejected, first + len(rows), 0)


def _broken(row: int, error: Exception) -> Chunk:
    rejection = remainder("parquet-malformed", f"the Parquet data cannot be read: {error}")
    return Chunk([b""], [row], None, {0: rejection}, row + 1, 0)
