"""The table `fingerprint` → blocks of columns, for the index of a store that is opened.

Rule: no object is made for a row; SQLite packs what a block holds, and what it packed must add up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from membatch.errors import StoreError
from membatch.plan import Fingerprints
from membatch.store.driver import ours
from membatch.store.queries import query

# Rows; the longest text has 50,000 tokens of 8 bytes, and SQLite packs at most a billion bytes.
_BLOCK: Final = 2_000
_HASHES: Final = 32  # bytes, digest and content hash
_TOKEN: Final = 8
_MOST_MEMORIES: Final = 2**32  # the index keeps their keys in 32 bits
_SIZE: Final = (1 << 18) - 1
_SUPERSEDED, _STANDS = 1, 2


def fingerprint_blocks(connection: sqlite3.Connection) -> Iterator[Fingerprints]:
    """Yield all fingerprints. Raises StoreError where they are damaged."""
    execute = connection.execute
    with ours():
        (as_bytes,) = execute(query("appends_bytes")).fetchone()
        (ahead,) = execute(query("count_fingerprints")).fetchone()
        size, last = _BLOCK if as_bytes else _BLOCK // 2, 0
        while (first := execute(query("next_fingerprint"), (last,)).fetchone()[0]) is not None:
            last = first + size - 1
            count, *packed = execute(query("fingerprints"), (first, last, not as_bytes)).fetchone()
            yield _columns(count, packed, ahead, bytes if as_bytes else _from_digits)
            ahead -= count


def _columns(count: int, packed: list[Any], ahead: int, to_bytes: Any) -> Fingerprints:
    # One number a row: its memory; 18 bits of how many tokens it has and one, 0 where they are not made yet; and two
    # of whether its content leads to the memory no longer, or is the founder's and does.
    facts, id_hashes, hashes, scopes, tokens = packed
    rows = _integers(facts)
    memories, sizes, state = rows >> 20, rows >> 2 & _SIZE, rows & 3
    stands = state == _STANDS
    found = Fingerprints(
        memories=memories,
        id_hashes=_integers(id_hashes),
        superseded=state == _SUPERSEDED,
        stands=stands,
        hashes=to_bytes(hashes),
        scopes=msgspec.json.decode(scopes),
        sizes=sizes[stands & (sizes > 0)] - 1,
        tokens=to_bytes(tokens or b""),
        ahead=ahead,
    )
    adds_up = len(found.hashes) == _HASHES * count and len(found.tokens) == _TOKEN * int(found.sizes.sum())
    if not adds_up or memories.max() >= _MOST_MEMORIES:
        raise StoreError("the fingerprints of this store are damaged: see `membatch check`")
    return found


def _integers(text: str) -> npt.NDArray[np.int64]:
    return np.fromstring(text, np.int64, sep=",")


def _from_digits(packed: bytes) -> bytes:
    return bytes.fromhex(packed.replace(b"\0", b"").decode())  # in UTF-16 each digit has an empty half
