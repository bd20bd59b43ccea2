"""JSON lines → items: one a line; blank lines are none.

Rule: a line is a record whatever it holds, so that a bad one costs itself only; a line over the limit is
read past without being kept, an unreadable rest is one rejected item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import accumulate

from membatch.config import SourceSettings
from membatch.plan import Checkpoint, Rejection
from membatch.source.chunk import Chunk
from membatch.source.stream import ByteStream, Unreadable, refuse_other_kinds
from membatch.source.unreadable import KEPT_OF_TOO_LONG, remainder, too_long

UTF8_BOM = b"\xef\xbb\xbf"


def read(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the lines of a file from the checkpoint on."""
    stream = ByteStream(path)
    try:
        yield from _lines(stream, after, settings.max_record_bytes)
    finally:
        stream.close()


def _lines(stream: ByteStream, after: Checkpoint, limit: int) -> Iterator[Chunk]:
    line, offset, carry = after.line, after.offset, b""
    try:
        stream.go_to(offset)
        while data := stream.read():
            if offset == 0 and not carry:
                refuse_other_kinds(data)
                if data.startswith(UTF8_BOM):
                    data, offset = data[3:], 3
            lines = (carry + data).split(b"\n")
            carry = lines.pop()
            if lines:
                chunk = _chunk(lines, line, offset, limit)
                line, offset = chunk.next_line, chunk.next_offset
                yield chunk
            if len(carry) > limit:
                rejection, length, ended = _read_past(stream, carry, limit)
                carry, data = ended or b"", b""
                line, start, offset = line + 1, offset, offset + length
                yield Chunk([b""], [line - 1], [start], {0: rejection}, line, offset)
    except Unreadable as fault:
        rejection = remainder(fault.code, str(fault), carry)
        yield Chunk([b""], [line], [offset], {0: rejection}, line + 1, offset + len(carry), ends=True)
        return
    if carry:
        yield _chunk([carry], line, offset, limit, ended=False)


def _chunk(lines: list[bytes], line: int, offset: int, limit: int, *, ended: bool = True) -> Chunk:
    ends = list(accumulate([len(text) + 1 for text in lines], initial=offset))
    next_offset = ends[-1] if ended else ends[-1] - 1
    numbers = range(line, line + len(lines))
    kept: Sequence[int] = numbers
    if all(lines) and not any(map(bytes.isspace, lines)):
        items, starts = lines, ends[:-1]
    else:
        there = [number for number, text in enumerate(lines) if text and not text.isspace()]
        items = [lines[number] for number in there]
        kept, starts = [line + number for number in there], [ends[number] for number in there]
    rejected: dict[int, Rejection] = {}
    if items and max(map(len, items)) > limit:
        for number, text in enumerate(items):
            if len(text) > limit:
                rejected[number] = too_long(text, len(text), hashlib.sha256(text).hexdigest(), limit)
                items[number] = b""
    return Chunk(items, kept, starts, rejected, line + len(lines), next_offset)


def _read_past(stream: ByteStream, beginning: bytes, limit: int) -> tuple[Rejection, int, bytes | None]:
    """Read to the end of a line over the limit; return its rejection, its length with the newline, what follows."""
    sha256, length = hashlib.sha256(beginning), len(beginning)
    kept = beginning[:KEPT_OF_TOO_LONG]
    while data := stream.read():
        text, newline, following = data.partition(b"\n")
        sha256.update(text)
        length += len(text)
        kept += text[: KEPT_OF_TOO_LONG - len(kept)]
        if newline:
            return too_long(kept, length, sha256.hexdigest(), limit), length + 1, following
    return too_long(kept, length, sha256.hexdigest(), limit), length, None
