"""New memories → a few long values, from which SQLite cuts the rows of a statement itself.

Rule: one statement for thousands of rows: it takes half the time of binding each value, and works without the
interpreter's lock. The database writes texts in UTF-8: it takes their bytes as they are. Data in: `Founding`. Data
out: the values that `insert_memories` and `insert_founders` name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from membatch.store.rows import Founding

_ROWS, _BYTES = 2_500, 4 << 20  # of one statement, about: its values are held twice while it runs
_DIGITS: Final = 10  # of a place, as the queries read it
_TEN: Final = np.uint32(10)
_ZERO: Final = np.uint32(ord("0"))


def pieces(new: Founding) -> Iterator[Founding]:
    """Yield new memories in pieces of one statement each."""
    count, length = len(new.ids), sum(map(len, new.documents))
    rows = max(1, min(_ROWS, _BYTES * count // max(1, length)))
    for start in range(0, count, rows):
        yield new.piece(start, start + rows)


def packed(new: Founding, batch: int) -> dict[str, Any]:
    """Return the values of the statements that write new memories and their founders' fingerprints.

    `ids` and `id_hashes` are JSON arrays, whose elements number the rows; the other columns stand one after the
    other, digests and hashes with 16 bytes each, the rest where `places` says: for each row where its match scope
    begins and how long it is, then its record, then its tokens, ten digits each.
    """
    has_one_scope = new.scopes.count(new.scopes[0]) == len(new.scopes)
    scopes = [] if has_one_scope else [scope.encode() for scope in new.scopes]
    tokens = new.tokens or []
    places = [place for column in (scopes, new.documents, tokens) for place in _places(column, len(new.ids))]
    return {
        "first": new.first,
        "batch": batch,
        "ids": msgspec.json.encode(new.ids).decode(),
        "id_hashes": msgspec.json.encode(new.id_hashes).decode(),
        "places": _in_digits(np.stack(places, axis=1)),
        "scope": new.scopes[0] if has_one_scope else None,
        "scopes": b"".join(scopes),
        "records": b"".join(new.documents),
        "tokens": None if new.tokens is None else b"".join(tokens),
        "digests": b"".join(new.digests),
        "content_hashes": b"".join(new.content_hashes),
    }


def _places(column: Sequence[bytes], count: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return where each value of a column begins, from 1, when they stand one after the other, and its length."""
    lengths = np.fromiter(map(len, column), np.uint32, count) if column else np.zeros(count, np.uint32)
    return np.cumsum(lengths, dtype=np.uint32) - lengths + np.uint32(1), lengths


def _in_digits(numbers: npt.NDArray[np.uint32]) -> bytes:
    """Return numbers in decimal, ten digits each."""
    digits = np.empty((*numbers.shape, _DIGITS), np.uint8)
    for place in range(_DIGITS - 1, -1, -1):
        tenth = numbers // _TEN
        digits[..., place] = numbers - tenth * _TEN + _ZERO
        numbers = tenth
    return digits.tobytes()
