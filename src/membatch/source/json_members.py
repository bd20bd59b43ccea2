"""A wrapper object whose members hold the items, as in {"results": [...], "next": null} → items, streamed.

Rule: the elements of the named arrays that hold objects are the items, whatever their number and order; everything
else is the rest, read once before, which also notes where the arrays stand. What cannot be read of the rest is a
rejected item, so that it does not vanish.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from membatch.config import SourceSettings
from membatch.errors import SourceError
from membatch.layout import Layout
from membatch.plan import Checkpoint, Rejection
from membatch.source.chunk import Chunk
from membatch.source.json_array import BETWEEN, Scanner, in_window
from membatch.source.stream import ByteStream, Unreadable

_OPEN, _CLOSE, _OPEN_ARRAY, _CLOSE_ARRAY, _QUOTE, _COLON = b'{}[]":'


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Where the items of one array stand: from the byte after its bracket to the one that closes it, and its line."""

    pointer: str
    start: int
    end: int
    end_line: int


class Wrapper(NamedTuple):
    """What a wrapper holds besides its items, and where they stand."""

    rest: dict[str, Any]
    spans: list[Span]


def read(
    layout: Layout, spans: list[Span] | None, path: str, after: Checkpoint, settings: SourceSettings
) -> Iterator[Chunk]:
    """Yield the elements in the spans of a file from the checkpoint on."""
    if spans is None:
        wrapper = wrapper_in(path, layout, settings.max_record_bytes)
        spans = [] if wrapper is None else wrapper.spans
    stream = ByteStream(path)
    try:
        yield from _Reading(stream, layout, settings.max_record_bytes, spans, after).chunks()
    finally:
        stream.close()


def wrapper_in(path: str, layout: Layout, limit: int) -> Wrapper | None:
    """Return what a wrapper holds besides the items; None where the file does not begin with such an object."""
    stream = ByteStream(path)
    scanner = _Around(stream, layout, limit)
    try:
        for _ in scanner.chunks():
            pass  # it keeps no items
    finally:
        stream.close()
    if not scanner.is_wrapper(layout):
        return None
    if scanner.rest_bytes > limit:
        raise SourceError(
            f"{path}: what stands around its records has {scanner.rest_bytes:,} bytes; source.max_record_bytes is "
            f"{limit:,}: raise it"
        )
    return Wrapper(scanner.rest, scanner.spans)


class _Walk(Scanner):
    """The state of walking through one wrapper: the names that lead to where it stands."""

    def __init__(self, stream: ByteStream, layout: Layout, limit: int) -> None:
        super().__init__(stream, Checkpoint(), limit)
        self._members = {tuple(pointer.strip("/").split("/")) for pointer in layout.members}
        self._inner = {path[:length] for path in self._members for length in range(len(path))}
        self._path: list[str] = []
        self._in_object = self._in_items = self._is_past = False

    def _is_items(self, at: int) -> bool:
        """Return whether the array of a member, from this byte on, is walked through."""
        raise NotImplementedError

    def _end_of_items(self) -> None:
        """Note that the array ends here."""

    def _keep(self, path: tuple[str, ...], value: bytes, rejection: Rejection | None, place: tuple[int, int]) -> None:
        """Take a value that is no item, with the line and byte that it begins at."""
        raise NotImplementedError

    def _next(self) -> bool:
        self._pass(in_window(BETWEEN, self._window, self._at))
        if self._at >= len(self._window):
            if self._more():
                return True
            if self._in_object:
                raise Unreadable("json-truncated", "the file ends before its object does")
            return False
        first = self._window[self._at]
        if self._in_items and first == _CLOSE_ARRAY:
            self._end_of_items()
            self._in_items = False
            self._path.pop()
            self._pass(self._at + 1)
        elif self._in_items or not self._in_object:
            if first != _OPEN or self._in_items or self._is_past:
                self._element(first)
            else:
                self._in_object = True
                self._pass(self._at + 1)
        elif first == _CLOSE:
            self._pass(self._at + 1)
            if self._path:
                self._path.pop()
            else:
                self._in_object, self._is_past = False, True
        elif first == _QUOTE:
            self._member()
        else:
            self._element(first)
        return True

    def _member(self) -> None:
        """Read a name, and step into its value, or keep it."""
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
        if path in self._members and first == _OPEN_ARRAY and self._is_items(self._base + self._at + 1):
            self._in_items = True
            self._path.append(name)
            self._pass(self._at + 1)
        elif path in self._inner and first == _OPEN:
            self._path.append(name)
            self._pass(self._at + 1)
        else:
            place = self._line, self._base + self._at
            self._keep(path, *self._value(first), place)

    def _after_blanks(self) -> int:
        while True:
            self._pass(in_window(BETWEEN, self._window, self._at))
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                raise Unreadable("json-truncated", "the file ends before its object does")


class _Reading(_Walk):
    """Gives the items in the spans, and what cannot be read around them; goes on where a checkpoint stands."""

    def __init__(self, stream: ByteStream, layout: Layout, limit: int, spans: list[Span], after: Checkpoint) -> None:
        super().__init__(stream, layout, limit)
        self._spans, self._from = spans, after

    def _start(self) -> None:
        super()._start()
        before = [span for span in self._spans if span.start <= self._from.offset]
        if not before:
            return
        span = before[-1]
        is_inside = self._from.offset <= span.end
        self._go_to(self._from.offset if is_inside else span.end, self._from.line if is_inside else span.end_line)
        self._path = span.pointer.strip("/").split("/")
        self._in_object = self._in_items = True

    def _is_items(self, at: int) -> bool:
        return any(span.start == at for span in self._spans)

    def _keep(self, path: tuple[str, ...], value: bytes, rejection: Rejection | None, place: tuple[int, int]) -> None:
        if rejection is not None or not _is_json(value):  # whoever decodes it says what is wrong with it
            self._append(value, *place, rejection)

    def _append(self, item: bytes, line: int, offset: int, rejection: Rejection | None) -> None:
        if offset >= self._from.offset:
            super()._append(item, line, offset, rejection)


class _Around(_Walk):
    """Collects what stands around the items, and where they stand, up to the end of the first object."""

    def __init__(self, stream: ByteStream, layout: Layout, limit: int) -> None:
        super().__init__(stream, layout, limit)
        self.rest: dict[str, Any] = {}
        self.rest_bytes = 0
        self.spans: list[Span] = []
        self._is_empty_wrapper = False
        self._array_start = 0
        self._has_objects = False
        self._others: list[bytes] = []  # elements of the array in hand, as long as none is an object
        self._others_bytes = 0

    def is_wrapper(self, layout: Layout) -> bool:
        """Return whether an object of items was read: one with objects in its members, or none but of no other kind."""
        if self.rest.keys() & set(layout.alone):
            return False
        return bool(self.spans) or (self._is_empty_wrapper and not self.rest.keys() & set(layout.own))

    def _next(self) -> bool:
        return super()._next() and not self._is_past

    def _is_items(self, at: int) -> bool:
        self._array_start, self._has_objects, self._others, self._others_bytes = at, False, [], 0
        return True

    def _element(self, first: int) -> None:
        if not self._in_object:
            self._is_past = True  # the file begins with something else
            return
        value, rejection = self._value(first)
        if not self._in_items or self._has_objects:
            return
        if first == _OPEN:
            self._has_objects, self._others = True, []
            self.rest_bytes -= self._others_bytes
        else:
            length = len(value) if rejection is None else rejection.raw_length or 0
            self.rest_bytes += length
            self._others_bytes += length
            if self.rest_bytes <= self._limit:
                self._others.append(value)

    def _end_of_items(self) -> None:
        if self._has_objects:
            pointer = "/" + "/".join(self._path)
            self.spans.append(Span(pointer, self._array_start, self._base + self._at, self._line))
        elif self._others:  # a list of texts or numbers is a field of that name
            self._put(tuple(self._path), [_decoded(value) for value in self._others])
        else:
            self._is_empty_wrapper = True

    def _keep(self, path: tuple[str, ...], value: bytes, rejection: Rejection | None, place: tuple[int, int]) -> None:
        self.rest_bytes += len(value) if rejection is None else rejection.raw_length or 0
        if rejection is None and self.rest_bytes <= self._limit and _is_json(value):
            self._put(path, msgspec.json.decode(value))

    def _put(self, path: tuple[str, ...], value: Any) -> None:
        holder = self.rest
        for name in path[:-1]:
            if not isinstance(holder.get(name), dict):
                holder[name] = {}  # of a name given twice the last wins
            holder = holder[name]
        holder[path[-1]] = value

    def _append(self, item: bytes, line: int, offset: int, rejection: Rejection | None) -> None:
        """Keep no item; an array that the file's end cuts is as long as the file."""
        if self._in_items and self._has_objects:
            pointer = "/" + "/".join(self._path)
            self.spans.append(Span(pointer, self._array_start, _FAR, line))


_FAR = 1 << 62


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _decoded(value: bytes) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return value.decode("utf-8", "replace")
