"""A source: files `.notes`, where every line that begins with `- ` is a record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from membatch.config import SourceSettings
from membatch.plan import Checkpoint
from membatch.source.chunk import Chunk, Reader


def read(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the notes after a checkpoint, which holds the line and the byte where reading goes on."""
    items: list[bytes] = []
    lines: list[int] = []
    offsets: list[int] = []
    with Path(path).open("rb") as stream:
        stream.seek(after.offset)
        number, offset = after.line, after.offset
        for line in stream:
            if line.startswith(b"- "):
                items.append(json.dumps({"summary": line[2:].decode().strip()}).encode())
                lines.append(number)
                offsets.append(offset)
            number, offset = number + 1, offset + len(line)
    yield Chunk(items, lines, offsets, rejected={}, next_line=number, next_offset=offset)


READER = Reader(read)
