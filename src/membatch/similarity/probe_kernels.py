"""The compiled loop that probes the postings of a join with rows, and verifies what it meets.

Rule: exact. Prefix, length, position and bitmap filters only leave out what cannot reach the threshold, which is
a ratio of two integers; no comparison uses a float. Filters: Xiao et al., PPJoin (WWW 2008); two tokens in common
after Wang, Li and Feng (SIGMOD 2012); the comparison by Mann, Augsten and Bouros (VLDB 2016); bitmaps after Sandes,
Teodoro and Melo (ICDE 2020).

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

import numpy as np

from membatch.similarity.kernels import _ceil_ratio, _compile, _inline, _ones
from membatch.similarity.posting_kernels import (
    FARTHEST,
    FOR_ALL,
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
    start_of,
)

SEARCH = 32  # entries that can be looked at while one is searched for
NEAR = 16  # entries beside a guess
_BYTE = np.uint64(0xFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


# What `found` holds of a hit, in its columns.
RECORD, FOUND, SHARED, UNION = 0, 1, 2, 3


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
def _verify(row, other, needed, tokens, offsets, signatures):
    """Return how many tokens two rows share, or fewer than needed if that is not reached."""
    shared = _ones(signatures[2 * row] & signatures[2 * other])  # the frequent ones, which come last
    left, left_end = offsets[row], offsets[row + 1] - _ones(signatures[2 * row])
    right, right_end = offsets[other], offsets[other + 1] - _ones(signatures[2 * other])
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
def _scan(row, size, least, start, stop, most, signatures, numerator, denominator, slab, met, count):
    """Collect entries for all seconds whose rows could be similar; return how many there are.

    Nothing in the loop is a branch, which would be foreseen wrongly every other time.
    """
    low = clamped(least)
    sizes, reach, before = clamped(most) - low, clamped(size), np.uint64(row)
    bits = folded(signatures[2 * row], signatures[2 * row + 1])
    differing, weight = (size + most) * (denominator - numerator), denominator + numerator
    for at in range(start, stop):
        entry = slab[at]
        met[count] = entry
        fits = ((entry >> np.uint64(55)) - low <= sizes) & ((entry >> np.uint64(47) & _BYTE) >= reach)
        differs = _ones((entry >> np.uint64(32) & np.uint64(0x7FFF)) ^ bits)
        count += fits & (differs * weight <= differing) & ((entry & ROW) < before)
    return count


@_inline
def _scan_both(row, size, least, start, stop, most, kinds, signatures, numerator, denominator, slab, met, count):
    """Collect entries of both kinds, of those for one second only such whose bit is in `kinds`."""
    low = clamped(least)
    sizes, reach, before = clamped(most) - low, clamped(size), np.uint64(row)
    bits = folded(signatures[2 * row], signatures[2 * row + 1])
    differing, weight = (size + most) * (denominator - numerator), denominator + numerator
    for at in range(start, stop):
        entry = slab[at]
        met[count] = entry
        is_one = entry >> np.uint64(63)
        moved = entry >> (np.uint64(32) + np.uint64(15) * (np.uint64(1) - is_one))  # size and reach in the lowest bits
        fits = ((moved >> np.uint64(8) & _BYTE) - low <= sizes) & ((moved & _BYTE) >= reach) & ((entry & ROW) < before)
        if is_one:
            count += fits & ((kinds >> (entry >> np.uint64(48) & np.uint64(63)) & np.uint64(1)) == 1)
        else:
            differs = _ones((entry >> np.uint64(32) & np.uint64(0x7FFF)) ^ bits)
            count += fits & (differs * weight <= differing)
    return count


@_inline
def _guess(kind, start, stop):
    """Return about where the entries for a second token are: hashes are spread evenly."""
    return start + np.int64((kind >> np.uint64(48) & np.uint64(0x7FFF)) * np.uint64(stop - start) >> np.uint64(15))


@_inline
def _run(kind, least, most, size, start, stop, slab, met, count):
    """Collect entries for one second, of those that are sorted."""
    low, high = kind | clamped(least) << np.uint64(40), kind + ((clamped(most) + np.uint64(1)) << np.uint64(40))
    reach = clamped(size)
    left, right, step = _guess(kind, start, stop), _guess(kind, start, stop), NEAR
    while left > start and slab[left - 1] >= low:
        right, left, step = left, max(start, left - step), 4 * step
    while right < stop and slab[right] < low:
        left, right, step = right, min(stop, right + step), 4 * step
    at = _least_at(slab, left, right, low)
    while at < stop and slab[at] < high:
        if (slab[at] >> np.uint64(32) & _BYTE) >= reach:
            met[count] = slab[at]
            count += 1
        at += 1
    return count


@_inline
def _meet(row, place, prefix, number, tokens, offsets, signatures, numerator, denominator, table, slab, met, count):
    """Collect the entries that a list has for a row with its token at a place."""
    begin = offsets[row]
    size = offsets[row + 1] - begin
    start, is_sorted = start_of(table, number), table[number, SORTED]
    stop = start + table[number, LENGTH]
    least, most = size - prefix + 1, reach_of(size, place, numerator, denominator)
    if min(most, WIDEST) < WIDEST - table[number, SHORTEST] or table[number, FARTHEST] < min(size, WIDEST):
        return count  # all are too large for it, or it is for them
    if is_sorted == UNSPLIT:
        return _scan(row, size, least, start, stop, most, signatures, numerator, denominator, slab, met, count)
    last, kinds = min(prefix, size - 1), _ALL
    if (last - place) * SEARCH <= is_sorted:
        kinds = np.uint64(0)
        for_one, middle = start + table[number, FOR_ALL], start + is_sorted
        low = _least_at(slab, start, for_one, clamped(least) << np.uint64(55))
        high = _least_at(slab, low, for_one, (clamped(most) + np.uint64(1)) << np.uint64(55))
        count = _scan(row, size, least, low, high, most, signatures, numerator, denominator, slab, met, count)
        for second in range(place + 1, last + 1):
            kind = second_of(tokens[begin + second])
            kinds |= np.uint64(1) << (kind >> np.uint64(48) & np.uint64(63))
            reach = reach_of(size, second - 1, numerator, denominator)
            count = _run(kind, least, reach, size, for_one, middle, slab, met, count)
        start = middle
    return _scan_both(row, size, least, start, stop, most, kinds, signatures, numerator, denominator, slab, met, count)


@_inline
def _plausible(row, size, count, offsets, signatures, numerator, denominator, met):
    """Leave only those of the entries met whose rows' bitmaps allow that they are similar; return how many."""
    kept = 0
    for index in range(count):
        entry = met[index]
        other = np.int64(entry & ROW)
        length = np.int64(entry >> (np.uint64(40) if entry >> np.uint64(63) else np.uint64(55)) & _BYTE)
        if length == WIDEST:
            length = offsets[other + 1] - offsets[other]
        differing = _ones(signatures[2 * row] ^ signatures[2 * other])
        differing += _ones(signatures[2 * row + 1] ^ signatures[2 * other + 1])
        met[kept] = entry
        # Of two similar rows no more tokens than these are in one only.
        kept += differing * (denominator + numerator) <= (size + length) * (denominator - numerator)
    return kept


@_compile
def find_similar(
    first,
    start,
    stop,
    base,
    place_starts,
    places,
    tokens,
    offsets,
    signatures,
    alive,
    numerator,
    denominator,
    table,
    slab,
    seen,
    stamp,
    met,
    found,
    counted,
):
    """Find, for each wanted row of start..stop, all earlier live rows at or above the threshold.

    Rows from `first` on are the batch's; `stamp` + row was never written to `seen` before. Hits go to `found`
    (record, row, shared, union). Returns the row to go on with, the number of hits, and 0, or how much room one row
    needs in `met`, or how much in `found`, where that is too small for it. counted: [0] rows met, [1] pairs verified.
    """
    hits = 0
    for row in range(start, stop):
        at, end, total, before = place_starts[row - base], place_starts[row - base + 1], 0, hits
        size, prefix = offsets[row + 1] - offsets[row], end - at
        for place in range(prefix):
            total += table[places[at + place], LENGTH]
        if total > met.size:
            return row, hits, total, 0
        count = 0
        for place in range(prefix):
            number = places[at + place]
            if table[number, LENGTH]:
                count = _meet(
                    row,
                    place,
                    prefix,
                    number,
                    tokens,
                    offsets,
                    signatures,
                    numerator,
                    denominator,
                    table,
                    slab,
                    met,
                    count,
                )
        counted[0] += count
        for index in range(_plausible(row, size, count, offsets, signatures, numerator, denominator, met)):
            other = np.int64(met[index] & ROW)
            if seen[other] == stamp + row or not alive[other]:
                continue
            seen[other] = stamp + row
            counted[1] += 1
            length = offsets[other + 1] - offsets[other]
            needed = _ceil_ratio(numerator, size + length, numerator + denominator)
            shared = _verify(row, other, needed, tokens, offsets, signatures)
            if shared >= needed:
                if hits < found.shape[0]:
                    found[hits, RECORD] = row - first
                    found[hits, FOUND] = other
                    found[hits, SHARED] = shared
                    found[hits, UNION] = size + length - shared
                hits += 1
        if hits > found.shape[0]:
            return row, before, 0, hits - before
    return stop, hits, 0, 0
