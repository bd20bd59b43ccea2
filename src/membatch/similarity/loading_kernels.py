"""Compiled loops that enter all founders of a store at once, each list of postings as long as it must be.

Rule: what they leave is what entering row after row would leave, but for the order of the tokens and slack.

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

import numpy as np

from membatch.similarity.kernels import _ceil_ratio, _compile, _list_of, sign_rows, sort_rows


@_compile
def count_tokens(tokens, frequency):
    """Count how often each token number occurs."""
    for at in range(tokens.size):
        frequency[tokens[at]] += 1


@_compile
def rank_rows(stop, tokens, offsets, rank, signatures):
    """Give the tokens of rows 0..stop their new numbers, sort and sign each row."""
    step = 256  # rows that a processor's nearest cache holds
    for first in range(0, stop, step):
        last = min(first + step, stop)
        for at in range(offsets[first], offsets[last]):
            tokens[at] = rank[tokens[at]]
        sort_rows(tokens, offsets[first + 1 : last + 1], offsets[first])
        sign_rows(first, last, tokens, offsets, signatures)


@_compile
def count_postings(first, stop, tokens, offsets, scopes, numerator, denominator, keys, lists, count, lengths):
    """Count the entries of each list, and number the lists. Returns the row to go on with and how many there are."""
    for row in range(first, stop):
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        if size == 0:
            continue
        prefix = size - _ceil_ratio(numerator, size, denominator) + 1
        if count + prefix > lengths.size or 2 * (count + prefix) > keys.size:
            return row, count
        for position in range(prefix):
            slot, key = _list_of(scopes[row], tokens[begin + position], keys, lists)
            if keys[slot] == 0:
                keys[slot] = key
                lists[slot] = count
                count += 1
            lengths[lists[slot]] += 1
    return stop, count


@_compile
def fill_postings(stop, tokens, offsets, scopes, numerator, denominator, keys, lists, ends, slab):
    """Enter rows 0..stop; `ends` are where the lists begin, and in the end where their entries end."""
    for row in range(stop):
        begin, size = offsets[row], offsets[row + 1] - offsets[row]
        if size == 0:
            continue
        prefix = size - _ceil_ratio(numerator, size, denominator) + 1
        for position in range(prefix):
            slot, _ = _list_of(scopes[row], tokens[begin + position], keys, lists)
            number = lists[slot]
            slab[ends[number]] = (
                (np.uint64(row) << np.uint64(32)) | (np.uint64(position) << np.uint64(16)) | np.uint64(size)
            )
            ends[number] += 1
