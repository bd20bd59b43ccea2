"""Compiled loops over flat arrays; nothing here knows of records, stores or settings.

Rule: a kernel is called once a batch and allocates nothing that its caller could have given. Tables use open
addressing with linear probing; a slot holds a row number, -1 when it is free; any capacity works, because a
slot is chosen by the upper bits of the key (Lemire's multiply-shift reduction).
"""

from __future__ import annotations

import numba
import numpy as np

_compile = numba.njit(cache=True, nogil=True, boundscheck=False)

_EMPTY = np.int32(-1)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@numba.njit(inline="always")
def _slot(key: np.uint64, capacity: int) -> int:
    spread = (key * _MIX) >> np.uint64(32)
    return np.int64((spread * np.uint64(capacity)) >> np.uint64(32))


@_compile
def put_unique(slots, keys, checks, start, stop):
    """Enter rows start..stop by (key, check); a row whose pair is known already is left out."""
    capacity = slots.size
    for row in range(start, stop):
        at = _slot(keys[row], capacity)
        while slots[at] != _EMPTY:
            other = slots[at]
            if keys[other] == keys[row] and checks[other] == checks[row]:
                break
            at = at + 1 if at + 1 < capacity else 0
        if slots[at] == _EMPTY:
            slots[at] = row


@_compile
def put_chained(slots, keys, following, start, stop):
    """Enter rows start..stop by key; rows of one key form a chain, the newest first."""
    capacity = slots.size
    for row in range(start, stop):
        at = _slot(keys[row], capacity)
        while slots[at] != _EMPTY and keys[slots[at]] != keys[row]:
            at = at + 1 if at + 1 < capacity else 0
        following[row] = slots[at]
        slots[at] = row


@_compile
def find_unique(slots, keys, checks, wanted, wanted_checks, found):
    """For each wanted (key, check) write its row, or -1."""
    capacity = slots.size
    for number in range(wanted.size):
        at = _slot(wanted[number], capacity)
        found[number] = -1
        while slots[at] != _EMPTY:
            row = slots[at]
            if keys[row] == wanted[number] and checks[row] == wanted_checks[number]:
                found[number] = row
                break
            at = at + 1 if at + 1 < capacity else 0


@_compile
def find_heads(slots, keys, wanted, found):
    """For each wanted key write the head row of its chain, or -1."""
    capacity = slots.size
    for number in range(wanted.size):
        at = _slot(wanted[number], capacity)
        found[number] = -1
        while slots[at] != _EMPTY:
            row = slots[at]
            if keys[row] == wanted[number]:
                found[number] = row
                break
            at = at + 1 if at + 1 < capacity else 0
