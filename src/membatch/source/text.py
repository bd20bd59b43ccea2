"""Text files → items: the whole text as one JSON text, or each line as one.

Rule: what is not UTF-8 is one rejected item; a blank line is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from membatch.config import SourceSettings
from membatch.plan import Checkpoint, Rejection
from membatch.source import jsonl
from membatch.source.chunk import Chunk
from membatch.source.jsonl import UTF8_BOM
from membatch.source.stream import ByteStream, Unreadable
from membatch.source.unreadable import KEPT_OF_TOO_LONG, remainder, too_long


def read_whole(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the text of a file as its only item; an empty file has none."""
    if after.offset > 0:
        return
    stream = ByteStream(path)
    try:
        item, length, rejection = _whole(stream, settings.max_record_bytes)
    finally:
        stream.close()
    if length:
        rejected = {} if rejection is None else {0: rejection}
        yield Chunk([item], [1], [0], rejected, 2, length)


def _whole(stream: ByteStream, limit: int) -> tuple[bytes, int, Rejection | None]:
    content, length, sha256 = bytearray(), 0, hashlib.sha256()
    try:
        while data := stream.read():
            length += len(data)
            sha256.update(data)
            content += data[: max(0, limit + 1 - len(content))]
    except Unreadable as fault:
        return b"", max(length, 1), remainder(fault.code, str(fault), bytes(content))
    if length > limit:
        return b"", length, too_long(bytes(content[:KEPT_OF_TOO_LONG]), length, sha256.hexdigest(), limit)
    item = _encoded(bytes(content).removeprefix(UTF8_BOM))
    return (b"", length, item) if isinstance(item, Rejection) else (item, length, None)


def read_lines(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield each line of a file."""
    for chunk in jsonl.read(path, after, settings):
        items = list(chunk.items)
        rejected = dict(chunk.rejected)
        for number, line in enumerate(items):
            if number not in rejected:
                item = _encoded(line.rstrip(b"\r"))
                if isinstance(item, Rejection):
                    rejected[number], item = item, b""
                items[number] = item
        yield chunk._replace(items=items, rejected=rejected)


def _encoded(text: bytes) -> bytes | Rejection:
    try:
        return msgspec.json.encode(text.decode())
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}: {error.reason}"
        return Rejection(category="source", code="encoding", message=message, raw=text)
