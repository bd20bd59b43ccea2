"""A wrapper object whose members hold the items, as in {"results": [...], "next": null} → items, streamed.

Rule: the elements of the named arrays are the items, whatever their number and order; everything else is the
rest, read once before. What cannot be read of the rest is a rejected item, so that it does not vanish.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from membatch.config import SourceSettings
from membatch.errors import SourceError
from membatch.plan import Checkpoint, Rejection
from membatch.source.chunk import Chunk
from membatch.source.json_array import BETWEEN, Scanner, in_window
from membatch.source.stream import ByteStream, Unreadable

_OPEN, _CLOSE, _OPEN_ARRAY, _CLOSE_ARRAY, _QUOTE, _COLON = b'{}[]":'


def read(members: tuple[str, ...], path: str, after: Checkpoint, settings: SourceSettings) -> Iterator[Chunk]:
    """Yield the elements of the members of a file from the checkpoint on; members are JSON pointers."""
    stream = ByteStream(path)
    try:
        yield from _Members(stream, members, settings.max_record_bytes, after.offset).chunks()
    finally:
        stream.close()


def rest_of(members: tuple[str, ...], path: str, limit: int) -> dict[str, Any] | None:
    """Return what a wrapper holds besides the items; None where the file does not begin with such an object."""
    stream = ByteStream(path)
    scanner = _Members(stream, members, limit, None)
    try:
        for _ in scanner.chunks():
            pass  # a rest keeps no items
    finally:
        stream.close()
    if not scanner.found:
        return None
    if scanner.rest_bytes > limit:
        raise SourceError(
            f"{path}: what stands around its records has {scanner.rest_bytes:,} bytes; source.max_record_bytes is "
            f"{limit:,}: raise it"
        )
    return scanner.rest


class _Members(Scanner):
    """The state of reading one wrapper: the names that lead to where it stands.

    Items before byte `start` are passed over; with None there are none, and the rest is collected.
    """

    def __init__(self, stream: ByteStream, members: tuple[str, ...], limit: int, start: int | None) -> None:
        super().__init__(stream, Checkpoint(), limit)
        self._members = {tuple(pointer.strip("/").split("/")) for pointer in members}
        self._inner = {path[:length] for path in self._members for length in range(len(path))}
        self._begin = start
        self._path: list[str] = []
        self._in_object = self._in_items = False
        self.found = False
        self.rest: dict[str, Any] = {}
        self.rest_bytes = 0

    def _next(self) -> bool:
        self._pass(in_window(BETWEEN, self._window, self._at))
        if self._at >= len(self._window):
            if self._more():
                return True
            if self._in_object:
                raise Unreadable("json-truncated", "the file ends before its object does")
            return False
        first = self._window[self._at]
        if self._in_items:
            if first == _CLOSE_ARRAY:
                self._in_items = False
                self._path.pop()
                self._pass(self._at + 1)
            else:
                self._element(first)
        elif not self._in_object:
            if first == _OPEN and not self.found:
                self._in_object = True
                self._pass(self._at + 1)
            elif self._begin is None and not self.found:
                return False  # no wrapper, and so no rest
            else:
                self._element(first)
        elif first == _CLOSE:
            self._pass(self._at + 1)
            if self._path:
                self._path.pop()
            else:
                self._in_object = False
                self.found = self.found or self._begin is not None
                return self._begin is not None
        elif first == _QUOTE:
            self._member()
        else:
            self._element(first)
        return True

    def _member(self) -> None:
        """Read a name, and step into its value, or put it to the rest."""
        text, _ = self._value(_QUOTE)
        try:
            name = msgspec.json.decode(text, type=str)
        except (msgspec.MsgspecError, ValueError):
            name = text.decode("utf-8", "replace")
        first = self._after_blanks()
        if first == _COLON:
            self._pass(self._at + 1)
            first = self._after_blanks()
        path = (*self._path, name)
        if path in self._members and first == _OPEN_ARRAY:
            self.found = self._in_items = True
            self._path.append(name)
            self._pass(self._at + 1)
        elif path in self._inner and first == _OPEN:
            self._path.append(name)
            self._pass(self._at + 1)
        else:
            self._keep(path, first)

    def _after_blanks(self) -> int:
        while True:
            self._pass(in_window(BETWEEN, self._window, self._at))
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                raise Unreadable("json-truncated", "the file ends before its object does")

    def _keep(self, path: tuple[str, ...], first: int) -> None:
        line, offset = self._line, self._base + self._at
        value, rejection = self._value(first)
        if rejection is not None:
            self.rest_bytes += rejection.raw_length or 0
            self._append(value, line, offset, rejection)
            return
        self.rest_bytes += len(value)
        if self.rest_bytes > self._limit:
            return
        try:
            decoded = msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._append(value, line, offset, None)  # whoever decodes it says what is wrong with it
            return
        holder = self.rest
        for name in path[:-1]:
            if not isinstance(holder.get(name), dict):
                holder[name] = {}  # of a name given twice the last wins
            holder = holder[name]
        holder[path[-1]] = decoded

    def _append(self, item: bytes, line: int, offset: int, rejection: Rejection | None) -> None:
        if self._begin is not None and offset >= self._begin:
            super()._append(item, line, offset, rejection)
