"""Compiled: what a whole stretch of a crowd is to a record, where its members are alike enough for one answer.

Rule: an answer is given only where each member of the stretch has it; else the members are looked at one by one.
Small sums over stretches of a column: Moerkotte, Small Materialized Aggregates (VLDB 1998).

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

import numpy as np

from membatch.similarity.columns import DAY, NEVER, NUMBERS, PARTICIPANTS, SUBJECT, UNKNOWN, WHEN, ZONE
from membatch.similarity.kernels import _compile, _inline, _mixed

UNDECIDED = -2  # instead of a guard: look at each


@_inline
def _place(value):
    """Return the word of a value among the 64 of a zone, and its four bits there: another value seldom has them all."""
    mixed, low = _mixed(np.uint64(value)), np.uint64(63)
    bits = np.uint64(1) << (mixed & low) | np.uint64(1) << (mixed >> np.uint64(6) & low)
    bits |= np.uint64(1) << (mixed >> np.uint64(12) & low) | np.uint64(1) << (mixed >> np.uint64(18) & low)
    return np.int64(mixed >> np.uint64(24) & low), bits


@_inline
def _widen(pairs, zone, value, is_first):
    if is_first or value < pairs[zone, 0]:
        pairs[zone, 0] = value
    if is_first or value > pairs[zone, 1]:
        pairs[zone, 1] = value


@_compile
def write_zones(members, zones):
    """Write what each stretch of members has in common."""
    count, width = members.who.size, members.digits.shape[1]
    for zone in range(zones.who.size):
        first, stop = zone * ZONE, min(count, (zone + 1) * ZONE)
        zones.who[zone] = members.who[first]
        zones.hash_bits[zone, :] = 0
        zones.number_bits[zone, :] = 0
        zones.digit_bits[zone, :] = 0
        given = 0
        for member in range(first, stop):
            is_first = member == first
            if members.who[member] != zones.who[zone]:
                zones.who[zone] = UNKNOWN
            if members.time[member] != NEVER:
                _widen(zones.time, zone, members.time[member], given == 0)
                given += 1
            _widen(zones.numbers, zone, members.numbers[member], is_first)
            _widen(zones.contents, zone, members.contents[member], is_first)
            _widen(zones.hashes, zone, members.hashes[member], is_first)
            _widen(zones.memories, zone, members.memories[member], is_first)
            word, bits = _place(members.hashes[member])
            zones.hash_bits[zone, word] |= bits
            word, bits = _place(members.numbers[member])
            zones.number_bits[zone, word] |= bits
            for at in range(width):
                _widen(zones.digits[:, at], zone, members.digits[member, at], is_first)
        zones.given[zone] = 2 if given == stop - first else 1 if given else 0
        for at in range(width):
            if zones.digits[zone, at, 0] != zones.digits[zone, at, 1]:
                for member in range(first, stop):
                    word, bits = _place(members.digits[member, at])
                    zones.digit_bits[zone, word] |= bits


@_inline
def zone_overlap(mine, digits, digit_bits, zone):
    """Return how many tokens with a digit a record shares with each member of a zone, UNDECIDED if that differs."""
    both = 0
    for place in range(mine.size):
        is_settled = False
        for at in range(digits.shape[1]):
            if digits[zone, at, 0] == mine[place] and digits[zone, at, 1] == mine[place]:
                both += 1
                is_settled = True
        word, bits = _place(mine[place])
        if not is_settled and digit_bits[zone, word] & bits == bits:
            return UNDECIDED
    return both


@_inline
def zone_is_led(content_hash, hashes, hash_bits, zone):
    """Return 1 if the members of a zone have a content hash, 0 if none has, UNDECIDED if some may."""
    if hashes[zone, 0] == content_hash and hashes[zone, 1] == content_hash:
        return 1
    if content_hash < hashes[zone, 0] or content_hash > hashes[zone, 1]:
        return 0
    word, bits = _place(content_hash)
    return UNDECIDED if hash_bits[zone, word] & bits == bits else 0


@_inline
def zone_refuses(by_who, time, numbers, contents, times, given, other_numbers, number_bits, other_contents, zone, mask):
    """Return the guard that refuses a record and each member of a zone whose whos give `by_who`, or UNDECIDED."""
    if by_who == SUBJECT or by_who == PARTICIPANTS:  # noqa: SIM109 (compiled to less)
        return by_who
    if mask & (1 << WHEN):
        if by_who == WHEN:
            return WHEN
        if time != NEVER and given[zone] != 0:
            if given[zone] == 2 and (time > times[zone, 1] + DAY or time < times[zone, 0] - DAY):
                return WHEN
            if times[zone, 1] - time > DAY or time - times[zone, 0] > DAY:
                return UNDECIDED
    if mask & (1 << NUMBERS):
        if numbers < other_numbers[zone, 0] or numbers > other_numbers[zone, 1]:
            return NUMBERS
        word, bits = _place(numbers)
        if number_bits[zone, word] & bits != bits:
            return NUMBERS
        if other_numbers[zone, 0] == other_numbers[zone, 1] and contents != 0 and other_contents[zone, 0] != 0:
            if contents < other_contents[zone, 0] or contents > other_contents[zone, 1]:
                return NUMBERS
    return UNDECIDED
