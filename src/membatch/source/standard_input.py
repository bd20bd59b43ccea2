"""Standard input: JSON lines, or one JSON document as a `.json` file would hold it.

Rule: lines are streamed; a document, which is read twice, is put into a private temporary file first, so that memory
use does not depend on it. What it is, its first two lines say.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from functools import lru_cache
from typing import BinaryIO, Final, NamedTuple, Protocol

import msgspec

from membatch.errors import SourceError

# Of a first line without an end so much is looked at: what goes on after that is a document.
_LONGEST_LINE: Final = 1 << 24
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UTF8_BOM: Final = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What gives bytes, at most so many at a time."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, b"" at the end."""


class StandardInput(NamedTuple):
    """What standard input holds: a document in a file of its own, or a stream of lines."""

    document: BinaryIO | None
    lines: Readable

    def opened(self) -> Readable:
        """Return the bytes from the beginning; those of lines can be read once only."""
        return self.lines if self.document is None else _FromStart(self.document)


def standard_input() -> StandardInput:
    """Return what this process was given on standard input; raises SourceError where it cannot be kept."""
    if sys.stdin is None:
        raise SourceError("standard input is closed: pipe the data into `membatch run -`, or name a file")
    return _looked_at(sys.stdin.buffer)


@lru_cache(maxsize=1)
def _looked_at(stream: BinaryIO) -> StandardInput:
    lines: list[bytes] = []
    spoken: list[bytes] = []
    while len(spoken) < 2 and sum(map(len, lines)) < _LONGEST_LINE and (line := stream.readline(_LONGEST_LINE)):
        lines.append(line)
        spoken += [line] if line.strip() else []
    head = _Head(b"".join(lines), stream)
    if not is_document(*spoken):
        return StandardInput(None, head)
    try:
        file = tempfile.TemporaryFile(prefix="membatch-")
        shutil.copyfileobj(head, file, 1 << 20)
    except OSError as error:
        raise SourceError(
            f"standard input is one JSON document and cannot be put into a temporary file: {error.strerror}: "
            "save it to a file and name that"
        ) from None
    return StandardInput(file, head)


def is_document(first: bytes = b"", following: bytes = b"") -> bool:
    """Return whether one JSON document begins so, and not JSON lines."""
    text = first.removeprefix(_UTF8_BOM).strip()
    if text[:1] != b"{":
        return text[:1] == b"["
    if _is_whole(text):
        return not following.strip()
    if len(first) >= _LONGEST_LINE or not following.strip():
        return True  # of a document on one line that is damaged, the items that are whole are read
    if text[-1:] not in (b"{", b"[", b",", b":"):
        return False
    return _innermost(text) == b"[" or not _is_whole(following.strip())


def _is_whole(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _innermost(text: bytes) -> bytes:
    """Return the bracket that was opened last and is not closed, b"" where there is none."""
    opened: list[bytes] = []
    for bracket in re.findall(rb"[\[\]{}]", _TEXT.sub(b"", text)):
        if bracket in b"[{":
            opened.append(bracket)
        elif opened:
            opened.pop()
    return opened[-1] if opened else b""


class _Head:
    """A stream of which the beginning was read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._stream.read(size)
        data, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
        return data


class _FromStart:
    """A file read from its start, whoever else reads it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data
