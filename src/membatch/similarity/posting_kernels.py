"""Compiled loops that keep the postings of a join: for each (scope, token) the rows that have it in their prefix.

Rule: an entry is left out only where no pair at or above the threshold needs it; whoever probes does the same.

A pair at or above the threshold has its first common token, rarest first, in the prefix of both rows, and its second
one at most one place behind it. So a long list is *split*: a row has an entry for each token that could be the second
common one, sorted by that token; a row with too many of these has one entry for all, as each has in a list that is not
split. *Reach* is how many tokens a row may have to be similar, if this token is the first (and the other the second)
that both have. What an entry holds, from the top:

    for all seconds   0    8 bits of size, 5 of the token's place, 22 of a bitmap   28 of row
    for one second    1    15 bits of its hash, 8 of size, 8 of reach, 4 free       28 of row

Sizes and reaches from 255 on count as 255, places from 31 on as 31. The bitmap is of the tokens behind this one. If
this is the first that two rows have in common, those before it are in one of them only, and each bit by which the
bitmaps differ is one more.

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from membatch.similarity.kernels import _MIX, _ceil_ratio, _compile, _inline, _mixed, bit_of, prefetch

MOST_ROWS = 1 << 28
ROW = np.uint64(MOST_ROWS - 1)
WIDEST = 255
LONG = 256  # as long a list is looked through at once about as fast as it is searched
MOST_SECONDS = 3  # entries of one row in one list
# A split list may have so many unsorted entries, and one for each 16 sorted ones up to the second number.
TAIL, MOST_TAIL = 128, 1024
UNSPLIT = -1
FOLDED = np.uint64((1 << 22) - 1)
LAST_PLACE = 31

# The columns of `table`, and the numbers of `state`.
START, LENGTH, CAPACITY, SORTED, FOR_ALL, SHORTEST, FARTHEST = 0, 1, 2, 3, 4, 5, 6
LISTS, END, PLACE, ROOM, GROWN = 0, 1, 2, 3, 4


class Rows(NamedTuple):
    """The rows of a join."""

    tokens: Any  # int32, highest and so rarest first in each row
    offsets: Any  # int64, one more
    scopes: Any  # int32
    signatures: Any  # uint64 (n, 2): see `sign_rows`
    alive: Any  # bool
    numerator: int  # of the threshold
    denominator: int


class Lists(NamedTuple):
    """The postings: a table from (scope, token) to the number of a list, and where its entries are."""

    keys: Any  # uint64, 0 where a slot is free
    numbers: Any  # int32
    # int32 (n, 7): start in pairs of entries, length, capacity, how many are sorted (UNSPLIT where it is not split),
    # how many of these are for all seconds, what the least size lacks to WIDEST, the longest reach
    table: Any
    slab: Any  # uint64, the entries
    free: Any  # int64: by size, the first of the places that lists have left; each leads to the next
    state: Any  # int64: how many lists, the end of the slab, where to go on, what room is missing, how many have grown


class Places(NamedTuple):
    """For each row from `first` on the numbers of its lists, one for each prefix token; none where it is not wanted."""

    first: int
    starts: Any  # int64, one more than rows
    lists: Any  # int32


@_inline
def _home_of(scope, token, keys):
    """Return the slot where a token in a scope is looked for first, and its key."""
    key = _mixed((np.uint64(scope) << np.uint64(32)) | np.uint64(token)) | np.uint64(1)
    return np.int64((key * _MIX) >> np.uint64(32)) & (keys.size - 1), key


@_inline
def slot_of(scope, token, keys):
    """Return the slot of a token in a scope, and the key to write there if it is free."""
    mask = keys.size - 1
    slot, key = _home_of(scope, token, keys)
    while keys[slot] != key and keys[slot] != 0:
        slot = (slot + 1) & mask
    return slot, key


@_inline
def prefix_of(size, numerator, denominator):
    """Return how many tokens of a row are its prefix."""
    return size - _ceil_ratio(numerator, size, denominator) + 1 if size else 0


@_inline
def reach_of(size, lacking, numerator, denominator):
    """Return how many tokens a row may have to be similar to one of `size` tokens, some of which it lacks."""
    return (size - lacking) * (numerator + denominator) // numerator - size


@_inline
def folded(bits):
    """Return a bitmap of 22 bits from one of 64: a token that only one of two rows has changes one bit at most."""
    return (bits ^ (bits >> np.uint64(22)) ^ (bits >> np.uint64(44))) & FOLDED


@_inline
def second_of(token):
    """Return what entries for a second token have at their top."""
    return ((np.uint64(token) * _MIX) >> np.uint64(49) << np.uint64(48)) | np.uint64(1 << 63)


@_inline
def clamped(amount):
    """Return a size or a reach as entries have it."""
    return np.uint64(min(amount, WIDEST))


@_inline
def start_of(table, number):
    """Return where the entries of a list begin."""
    return np.int64(np.uint32(table[number, START])) << 1


@_inline
def seconds_of(size, place, prefix):
    """Return how many entries for one second a row has in a split list, 0 where it has one for all."""
    return 0 if prefix == size or prefix - place > MOST_SECONDS else prefix - place


@_inline
def count_for_all(number, table, slab):
    """Note how many of the sorted entries are for all seconds: they come first."""
    start = start_of(table, number)
    at = start
    while at < start + table[number, SORTED] and not slab[at] >> np.uint64(63):
        at += 1
    table[number, FOR_ALL] = at - start


@_inline
def note_bounds(number, size, place, numerator, denominator, table):
    """Note how small and how far reaching the rows of a list are."""
    reach = min(reach_of(size, place, numerator, denominator), WIDEST)
    table[number, SHORTEST] = max(table[number, SHORTEST], WIDEST - min(size, WIDEST))
    table[number, FARTHEST] = max(table[number, FARTHEST], reach)


@_inline
def bound_of(is_sorted):
    """Return how long a list may become before it is split, or sorted anew."""
    return is_sorted + TAIL + min(is_sorted >> 4, MOST_TAIL) + 1 if is_sorted != UNSPLIT else LONG


@_inline
def size_of(row, rows):
    """Return how many tokens a row has."""
    return rows.offsets[row + 1] - rows.offsets[row]


@_compile
def place_rows(wanted, rows, lists, places):
    """Write the lists of the prefix tokens of those rows that are wanted; those that are not there begin empty."""
    at = 0
    for index in range(wanted.size):
        places.starts[index] = at
        if not wanted[index]:
            continue
        row = places.first + index
        if index + 1 < wanted.size:  # what the next row will ask for: with many scopes no cache holds it
            begin, prefix = rows.offsets[row + 1], prefix_of(size_of(row + 1, rows), rows.numerator, rows.denominator)
            for at_next in range(begin, begin + prefix):
                slot, _ = _home_of(rows.scopes[row + 1], rows.tokens[at_next], lists.keys)
                prefetch(lists.keys, slot)
                prefetch(lists.numbers, slot)
        for place in range(prefix_of(size_of(row, rows), rows.numerator, rows.denominator)):
            slot, key = slot_of(rows.scopes[row], rows.tokens[rows.offsets[row] + place], lists.keys)
            if lists.keys[slot] == 0:
                new = lists.state[LISTS]
                lists.keys[slot], lists.numbers[slot], lists.table[new, SORTED] = key, new, UNSPLIT
                lists.state[LISTS] += 1
            places.lists[at] = lists.numbers[slot]
            at += 1
    places.starts[wanted.size] = at


@_inline
def _make_room(number, wanted, lists):
    """Give a list room for so many entries; return whether there was any."""
    table, slab, free, state = lists.table, lists.slab, lists.free, lists.state
    capacity = table[number, CAPACITY]
    if wanted <= capacity:
        return True
    larger, power = 2, 1
    while larger < wanted:
        larger, power = 2 * larger, power + 1
    new = free[power]
    if new >= 0:
        free[power] = np.int64(slab[new]) - 1
    elif state[END] + larger <= slab.size:
        new = state[END]
        state[END] += larger
    else:
        state[ROOM] = larger
        return False
    old = start_of(table, number)
    for at in range(table[number, LENGTH]):
        slab[new + at] = slab[old + at]
    if capacity:
        power = 1
        while (2 << power) <= capacity:  # what is loaded at once has any capacity
            power += 1
        slab[old] = np.uint64(free[power] + 1)
        free[power] = old
    table[number, START] = np.int32(new >> 1)
    table[number, CAPACITY] = larger
    return True


@_inline
def _enter_seconds(at, row, size, place, count, rows, slab):
    """Write so many entries of a row, each for one second; return where they end."""
    begin = rows.offsets[row]
    for second in range(place + 1, place + 1 + count):
        reach = clamped(reach_of(size, second - 1, rows.numerator, rows.denominator))
        bounds = (clamped(size) << np.uint64(40)) | (reach << np.uint64(32))
        slab[at] = second_of(rows.tokens[begin + second]) | bounds | np.uint64(row)
        at += 1
    return at


@_inline
def _enter(at, row, place, count, rows, slab):
    """Write so many entries of a row under its token at a place: for one second each, or for all if that is 0."""
    size = size_of(row, rows)
    if count:
        _enter_seconds(at, row, size, place, count, rows, slab)
        return
    behind = rows.signatures[row, 0] ^ rows.signatures[row, 1]
    for before in range(rows.offsets[row], rows.offsets[row] + place + 1):
        behind ^= bit_of(rows.tokens[before])
    bounds = (clamped(size) << np.uint64(55)) | (np.uint64(min(place, LAST_PLACE)) << np.uint64(50))
    slab[at] = bounds | (folded(behind) << np.uint64(28)) | np.uint64(row)


@_compile
def insert_rows(first, stop, places, rows, lists, grown):
    """Enter the live ones of rows first..stop into their lists.

    Returns the row to go on with when room has run out; `state` says with which token, and what is missing.
    `grown` gets the lists that are so long that they want to be split or sorted, each with its token, some repeatedly.
    """
    table, slab, state = lists.table, lists.slab, lists.state
    for row in range(first, stop):
        at, end = places.starts[row - places.first], places.starts[row - places.first + 1]
        if row + 2 < stop:
            next_end, last_end = places.starts[row - places.first + 2], places.starts[row - places.first + 3]
            for ahead in range(end, next_end):
                number = places.lists[ahead]
                prefetch(slab, start_of(table, number) + table[number, LENGTH])
            for ahead in range(next_end, last_end):
                prefetch(table, np.int64(places.lists[ahead]) * table.shape[1])
        if rows.alive[row]:
            size = size_of(row, rows)
            prefix = prefix_of(size, rows.numerator, rows.denominator)
            for place in range(state[PLACE], prefix):
                number = places.lists[at + place]
                length, is_sorted = table[number, LENGTH], table[number, SORTED]
                seconds = seconds_of(size, place, prefix) if is_sorted >= 0 else 0
                after = length + max(1, seconds)
                if not _make_room(number, after, lists):
                    state[PLACE] = place
                    return row
                _enter(start_of(table, number) + length, row, place, seconds, rows, slab)
                note_bounds(number, size, place, rows.numerator, rows.denominator, table)
                table[number, LENGTH] = after
                if after >= bound_of(is_sorted):
                    grown[state[GROWN], 0], grown[state[GROWN], 1] = number, rows.tokens[rows.offsets[row] + place]
                    state[GROWN] += 1
        state[PLACE] = 0
    return stop


@_compile
def take_out_rows(first, stop, places, rows, table):
    """Take rows out again that were entered last, and whose lists were not sorted since: their entries end them."""
    for row in range(first, stop):
        if rows.alive[row]:
            size = size_of(row, rows)
            prefix = prefix_of(size, rows.numerator, rows.denominator)
            for place in range(prefix):
                number = places.lists[places.starts[row - places.first] + place]
                table[number, LENGTH] -= max(1, seconds_of(size, place, prefix)) if table[number, SORTED] >= 0 else 1


@_inline
def _read(entry, token, rows):
    """Return the row of an entry for all seconds, its size, and the place of the token, which it has, in it."""
    row, size, place = np.int64(entry & ROW), np.int64(entry >> np.uint64(55)), np.int64(entry >> np.uint64(50)) & 31
    if size == WIDEST:
        size = size_of(row, rows)
    if place == LAST_PLACE:
        while rows.tokens[rows.offsets[row] + place] != token:
            place += 1
    return row, size, place


@_inline
def _split(number, token, rows, lists, old):
    """Split the list of a token, not sorted yet; return whether there was room."""
    table, slab, top, bottom = lists.table, lists.slab, rows.numerator, rows.denominator
    start, length, total = start_of(table, number), table[number, LENGTH], 0
    for at in range(length):
        old[at] = slab[start + at]
        row, size, place = _read(old[at], token, rows)
        total += max(1, seconds_of(size, place, prefix_of(size, top, bottom)))
        prefetch(rows.alive, row)
        prefetch(rows.offsets, row)
    if not _make_room(number, total, lists):
        return False
    for at in range(length):
        prefetch(rows.tokens, rows.offsets[np.int64(old[at] & ROW)])
    at = start = start_of(table, number)
    for index in range(length):
        row, size, place = _read(old[index], token, rows)
        seconds = seconds_of(size, place, prefix_of(size, top, bottom))
        if seconds and rows.alive[row]:
            at = _enter_seconds(at, row, size, place, seconds, rows, slab)
        elif rows.alive[row]:
            slab[at] = old[index]
            at += 1
    table[number, LENGTH], table[number, SORTED] = at - start, 0
    return True


@_compile
def split_lists(at, which, of, rows, lists, old):
    """Split those of some lists, `of` tokens, that are not; return where room ran out.

    `old` has room for the longest. What was split is to be sorted, and goes through `merge_tails` before it is probed.
    """
    for index in range(at, which.size):
        number = which[index]
        if lists.table[number, SORTED] == UNSPLIT and not _split(number, of[index], rows, lists, old):
            return index
    return which.size


@_compile
def count_all(which, table, slab):
    """Note how many of the sorted entries of some lists are for all seconds."""
    for number in which:
        count_for_all(number, table, slab)


@_compile
def merge_tails(which, table, slab, tail):
    """Merge into what is sorted of some lists what follows it and is sorted by itself; `tail` has room for it."""
    for number in which:
        start, length, is_sorted = start_of(table, number), table[number, LENGTH], table[number, SORTED]
        for index in range(length - is_sorted):
            tail[index] = slab[start + is_sorted + index]
        left, right, at = is_sorted - 1, length - is_sorted - 1, length - 1
        while right >= 0:
            if left >= 0 and slab[start + left] > tail[right]:
                slab[start + at] = slab[start + left]
                left -= 1
            else:
                slab[start + at] = tail[right]
                right -= 1
            at -= 1
        table[number, SORTED] = length
        count_for_all(number, table, slab)


@_compile
def purge_rows(which, rows, lists, is_clean):
    """Take what is no longer alive out of the postings that hold some rows."""
    table, slab = lists.table, lists.slab
    for row in which:
        for place in range(prefix_of(size_of(row, rows), rows.numerator, rows.denominator)):
            slot, _ = slot_of(rows.scopes[row], rows.tokens[rows.offsets[row] + place], lists.keys)
            number = lists.numbers[slot]
            if is_clean[number]:
                continue
            is_clean[number] = True
            start, is_sorted = start_of(table, number), table[number, SORTED]
            kept = start
            for at in range(start, start + table[number, LENGTH]):
                entry = slab[at]
                if rows.alive[np.int64(entry & ROW)]:
                    slab[kept] = entry
                    kept += 1
                elif at - start < is_sorted:
                    table[number, SORTED] -= 1
            table[number, LENGTH] = kept - start
            count_for_all(number, table, slab)
