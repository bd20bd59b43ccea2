"""A hash table over columns finds what was entered, also where keys crowd at one place, and loses nothing on its way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from membatch.similarity import kernels
from membatch.similarity.slots import Slots

CAPACITY, SIZE = 4, 8  # homes, and slots

UInts = npt.NDArray[np.uint64]


def home(key: int) -> int:
    mixed = key * 0x9E3779B97F4A7C15 % 2**64
    return (mixed >> 32) * CAPACITY >> 32


def keys_of_the_last_home(count: int) -> UInts:
    found = (key for key in range(1, 10_000) if home(key) == CAPACITY - 1)
    return np.array([next(found) for _ in range(count)], np.uint64)


@given(st.lists(st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=40), max_size=6))
def test_keys_are_found_where_a_dict_finds_them(batches: list[list[int]]) -> None:
    slots, known, keys = Slots(), dict[int, int](), np.empty(0, np.uint64)
    for batch in batches:
        new = [key for key in batch if key not in known]
        first = len(keys)
        keys = np.concatenate([keys, np.array(new, np.uint64)])
        known.update(zip(new, range(first, len(keys)), strict=True))
        slots.put(keys, np.arange(first, len(keys)))
        asked = [*batch, 7, 2**63]
        found, _ = slots.find((keys,), (np.array(asked, np.uint64),))
        assert found.tolist() == [known.get(key, -1) for key in asked]


def test_of_two_rows_with_one_key_the_second_column_tells() -> None:
    slots, keys, checks = Slots(), np.array([5, 5], np.uint64), np.array([1, 2], np.uint64)
    slots.put(keys, np.arange(2))
    wanted = np.full(3, 5, np.uint64), np.array([2, 1, 3], np.uint64)
    assert slots.find((keys, checks), wanted)[0].tolist() == [1, 0, -1]


def test_rows_that_find_no_place_leave_the_table_as_it_was() -> None:
    keys = keys_of_the_last_home(5)
    table = np.full(SIZE, kernels.FREE, np.int32)
    assert kernels.enter_keys(table, CAPACITY, keys, np.array([0]))
    before = table.copy()
    assert not kernels.enter_keys(table, CAPACITY, keys, np.array([1, 2, 3, 4]))  # the last slot stays free
    assert table.tolist() == before.tolist()
    assert kernels.enter_keys(table, CAPACITY, keys, np.array([1, 2, 3]))
    assert table.tolist() == [-1, -1, -1, 0, 1, 2, 3, -1]


def test_keys_that_crowd_at_the_end_make_the_table_larger() -> None:
    slots, inverse = Slots(), pow(0x9E3779B97F4A7C15, -1, 2**64)
    crowded = [(2**64 - 1 - number * 2**41) * inverse % 2**64 for number in range(1_200)]  # more than fit behind it
    keys = np.array([*range(1, 5_001), *crowded], np.uint64)
    slots.put(keys, np.arange(5_000))
    slots.put(keys, np.arange(5_000, len(keys)))
    assert slots.find((keys,), (keys,))[0].tolist() == list(range(len(keys)))
