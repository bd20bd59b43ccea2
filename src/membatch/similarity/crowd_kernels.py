"""Compiled loops over crowds: which members a record could be the same as, and how many are refused by which guard.

Rule: a pair is refused here only where the guard of `similarity.guards` would refuse it; what is not certain is not
refused. Guards are asked in the order of their table, and the first that says "different" is the one that counts.

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

import numpy as np

from membatch.similarity.columns import (
    DAY,
    EXAMPLES,
    NEVER,
    NOBODY,
    NONE,
    NUMBERS,
    OUTCOMES,
    PARTICIPANTS,
    SUBJECT,
    UNKNOWN,
    WHEN,
    ZONE,
)
from membatch.similarity.kernels import _allocating, _ceil_ratio, _compile, _inline
from membatch.similarity.zone_kernels import UNDECIDED, zone_is_led, zone_overlap, zone_refuses


@_inline
def _who_differs(one, other, whos, mask):
    """Return the guard that refuses two rows of whos, WHEN for validity, or NONE."""
    if mask & (1 << SUBJECT):
        mine, theirs = whos.subjects[one], whos.subjects[other]
        if mine != NOBODY and theirs != NOBODY and mine != theirs:
            return SUBJECT
    if mask & (1 << PARTICIPANTS):
        left, end = whos.begins[one], whos.begins[one + 1]
        right, stop = whos.begins[other], whos.begins[other + 1]
        if left < end and right < stop:
            is_met = False
            while left < end and right < stop:
                if whos.people[left] == whos.people[right]:
                    is_met = True
                    break
                if whos.people[left] < whos.people[right]:
                    left += 1
                else:
                    right += 1
            if not is_met:
                return PARTICIPANTS
    if whos.until[one] < whos.since[other] or whos.until[other] < whos.since[one]:
        return WHEN
    return NONE


@_inline
def _refuses(by_who, time, numbers, contents, other_time, other_numbers, other_contents, mask):
    """Return the guard that refuses a pair whose whos give `by_who`, or NONE."""
    if by_who == SUBJECT or by_who == PARTICIPANTS:  # noqa: SIM109 (compiled to less)
        return by_who
    if mask & (1 << WHEN):
        if by_who == WHEN:
            return WHEN
        if time != NEVER and other_time != NEVER and (time - other_time > DAY or other_time - time > DAY):
            return WHEN
    if mask & (1 << NUMBERS):
        if numbers != other_numbers or (contents != 0 and other_contents != 0 and contents != other_contents):
            return NUMBERS
    return NONE


@_inline
def _keep(pairs, at, record, member, both, union):
    pairs[at, 0] = record
    pairs[at, 1] = member
    pairs[at, 2] = both
    pairs[at, 3] = union


@_inline
def _in_both(mine, digits, member):
    """Return how many tokens with a digit a record, which has `mine`, shares with a member."""
    both = 0
    for at in range(digits.shape[1]):
        for place in range(mine.size):
            if mine[place] == digits[member, at]:
                both += 1
    return both


@_compile
def _look_along(first, stop, one, mine, stamp, members, stamps, whos, memo, rule, rank, found, hits, counted, kept):
    """Look over the members first..stop for one record; returns how many pairs are in `found` then.

    It takes its columns out of their tuples before it loops: to take them out in the loop costs more than the rest.
    """
    record, who, time, numbers, contents, content_hash, size, base, needed = one
    others, times, others_numbers, others_contents = members.who, members.time, members.numbers, members.contents
    hashes, memories, digits = members.hashes, members.memories, members.digits
    mask, total, oldest = rule.mask, size + rule.size, rule.oldest
    equal_mask = mask & ~(1 << NUMBERS)
    examples, exampled = kept
    for member in range(first, stop):
        if memories[member] < oldest:
            continue
        more = _in_both(mine, digits, member)
        both = base + more
        if both < needed:
            continue
        guard, other = NONE, others[member]
        is_led = hashes[member] == content_hash or stamps[member] == stamp
        if who != UNKNOWN and other != UNKNOWN:
            by_who = memo[other]
            if by_who < 0:
                by_who = memo[other] = _who_differs(who, other, whos, mask)
            asked = equal_mask if is_led else mask
            their_time, their_numbers, their_contents = times[member], others_numbers[member], others_contents[member]
            guard = _refuses(by_who, time, numbers, contents, their_time, their_numbers, their_contents, asked)
        union = total - both
        if guard == NONE:
            _keep(found, hits, record, member, both, union)
            hits += 1
            continue
        left, right = both * rank.union, rank.shared * union
        if is_led or left < right or (left == right and memories[member] >= rank.memory):
            counted[more, NONE] += 1
            continue
        counted[more, guard] += 1
        if exampled[guard] < EXAMPLES:
            _keep(examples[guard], exampled[guard], record, member, both, union)
            exampled[guard] += 1
    return hits


@_compile
def _look_at_zones(count, one, mine, stamp, zones, led_zones, whos, memo, rule, rank, counted, kept, limit):
    """Count those whole zones of the first `count` that one answer holds for; `zones.is_done` says which."""
    record, who, time, numbers, contents, content_hash, size, base, needed = one
    equal_mask = rule.mask & ~(1 << NUMBERS)
    others, memories, is_done, hashes, hash_bits = (
        zones.who,
        zones.memories,
        zones.is_done,
        zones.hashes,
        zones.hash_bits,
    )
    digits, digit_bits, number_bits = zones.digits, zones.digit_bits, zones.number_bits
    times, given, other_numbers, other_contents = zones.time, zones.given, zones.numbers, zones.contents
    examples, exampled = kept
    for zone in range(count):
        is_done[zone] = False
        if led_zones[zone] == stamp or memories[zone, 0] < rule.oldest:
            continue
        more = zone_overlap(mine, digits, digit_bits, zone)
        if more == UNDECIDED:
            continue
        if base + more < needed:
            is_done[zone] = True
            continue
        is_led, other = zone_is_led(content_hash, hashes, hash_bits, zone), others[zone]
        if is_led == UNDECIDED or who == UNKNOWN or other == UNKNOWN:
            continue
        by_who = memo[other]
        if by_who < 0:
            by_who = memo[other] = _who_differs(who, other, whos, rule.mask)
        asked = equal_mask if is_led else rule.mask
        guard = zone_refuses(
            by_who, time, numbers, contents, times, given, other_numbers, number_bits, other_contents, zone, asked
        )
        if guard == UNDECIDED:
            continue
        both = base + more
        union = size + rule.size - both
        left, right = both * rank.union, rank.shared * union
        if is_led or left < right or (left == right and memories[zone, 0] >= rank.memory):
            guard = NONE
        elif left == right and memories[zone, 1] >= rank.memory:
            continue
        is_done[zone] = True
        counted[more, guard] += min(limit - zone * ZONE, ZONE)
        if guard != NONE and exampled[guard] < EXAMPLES:
            _keep(examples[guard], exampled[guard], record, zone * ZONE, both, union)
            exampled[guard] += 1


@_compile
def look_over(
    start, records, shared, limits, asking, members, zones, led, whos, memo, rule, rank, found, counted, kept
):
    """Look over the first `limits` members of a crowd for each of some records, which share tokens with its base.

    Pairs at or above the threshold that no guard refuses go to `found` (record, member, shared, union); the others
    are counted: counted[number, tokens with a digit that both have, guard], NONE where the content hash is the same,
    since such a pair counts elsewhere. `kept` are a few examples and how many. Returns the number of the record to go
    on with when `found` is full, and the number of pairs found.
    """
    hits, last = 0, UNKNOWN
    for number in range(start, records.size):
        limit, record = limits[number], records[number]
        if hits > 0 and hits + limit > found.shape[0]:
            return number, hits
        one = _asked_of(asking, record, shared[number], rule)
        mine = asking.digits[asking.starts[record] : asking.starts[record + 1]]
        if one[1] != last:
            memo[:] = -1
            last = one[1]
        stamp = number + 1
        _stamp(led, one[5], stamp)
        counts, first = counted[number], 0
        whole = zones.who.size if limit == members.who.size else min(zones.who.size, limit // ZONE)
        _look_at_zones(whole, one, mine, stamp, zones, led.zones, whos, memo, rule, rank, counts, kept, limit)
        for zone in range(whole):
            if zones.is_done[zone]:
                hits = _look_along(
                    first,
                    zone * ZONE,
                    one,
                    mine,
                    stamp,
                    members,
                    led.stamps,
                    whos,
                    memo,
                    rule,
                    rank,
                    found,
                    hits,
                    counts,
                    kept,
                )
                first = min(limit, (zone + 1) * ZONE)
        hits = _look_along(
            first, limit, one, mine, stamp, members, led.stamps, whos, memo, rule, rank, found, hits, counts, kept
        )
    return records.size, hits


@_inline
def _asked_of(asking, record, base, rule):
    size = asking.sizes[record]
    return (
        record,
        asking.who[record],
        asking.time[record],
        asking.numbers[record],
        asking.contents[record],
        asking.hashes[record],
        size,
        base,
        _ceil_ratio(rule.numerator, size + rule.size, rule.numerator + rule.denominator),
    )


@_inline
def _stamp(led, content_hash, stamp):
    for place in range(np.searchsorted(led.hashes, content_hash), led.hashes.size):
        if led.hashes[place] != content_hash:
            break
        led.stamps[led.members[place]] = stamp
        led.zones[led.members[place] // ZONE] = stamp


@_allocating
def recount(record, base, asking, members, changes, count, led, whos, memo, rule, rank, found, counted, kept):
    """Move what changed members are counted for to the guards that refuse them now; to be refused they had before.

    counted[tokens with a digit that both have, guard].
    """
    one = _asked_of(asking, record, base, rule)
    mine = asking.digits[asking.starts[record] : asking.starts[record + 1]]
    _stamp(led, one[5], 1)
    before = np.zeros_like(counted)
    for at in range(count):
        member = changes.members[at]
        before[:] = 0
        _look_along(
            member, member + 1, one, mine, 1, members, led.stamps, whos, memo, rule, rank, found, 0, before, kept
        )
        for more in range(before.shape[0]):
            for guard in range(NONE + 1, OUTCOMES):
                if before[more, guard]:
                    counted[more, guard] -= 1
                    counted[more, _now_refuses(record, asking, changes, at, whos, rule.mask)] += 1


@_inline
def _now_refuses(record, asking, changes, at, whos, mask):
    return _refuses(
        _who_differs(asking.who[record], changes.who[at], whos, mask),
        asking.time[record],
        asking.numbers[record],
        asking.contents[record],
        changes.time[at],
        changes.numbers[at],
        changes.contents[at],
        mask,
    )


@_compile
def lets_go(records, asking, old, new, whos, mask):
    """Return whether a record and a memory were refused, and are no longer once the memory's facts are new ones."""
    equal_mask = mask & ~(1 << NUMBERS)
    for at in range(records.size):
        record = records[at]
        who, time = asking.who[record], asking.time[record]
        numbers, contents = asking.numbers[record], asking.contents[record]
        before = _who_differs(who, old[0], whos, mask)
        after = _who_differs(who, new[0], whos, mask)
        for asked in (mask, equal_mask):
            if _refuses(before, time, numbers, contents, old[1], old[2], old[3], asked) != NONE:
                if _refuses(after, time, numbers, contents, new[1], new[2], new[3], asked) == NONE:
                    return True
    return False
