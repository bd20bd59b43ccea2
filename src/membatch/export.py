"""All memories out of a store, by age: JSON lines, CSV or Parquet; what comes out can be loaded again.

Rule: the same memory data gives the same bytes; nothing is in an export but the records with their ids.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

import msgspec

from membatch.cells import COLUMNS, guarded
from membatch.errors import ConfigError, SurroundingsError
from membatch.formats import pam_export
from membatch.terminal import json_output

_ROWS_PER_GROUP: Final = 10_000
UNKNOWN_OWNER: Final = "unknown"  # Portable AI Memory has no file without an owner

Rows = Iterable[tuple[str, bytes]]


def export(rows: Rows, output: str | os.PathLike[str] | None) -> int:
    """Write (id, record) rows to a file whose suffix says how, or as JSON lines to standard output.

    Returns the number of rows. A file is written beside its place and moved there when it is whole. Raises
    ConfigError for an unknown suffix, SurroundingsError where writing fails.
    """
    if output is None:
        return write_jsonl(rows, json_output())
    path = Path(output)
    writers = {".jsonl": write_jsonl, ".json": _write_json, ".csv": _write_csv, ".parquet": _write_parquet}
    if path.suffix not in writers:
        raise ConfigError(f"cannot export to {path.name}: use a name that ends in {', '.join(writers)}")
    try:
        with placed(path) as stream:
            return writers[path.suffix](rows, stream)
    except OSError as error:
        raise SurroundingsError(f"cannot write {path}: {error.strerror}") from None


@contextmanager
def placed(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that only the user may read, and that appears at its place when it is whole."""
    temporary = path.with_name(f".{path.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def whole(identity: str, record: bytes) -> bytes:
    """Return a record with its id first, as one JSON text."""
    return b'{"id":' + msgspec.json.encode(identity) + b"," + record[1:]


def write_jsonl(rows: Rows, stream: BinaryIO) -> int:
    """Write one record a line; return the number of records."""
    count = 0
    for identity, record in rows:
        stream.write(whole(identity, record) + b"\n")
        count += 1
    return count


def _write_json(rows: Rows, stream: BinaryIO) -> int:
    """Write one array, a record a line."""
    count = 0
    for identity, record in rows:
        stream.write((b",\n" if count else b"[\n") + whole(identity, record))
        count += 1
    stream.write(b"\n]\n" if count else b"[]\n")
    return count


def owners(rows: Rows) -> list[str | None]:
    """Return the users whose memories there are, each once; None stands for memories of nobody."""
    found: dict[str | None, None] = {}
    for _, record in rows:
        scope = msgspec.json.decode(record).get("scope") or {}
        found[scope.get("user_id")] = None
    return list(found)


def export_pam(rows: Rows, output: str | os.PathLike[str] | None, owner: str | None, *, only: bool = False) -> int:
    """Write a Portable AI Memory store of an owner (None is nobody); with `only`, of the owner's memories alone.

    Returns the number of memories. Raises SurroundingsError where writing fails.
    """
    if output is None:
        return _write_pam(rows, json_output(), owner, only)
    path = Path(output)
    if path.suffix != ".json":
        raise ConfigError(f"cannot write Portable AI Memory to {path.name}: use a name that ends in .json")
    try:
        with placed(path) as stream:
            return _write_pam(rows, stream, owner, only)
    except OSError as error:
        raise SurroundingsError(f"cannot write {path}: {error.strerror}") from None


def _write_pam(rows: Rows, stream: BinaryIO, owner: str | None, only: bool) -> int:
    head = msgspec.json.encode(pam_export.head(owner or UNKNOWN_OWNER, version("membatch")))
    stream.write(head[:-1] + b',"memories":[')
    count = 0
    for identity, encoded in rows:
        record = msgspec.json.decode(encoded)
        if only and (record.get("scope") or {}).get("user_id") != owner:
            continue
        made = msgspec.json.encode(pam_export.memory_object(identity, record))
        stream.write((b",\n" if count else b"\n") + made)
        count += 1
    stream.write(b"\n]}\n")
    return count


def _cells(identity: str, record: bytes) -> dict[str, Any]:
    cells: dict[str, Any] = {"id": identity, **msgspec.json.decode(record)}
    for name, value in cells.items():
        if isinstance(value, list | dict):
            cells[name] = msgspec.json.encode(value).decode()
    return cells


def _write_csv(rows: Rows, stream: BinaryIO) -> int:
    import io

    text: TextIO = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    count = 0
    for identity, record in rows:
        cells = _cells(identity, record)
        row = [guarded(cell) if isinstance(cell, str) else cell for cell in map(cells.get, COLUMNS)]
        # The other one leaves a carriage return without quotes, unless Python is of a late version.
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoting if has_return else writer).writerow(row)
        count += 1
    text.flush()
    text.detach()  # type: ignore[attr-defined]
    return count


def _write_parquet(rows: Rows, stream: BinaryIO) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.float64() if name == "confidence" else pa.string()) for name in COLUMNS])
    count = 0
    with pq.ParquetWriter(stream, schema) as writer:
        group: list[dict[str, Any]] = []
        for identity, record in rows:
            group.append(_cells(identity, record))
            count += 1
            if len(group) == _ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
    return count
