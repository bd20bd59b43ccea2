"""Compiled loops that tell which rows of a join belong to a crowd, and which rows touch one.

Rule: exact; a row and a crowd that are not brought together here share no pair at or above the threshold.

What is compiled is kept under the date of this file alone: after a change in a file that it imports, touch this one.
"""

from __future__ import annotations

import numpy as np

from membatch.similarity.kernels import _ceil_ratio, _compile, _inline, _mixed


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
