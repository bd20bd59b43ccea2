"""Bytes → RawBatch: the table of sources, the order of files, batches of items with their positions.

Rule: what cannot be read is an item that is rejected, never one that is skipped; memory use depends on the
batch and the largest item, not on the input.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import msgspec

from membatch.config import SourceSettings
from membatch.errors import SourceError
from membatch.plan import Checkpoint, Position, RawBatch, Rejection
from membatch.source import json_array, jsonl, parquet, table
from membatch.source.chunk import Chunk, Reader
from membatch.source.stream import COMPRESSIONS, STANDARD_INPUT
from membatch.source.unreadable import too_long

ENTRY_POINTS: Final = "membatch.sources"
_SAMPLE: Final = 64 * 1024

# A batch closes at about this many bytes, however few records they are.
BATCH_BYTES: Final = 64 * 1024 * 1024

SOURCES: Final[Mapping[str, Reader]] = {
    ".jsonl": Reader(jsonl.read),
    ".ndjson": Reader(jsonl.read),
    ".json": Reader(json_array.read),
    ".csv": Reader(table.read_csv, flat=True),
    ".tsv": Reader(table.read_tsv, flat=True),
    ".parquet": Reader(parquet.read, flat=True),
}


class SourceFile(msgspec.Struct, frozen=True):
    """One source of a run, and what it looked like when the run began; a stream or iterable has no looks."""

    path: str
    size: int | None = None
    modified_ns: int | None = None
    sha256_of_ends: str | None = None


def known_sources() -> dict[str, Reader]:
    """Return all readers by file suffix: the built-in ones, and those that other packages add by entry point."""
    readers = dict(SOURCES)
    for point in entry_points(group=ENTRY_POINTS):
        readers[f".{point.name}"] = point.load()
    return readers


def expand(names: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the files that names, globs and folders stand for, those of one name in the order of their bytes.

    Raises SourceError for a missing file, a glob without a match, a folder without data, an unknown suffix.
    """
    paths: list[str] = []
    for given in names:
        name = os.fspath(given)
        paths.extend([name] if name == STANDARD_INPUT else _expand_one(name))
    return paths


def _expand_one(name: str) -> list[str]:
    path = Path(name)
    if path.is_dir():
        known = known_sources()
        files = [str(file) for file in path.rglob("*") if file.is_file() and _suffix(str(file)) in known]
        files = [file for file in files if not any(part.startswith(".") for part in Path(file).relative_to(path).parts)]
        if not files:
            raise SourceError(f"folder {name} holds no data: expected {', '.join(known)} files, also compressed")
        return sorted(files, key=os.fsencode)
    if path.exists():
        reader_of(name)
        return [name]
    if glob.has_magic(name):
        files = sorted((file for file in glob.glob(name, recursive=True) if Path(file).is_file()), key=os.fsencode)
        for file in files:
            reader_of(file)
        if files:
            return files
        raise SourceError(f"no file matches {name}")
    raise SourceError(f"no such file: {name}")


def _suffix(path: str) -> str:
    stem, suffix = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] if suffix in COMPRESSIONS else suffix


def reader_of(path: str) -> Reader:
    """Return the reader for a path by its suffix, standard input being JSON lines; raises SourceError."""
    if path == STANDARD_INPUT:
        return SOURCES[".jsonl"]
    known = known_sources()
    suffix = _suffix(path)
    if suffix not in known:
        expected = ", ".join(known)
        raise SourceError(f"{path}: unknown kind of file {suffix or '(no suffix)'!r}: expected {expected}")
    if suffix == ".parquet" and path.lower().endswith(COMPRESSIONS):
        raise SourceError(f"{path}: Parquet is compressed inside; decompress the file first")
    return known[suffix]


def look_at(path: str) -> SourceFile:
    """Return a source with its size, time and a hash of both its ends, by which a change is noticed."""
    if path == STANDARD_INPUT:
        return SourceFile(path)
    if not _is_text(path):
        shown = path.encode("utf-8", "backslashreplace").decode()
        raise SourceError(f"{shown}: the name is not UTF-8: rename the file")
    try:
        status = Path(path).stat()
        with Path(path).open("rb") as stream:
            sha256 = hashlib.sha256(stream.read(_SAMPLE))
            stream.seek(max(0, status.st_size - _SAMPLE))
            sha256.update(stream.read(_SAMPLE))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    return SourceFile(path, status.st_size, status.st_mtime_ns, sha256.hexdigest())


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def changes(before: SourceFile) -> str | None:
    """Return what changed about a source since it was looked at, or None."""
    now = look_at(before.path)
    if now.size != before.size:
        return f"{before.path} had {before.size:,} bytes and now has {now.size:,}"
    if now.sha256_of_ends != before.sha256_of_ends:
        return f"{before.path} has other content now"
    if now.modified_ns != before.modified_ns:
        return f"{before.path} was written to since (its size is the same)"
    return None


def read(
    sources: Sequence[SourceFile], after: Checkpoint, settings: SourceSettings, size: Callable[[], int]
) -> Iterator[RawBatch]:
    """Yield the items of all sources after the checkpoint, in batches of at most `size()` items.

    Raises SourceError if a source cannot be opened.
    """
    yield from batches(_chunks(sources, after, settings), after, size)


def _chunks(
    sources: Sequence[SourceFile], after: Checkpoint, settings: SourceSettings
) -> Iterator[tuple[int, bool, Chunk]]:
    for number in range(after.source, len(sources)):
        start = after if number == after.source else Checkpoint(source=number)
        reader = reader_of(sources[number].path)
        for chunk in reader.read(sources[number].path, start, settings):
            yield number, reader.flat, chunk


def batches(
    chunks: Iterable[tuple[int, bool, Chunk]], start: Checkpoint, size: Callable[[], int]
) -> Iterator[RawBatch]:
    """Yield items in batches of at most `size()`, given chunks with their source's number and whether it is flat.

    A batch spans sources, but not flat and other ones. The checkpoint's done records of the first item are
    to be skipped.
    """
    batch, held = _new(start, skip=start.index, flat=False), 0
    for source, flat, chunk in chunks:
        if flat != batch.flat:
            if batch.items:
                yield batch
            batch, held = _new(batch.after, skip=batch.skip if not batch.items else 0, flat=flat), 0
        at = 0
        while at < len(chunk.items):
            take = min(max(1, size() - len(batch.items)), len(chunk.items) - at)
            while take > 1 and held + sum(map(len, chunk.items[at : at + take])) > BATCH_BYTES:
                take //= 2
            _take(batch, source, chunk, at, at + take)
            held += sum(map(len, chunk.items[at : at + take]))
            at += take
            if len(batch.items) >= size() or held > BATCH_BYTES:
                yield batch
                batch, held = _new(batch.after, skip=0, flat=flat), 0
    if batch.items:
        yield batch


def _new(after: Checkpoint, *, skip: int, flat: bool) -> RawBatch:
    return RawBatch(items=[], positions=[], rejected={}, skip=skip, after=after, flat=flat)


def _take(batch: RawBatch, source: int, chunk: Chunk, start: int, stop: int) -> None:
    for index, rejection in chunk.rejected.items():
        if start <= index < stop:
            batch.rejected[len(batch.items) + index - start] = rejection
    batch.items.extend(chunk.items[start:stop])
    lines = chunk.lines[start:stop]
    offsets: list[int] | list[None] = chunk.offsets[start:stop] if chunk.offsets else [None] * len(lines)
    batch.positions.extend([Position(source, line, offset) for line, offset in zip(lines, offsets, strict=True)])
    batch.after = _following(chunk, stop, source)


def _following(chunk: Chunk, at: int, source: int) -> Checkpoint:
    if at >= len(chunk.items):
        return Checkpoint(source, chunk.next_line, chunk.next_offset)
    return Checkpoint(source, chunk.lines[at], chunk.offsets[at] if chunk.offsets else 0)


def chunks_of(values: Iterable[Any], limit: int) -> Iterator[tuple[int, bool, Chunk]]:
    """Yield the values of an iterable (dicts, Memory objects, JSON texts) as items, numbered from 1."""
    for number, value in enumerate(values, 1):
        rejected: dict[int, Rejection] = {}
        item = b""
        try:
            item = value if isinstance(value, bytes) else msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            rejected[0] = Rejection(
                category="conversion",
                code="conversion-failed",
                message=f"the value cannot be written as JSON: {error}",
                raw=repr(value).encode("utf-8", "backslashreplace")[:_SAMPLE],
            )
        if len(item) > limit:
            rejected[0] = too_long(item, len(item), hashlib.sha256(item).hexdigest(), limit)
            item = b""
        yield 0, False, Chunk([item], [number], None, rejected, number + 1, 0)
