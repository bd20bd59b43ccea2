"""The compiled loop that probes the postings of a join with rows, and verifies what it meets.

Rule: exact. Prefix, length, position and bitmap filters only leave out what cannot reach the threshold, which is
a ratio of two integers; no comparison uses a float. Filters: Xiao et al., PPJoin (WWW 2008); two tokens in common
after Wang, Li and Feng (SIGMOD 2012); the comparison by Mann, Augsten and Bouros (VLDB 2016); bitmaps after Sandes,
Teodoro and Melo (ICDE 2020).

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

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
    start_of,
)

SEARCH = 64  # entries that can be looked at while one is searched for
LINE, AHEAD = 8, 512  # entries that a processor reads from memory at once, and after which it reads ahead by itself
NEAR = 16  # entries beside a guess
_BYTE = np.uint64(0xFF)


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
def _could_reach(entry, size, place, behind, least, most, numerator, denominator):
    """Return whether an entry for all seconds is of a row that could be similar; of no branch, for many at a time."""
    low, high = np.int32(min(least, WIDEST)), np.int32(min(most, WIDEST))
    slack = np.int32(max(0, most - WIDEST))  # by so much a row may be larger than its entry says
    mine, here = np.int32(size), np.int32(place)
    theirs = np.int32(entry >> np.uint64(55))
    there = np.int32(entry >> np.uint64(50) & np.uint64(LAST_PLACE))
    differing = here + np.int32(_ones((entry >> np.uint64(28) & FOLDED) ^ behind))
    lacking = there + max(differing, mine - theirs - slack + there)  # so many tokens at least only one row has
    could = np.int64(lacking) * (denominator + numerator) <= np.int64(mine + theirs + slack) * (denominator - numerator)
    return could & (theirs >= low) & (theirs <= high)


@_inline
def _pick(start, stop, slab, fits, met, count):
    """Collect the entries that fit, without a branch: it would be foreseen wrongly every other time."""
    begin = np.uint64(start)
    for at in range(stop - start):
        met[count] = slab[begin + np.uint64(at)]
        count += np.int64(fits[at])
    return count


@_inline
def _scan(row, size, place, behind, least, most, start, stop, numerator, denominator, slab, fits, met, count):
    """Collect those of some entries for all seconds whose rows could be similar.

    `behind` is the bitmap of the row's tokens behind the place.
    """
    begin, before = np.uint64(start), np.uint64(row)
    for at in range(stop - start):
        entry = slab[begin + np.uint64(at)]
        could = _could_reach(entry, size, place, behind, least, most, numerator, denominator)
        fits[at] = could & ((entry & ROW) < before)
    return _pick(start, stop, slab, fits, met, count)


@_inline
def _scan_mixed(
    row, size, place, behind, least, most, kinds, start, stop, numerator, denominator, slab, fits, met, count
):
    """Collect as `_scan` does where entries for one second are among them: of these such whose bit is in `kinds`."""
    begin, before, reach = np.uint64(start), np.uint64(row), np.int32(min(size, WIDEST))
    low, high = np.int32(min(least, WIDEST)), np.int32(min(most, WIDEST))
    for at in range(stop - start):
        entry = slab[begin + np.uint64(at)]
        for_all = _could_reach(entry, size, place, behind, least, most, numerator, denominator)
        theirs = np.int32(entry >> np.uint64(40) & _BYTE)
        for_one = (theirs >= low) & (theirs <= high) & (np.int32(entry >> np.uint64(32) & _BYTE) >= reach)
        for_one &= (kinds >> (entry >> np.uint64(48) & np.uint64(63)) & np.uint64(1)) == np.uint64(1)
        is_one = (entry >> np.uint64(63)) == np.uint64(1)
        fits[at] = ((is_one & for_one) | ((not is_one) & for_all)) & ((entry & ROW) < before)
    return _pick(start, stop, slab, fits, met, count)


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
def _meet(row, place, behind, prefix, number, tokens, offsets, numerator, denominator, table, slab, fits, met, count):
    """Collect the entries that a list has for a row with its token at a place."""
    begin = offsets[row]
    size = offsets[row + 1] - begin
    start, is_sorted = start_of(table, number), table[number, SORTED]
    stop = start + table[number, LENGTH]
    least, most = size - prefix + 1, reach_of(size, place, numerator, denominator)
    if min(most, WIDEST) < WIDEST - table[number, SHORTEST] or table[number, FARTHEST] < min(size, WIDEST):
        return count  # all are too large for it, or it is for them
    last, kinds = min(prefix, size - 1), np.uint64(0)
    for second in range(place + 1, last + 1):
        kinds |= np.uint64(1) << (second_of(tokens[begin + second]) >> np.uint64(48) & np.uint64(63))
    middle = start
    if (last - place) * SEARCH <= is_sorted:
        for_one, middle = start + table[number, FOR_ALL], start + is_sorted
        low = _least_at(slab, start, for_one, clamped(least) << np.uint64(55))
        high = _least_at(slab, low, for_one, (clamped(most) + np.uint64(1)) << np.uint64(55))
        count = _scan(row, size, place, behind, least, most, low, high, numerator, denominator, slab, fits, met, count)
        for second in range(place + 1, last + 1):
            kind = second_of(tokens[begin + second])
            reach = reach_of(size, second - 1, numerator, denominator)
            count = _run(kind, least, reach, size, for_one, middle, slab, met, count)
    if is_sorted == UNSPLIT:
        return _scan(row, size, place, behind, least, most, start, stop, numerator, denominator, slab, fits, met, count)
    return _scan_mixed(
        row, size, place, behind, least, most, kinds, middle, stop, numerator, denominator, slab, fits, met, count
    )


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


@_inline
def _ask_ahead(row, place_starts, places, base, tokens, offsets, table, slab):
    """Ask for the entries that a row is about to look at, and for what is known of the lists of the row after it."""
    at, end = place_starts[row - base], place_starts[row - base + 1]
    for index in range(end, place_starts[row - base + 2]):
        prefetch(table, np.int64(places[index]) * table.shape[1])
    begin, prefix = offsets[row], end - at
    last = min(prefix, offsets[row + 1] - begin - 1)
    for place in range(prefix):
        number = places[at + place]
        start, is_sorted = start_of(table, number), table[number, SORTED]
        stop = start + table[number, LENGTH]
        middle = start
        if (last - place) * SEARCH <= is_sorted:
            for_one, middle = start + table[number, FOR_ALL], start + is_sorted
            for second in range(place + 1, last + 1):
                prefetch(slab, _guess(second_of(tokens[begin + second]), for_one, middle))
            for entry in range(start, min(for_one, start + AHEAD), LINE):
                prefetch(slab, entry)
        for entry in range(middle, min(stop, middle + AHEAD), LINE):
            prefetch(slab, entry)


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
    fits,
    found,
    counted,
):
    """Find, for each wanted row of start..stop, all earlier live rows at or above the threshold.

    Rows from `first` on are the batch's; `stamp` + row was never written to `seen` before. Hits go to `found`
    (record, row, shared, union). Returns the row to go on with, the number of hits, and 0, or how much room one row
    needs in `met` and `fits`, or how much in `found`, where that is too small for it. counted: [0] rows met,
    [1] pairs verified.
    """
    hits = 0
    for row in range(start, stop):
        if row + 2 < stop:
            _ask_ahead(row + 1, place_starts, places, base, tokens, offsets, table, slab)
        at, end, total, before = place_starts[row - base], place_starts[row - base + 1], 0, hits
        size, prefix = offsets[row + 1] - offsets[row], end - at
        for place in range(prefix):
            total += table[places[at + place], LENGTH]
        if total > met.size:
            return row, hits, total, 0
        count, behind = 0, signatures[2 * row] ^ signatures[2 * row + 1]
        for place in range(prefix):
            behind ^= bit_of(tokens[offsets[row] + place])
            number = places[at + place]
            if table[number, LENGTH]:
                met_before = count
                count = _meet(
                    row,
                    place,
                    folded(behind),
                    prefix,
                    number,
                    tokens,
                    offsets,
                    numerator,
                    denominator,
                    table,
                    slab,
                    fits,
                    met,
                    count,
                )
                for index in range(met_before, count):  # for `_plausible`
                    prefetch(signatures, np.int64(met[index] & ROW) << 1)
        counted[0] += count
        count = _plausible(row, size, count, offsets, signatures, numerator, denominator, met)
        for index in range(count):
            other = np.int64(met[index] & ROW)
            prefetch(tokens, offsets[other])
            prefetch(seen, other)
        for index in range(count):
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
