"""Bytes → RawBatch: sources as they look, batches of items with their positions.

Rule: what cannot be read is an item that is rejected, never one that is skipped; memory use depends on the
batch and the largest item, not on the input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from membatch.config import SourceSettings
from membatch.errors import SourceError
from membatch.layout import PLAIN, Document, Layout
from membatch.plan import Checkpoint, Positions, RawBatch, Rejection, Stretch
from membatch.source import sql
from membatch.source.chunk import Chunk
from membatch.source.json_members import Span
from membatch.source.names import expand, left_out, reader_of, reader_of_wrapper, stem_of, suffix_of, wrapper_in
from membatch.source.sample import decoded, sample_of
from membatch.source.sql import is_database
from membatch.source.stream import STANDARD_INPUT, member_of
from membatch.source.unreadable import too_long

_SAMPLE: Final = 64 * 1024
# A batch closes at about this many bytes, however few records they are.
MOST_BYTES: Final = 48 << 20


class SourceFile(msgspec.Struct, frozen=True):
    """One source of a run, and what it looked like when the run began; a stream or iterable has no looks.

    A file has a size, a time and a hash of both its ends, a table or query of a database has columns.
    """

    path: str
    size: int | None = None
    modified_ns: int | None = None
    sha256_of_ends: str | None = None
    rest: dict[str, Any] | None = None  # what stands around the items, where the file is a wrapper of them
    spans: list[Span] | None = None  # where the items stand in it
    columns: list[str] | None = None


def look_at(path: str, layout: Layout = PLAIN, limit: int = SourceSettings().max_record_bytes) -> SourceFile:
    """Return a source with how it looks, by which a change is noticed.

    Where the layout names members and the file is a wrapper of them, what stands around the items is read too.
    """
    reader_of(path, layout)
    looks, wrapper = _looks(path), wrapper_in(path, layout, limit)
    return looks if wrapper is None else msgspec.structs.replace(looks, rest=wrapper.rest, spans=wrapper.spans)


def _looks(path: str) -> SourceFile:
    if path == STANDARD_INPUT:
        return SourceFile(path)
    if is_database(path):
        return SourceFile(path, columns=sql.columns_of(path))
    inside = member_of(path)
    place = Path(path if inside is None else inside[0])
    try:
        status = place.stat()
        with place.open("rb") as stream:
            sha256 = hashlib.sha256(stream.read(_SAMPLE))
            stream.seek(max(0, status.st_size - _SAMPLE))
            sha256.update(stream.read(_SAMPLE))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    return SourceFile(path, status.st_size, status.st_mtime_ns, sha256.hexdigest())


def is_stream(path: str) -> bool:
    """Return whether a source can be read once only: lines on standard input."""
    return path == STANDARD_INPUT and suffix_of(path) == ".jsonl"


def seen_from(folder: Path, path: str) -> str:
    """Return the path or URL of a source as it was seen from a folder."""
    return sql.seen_from(folder, path) if is_database(path) else str(folder / path)


def document_of(file: SourceFile) -> Document:
    """Return what the items of a source may know of it: its name without folder, what stands around them."""
    name = stem_of(file.path) if file.size is not None or file.columns is not None else ""
    return Document(name=name, rest=file.rest or {}, is_wrapper=file.rest is not None)


def changes(before: SourceFile, after: Checkpoint) -> str | None:
    """Return what changed about a source since it was looked at, so that it cannot be read on from there, or None."""
    if before.columns is not None:
        return sql.changes(before.path, before.columns, after)
    now = _looks(before.path)
    if now.size != before.size:
        return f"{before.path} had {before.size:,} bytes and now has {now.size:,}"
    if now.sha256_of_ends != before.sha256_of_ends:
        return f"{before.path} has other content now"
    if now.modified_ns != before.modified_ns:
        return f"{before.path} was written to since (its size is the same)"
    return None


def read(
    sources: Sequence[SourceFile],
    after: Checkpoint,
    settings: SourceSettings,
    size: Callable[[], int],
    layout: Layout = PLAIN,
) -> Iterator[RawBatch]:
    """Yield the items of all sources after the checkpoint, in batches of at most `size()` items.

    Raises SourceError if a source cannot be opened.
    """
    documents = [document_of(file) for file in sources]
    yield from batches(_chunks(sources, after, settings, layout), after, size, documents)


def _chunks(
    sources: Sequence[SourceFile], after: Checkpoint, settings: SourceSettings, layout: Layout
) -> Iterator[tuple[int, bool, Chunk]]:
    for number in range(after.source, len(sources)):
        start = after if number == after.source else Checkpoint(source=number)
        file = sources[number]
        reader = reader_of(file.path, layout) if file.rest is None else reader_of_wrapper(layout, file.spans)
        for chunk in reader.read(file.path, start, settings):
            yield number, reader.flat, chunk


def batches(
    chunks: Iterable[tuple[int, bool, Chunk]],
    start: Checkpoint,
    size: Callable[[], int],
    documents: Sequence[Document] = (),
) -> Iterator[RawBatch]:
    """Yield items in batches of at most `size()`, given chunks with their source's number and whether it is flat.

    A batch closes at about MOST_BYTES: an item may be a conversation of many records. It
    spans sources, but not flat and other ones. The checkpoint's done records of the first item are to be skipped.
    """
    batch, held = _new(start, skip=start.index, flat=False), 0
    for source, flat, chunk in chunks:
        if flat != batch.flat:
            if batch.items:
                yield batch
            batch, held = _new(batch.after, skip=batch.skip if not batch.items else 0, flat=flat), 0
        at = 0
        while at < len(chunk.items):
            if documents:
                batch.documents[source] = documents[source]
            take = min(max(1, size() - len(batch.items)), len(chunk.items) - at)
            while take > 1 and held + sum(map(len, chunk.items[at : at + take])) > MOST_BYTES:
                take //= 2
            _take(batch, source, chunk, at, at + take)
            held += sum(map(len, chunk.items[at : at + take]))
            at += take
            if len(batch.items) >= size() or held >= MOST_BYTES:
                yield batch
                batch, held = _new(batch.after, skip=0, flat=flat), 0
    if batch.items:
        yield batch


def _new(after: Checkpoint, *, skip: int, flat: bool) -> RawBatch:
    return RawBatch(items=[], positions=Positions(), rejected={}, skip=skip, after=after, flat=flat, documents={})


def _take(batch: RawBatch, source: int, chunk: Chunk, start: int, stop: int) -> None:
    for index, rejection in chunk.rejected.items():
        if start <= index < stop:
            batch.rejected[len(batch.items) + index - start] = rejection
    batch.items.extend(chunk.items[start:stop])
    offsets = chunk.offsets[start:stop] if chunk.offsets else None
    reached = None if chunk.reached is None else chunk.reached[start:stop]
    assert isinstance(batch.positions, Positions)
    batch.positions.add(Stretch(source, chunk.lines[start:stop], offsets, chunk.inside, reached))
    batch.after = _following(chunk, stop, source)


def _following(chunk: Chunk, at: int, source: int) -> Checkpoint:
    reached = None if chunk.reached is None else chunk.reached[at]
    if at < len(chunk.items):
        offset = chunk.offsets[at] if chunk.offsets else 0
        return Checkpoint(source, chunk.lines[at], offset, inside=chunk.inside, reached=reached)
    if chunk.ends:
        return Checkpoint(source + 1)  # where its place said no more than that, the rejection would be given again
    return Checkpoint(source, chunk.next_line, chunk.next_offset, inside=chunk.inside, reached=reached)


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


__all__ = [
    "SourceFile",
    "batches",
    "changes",
    "chunks_of",
    "decoded",
    "document_of",
    "expand",
    "is_database",
    "is_stream",
    "left_out",
    "look_at",
    "read",
    "sample_of",
    "seen_from",
]
