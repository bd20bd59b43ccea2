"""A JSON array, or JSON values one after another → items: one an element, streamed.

Rule: an element ends where its brackets balance outside strings; what is inside is decoded later, so that
a bad element costs itself only. What stands between elements and is no separator is one rejected item.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from membatch.config import SourceSettings
from membatch.plan import Checkpoint, Rejection
from membatch.source.chunk import BYTES_PER_CHUNK, Chunk
from membatch.source.jsonl import UTF8_BOM
from membatch.source.stream import ByteStream, Unreadable, refuse_other_kinds
from membatch.source.unreadable import KEPT_OF_TOO_LONG, remainder, too_long

_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_TO_BRACKET: Final = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL)
BETWEEN: Final = re.compile(rb"[ \t\r\n,]*+")
_BARE: Final = re.compile(rb'[^,\[\]{}"\s]*+')
_QUOTE, _OPEN_ARRAY, _CLOSE_ARRAY = b'"[]'
_ITEMS_PER_CHUNK: Final = 5000


def read(path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the elements of the top-level array, or the top-level values, of a file from the checkpoint on."""
    stream = ByteStream(path)
    try:
        yield from Scanner(stream, after, settings.max_record_bytes).chunks()
    finally:
        stream.close()


class _Balance:
    """How far a value that began with a bracket or a quote has come; fed with window after window."""

    def __init__(self) -> None:
        self._level = 0
        self._in_string = self._escaped = False

    def feed(self, window: bytes, at: int) -> int:
        """Return where the value ends in the window, or -1 if it goes on."""
        while True:
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                    at += 1
                at = in_window(_IN_STRING, window, at)
                if at >= len(window):
                    return -1
                if window[at] != _QUOTE:  # a backslash, last in the window
                    self._escaped = True
                    return -1
                self._in_string = False
                at += 1
            elif self._level or window[at] != _QUOTE:
                at = in_window(_TO_BRACKET, window, at)
                if at >= len(window):
                    return -1
                if window[at] == _QUOTE:
                    self._in_string = True
                else:
                    self._level += 1 if window[at] in b"{[" else -1
                at += 1
            else:
                self._in_string = True
                at += 1
                continue
            if self._level == 0 and not self._in_string:
                return at
            if at >= len(window):
                return -1


class Scanner:
    """The state of reading one file: a window of its bytes, and the place in it; `json_members` builds on it."""

    def __init__(self, stream: ByteStream, after: Checkpoint, limit: int) -> None:
        self._stream, self._after, self._limit = stream, after, limit
        self._window = b""
        self._at = 0
        self._base = 0  # the window's first byte is at this offset of the stream
        self._line = after.line
        self._open = False  # inside an array at the top level
        self._at_border = False  # at a bracket that such an array begins or ends with
        self._unfinished: list[bytes] = []
        self._began = 0, 0  # the line and the byte that the unfinished value begins at
        self._clear()

    def _clear(self) -> None:
        self._items: list[bytes] = []
        self._lines: list[int] = []
        self._offsets: list[int] = []
        self._rejected: dict[int, Rejection] = {}

    def chunks(self) -> Iterator[Chunk]:
        """Yield all that is left of the file."""
        ends = False
        try:
            self._start()
            while self._next():
                if self._is_full():
                    yield self._chunk()
        except Unreadable as fault:
            place = self._began if self._unfinished else (self._line, self._base + self._at)
            rest = b"".join(self._unfinished) + self._window[self._at :]
            self._append(rest, *place, remainder(fault.code, str(fault), rest))
            ends = True
        if self._items:
            yield self._chunk(ends=ends)

    def _is_full(self) -> bool:
        if not self._items:
            return False
        if self._at_border:  # the items of a chunk stand all inside an array, or none does
            return True
        length = self._base + self._at - self._offsets[0]
        return len(self._items) >= _ITEMS_PER_CHUNK or length >= BYTES_PER_CHUNK

    def _start(self) -> None:
        if not self._more():
            return
        refuse_other_kinds(self._window)
        if self._window.startswith(UTF8_BOM):
            self._at = 3
        if self._after.offset:
            is_array = self._window[self._at :].lstrip()[:1] == b"["
            self._open = is_array if self._after.inside is None else self._after.inside
            self._go_to(self._after.offset, self._after.line)

    def _go_to(self, offset: int, line: int) -> None:
        """Go on at a byte that is not behind; a plain file is not read up to there."""
        self._line = line
        if offset < self._base + len(self._window):
            self._at = offset - self._base
            return
        self._stream.go_to(offset)
        self._base, self._window, self._at = offset, b"", 0
        if not self._more() and self._after.inside is None:  # of a version that did not note it
            self._open = False

    def _next(self) -> bool:
        """Read one element, or step into or out of the array; return False at the end."""
        self._pass(in_window(BETWEEN, self._window, self._at))
        if self._at >= len(self._window):
            if self._more():
                return True
            if self._open:
                raise Unreadable("json-truncated", "the file ends before its array does")
            return False
        first = self._window[self._at]
        self._at_border = first == (_CLOSE_ARRAY if self._open else _OPEN_ARRAY)
        if not self._at_border:
            self._element(first)
        elif not self._items:
            self._open = not self._open
            self._pass(self._at + 1)
        return True

    def _element(self, first: int) -> None:
        line, offset = self._line, self._base + self._at
        item, rejection = self._value(first)
        self._append(item, line, offset, rejection)

    def _value(self, first: int) -> tuple[bytes, Rejection | None]:
        """Read the value that begins here; return it, or why it is rejected."""
        size, sha256 = 0, None
        balance = _Balance() if first in b'{["' else None
        self._unfinished = parts = []
        self._began = self._line, self._base + self._at
        while True:
            end = balance.feed(self._window, self._at) if balance else self._bare(first_part=size == 0)
            part = self._window[self._at : end if end >= 0 else len(self._window)]
            size += len(part)
            if sha256 is not None:
                sha256.update(part)
                parts[0] += part[: KEPT_OF_TOO_LONG - len(parts[0])]
            else:
                parts.append(part)
                if size > self._limit:
                    whole = b"".join(parts)
                    sha256, parts[:] = hashlib.sha256(whole), [whole[:KEPT_OF_TOO_LONG]]
            self._pass(self._at + len(part))
            if end >= 0 or not self._more():
                break
        if end < 0 and balance is not None:
            raise Unreadable("json-truncated", "the file ends in the middle of a value")
        self._unfinished = []
        rejection = None if sha256 is None else too_long(parts[0], size, sha256.hexdigest(), self._limit)
        return b"".join(parts), rejection

    def _bare(self, *, first_part: bool) -> int:
        end = in_window(_BARE, self._window, self._at)
        if first_part and end == self._at:
            return end + 1  # a bracket that closes nothing is an item of its own
        return end if end < len(self._window) else -1

    def _append(self, item: bytes, line: int, offset: int, rejection: Rejection | None) -> None:
        if rejection is not None:
            self._rejected[len(self._items)] = rejection
            item = b""
        self._items.append(item)
        self._lines.append(line)
        self._offsets.append(offset)

    def _chunk(self, *, ends: bool = False) -> Chunk:
        following = self._line, self._base + self._at
        chunk = Chunk(self._items, self._lines, self._offsets, self._rejected, *following, ends, self._open)
        self._clear()
        return chunk

    def _pass(self, at: int) -> None:
        self._line += self._window.count(b"\n", self._at, at)
        self._at = at

    def _more(self) -> bool:
        """Put the next window in the place of the one that is used up; return whether there is one."""
        self._base += len(self._window)
        self._window, self._at = b"", 0  # so that the place is right where reading fails
        self._window = self._stream.read()
        return bool(self._window)


def in_window(pattern: re.Pattern[bytes], window: bytes, at: int) -> int:
    match = pattern.match(window, at)
    return match.end() if match is not None else at
