"""The table `fingerprint` → blocks of columns, for the index of a store that is opened.

Rule: no object is made for a row; SQLite packs what a block holds, and what it packed must add up. It packs the next
block in another thread meanwhile, which hardly ever needs the interpreter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from membatch.errors import StoreError
from membatch.plan import Fingerprints
from membatch.store.driver import ours
from membatch.store.queries import query
from membatch.threads import other_thread

# Rows; the longest text has 50,000 tokens of 8 bytes, and SQLite packs at most a billion bytes. Each byte takes four
# where texts are UTF-16.
_BLOCK: Final = 2_000
_HASHES: Final = 4  # words of 8 bytes, digest and content hash
_WORD: Final = 8
_MOST_MEMORIES: Final = 2**32  # the index keeps their keys in 32 bits
_LENGTH: Final = (1 << 20) - 1
_SUPERSEDED, _FOUNDER = 1, 2


class _Packed(NamedTuple):
    """The rows of a block as SQLite packs them; they end with the row `last`, or before it."""

    last: int
    size: int
    facts: str
    id_hashes: str
    words: bytes
    scopes: list[str]


def fingerprint_blocks(connection: sqlite3.Connection) -> Generator[Fingerprints]:
    """Yield all fingerprints. Raises StoreError where they are damaged."""
    execute = connection.execute
    with ours(), other_thread("reader") as reader:
        (as_bytes,) = execute(query("appends_bytes")).fetchone()
        ahead, newest = execute(query("count_fingerprints")).fetchone()
        if ahead and not 0 < newest < _MOST_MEMORIES:
            raise _damaged()
        next_one = reader.submit(_packed, connection, 0, as_bytes, "")
        while (packed := next_one.result()) is not None:
            next_one = reader.submit(_packed, connection, packed.last, as_bytes, packed.scopes[-1])
            yield _columns(packed, ahead)
            ahead -= packed.size


def _packed(connection: sqlite3.Connection, after: int, as_bytes: bool, scope: str) -> _Packed | None:
    """Return the block that comes after a row, None where there is none; the block before it ended with a scope."""
    execute = connection.execute
    (first,) = execute(query("next_fingerprint"), (after,)).fetchone()
    if first is None:
        return None
    last = first + (_BLOCK if as_bytes else _BLOCK // 4) - 1
    row = execute(query("fingerprints"), (first, last, not as_bytes, scope)).fetchone()
    size, facts, id_hashes, words, others = row
    scopes = [scope]  # mostly a block has one, and not to list it for each row is a tenth of the time
    if others:
        scopes = msgspec.json.decode(execute(query("fingerprint_scopes"), (first, last)).fetchone()[0])
    return _Packed(last, size, facts, id_hashes, words if as_bytes else _from_digits(words), scopes or [scope])


def _columns(packed: _Packed, ahead: int) -> Fingerprints:
    # One number a row: its memory; 20 bits of how long its tokens are and one more, 0 where they are not made yet; and
    # two of whether it is a founder's, and whether its content leads to the memory no longer.
    rows = _integers(packed.facts)
    (sizes, odd), state = np.divmod(rows >> 2 & _LENGTH, _WORD), rows & 3
    stands, scopes = state == _FOUNDER, packed.scopes
    lengths = _HASHES + np.maximum(sizes - 1, 0)
    if odd.any() or len(packed.words) != _WORD * int(lengths.sum()):
        raise _damaged()
    words = np.frombuffer(packed.words, np.uint64)
    hashes = (np.cumsum(lengths) - lengths)[:, np.newaxis] + np.arange(_HASHES)
    are_tokens = np.repeat(stands, lengths)
    are_tokens[hashes] = False
    return Fingerprints(
        memories=rows >> 22,
        id_hashes=_integers(packed.id_hashes),
        superseded=state & _SUPERSEDED != 0,
        stands=stands,
        hashes=words[hashes],
        scopes=scopes * int(stands.sum()) if len(scopes) == 1 else scopes,
        sizes=sizes[stands & (sizes > 0)] - 1,
        tokens=words[are_tokens],
        ahead=ahead,
    )


def _damaged() -> StoreError:
    return StoreError("the fingerprints of this store are damaged: see `membatch check`")


def _integers(text: str) -> npt.NDArray[np.int64]:
    try:
        return np.fromstring(text, np.int64, sep=",")
    except ValueError:
        raise _damaged() from None


def _from_digits(packed: bytes) -> bytes:
    return bytes.fromhex(packed.replace(b"\0", b"").decode())  # in UTF-16 each digit has an empty half
