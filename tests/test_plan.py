"""Positions that are made when somebody asks for them are those of a list."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membatch.plan import Position, Positions, Reached, Stretch

ENDS = st.none() | st.integers(-40, 40)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 7), st.booleans()), max_size=5), ENDS, ENDS, ENDS, ENDS)
def test_positions_are_those_of_a_list(
    stretches: list[tuple[int, int, bool]], start: int | None, stop: int | None, first: int | None, last: int | None
) -> None:
    positions, listed = Positions(), list[Position]()
    for source, count, is_row in stretches:
        lines, begin = range(len(listed) + 1, len(listed) + 1 + count), 10 * len(listed)
        offsets = None if is_row else [begin + number for number in range(count)]
        reached = [Reached(line, 1) for line in lines] if is_row else None
        positions.add(Stretch(source, lines, offsets, is_row, reached))
        listed += [
            Position(
                source,
                line,
                None if offsets is None else offsets[at],
                0,
                is_row,
                None if reached is None else reached[at],
            )
            for at, line in enumerate(lines)
        ]
    assert list(positions) == listed
    assert list(positions[start:stop]) == listed[start:stop]
    assert list(positions[start:stop][first:last]) == listed[start:stop][first:last]
    assert list(pickle.loads(pickle.dumps(positions[start:stop]))) == listed[start:stop]
    assert [positions[-number - 1] for number in range(len(listed))] == listed[::-1]


def test_there_is_no_position_behind_the_last() -> None:
    positions = Positions()
    positions.add(Stretch(0, [1, 2], None))
    with pytest.raises(IndexError):
        positions[1:][1]
