"""The compiled loop that probes the postings of a join with rows, and verifies what it meets.

Rule: exact. Prefix, length, position and bitmap filters only leave out what cannot reach the threshold, which is
a ratio of two integers; no comparison uses a float. Filters: Xiao et al., PPJoin (WWW 2008); two tokens in common
after Wang, Li and Feng (SIGMOD 2012); the comparison by Mann, Augsten and Bouros (VLDB 2016); bitmaps after Sandes,
Teodoro and Melo (ICDE 2020).

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from membatch.similarity.kernels import _ceil_ratio, _compile, _inline, _ones, bit_of, prefetch
from membatch.similarity.posting_kernels import (
    FARTHEST,
    FOLDED,
    FOR_ALL,
    LAST_PLACE,
    LENGTH,
    ROW,
    SHORTEST,
    SORTED,
    UNSPLIT,
    WIDEST,
    clamped,
    folded,
    reach_of,
    second_of,
    size_of,
    start_of,
)

SEARCH = 64  # entries that can be looked at while one is searched for
LINE, AHEAD = 8, 512  # entries that a processor reads from memory at once, and after which it reads ahead by itself
NEAR = 16  # entries beside a guess
_BYTE = np.uint64(0xFF)
_LARGEST_ROW = 1 << 30  # tokens: at the lowest thresholds a row reaches farther than 32 bits do
_BELOW_SIZE = np.uint64((1 << 40) - 1)  # what an entry for one second has below its size


# What `found` holds of a hit, in its columns.
RECORD, FOUND, SHARED, UNION = 0, 1, 2, 3


class Room(NamedTuple):
    """What a join works in when it looks for hits, and where it puts them."""

    seen: Any  # int32, a stamp for each row that was met
    met: Any  # uint64, entries
    fits: Any  # uint8, which of a list's entries fit
    found: Any  # int32 (n, 4): record, row, shared, union
    counted: Any  # int64: rows met, pairs verified


class _Asker(NamedTuple):
    """A row with its token at a place, on the look-out for rows that could be similar and have that token."""

    row: Any
    size: Any
    place: Any
    behind: Any  # the bitmap of its tokens behind the place
    least: Any  # how many tokens the others may have
    most: Any


@_inline
def _least_at(slab, start, stop, value):
    """Return where the first entry is, of those sorted in start..stop, that is at least a value."""
    length = stop - start
    while length > 1:
        half = length >> 1
        start += half * (slab[start + half - 1] < value)  # without a branch that could be foreseen wrongly
        length -= half
    return start + (length == 1 and slab[start] < value)


@_inline
def _verify(row, other, needed, rows):
    """Return how many tokens two rows share, or fewer than needed if that is not reached."""
    tokens, offsets, signatures = rows.tokens, rows.offsets, rows.signatures
    shared = _ones(signatures[row, 0] & signatures[other, 0])  # the frequent ones, which come last
    left, left_end = offsets[row], offsets[row + 1] - _ones(signatures[row, 0])
    right, right_end = offsets[other], offsets[other + 1] - _ones(signatures[other, 0])
    while left < left_end and right < right_end:
        if shared + min(left_end - left, right_end - right) < needed:
            break
        mine, theirs = tokens[left], tokens[right]
        if mine == theirs:
            shared += 1
            left += 1
            right += 1
        elif mine > theirs:
            left += 1
        else:
            right += 1
    return shared


@_inline
def _could_reach(entry, asker, numerator, denominator):
    """Return whether an entry for all seconds is of a row that could be similar; of no branch, for many at a time."""
    low, high = np.int32(min(asker.least, WIDEST)), np.int32(min(asker.most, WIDEST))
    slack = np.int32(max(0, min(asker.most, _LARGEST_ROW) - WIDEST))  # so much larger than its entry says may a row be
    mine, here = np.int32(asker.size), np.int32(asker.place)
    theirs = np.int32(entry >> np.uint64(55))
    there = np.int32(entry >> np.uint64(50) & np.uint64(LAST_PLACE))
    differing = here + np.int32(_ones((entry >> np.uint64(28) & FOLDED) ^ asker.behind))
    lacking = there + max(differing, mine - theirs - slack + there)  # so many tokens at least only one row has
    could = np.int64(lacking) * (denominator + numerator) <= np.int64(mine + theirs + slack) * (denominator - numerator)
    return could & (theirs >= low) & (theirs <= high)


@_inline
def _pick(start, stop, slab, room, count):
    """Collect the entries that fit, without a branch: it would be foreseen wrongly every other time."""
    begin = np.uint64(start)
    for at in range(stop - start):
        room.met[count] = slab[begin + np.uint64(at)]
        count += np.int64(room.fits[at])
    return count


@_inline
def _scan(asker, start, stop, slab, room, count, numerator, denominator):
    """Collect those of some entries for all seconds whose rows could be similar."""
    begin, before = np.uint64(start), np.uint64(asker.row)
    for at in range(stop - start):
        entry = slab[begin + np.uint64(at)]
        room.fits[at] = _could_reach(entry, asker, numerator, denominator) & ((entry & ROW) < before)
    return _pick(start, stop, slab, room, count)


@_inline
def _scan_mixed(asker, kinds, start, stop, slab, room, count, numerator, denominator):
    """Collect as `_scan` does where entries for one second are among them: of these such whose bit is in `kinds`."""
    begin, before, reach = np.uint64(start), np.uint64(asker.row), np.int32(min(asker.size, WIDEST))
    low, high = np.int32(min(asker.least, WIDEST)), np.int32(min(asker.most, WIDEST))
    for at in range(stop - start):
        entry = slab[begin + np.uint64(at)]
        for_all = _could_reach(entry, asker, numerator, denominator)
        theirs = np.int32(entry >> np.uint64(40) & _BYTE)
        for_one = (theirs >= low) & (theirs <= high) & (np.int32(entry >> np.uint64(32) & _BYTE) >= reach)
        for_one &= (kinds >> (entry >> np.uint64(48) & np.uint64(63)) & np.uint64(1)) == np.uint64(1)
        is_one = (entry >> np.uint64(63)) == np.uint64(1)
        room.fits[at] = ((is_one & for_one) | ((not is_one) & for_all)) & ((entry & ROW) < before)
    return _pick(start, stop, slab, room, count)


@_inline
def _guess(kind, start, stop):
    """Return about where the entries for a second token are: hashes are spread evenly."""
    return start + np.int64((kind >> np.uint64(48) & np.uint64(0x7FFF)) * np.uint64(stop - start) >> np.uint64(15))


@_inline
def _run(kind, least, most, size, start, stop, slab, met, count):
    """Collect entries for one second, of those that are sorted."""
    low, high = kind | clamped(least) << np.uint64(40), kind | clamped(most) << np.uint64(40) | _BELOW_SIZE
    reach = clamped(size)
    left, right, step = _guess(kind, start, stop), _guess(kind, start, stop), NEAR
    while left > start and slab[left - 1] >= low:
        right, left, step = left, max(start, left - step), 4 * step
    while right < stop and slab[right] < low:
        left, right, step = right, min(stop, right + step), 4 * step
    at = _least_at(slab, left, right, low)
    while at < stop and slab[at] <= high:
        if (slab[at] >> np.uint64(32) & _BYTE) >= reach:
            met[count] = slab[at]
            count += 1
        at += 1
    return count


@_inline
def _is_among(kind, tokens, start, stop):
    """Return whether entries for a second token begin as those for one of tokens start..stop do."""
    at = start
    while at < stop and second_of(tokens[at]) != kind:
        at += 1
    return at < stop


@_inline
def _meet(row, place, behind, prefix, number, rows, lists, room, count):
    """Collect the entries that a list has for a row with its token at a place."""
    table, slab, top, bottom = lists.table, lists.slab, rows.numerator, rows.denominator
    begin, size = rows.offsets[row], size_of(row, rows)
    start, is_sorted = start_of(table, number), table[number, SORTED]
    stop = start + table[number, LENGTH]
    asker = _Asker(row, size, place, folded(behind), size - prefix + 1, reach_of(size, place, top, bottom))
    if min(asker.most, WIDEST) < WIDEST - table[number, SHORTEST] or table[number, FARTHEST] < min(size, WIDEST):
        return count  # all are too large for it, or it is for them
    if is_sorted == UNSPLIT:
        return _scan(asker, start, stop, slab, room, count, top, bottom)
    last, kinds = min(prefix, size - 1), np.uint64(0)
    for second in range(place + 1, last + 1):
        kinds |= np.uint64(1) << (second_of(rows.tokens[begin + second]) >> np.uint64(48) & np.uint64(63))
    if (last - place) * SEARCH > is_sorted:
        return _scan_mixed(asker, kinds, start, stop, slab, room, count, top, bottom)
    for_one, tail = start + table[number, FOR_ALL], start + is_sorted
    low = _least_at(slab, start, for_one, clamped(asker.least) << np.uint64(55))
    high = _least_at(slab, low, for_one, (clamped(asker.most) + np.uint64(1)) << np.uint64(55))
    count = _scan(asker, low, high, slab, room, count, top, bottom)
    asked = np.uint64(0)
    for second in range(place + 1, last + 1):
        kind, reach = second_of(rows.tokens[begin + second]), reach_of(size, second - 1, top, bottom)
        bit = np.uint64(1) << (kind >> np.uint64(48) & np.uint64(63))
        if asked & bit and _is_among(kind, rows.tokens, begin + place + 1, begin + second):
            continue  # the other reaches farther; `met` has room for each entry once
        asked |= bit
        count = _run(kind, asker.least, reach, size, for_one, tail, slab, room.met, count)
    return _scan_mixed(asker, kinds, tail, stop, slab, room, count, top, bottom)


@_inline
def _plausible(row, count, rows, met):
    """Leave only those of the entries met whose rows' bitmaps allow that they are similar; return how many."""
    size, signatures, kept = size_of(row, rows), rows.signatures, 0
    for index in range(count):
        entry = met[index]
        other = np.int64(entry & ROW)
        length = np.int64(entry >> (np.uint64(40) if entry >> np.uint64(63) else np.uint64(55)) & _BYTE)
        if length == WIDEST:
            length = size_of(other, rows)
        differing = _ones(signatures[row, 0] ^ signatures[other, 0])
        differing += _ones(signatures[row, 1] ^ signatures[other, 1])
        met[kept] = entry
        # Of two similar rows no more tokens than these are in one only.
        kept += differing * (rows.denominator + rows.numerator) <= (size + length) * (rows.denominator - rows.numerator)
    return kept


@_inline
def _ask_ahead(row, places, rows, lists):
    """Ask for the entries that a row is about to look at, and for what is known of the lists of the row after it."""
    table, slab = lists.table, lists.slab
    at, end = places.starts[row - places.first], places.starts[row - places.first + 1]
    for index in range(end, places.starts[row - places.first + 2]):
        prefetch(table, np.int64(places.lists[index]) * table.shape[1])
    begin, prefix = rows.offsets[row], end - at
    last = min(prefix, size_of(row, rows) - 1)
    for place in range(prefix):
        number = places.lists[at + place]
        start, is_sorted = start_of(table, number), table[number, SORTED]
        stop = start + table[number, LENGTH]
        tail = start
        if (last - place) * SEARCH <= is_sorted:
            for_one, tail = start + table[number, FOR_ALL], start + is_sorted
            for second in range(place + 1, last + 1):
                prefetch(slab, _guess(second_of(rows.tokens[begin + second]), for_one, tail))
            for entry in range(start, min(for_one, start + AHEAD), LINE):
                prefetch(slab, entry)
        for entry in range(tail, min(stop, tail + AHEAD), LINE):
            prefetch(slab, entry)


@_compile
def find_similar(first, start, stop, places, rows, lists, room, stamp):
    """Find, for each wanted row of start..stop, all earlier live rows at or above the threshold.

    Rows from `first` on are the batch's; `stamp` + row was never written to `room.seen` before. Returns the row to go
    on with, the number of hits, and 0, or how many entries one row can meet, or how many hits it has, where there is
    too little room for it.
    """
    hits, met, found = 0, room.met, room.found
    for row in range(start, stop):
        if row + 2 < stop:
            _ask_ahead(row + 1, places, rows, lists)
        at, end = places.starts[row - places.first], places.starts[row - places.first + 1]
        size, prefix, total, before = size_of(row, rows), end - at, 0, hits
        for index in range(at, end):
            total += lists.table[places.lists[index], LENGTH]
        if total > met.size:
            return row, hits, total, 0
        count, behind = 0, rows.signatures[row, 0] ^ rows.signatures[row, 1]
        for place in range(prefix):
            behind ^= bit_of(rows.tokens[rows.offsets[row] + place])
            number = places.lists[at + place]
            if lists.table[number, LENGTH]:
                met_before = count
                count = _meet(row, place, behind, prefix, number, rows, lists, room, count)
                for index in range(met_before, count):  # for `_plausible`
                    prefetch(rows.signatures, np.int64(met[index] & ROW) << 1)
        room.counted[0] += count
        count = _plausible(row, count, rows, met)
        for index in range(count):
            other = np.int64(met[index] & ROW)
            prefetch(rows.tokens, rows.offsets[other])
            prefetch(room.seen, other)
        for index in range(count):
            other = np.int64(met[index] & ROW)
            if room.seen[other] == stamp + row or not rows.alive[other]:
                continue
            room.seen[other] = stamp + row
            room.counted[1] += 1
            length = size_of(other, rows)
            needed = _ceil_ratio(rows.numerator, size + length, rows.numerator + rows.denominator)
            shared = _verify(row, other, needed, rows)
            if shared >= needed:
                if hits < found.shape[0]:
                    found[hits, RECORD], found[hits, FOUND] = row - first, other
                    found[hits, SHARED], found[hits, UNION] = shared, size + length - shared
                hits += 1
        if hits > found.shape[0]:
            return row, before, 0, hits - before
    return stop, hits, 0, 0
