"""CSV and TSV → items: each row as a JSON object of its cells, under the names of the first row.

Rule: cells stay text, a format decides what they mean; a row that is not valid costs itself only. A row may span
lines (quoted); an open quote is given up at the record limit, and reading goes on after its first line. Columns are
divided as the suffix says, or, where that does not divide the first row, by what does.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from functools import partial
from typing import Final, Literal

import msgspec

from membatch.cells import COLUMNS, unguarded
from membatch.config import SourceSettings
from membatch.plan import Checkpoint, Rejection
from membatch.source.chunk import BYTES_PER_CHUNK, Chunk
from membatch.source.jsonl import UTF8_BOM
from membatch.source.stream import ByteStream, Unreadable, refuse_other_kinds
from membatch.source.unreadable import remainder, too_long

_ROWS_PER_CHUNK: Final = 2000
_DELIMITERS: Final = (";", "\t", "|", ",")
_QUOTED: Final = re.compile(r'"[^"]*"')  # what remains without it


class _Lines:
    """The lines of a stream, each with its newline; knows the number and offset of the next one."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ready: list[bytes] = []  # reversed, so that the next line is taken from the end
        self._carry = b""
        self.line, self.offset = 1, 0
        self.taken: list[bytes] = []
        self.fault: Unreadable | None = None
        self.cut = b""  # the beginning of the line in which the stream broke off

    def next(self) -> bytes:
        """Return the next line, b"" at the end; a damaged stream ends, and `fault` says why."""
        while not self._ready and self.fault is None:
            try:
                data = self._stream.read()
            except Unreadable as fault:
                self.fault, self.cut, self._carry = fault, self._carry, b""
                break
            lines = _split(self._carry + data)
            self._carry = lines.pop() if data else b""
            self._ready = [line for line in reversed(lines) if line]
            if not data:
                break
        if not self._ready:
            return b""
        line = self._ready.pop()
        self.line += 1
        self.offset += len(line)
        self.taken.append(line)
        return line

    def go_to(self, line: int, offset: int) -> None:
        """Go on at a line that is not behind, given with its number; of a plain file nothing before it is read."""
        if offset <= self.offset:
            return
        at = self.offset + sum(map(len, self._ready)) + len(self._carry)
        if offset < at:
            left = b"".join(reversed(self._ready)) + self._carry
            *lines, self._carry = _split(left[offset - self.offset :])
            self._ready = lines[::-1]
        else:
            self._ready, self._carry = [], b""
            try:
                self._stream.go_to(offset)
            except Unreadable as fault:
                self.fault = fault
        self.line, self.offset = line, offset

    def put_back(self, lines: list[bytes]) -> None:
        """Give lines back, so that they are read again."""
        self._ready.extend(reversed(lines))
        self.line -= len(lines)
        self.offset -= sum(map(len, lines))


def _split(data: bytes) -> list[bytes]:
    """Return the lines of some bytes with their newlines; the last one is without, perhaps empty."""
    *lines, rest = data.split(b"\n")
    return [line + b"\n" for line in lines] + [rest]


def read(
    delimiter: str,
    path: str,
    after: Checkpoint,
    settings: SourceSettings,
    *,
    columns: tuple[str, ...] = (),
    quoted: bool = True,
) -> Iterator[Chunk]:
    """Yield the rows of a file from the checkpoint on; `columns` stand for a first row that is not there."""
    stream = ByteStream(path)
    try:
        yield from _Table(_Lines(stream), delimiter, settings.max_record_bytes, columns, quoted).chunks(after)
    finally:
        stream.close()


read_csv = partial(read, ",")
read_tsv = partial(read, "\t")


class _Table:
    """The state of reading one table: its header, its lines, the limit."""

    def __init__(self, lines: _Lines, delimiter: str, limit: int, columns: tuple[str, ...], quoted: bool) -> None:
        self._lines, self._delimiter, self._limit = lines, delimiter, limit
        self._quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        csv.field_size_limit(limit)
        self._columns = list(columns)
        self._header: list[str] = []
        self._is_ours = False  # written by `membatch export`

    def chunks(self, after: Checkpoint) -> Iterator[Chunk]:
        """Yield all rows after the checkpoint; the header is read in any case."""
        header = self._columns or self._first_row()
        if header is None:
            if self._lines.fault is not None and after.offset == 0:
                yield self._chunk()
            return
        first = header if isinstance(header, Rejection) else None
        self._header = [] if isinstance(header, Rejection) else header
        self._is_ours = tuple(self._header) == COLUMNS
        if first is None and len(set(self._header)) < len(self._header):
            first = remainder("csv-malformed", "a column name occurs twice in the first row")
        if first is not None:
            if after.offset == 0:
                yield Chunk([b""], [1], [0], {0: first}, self._lines.line, self._lines.offset, ends=True)
            return
        self._lines.go_to(after.line, after.offset)
        while True:
            chunk = self._chunk()
            if not chunk.items:
                return
            yield chunk

    def _first_row(self) -> list[str] | Rejection | None:
        """Return the names of the columns, divided by what divides them, without blanks around them."""
        row = self._row()
        is_whole = row is None or (len(row) != 1 if isinstance(row, list) else row.code != "csv-malformed")
        if not is_whole:
            line = self._lines.taken[0]
            text = _QUOTED.sub("", line.decode("utf-8", "replace"))
            counts = {mark: text.count(mark) for mark in _DELIMITERS}
            most = max(counts, key=counts.__getitem__)
            if counts[most] and not counts[self._delimiter]:
                self._delimiter = most
                # Of a row that is not valid, the lines behind the first were given back.
                self._lines.put_back(self._lines.taken if isinstance(row, list) else [line])
                row = self._row()
        if isinstance(row, Rejection):
            try:
                refuse_other_kinds(self._lines.taken[0])
            except Unreadable as fault:
                return remainder(fault.code, str(fault), self._lines.taken[0])
        return [name.strip() for name in row] if isinstance(row, list) else row

    def _chunk(self) -> Chunk:
        items: list[bytes] = []
        lines: list[int] = []
        offsets: list[int] = []
        rejected: dict[int, Rejection] = {}
        start, ends = self._lines.offset, False
        while len(items) < _ROWS_PER_CHUNK and self._lines.offset - start < BYTES_PER_CHUNK:
            line, offset = self._lines.line, self._lines.offset
            row = self._row()
            if row is None:
                if self._lines.fault is not None:
                    fault, self._lines.fault, ends = self._lines.fault, None, True
                    rejected[len(items)] = remainder(fault.code, str(fault), self._lines.cut)
                    items.append(b"")
                    lines.append(line)
                    offsets.append(offset)
                break
            if not row:
                continue
            outcome = row if isinstance(row, Rejection) else self._item(row)
            if isinstance(outcome, Rejection):
                rejected[len(items)] = outcome
                outcome = b""
            items.append(outcome)
            lines.append(line)
            offsets.append(offset)
        return Chunk(items, lines, offsets, rejected, self._lines.line, self._lines.offset, ends)

    def _item(self, row: list[str]) -> bytes | Rejection:
        if len(row) > len(self._header):
            message = f"the row has {len(row)} cells, the first row names {len(self._header)} columns"
            return self._rejection("csv-malformed", message)
        if self._is_ours:
            row = [unguarded(cell) for cell in row]
        return msgspec.json.encode(dict(zip(self._header, row, strict=False)))

    def _row(self) -> list[str] | Rejection | None:
        """Return the next row's cells, an empty list for a blank line, None at the end."""
        self._lines.taken = []
        size = 0

        def texts() -> Iterator[str]:
            nonlocal size
            while data := self._lines.next():
                size += len(data)
                if size > self._limit:
                    raise csv.Error("over the limit")
                start = UTF8_BOM if self._lines.offset == len(data) and data.startswith(UTF8_BOM) else b""
                yield data.removeprefix(start).decode()

        try:
            row = next(csv.reader(texts(), delimiter=self._delimiter, quoting=self._quoting, strict=True), None)
        except UnicodeDecodeError as error:
            return self._rejection("encoding", f"not UTF-8: {error.reason}")
        except csv.Error as error:
            if size > self._limit:
                return self._give_up()
            rejection = self._rejection("csv-malformed", f"not valid CSV: {error}")
            if len(self._lines.taken) > 1:
                self._lines.put_back(self._lines.taken[1:])
            return rejection
        if row is not None and "".join(row).strip() == "" and len(row) <= 1:
            return []
        return row

    def _give_up(self) -> Rejection:
        taken = self._lines.taken
        if len(taken) > 1:
            self._lines.put_back(taken[1:])
            return remainder("csv-malformed", "a quote opens here and is not closed within the limit", taken[0])
        sha256 = hashlib.sha256(taken[0]).hexdigest()
        return too_long(taken[0], len(taken[0]), sha256, self._limit)

    def _rejection(self, code: str, message: str) -> Rejection:
        raw = b"".join(self._lines.taken)
        return Rejection(category="source", code=code, message=message, raw=raw)
