"""Compiled loops over crowds: which members a record could be the same as, and how many are refused by which guard.

Rule: a pair is refused here only where the guard of `similarity.guards` would refuse it; what is not certain is not
refused. Guards are asked in the order of their table, and the first that says "different" is the one that counts.
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
    PARTICIPANTS,
    SUBJECT,
    UNKNOWN,
    WHEN,
    ZONE,
)
from membatch.similarity.kernels import _ceil_ratio, _compile, _inline, _list_of, _mixed
from membatch.similarity.zone_kernels import APART, UNDECIDED, zone_is_led, zone_overlap, zone_refuses


@_compile
def base_keys(rows, tokens, offsets, scopes, has_digit, most, keys):
    """Write, for each row, a hash of its scope, of its words without a digit, and of how many have one.

    0 where it has no token, or more than `most` with a digit: such a row belongs to no crowd.
    """
    for at in range(rows.size):
        row = rows[at]
        begin, end = offsets[row], offsets[row + 1]
        total, count = np.uint64(0), 0
        for place in range(begin, end):
            if has_digit[tokens[place]]:
                count += 1
            else:
                total += _mixed(np.uint64(tokens[place]) + np.uint64(1))
        keys[at] = 0
        if begin < end and count <= most:
            keys[at] = _mixed(total ^ (np.uint64(scopes[row]) << np.uint64(8)) ^ np.uint64(count)) | np.uint64(1)


@_compile
def digits_of(rows, tokens, offsets, has_digit, digits):
    """Write the tokens with a digit of each row, all rows having as many."""
    for at in range(rows.size):
        count = 0
        for place in range(offsets[rows[at]], offsets[rows[at] + 1]):
            if has_digit[tokens[place]]:
                digits[at, count] = tokens[place]
                count += 1


@_compile
def purge_rows(
    rows, tokens, offsets, scopes, alive, numerator, denominator, keys, lists, starts, lengths, slab, is_clean
):
    """Take what is no longer alive out of the postings that hold some rows."""
    for at in range(rows.size):
        row = rows[at]
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        for position in range(size - _ceil_ratio(numerator, size, denominator) + 1):
            slot, _ = _list_of(scopes[row], tokens[begin + position], keys, lists)
            number = lists[slot]
            if is_clean[number]:
                continue
            is_clean[number] = True
            kept = starts[number]
            for place in range(starts[number], starts[number] + lengths[number]):
                entry = slab[place]
                if alive[np.int64(entry >> np.uint64(32))]:
                    slab[kept] = entry
                    kept += 1
            lengths[number] = kept - starts[number]


@_inline
def _token_key(scope, token):
    return _mixed((np.uint64(scope) << np.uint64(32)) | np.uint64(token))


@_compile
def prefix_keys(rows, tokens, offsets, scopes, numerator, denominator, keys, holders):
    """Write the keys of the prefix tokens of rows, and the row of each; returns how many there are."""
    count = 0
    for at in range(rows.size):
        row = rows[at]
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        if size == 0:
            continue
        for position in range(size - _ceil_ratio(numerator, size, denominator) + 1):
            keys[count] = _token_key(scopes[row], tokens[begin + position])
            holders[count] = row
            count += 1
    return count


@_compile
def token_keys(scope, tokens, keys):
    """Write the keys of some tokens of a scope."""
    for at in range(tokens.size):
        keys[at] = _token_key(scope, tokens[at])


@_compile
def overlaps(rows, crowds, tokens, offsets, bases, base_offsets, shared):
    """Write how many tokens each row shares with the base of each crowd."""
    for at in range(rows.size):
        left, end = offsets[rows[at]], offsets[rows[at] + 1]
        right, stop = base_offsets[crowds[at]], base_offsets[crowds[at] + 1]
        count = 0
        while left < end and right < stop:
            if tokens[left] == bases[right]:
                count += 1
                left += 1
                right += 1
            elif tokens[left] > bases[right]:
                left += 1
            else:
                right += 1
        shared[at] = count


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
def _look_at(record, member, number, base, needed, asking, members, led, whos, memo, rule):
    """Return the guard that refuses one pair, NONE, or APART; how many tokens both have; whether the hash leads."""
    if members.memories[member] < rule.oldest:
        return APART, 0, False
    both = base
    for at in range(members.digits.shape[1]):
        digit = members.digits[member, at]
        for place in range(asking.starts[record], asking.starts[record + 1]):
            if asking.digits[place] == digit:
                both += 1
    if both < needed:
        return APART, 0, False
    who, other = asking.who[record], members.who[member]
    is_led = members.hashes[member] == asking.hashes[record] or led.stamps[member] == number + 1
    if who == UNKNOWN or other == UNKNOWN:
        return NONE, both, is_led
    by_who = memo[other]
    if by_who < 0:
        by_who = memo[other] = _who_differs(who, other, whos, rule.mask)
    guard = _refuses(
        by_who,
        asking.time[record],
        asking.numbers[record],
        asking.contents[record],
        members.time[member],
        members.numbers[member],
        members.contents[member],
        rule.mask & ~(1 << NUMBERS) if is_led else rule.mask,
    )
    return guard, both, is_led


@_compile
def look_over(
    start,
    records,
    shared,
    limits,
    asking,
    members,
    zones,
    led,
    whos,
    memo,
    rule,
    rank,
    found,
    counted,
    examples,
    exampled,
):
    """Look over the first `limits` members of a crowd for each of some records, which share tokens with its base.

    Pairs at or above the threshold that no guard refuses go to `found` (record, member, shared, union); the others
    are counted: counted[number, tokens with a digit that both have, guard], NONE where the content hash is the same,
    since such a pair counts elsewhere. Returns the number of the record to go on with when `found` is full, and
    the number of pairs found.
    """
    hits = 0
    mask = rule.mask
    equal_mask = mask & ~(1 << NUMBERS)
    last = UNKNOWN
    for number in range(start, records.size):
        limit = limits[number]
        if hits > 0 and hits + limit > found.shape[0]:
            return number, hits
        record = records[number]
        size = asking.sizes[record]
        needed = _ceil_ratio(rule.numerator, size + rule.size, rule.numerator + rule.denominator)
        base = shared[number]
        who, time, content_hash = asking.who[record], asking.time[record], asking.hashes[record]
        numbers, contents = asking.numbers[record], asking.contents[record]
        if who != last:
            memo[:] = -1
            last = who
        for place in range(np.searchsorted(led.hashes, content_hash), led.hashes.size):
            if led.hashes[place] != content_hash:
                break
            led.stamps[led.members[place]] = number + 1
            led.zones[led.members[place] // ZONE] = number + 1
        member = 0
        while member < limit:
            zone = member // ZONE
            if member % ZONE == 0 and zone < zones.who.size and led.zones[zone] != number + 1:
                more = zone_overlap(asking, record, zones, zone)
                is_led = zone_is_led(content_hash, zones, zone)
                guard = UNDECIDED
                if more != UNDECIDED and base + more < needed:
                    guard = APART
                elif more != UNDECIDED and is_led != UNDECIDED and who != UNKNOWN and zones.who[zone] != UNKNOWN:
                    other = zones.who[zone]
                    by_who = memo[other]
                    if by_who < 0:
                        by_who = memo[other] = _who_differs(who, other, whos, mask)
                    asked = equal_mask if is_led else mask
                    guard = zone_refuses(by_who, time, numbers, contents, zones, zone, asked)
                if guard != UNDECIDED and zones.memories[zone, 0] >= rule.oldest:
                    both = base + more
                    union = size + rule.size - both
                    left, right = both * rank.union, rank.shared * union
                    if guard == APART:
                        member += ZONE
                        continue
                    if is_led or left < right or (left == right and zones.memories[zone, 0] >= rank.memory):
                        guard = NONE
                    elif left == right and zones.memories[zone, 1] >= rank.memory:
                        guard = UNDECIDED
                    if guard != UNDECIDED:
                        counted[number, more, guard] += min(limit - member, ZONE)
                        if guard != NONE and exampled[guard] < EXAMPLES:
                            _keep(examples[guard], exampled[guard], record, member, both, union)
                            exampled[guard] += 1
                        member += ZONE
                        continue
            stop = min(limit, member + ZONE - member % ZONE)
            while member < stop:
                guard, both, is_led = _look_at(
                    record, member, number, base, needed, asking, members, led, whos, memo, rule
                )
                if guard != APART:
                    union = size + rule.size - both
                    left, right = both * rank.union, rank.shared * union
                    if guard == NONE:
                        _keep(found, hits, record, member, both, union)
                        hits += 1
                    elif is_led or left < right or (left == right and members.memories[member] >= rank.memory):
                        counted[number, both - base, NONE] += 1
                    else:
                        counted[number, both - base, guard] += 1
                        if exampled[guard] < EXAMPLES:
                            _keep(examples[guard], exampled[guard], record, member, both, union)
                            exampled[guard] += 1
                member += 1
    return records.size, hits


@_compile
def recount(record, base, asking, members, changes, count, led, whos, memo, rule, rank, counted):
    """Move what changed members are counted for to the guards that refuse them now; to be refused they had before.

    counted[tokens with a digit that both have, guard].
    """
    size, content_hash = asking.sizes[record], asking.hashes[record]
    needed = _ceil_ratio(rule.numerator, size + rule.size, rule.numerator + rule.denominator)
    for place in range(np.searchsorted(led.hashes, content_hash), led.hashes.size):
        if led.hashes[place] != content_hash:
            break
        led.stamps[led.members[place]] = 1
    for at in range(count):
        member = changes.members[at]
        guard, both, is_led = _look_at(record, member, 0, base, needed, asking, members, led, whos, memo, rule)
        if guard in (APART, NONE) or is_led:
            continue
        union = size + rule.size - both
        left, right = both * rank.union, rank.shared * union
        if left < right or (left == right and members.memories[member] >= rank.memory):
            continue
        counted[both - base, guard] -= 1
        counted[both - base, _now_refuses(record, asking, changes, at, whos, rule.mask)] += 1


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


@_compile
def flat_digits(first, stop, tokens, offsets, has_digit, starts, digits):
    """Write the tokens with a digit of rows first..stop one after the other, and where those of each begin."""
    at = 0
    for row in range(first, stop):
        starts[row - first] = at
        for place in range(offsets[row], offsets[row + 1]):
            if has_digit[tokens[place]]:
                digits[at] = tokens[place]
                at += 1
    starts[stop - first] = at
