"""An index that is loaded at once finds what one finds that grew batch by batch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch.fingerprint import canonical_text
from membatch.similarity.join import Join
from membatch.similarity.known import Known
from membatch.similarity.tokens import tokenize
from tests.similarity.test_join import Pair, brute_force, generated, texts

# A slot is chosen by the upper half of a key times this number (modulo 2**64): keys are made from the upper half.
MIX = 0x9E3779B97F4A7C15


def loaded(some: list[str], scopes: list[str], threshold: Fraction, stored: int, size: int) -> set[Pair]:
    """Return all pairs of the texts behind the first `stored`, which are loaded at once, in two parts."""
    join, found = Join(threshold), set()
    hashed = [tokenize([canonical_text(text)])[0] for text in some]
    for part in (range(stored // 2), range(stored // 2, stored)):
        sizes = np.array([len(hashed[row]) // 8 for row in part], np.int64)
        numbers = join.scope_numbers([scopes[row] for row in part])
        join.load(
            np.frombuffer(b"".join(hashed[row] for row in part), np.uint64),
            sizes,
            numbers,
            np.array(part, np.int64) + 1,
            len(part),
        )
    join.enter_all()
    assert join.memories_of(np.arange(stored)).tolist() == list(range(1, stored + 1))
    for start in range(stored, len(some), size):
        part = range(start, min(start + size, len(some)))
        result = join.find(
            [hashed[row] for row in part], join.scope_numbers(scopes[part.start : part.stop]), np.ones(len(part), bool)
        )
        found |= {(start + record, row, shared, union) for record, row, shared, union in result.hits.tolist()}
        join.keep(np.array(part, np.int64) - start, np.array(part, np.int64) + 1)
    return found


@settings(max_examples=200, deadline=None)
@given(texts, st.sampled_from(["0.34", "0.5", "0.8", "1"]), st.integers(1, 10), st.data())
def test_what_is_loaded_is_found_and_grows_like_any_other(
    some: list[str], threshold: str, size: int, data: st.DataObject
) -> None:
    scopes, stored = [data.draw(st.sampled_from("xy")) for _ in some], data.draw(st.integers(0, len(some)))
    expected = {pair for pair in brute_force(some, scopes, Fraction(threshold)) if pair[0] >= stored}
    assert loaded(some, scopes, Fraction(threshold), stored, size) == expected


@pytest.mark.parametrize("templated", [False, True])
def test_generated_texts_loaded_at_once_equal_brute_force(templated: bool) -> None:
    some, ratio = generated(2000, templated), Fraction("0.8")
    scopes = [f"scope {number % 7}" for number in range(len(some))]
    expected = {pair for pair in brute_force(some, scopes, ratio) if pair[0] >= 1500}
    assert len(expected) > 10
    assert loaded(some, scopes, ratio, 1500, 100) == expected


def test_long_texts_and_equal_ones_are_loaded() -> None:
    some = [" ".join(f"w{number}" for number in range(length)) for length in (63, 64, 65, 66, 700, 65, 701)] + ["", ""]
    assert loaded(some, ["s"] * 9, Fraction("0.9"), 5, 2) == {
        pair for pair in brute_force(some, ["s"] * 9, Fraction("0.9")) if pair[0] >= 5
    }


# Keys whose upper halves are equal, near one another, or the last there is.
keys = st.builds(
    lambda upper, lower: (upper << 32 | lower) * pow(MIX, -1, 2**64) % 2**64,
    st.sampled_from([0, 1, 5, 2**31, 2**32 - 2, 2**32 - 1]),
    st.integers(1, 4),
)
rows = st.lists(st.tuples(keys, keys, st.integers(1, 4), st.booleans()), unique_by=lambda row: row[0], max_size=24)


def columns(some: list[tuple[int, int, int, bool]]) -> tuple[Any, Any, Any, Any, Any]:
    digests = np.array([(digest, digest ^ 1) for digest, *_ in some], np.uint64).reshape(-1, 2)
    ids = np.array([digest if digest % 3 else 0 for digest, *_ in some], np.uint64)
    hashes, memories = ([row[at] for row in some] for at in (1, 2))
    dead = np.array([row[3] for row in some], np.bool_)
    return digests, np.array(hashes, np.uint64), ids, np.array(memories, np.uint32), dead


def answers(known: Known, some: list[tuple[int, int, int, bool]]) -> list[Any]:
    digests, hashes, ids, _, _ = columns([*some, (3, 3, 1, False)])
    led = [(known.led_to(row), known.founding(row)) for row in known.by_hash(hashes).tolist()]
    return [known.by_digest(digests).tolist(), known.by_id(ids[ids != 0]).tolist(), led]


@settings(max_examples=300, deadline=None)
@given(rows, rows, st.integers(0, 24))
def test_what_was_known_at_once_leads_where_it_leads_row_by_row(some: Any, more: Any, cut: int) -> None:
    more = [row for row in more if row[0] not in {one[0] for one in some}]
    grown, at_once = Known(), Known()
    for row in some:
        grown.add(*columns([row]))
    at_once.append(*columns(some[:cut]), len(some))
    at_once.append(*columns(some[cut:]))
    at_once.enter_all()
    assert answers(at_once, some) == answers(grown, some)
    for row in more:
        grown.add(*columns([row]))
        at_once.add(*columns([row]))
    assert answers(at_once, some + more) == answers(grown, some + more)


def test_more_keys_at_one_place_than_there_is_room_behind_it_are_known() -> None:
    last = 2**32 - 1
    some = [((last << 32 | low) * pow(MIX, -1, 2**64) % 2**64, low, low, False) for low in range(1, 2001)]
    known = Known()
    known.append(*columns(some))
    known.enter_all()
    assert answers(known, some)[0] == [*range(1, 2001), 0]
