"""Compiled loops that enter all founders of a store at once, each list of postings as long as it must be.

Rule: what they leave is what entering row after row would leave, but for the order of the tokens and slack.

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

import numpy as np

from membatch.similarity.kernels import _allocating, _compile, bit_of, sign_rows, sort_rows
from membatch.similarity.posting_kernels import (
    CAPACITY,
    LAST_PLACE,
    LENGTH,
    LISTS,
    clamped,
    folded,
    note_bounds,
    prefix_of,
    second_of,
    seconds_of,
    size_of,
    slot_of,
)


@_compile
def count_tokens(tokens, frequency):
    """Count how often each token number occurs."""
    for at in range(tokens.size):
        frequency[tokens[at]] += 1


@_allocating
def rank_rows(first, stop, tokens, offsets, rank, signatures):
    """Give the tokens of rows first..stop their new numbers, sort and sign each row."""
    step = 256  # rows that a processor's nearest cache holds
    for begin in range(first, stop, step):
        end = min(begin + step, stop)
        for at in range(offsets[begin], offsets[end]):
            tokens[at] = rank[tokens[at]]
        sort_rows(tokens, offsets[begin + 1 : end + 1], offsets[begin])
        sign_rows(begin, end, tokens, offsets, signatures)


@_compile
def count_entries(first, stop, rows, lists):
    """Count the entries of each list: in LENGTH if it is not split, in CAPACITY if it is; return the row to go on with.

    New lists are numbered, until there is no room in the tables.
    """
    table, state = lists.table, lists.state
    for row in range(first, stop):
        size = size_of(row, rows)
        prefix = prefix_of(size, rows.numerator, rows.denominator)
        if state[LISTS] + prefix > table.shape[0] or 2 * (state[LISTS] + prefix) > lists.keys.size:
            return row
        for place in range(prefix):
            slot, key = slot_of(rows.scopes[row], rows.tokens[rows.offsets[row] + place], lists.keys)
            if lists.keys[slot] == 0:
                lists.keys[slot], lists.numbers[slot] = key, state[LISTS]
                state[LISTS] += 1
            number = lists.numbers[slot]
            note_bounds(number, size, place, rows.numerator, rows.denominator, table)
            table[number, LENGTH] += 1
            table[number, CAPACITY] += max(1, seconds_of(size, place, prefix))
    return stop


@_compile
def fill_lists(first, stop, rows, lists, is_split, reaches, ends):
    """Enter rows first..stop with the entries that `insert_rows` writes, and nothing computed twice.

    `ends` are where in each list the first one goes, and in the end where their entries end. `reaches` has, for how
    many tokens two rows may have in common, how many they may have together.
    """
    for row in range(first, stop):
        begin, size = rows.offsets[row], size_of(row, rows)
        prefix = prefix_of(size, rows.numerator, rows.denominator)
        behind = rows.signatures[row, 0] ^ rows.signatures[row, 1]
        for_all = (clamped(size) << np.uint64(55)) | np.uint64(row)
        for_one = (clamped(size) << np.uint64(40)) | np.uint64(row)
        for place in range(prefix):
            token = rows.tokens[begin + place]
            number = lists.numbers[slot_of(rows.scopes[row], token, lists.keys)[0]]
            behind ^= bit_of(token)
            count = seconds_of(size, place, prefix) if is_split[number] else 0
            at = ends[number]
            if count == 0:
                there = np.uint64(min(place, LAST_PLACE)) << np.uint64(50)
                lists.slab[at] = for_all | there | (folded(behind) << np.uint64(28))
            for second in range(place + 1, place + 1 + count):
                reach = clamped(reaches[size - second + 1] - size) << np.uint64(32)
                lists.slab[at + second - place - 1] = second_of(rows.tokens[begin + second]) | for_one | reach
            ends[number] = at + max(1, count)
