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
_SIZE: Final = (1 << 17) - 1
_SUPERSEDED, _STANDS = 1, 2


def fingerprint_blocks(connection: sqlite3.Connection) -> Iterator[Fingerprints]:
    """Yield all fingerprints. Raises StoreError where they are damaged."""
    execute = connection.execute
    with ours():
        (as_bytes,) = execute(query("appends_bytes")).fetchone()
        ahead, newest = execute(query("count_fingerprints")).fetchone()
        if ahead and not 0 < newest < _MOST_MEMORIES:
            raise _damaged()
        size, last = _BLOCK if as_bytes else _BLOCK // 2, 0
        while (first := execute(query("next_fingerprint"), (last,)).fetchone()[0]) is not None:
            last = first + size - 1
            count, *packed, scope, other = execute(query("fingerprints"), (first, last, not as_bytes)).fetchone()
            scopes = [scope]  # mostly a block has one, and not to list it for each row is a tenth of the time
            if scope != other:
                scopes = msgspec.json.decode(execute(query("fingerprint_scopes"), (first, last)).fetchone()[0])
            yield _columns(count, packed, scopes, ahead, bytes if as_bytes else _from_digits)
            ahead -= count


def _columns(count: int, packed: list[Any], scopes: list[str], ahead: int, to_bytes: Any) -> Fingerprints:
    # One number a row: its memory; 17 bits of how many tokens it has and one, 0 where they are not made yet; and three
    # of whether its content leads to the memory no longer, or is the founder's and does.
    facts, id_hashes, hashes, tokens = packed
    rows = _integers(facts)
    memories, sizes, state = rows >> 20, rows >> 3 & _SIZE, rows & 7
    stands = state == _STANDS
    found = Fingerprints(
        memories=memories,
        id_hashes=_integers(id_hashes),
        superseded=state == _SUPERSEDED,
        stands=stands,
        hashes=to_bytes(hashes),
        scopes=scopes * int(stands.sum()) if len(scopes) == 1 else scopes,
        sizes=sizes[stands & (sizes > 0)] - 1,
        tokens=to_bytes(tokens or b""),
        ahead=ahead,
    )
    if len(found.hashes) != _HASHES * count or len(found.tokens) != _TOKEN * int(found.sizes.sum()):
        raise _damaged()
    return found


def _damaged() -> StoreError:
    return StoreError("the fingerprints of this store are damaged: see `membatch check`")


def _integers(text: str) -> npt.NDArray[np.int64]:
    return np.fromstring(text, np.int64, sep=",")


def _from_digits(packed: bytes) -> bytes:
    return bytes.fromhex(packed.replace(b"\0", b"").decode())  # in UTF-16 each digit has an empty half
