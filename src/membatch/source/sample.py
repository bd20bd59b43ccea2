"""The beginning of a file, by which its format is recognised.

Rule: a look never fails and never reads much; what cannot be read now is rejected when it is read in earnest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from membatch.config import SourceSettings
from membatch.errors import SourceError
from membatch.layout import Layout, Sample
from membatch.plan import Checkpoint
from membatch.source.jsonl import UTF8_BOM
from membatch.source.names import TEXTS, reader_of, stem_of, suffix_of
from membatch.source.sql import is_database
from membatch.source.stream import STANDARD_INPUT, ByteStream, Unreadable

_VALUES: Final = 20
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["\[\]{},]', re.DOTALL)


def sample_of(path: str, settings: SourceSettings) -> Sample:
    """Return the first values of a file, of a JSON file those in its first mebibyte, the last one cut short."""
    name = "" if path == STANDARD_INPUT else stem_of(path) if is_database(path) else Path(path).name
    if suffix_of(path) == ".json":
        value = decoded_head(_head(path))
        values = value[:_VALUES] if isinstance(value, list) else [value]
        return Sample(name, tuple(item for item in values if item is not None))
    chunks = reader_of(path, Layout(suffixes=tuple(TEXTS))).read(path, Checkpoint(), settings)
    try:
        first = next(iter(chunks), None)
    except SourceError:
        first = None
    if first is None:
        return Sample(name, ())
    items = [item for number, item in enumerate(first.items[:_VALUES]) if number not in first.rejected]
    return Sample(name, decoded(items))


def decoded(items: Sequence[bytes]) -> tuple[Any, ...]:
    """Return those of the first items that are JSON."""
    values = []
    for item in itertools.islice(items, _VALUES):
        try:
            values.append(msgspec.json.decode(item))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
    return tuple(values)


def _head(path: str) -> bytes:
    try:
        stream = ByteStream(path)
    except SourceError:
        return b""
    try:
        return stream.read().removeprefix(UTF8_BOM)
    except Unreadable:
        return b""
    finally:
        stream.close()


def decoded_head(head: bytes) -> Any:
    """Return the first JSON value of some bytes, as far as it goes: what is cut is left out; None if unreadable."""
    opened: list[bytes] = []
    cut, depth = 0, 0
    for token in _TOKEN.finditer(head):
        sign = head[token.start() : token.start() + 1]
        if sign == b'"' and token.end() - token.start() == 1:
            break  # a text that is cut
        if sign in b"[{":
            opened.append(b"]" if sign == b"[" else b"}")
            cut, depth = token.end(), len(opened)
        elif sign in b"]}":
            if opened:
                opened.pop()
            cut, depth = token.end(), len(opened)
            if not opened:
                break
        elif sign == b",":
            cut, depth = token.start(), len(opened)
    try:
        return msgspec.json.decode(head[:cut] + b"".join(reversed(opened[:depth])))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
