"""Compiled loops of the set-similarity join, over flat arrays; nothing here knows of records or settings.

Rule: exact. Prefix, length, position and bitmap filters only leave out what cannot reach the threshold, which is
a ratio of two integers; no comparison uses a float. Filters: Xiao et al., PPJoin (WWW 2008); the comparison
by Mann, Augsten and Bouros (VLDB 2016); bitmaps after Sandes, Teodoro and Melo (ICDE 2020).

An index is rows of token numbers, each row sorted with the rarest (highest) number first, and postings: for
each (scope, token) of a row's prefix an entry of row, position and size, packed into 64 bits.
"""

from __future__ import annotations

import numba
import numpy as np


def _compile(function):
    """Compile when first called; keep it for later starts where there is a place that can be written to."""
    try:
        return numba.njit(cache=True, nogil=True, boundscheck=False)(function)
    except RuntimeError:  # neither the package's folder nor a cache folder of the user
        return numba.njit(nogil=True, boundscheck=False)(function)


_inline = numba.njit(inline="always")

_MIX = np.uint64(0x9E3779B97F4A7C15)
_FNV_BASIS = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)

# Classes of characters, as `similarity.tokens` lays them down.
SEPARATOR, WORD, SYMBOL, UNSPACED = 0, 1, 2, 3

_ZERO, _NINE = ord("0"), ord("9")

_SHORT = 64  # tokens in a row that are sorted by comparing each with each

# What `found` holds of a hit, in its columns.
RECORD, ROW, SHARED, UNION = 0, 1, 2, 3


@_inline
def _mixed(value):
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@_inline
def _ones(value):
    value -= (value >> np.uint64(1)) & np.uint64(0x5555555555555555)
    value = (value & np.uint64(0x3333333333333333)) + ((value >> np.uint64(2)) & np.uint64(0x3333333333333333))
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * np.uint64(0x0101010101010101)) >> np.uint64(56))


@_inline
def _ceil_ratio(numerator, amount, denominator):
    return (numerator * amount + denominator - 1) // denominator


@_compile
def hash_tokens(characters, starts, classes, hashes, ends):
    """Write the token hashes of each text, sorted and each once; `ends` gets where each text's hashes end.

    The lowest bit of a hash says whether the word has a digit; two words are told apart by the other 63.
    `characters` are the code points of all texts, `starts` (n + 1) where each begins; `hashes` has room for
    one token a character.
    """
    at = 0
    for text in range(starts.size - 1):
        first = at
        place, stop = starts[text], starts[text + 1]
        while place < stop:
            kind = classes[characters[place]]
            if kind == SEPARATOR:
                place += 1
            elif kind == SYMBOL:
                hashes[at] = _mixed(np.uint64(characters[place]) ^ (np.uint64(1) << np.uint64(40))) & ~np.uint64(1)
                at += 1
                place += 1
            elif kind == WORD:
                value, has_digit = _FNV_BASIS, np.uint64(0)
                while place < stop and classes[characters[place]] == WORD:
                    if _ZERO <= characters[place] <= _NINE:
                        has_digit = np.uint64(1)
                    value = (value ^ np.uint64(characters[place])) * _FNV_PRIME
                    place += 1
                hashes[at] = (_mixed(value) & ~np.uint64(1)) | has_digit
                at += 1
            else:
                run = place
                while place < stop and classes[characters[place]] == UNSPACED:
                    place += 1
                if place - run == 1:
                    hashes[at] = _mixed(np.uint64(characters[run]) ^ (np.uint64(1) << np.uint64(41))) & ~np.uint64(1)
                    at += 1
                for left in range(run, place - 1):
                    pair = (np.uint64(characters[left]) << np.uint64(21)) | np.uint64(characters[left + 1])
                    hashes[at] = _mixed(pair ^ (np.uint64(1) << np.uint64(42))) & ~np.uint64(1)
                    at += 1
        if at - first > 1:
            tokens = hashes[first:at]
            tokens.sort()
            kept = first
            for number in range(first + 1, at):
                if hashes[number] != hashes[kept]:
                    kept += 1
                    hashes[kept] = hashes[number]
            at = kept + 1
        ends[text] = at


@_compile
def number_tokens(hashes, start, keys, numbers, count, has_digit, out):
    """Give each token hash from `start` on its number; a new one gets the next number.

    Returns the place to go on with, when the table is half full, and how many numbers there are.
    """
    mask = keys.size - 1
    for at in range(start, hashes.size):
        key = hashes[at] | np.uint64(1)  # 0 marks a free slot
        slot = np.int64((key * _MIX) >> np.uint64(32)) & mask
        while keys[slot] != key:
            if keys[slot] == 0:
                if 2 * count >= keys.size:
                    return at, count
                keys[slot] = key
                numbers[slot] = count
                has_digit[count] = hashes[at] & np.uint64(1)
                count += 1
                break
            slot = (slot + 1) & mask
        out[at] = numbers[slot]
    return hashes.size, count


@_compile
def rehash(old_keys, old_values, keys, values):
    """Move a table into a larger one."""
    mask = keys.size - 1
    for at in range(old_keys.size):
        key = old_keys[at]
        if key != 0:
            slot = np.int64((key * _MIX) >> np.uint64(32)) & mask
            while keys[slot] != 0:
                slot = (slot + 1) & mask
            keys[slot] = key
            values[slot] = old_values[at]


@_compile
def sort_rows(tokens, ends, first):
    """Sort each row's token numbers with the highest, which is the rarest, first."""
    start = first
    old, ranks = np.empty(_SHORT, np.int32), np.empty(_SHORT, np.int32)
    for row in range(ends.size):
        values = tokens[start : ends[row]]
        start = ends[row]
        size = values.size
        if size <= _SHORT:
            # The place of a value is how many are higher: compared without a branch, many at a time.
            for at in range(size):
                old[at], ranks[at] = values[at], 0
            for other in range(size):
                high = old[other]
                for at in range(size):
                    ranks[at] += np.int32(old[at] < high)
            if 2 * ranks[:size].sum() == size * (size - 1):  # all different
                for at in range(size):
                    values[ranks[at]] = old[at]
                continue
        values.sort()
        values[:] = values[::-1].copy()


@_inline
def _list_of(scope, token, keys, lists):
    """Return the slot of the posting list of a token in a scope; its key is written if it is new."""
    mask = keys.size - 1
    key = _mixed((np.uint64(scope) << np.uint64(32)) | np.uint64(token)) | np.uint64(1)
    slot = np.int64((key * _MIX) >> np.uint64(32)) & mask
    while keys[slot] != key and keys[slot] != 0:
        slot = (slot + 1) & mask
    return slot, key


@_compile
def insert_rows(
    first,
    stop,
    tokens,
    offsets,
    scopes,
    alive,
    numerator,
    denominator,
    keys,
    lists,
    state,
    starts,
    lengths,
    capacities,
    slab,
    free,
):
    """Enter the live ones of rows first..stop into the postings. Returns the row to go on with when room has run out.

    state: [0] number of lists, [1] end of the slab. A list that is full goes to where there is room for the next
    power of two; what it leaves is kept for other lists in `free`, by the power of two that it holds.
    """
    for row in range(first, stop):
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        if size == 0 or not alive[row]:
            continue
        prefix = size - _ceil_ratio(numerator, size, denominator) + 1
        # The worst case: each prefix token starts a list, or each list doubles.
        needed = 0
        for position in range(prefix):
            slot, key = _list_of(scopes[row], tokens[begin + position], keys, lists)
            if keys[slot] == 0:
                needed += 2
            else:
                number = lists[slot]
                if lengths[number] == capacities[number]:
                    needed += 2 * capacities[number]
        if state[1] + needed > slab.size or state[0] + prefix > starts.size or 2 * (state[0] + prefix) > keys.size:
            return row
        for position in range(prefix):
            slot, key = _list_of(scopes[row], tokens[begin + position], keys, lists)
            if keys[slot] == 0:
                keys[slot] = key
                lists[slot] = state[0]
                starts[state[0]] = state[1]
                lengths[state[0]] = 0
                capacities[state[0]] = 2
                state[0] += 1
                state[1] += 2
            number = lists[slot]
            length = lengths[number]
            if length == capacities[number]:
                _double(number, starts, capacities, slab, free, state, length)
            entry = (np.uint64(row) << np.uint64(32)) | (np.uint64(position) << np.uint64(16)) | np.uint64(size)
            slab[starts[number] + length] = entry
            lengths[number] = length + 1
    return stop


@_inline
def _double(number, starts, capacities, slab, free, state, length):
    power = 0
    while (2 << power) <= length:
        power += 1
    old = starts[number]
    if free[power + 1] >= 0:
        new = free[power + 1]
        free[power + 1] = np.int64(slab[new]) - 1
    else:
        new = state[1]
        state[1] += 2 << power
    for at in range(length):
        slab[new + at] = slab[old + at]
    slab[old] = np.uint64(free[power] + 1)
    free[power] = old
    starts[number] = new
    capacities[number] = 2 << power


@_compile
def take_out_rows(first, stop, tokens, offsets, scopes, alive, numerator, denominator, keys, lists, lengths):
    """Take the newest rows out of the postings again, the last first: their entries end the lists."""
    for row in range(stop - 1, first - 1, -1):
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        if size == 0 or not alive[row]:
            continue
        prefix = size - _ceil_ratio(numerator, size, denominator) + 1
        for position in range(prefix):
            slot, _ = _list_of(scopes[row], tokens[begin + position], keys, lists)
            lengths[lists[slot]] -= 1


@_compile
def sign_rows(first, stop, tokens, offsets, signatures):
    """Write the bitmap of each row: a bit for each of its tokens."""
    for row in range(first, stop):
        signature = np.uint64(0)
        for at in range(offsets[row], offsets[row + 1]):
            signature |= np.uint64(1) << ((np.uint64(tokens[at]) * _MIX) >> np.uint64(58))
        signatures[row] = signature


@_compile
def find_similar(
    first,
    start,
    stop,
    tokens,
    offsets,
    scopes,
    signatures,
    alive,
    wanted,
    numerator,
    denominator,
    keys,
    lists,
    starts,
    lengths,
    slab,
    seen,
    stamp,
    found,
    counted,
):
    """Find, for each wanted row of start..stop, all earlier live rows at or above the threshold.

    Rows from `first` on are the batch's; `stamp` + row was never written to `seen` before. Hits go to `found`
    (record, row, shared, union); returns the row to go on with when it is full, and the number of hits.
    counted: [0] entries looked at, [1] pairs verified.
    """
    hits = 0
    for row in range(start, stop):
        if not wanted[row - first]:
            continue
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        if size == 0:
            continue
        if hits > 0 and hits + (row + 1) > found.shape[0]:
            return row, hits
        least = _ceil_ratio(numerator, size, denominator)
        most = size * denominator // numerator
        for position in range(size - least + 1):
            slot, _ = _list_of(scopes[row], tokens[begin + position], keys, lists)
            if keys[slot] == 0:
                continue
            number = lists[slot]
            for at in range(starts[number], starts[number] + lengths[number]):
                entry = slab[at]
                other = np.int64(entry >> np.uint64(32))
                if other >= row:
                    break  # entries stand in order of their rows
                counted[0] += 1
                length = np.int64(entry & np.uint64(0xFFFF))
                if length < least or length > most:
                    continue
                place = np.int64((entry >> np.uint64(16)) & np.uint64(0xFFFF))
                needed = _ceil_ratio(numerator, size + length, numerator + denominator)
                if min(size - position, length - place) < needed or seen[other] == stamp + row or not alive[other]:
                    continue
                # Each bit that differs is at least one token that is not shared.
                if _ones(signatures[row] ^ signatures[other]) > size + length - 2 * needed:
                    continue
                seen[other] = stamp + row
                counted[1] += 1
                # This is the first token that both have: all before it are already known to differ.
                left, right, shared, base = position, place, 0, offsets[other]
                while left < size and right < length:
                    if shared + min(size - left, length - right) < needed:
                        break
                    mine, theirs = tokens[begin + left], tokens[base + right]
                    if mine == theirs:
                        shared += 1
                        left += 1
                        right += 1
                    elif mine > theirs:
                        left += 1
                    else:
                        right += 1
                if shared >= needed:
                    found[hits, RECORD] = row - first
                    found[hits, ROW] = other
                    found[hits, SHARED] = shared
                    found[hits, UNION] = size + length - shared
                    hits += 1
    return stop, hits
