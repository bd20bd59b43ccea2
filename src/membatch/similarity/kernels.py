"""Compiled loops over tokens: texts to hashes, hashes to numbers, rows of numbers sorted and signed.

Rule: flat arrays only; nothing here knows of records or settings.

A row is a text's token numbers, sorted with the rarest (highest) number first.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _compile(function, counts_references=False):
    """Compile when first called; keep it for later starts where there is a place that can be written to.

    Whoever calls holds the arrays meanwhile. Numba would count references to each at each use, which takes longer than
    the work on a crowd; what makes arrays of its own needs that, and is an `_allocating` one.
    """
    options = {"nogil": True, "boundscheck": False, "_nrt": counts_references}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor a cache folder of the user
        return numba.njit(**options)(function)


_allocating = partial(_compile, counts_references=True)
_inline = numba.njit(inline="always")


def _prefetch(typing_context, array, index):
    """Ask for an element of an array, counted flat, that is about to be read, without waiting for it.

    A look at memory that no cache holds takes as long as a hundred entries of a list; these are waited for together.
    """

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", (place.type,), kind)
        to_read, for_long, data_cache = number(0), number(3), number(1)
        builder.call(function, [place, to_read, for_long, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _population(typing_context, value):
    """Count the ones of an integer, by an instruction of the processor where it has one."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return value(value), generate


prefetch: Any = intrinsic(_prefetch)
_count_ones: Any = intrinsic(_population)

_MIX = np.uint64(0x9E3779B97F4A7C15)
_FNV_BASIS = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)

# Classes of characters, as `similarity.tokens` lays them down.
SEPARATOR, WORD, SYMBOL, UNSPACED = 0, 1, 2, 3

_ZERO, _NINE = ord("0"), ord("9")

_SHORT, _LANES = 64, 16  # tokens that are sorted by comparing each with each, and how many of them at a time
_LARGEST = np.uint64(0xFFFFFFFFFFFFFFFF)

FREQUENT = 64  # tokens that have a bit of their own in each row's signature


@_inline
def _mixed(value):
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@_inline
def _ones(value):
    return np.int64(_count_ones(value))


@_inline
def _ceil_ratio(numerator, amount, denominator):
    return (numerator * amount + denominator - 1) // denominator


@_inline
def _sort_short(values, first, size, scratch, ranks):
    """Sort some values, by comparing each with each, many at a time and without a branch.

    Of equal ones the first stays, and 0 stands for each other.
    """
    padded = (size + _LANES - 1) // _LANES * _LANES
    for at in range(padded):
        scratch[at], ranks[at] = values[first + at] if at < size else _LARGEST, 0
    for at in range(size):
        values[first + at] = 0
        value = scratch[at]
        for other in range(padded):
            ranks[other] += np.int64(scratch[other] > value)
    for at in range(size):
        values[first + ranks[at]] = scratch[at]


@_allocating
def hash_tokens(characters, starts, classes, hashes, ends):
    """Write the token hashes of each text, sorted and each once; `ends` gets where each text's hashes end.

    The lowest bit of a hash says whether the word has a digit; two words are told apart by the other 63.
    `characters` are the code points of all texts, `starts` (n + 1) where each begins; `hashes` has room for
    one token a character.
    """
    scratch, ranks = np.empty(_SHORT, np.uint64), np.empty(_SHORT, np.int64)
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
            if at - first <= _SHORT:
                _sort_short(hashes, first, at - first, scratch, ranks)
            else:
                hashes[first:at].sort()
            kept = first
            for number in range(first + 1, at):
                if hashes[number] != hashes[kept] and hashes[number] != 0:
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


@_allocating
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
            padded = (size + _LANES - 1) // _LANES * _LANES
            for at in range(padded):
                old[at], ranks[at] = values[at] if at < size else -1, 0
            for other in range(size):
                high = old[other]
                for at in range(padded):
                    ranks[at] += np.int32(old[at] < high)
            if 2 * ranks[:size].sum() == size * (size - 1):  # all different
                for at in range(size):
                    values[ranks[at]] = old[at]
                continue
        values.sort()
        values[:] = values[::-1].copy()


@_inline
def bit_of(token):
    """Return the bit of a token in the bitmaps of rows: frequent ones have one each of the first, others share."""
    return np.uint64(1) << (np.uint64(token) if token < FREQUENT else (np.uint64(token) * _MIX) >> np.uint64(58))


@_compile
def sign_rows(first, stop, tokens, offsets, signatures):
    """Write two bitmaps of each row: a bit each for its frequent tokens, and of the rest a hash of 64 bits.

    The frequent ones are those with a number below FREQUENT, the last of each row. Each other token changes one bit of
    the second bitmap, so that two rows differ in at least as many tokens as bits.
    """
    for row in range(first, stop):
        frequent, rest = np.uint64(0), np.uint64(0)
        for at in range(offsets[row], offsets[row + 1]):
            if tokens[at] < FREQUENT:
                frequent |= bit_of(tokens[at])
            else:
                rest ^= bit_of(tokens[at])
        signatures[row, 0], signatures[row, 1] = frequent, rest
