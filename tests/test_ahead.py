"""Batches worked out ahead are those of the iterator, in order, and its faults come where they happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membatch.ahead import MOST, Ahead
from membatch.plan import Batch, Checkpoint, ContentHash, Digest, Position


class Damage(Exception):  # noqa: N818
    pass


def batches(lengths: list[int], fails: bool) -> Iterator[Batch]:
    first = 0
    for length in lengths:
        yield Batch(
            positions=[Position(0, line, 0) for line in range(first, first + length)],
            ids=[str(number) for number in range(first, first + length)],
            scopes=[""] * length,
            records=[b""] * length,
            digests=[Digest(b"")] * length,
            content_hashes=[ContentHash(b"")] * length,
            id_hashes=[b""] * length,
            tokens=[],
            rejections={},
            warnings={},
            after=Checkpoint(line=first + length),
        )
        first += length
    if fails:
        raise Damage


STEPS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 4)), min_size=1, max_size=9)


@given(st.lists(st.integers(0, 7), max_size=6), st.booleans(), STEPS)
def test_pieces_are_the_batches_in_order_and_a_fault_comes_behind_all_of_them(
    lengths: list[int], fails: bool, steps: list[tuple[int, int, int]]
) -> None:
    ahead, ids, round_ = Ahead(batches(lengths, fails)), list[str](), 0
    try:
        while (piece := ahead.piece(steps[round_ % len(steps)][0])) is not None:
            _, most, work = steps[round_ % len(steps)]
            for _ in range(work):
                ahead.work_out()
            done = min(most, len(piece))
            ids += piece.ids[:done]
            following = ahead.piece_behind(done, 100)
            ahead.done(done)
            if following is not None:
                next_piece = ahead.piece(100)
                assert next_piece is not None
                assert next_piece.ids == following.ids
            round_ += 1
    except Damage:
        assert fails
    else:
        assert not fails
    assert ids == [str(number) for number in range(sum(lengths))]


def test_no_more_batches_than_needed_are_held() -> None:
    made = []
    ahead = Ahead(made.append(batch) or batch for batch in batches([1] * 9, fails=False))  # type: ignore[func-returns-value]
    for _ in range(9):
        ahead.work_out()
    assert len(made) == MOST


@pytest.mark.parametrize("most", [1, 2])
def test_a_batch_is_worked_out_only_where_fewer_are_there(most: int) -> None:
    made = []
    ahead = Ahead(made.append(batch) or batch for batch in batches([1] * 9, fails=False))  # type: ignore[func-returns-value]
    for _ in range(9):
        ahead.work_out(most)
    assert len(made) == most
