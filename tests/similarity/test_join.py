"""Law 3: the join finds every pair at or above the threshold, no other, with exact scores."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch.errors import SurroundingsError
from membatch.fingerprint import canonical_text
from membatch.similarity.join import Join
from membatch.similarity.tokens import tokenize
from tests.laws.oracle import tokens

DATA = Path(__file__).parent.parent.parent.parent / "shared" / "data"
THRESHOLDS = ["0.5", "0.6", "0.7", "0.8", "0.9", "0.95"]
Pair = tuple[int, int, int, int]


def brute_force(texts: Sequence[str], scopes: Sequence[str], threshold: Fraction) -> set[Pair]:
    """All pairs (later, earlier, shared, union) of texts in one scope, by the oracle's tokens."""
    bags = [tokens(text) for text in texts]
    numbers: dict[str, int] = {}
    rows = [np.array(sorted(numbers.setdefault(token, len(numbers)) for token in bag)) for bag in bags]
    sizes = np.array([len(bag) for bag in bags])
    holders: dict[int, list[int]] = {}
    found = set()
    for later, row in enumerate(rows):
        shared = np.zeros(later, np.int64)
        for token in row:
            np.add.at(shared, holders.get(int(token), []), 1)
        union = sizes[later] + sizes[:later] - shared
        for earlier in np.flatnonzero(shared * threshold.denominator >= union * threshold.numerator).tolist():
            if union[earlier] and scopes[earlier] == scopes[later]:
                found.add((later, int(earlier), int(shared[earlier]), int(union[earlier])))
        for token in row:
            holders.setdefault(int(token), []).append(later)
    return found


def joined(texts: Sequence[str], scopes: Sequence[str], threshold: Fraction, size: int) -> set[Pair]:
    """The same by the join, in batches, every text a founder."""
    join, found, start = Join(threshold), set(), 0
    while start < len(texts):
        part = texts[start : start + size]
        hashed = tokenize([canonical_text(text) for text in part])
        numbers = join.scope_numbers(list(scopes[start : start + size]))
        result = join.find(hashed, numbers, np.ones(len(part), np.bool_))
        for record, row, shared, union in result.hits.tolist():
            found.add((start + record, row, shared, union))
        join.keep(np.arange(result.length), np.arange(start + 1, start + result.length + 1))
        start += result.length  # fewer than the batch where there are very many hits
    return found


words = st.sampled_from(["a", "b", "c", "d", "我爱", "苹果派", "c++", "🍎", "5", "-"])
texts = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=40)


@settings(max_examples=300, deadline=None)
@given(
    texts,
    st.sampled_from(["0.34", "0.5", "0.6", "2/3", "0.75", "0.8", "0.9", "0.95", "1"]),
    st.integers(1, 50),
    st.data(),
)
def test_the_join_equals_brute_force(some: list[str], threshold: str, size: int, data: st.DataObject) -> None:
    scopes = [data.draw(st.sampled_from("xy")) for _ in some]
    ratio = Fraction(threshold)
    assert joined(some, scopes, ratio, size) == brute_force(some, scopes, ratio)


def generated(count: int, templated: bool, fillers: int = 300) -> list[str]:
    rng = random.Random(3)
    vocabulary = [f"w{number}" for number in range(5000)]
    weights = [1 / rank for rank in range(1, 5001)]
    found: list[str] = []
    for _ in range(count):
        if found and rng.random() < 0.2:
            found.append(rng.choice(found) + " " + rng.choice(vocabulary))
        elif templated:
            one, other = rng.choices(vocabulary[:fillers], k=2)
            found.append(f"the user told the assistant that they prefer {one} over {other} most of the time")
        else:
            found.append(" ".join(rng.choices(vocabulary, weights=weights, k=rng.randint(5, 40))))
    return found


@pytest.mark.parametrize("threshold", ["0.5", "0.8", "0.95"])
@pytest.mark.parametrize("templated", [False, True])
def test_generated_texts_equal_brute_force(templated: bool, threshold: str) -> None:
    some, ratio = generated(1500, templated), Fraction(threshold)
    assert joined(some, ["s"] * len(some), ratio, 400) == brute_force(some, ["s"] * len(some), ratio)


def crowded_texts(count: int, words: int, longest: int, seed: int) -> list[str]:
    """Texts of so few words that each is in very many of them."""
    rng = random.Random(seed)
    return [
        " ".join(rng.choices([f"w{number}" for number in range(words)], k=rng.randint(1, longest)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("threshold", ["0.34", "0.5", "2/3", "0.8", "0.95"])
@pytest.mark.parametrize(("words", "longest"), [(8, 4), (25, 9), (60, 40)])
def test_words_that_most_texts_have_hide_no_pair(words: int, longest: int, threshold: str) -> None:
    some, ratio = crowded_texts(700, words, longest, words), Fraction(threshold)
    scopes = ["xy"[number % 5 == 0] for number in range(len(some))]
    assert joined(some, scopes, ratio, 90) == brute_force(some, scopes, ratio)


@pytest.mark.parametrize("threshold", ["0.5", "0.7", "0.8"])
def test_long_lists_hide_no_pair(threshold: str) -> None:
    some, ratio = crowded_texts(6000, 40, 12, 9), Fraction(threshold)
    scopes = ["s"] * len(some)
    assert joined(some, scopes, ratio, 700) == brute_force(some, scopes, ratio)


@pytest.mark.parametrize("threshold", ["0.5", "0.8"])
def test_texts_of_many_hundred_words_equal_brute_force(threshold: str) -> None:
    rng = random.Random(4)
    some = crowded_texts(150, 900, 1500, 5)
    for text in list(some):
        words = text.split()
        some.append(" ".join(rng.sample(words, max(1, len(words) - rng.randint(0, len(words) // 3)))))
    ratio = Fraction(threshold)
    assert joined(some, ["s"] * len(some), ratio, 70) == brute_force(some, ["s"] * len(some), ratio)


@pytest.mark.parametrize("threshold", ["0.5", "0.8"])
def test_records_that_found_no_memory_leave_nothing_behind(threshold: str) -> None:
    some, ratio, rng = crowded_texts(900, 30, 10, 6), Fraction(threshold), random.Random(7)
    join, founders, found = Join(ratio), list[str](), set()
    for start in range(0, len(some), 60):
        part = some[start : start + 60]
        result = join.find(tokenize(part), np.zeros(len(part), np.int32), np.ones(len(part), np.bool_))
        before = len(founders)
        for record, row, shared, union in result.hits.tolist():
            if row < before:
                found.add((start + record, row, shared, union))
        kept = [record for record in range(len(part)) if rng.random() < 0.6]
        join.keep(np.array(kept, np.int64), start + 1 + np.array(kept, np.int64))
        founders += [part[record] for record in kept]
        expected = brute_force([*founders[:before], *part], ["s"] * (before + len(part)), ratio)
        pairs = {(later - before + start, *rest) for later, *rest in expected if later >= before > rest[0]}
        assert {pair for pair in found if pair[0] >= start} == pairs


def test_a_long_text_whose_rare_words_are_its_own_is_found_where_lists_became_long() -> None:
    common = " ".join(f"c{number}" for number in range(150))

    def text(own: int, name: str) -> str:
        return f"{common} t " + " ".join(f"{name}{number}" for number in range(own))

    # Words first seen later count as rarer: 149 come before the first that others have, and all but that are too many.
    some = [common, "t", text(149, "own"), *(text(140, f"other{number}x") for number in range(300)), text(0, "")]
    found = joined(some, ["s"] * len(some), Fraction("0.5"), 1)
    assert (303, 2, 151, 300) in found
    assert found == brute_force(some, ["s"] * len(some), Fraction("0.5"))


def test_more_founders_than_entries_can_name_are_refused() -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(SurroundingsError, match="at most 268,435,456"):
        Join(Fraction("0.8")).load(nothing.view(np.uint64), nothing, np.zeros(0, np.int32), nothing, ahead=2**28 + 1)


def numbered(threshold: str, count: int) -> Join:
    """A join without founders that has numbered the words w1 to w<count> so."""
    join = Join(Fraction(threshold))
    for texts_ in (["first"], [f"w{number}" for number in range(1, count + 1)]):
        entered(join, texts_, asked=False)
        join.keep(NONE, NONE)
    return join


def entered(join: Join, some: list[str], asked: bool = True) -> list[list[int]]:
    hits: list[list[int]] = join.find(
        tokenize(some), np.zeros(len(some), np.int32), np.full(len(some), asked)
    ).hits.tolist()
    return hits


def words_of(numbers: Iterable[int]) -> str:
    return " ".join(f"w{number}" for number in numbers)


NONE = np.zeros(0, np.int64)


@pytest.mark.parametrize("second", [17711, 17712])  # what entries have of the first is all ones
def test_a_long_text_is_found_by_any_second_word(second: int) -> None:
    join, rng = numbered("0.8", 20000), random.Random(1)
    some = [words_of({19000, rng.randrange(1000, 16000), rng.randrange(1000, 16000)}) for _ in range(5000)]
    common = [*range(1, 259), 19000, second]
    entered(join, [*some, words_of([*common, *range(19001, 19066)])], asked=False)
    join.keep(np.arange(5001), np.arange(1, 5002))
    assert entered(join, [words_of(common)]) == [[0, 5000, 260, 325]]


def test_words_that_entries_do_not_tell_apart_lead_to_each_founder_once() -> None:
    count = 40000
    join = numbered("0.8", 50000)
    entered(join, [words_of([50000, 46368, 1, 2])] * count, asked=False)
    join.keep(np.arange(count), np.arange(1, count + 1))
    before = join.counted.copy()
    assert entered(join, [words_of([50000, 46368, 17711, 1, 2])]) == [[0, row, 4, 5] for row in range(count)]
    assert (join.counted - before).tolist() == [count, count]


def test_hits_found_before_one_record_has_very_many_are_kept() -> None:
    join = Join(Fraction("0.3"))
    some = ["a b"] * 40000 + ["c"] * 70000 + ["d"]
    entered(join, some, asked=False)
    join.keep(np.arange(len(some)), np.arange(1, len(some) + 1))
    assert len(entered(join, ["a b"])) == 40000
    join.keep(NONE, NONE)
    assert entered(join, ["d", "c"]) == [[0, 110000, 1, 1], *([1, row, 1, 1] for row in range(40000, 110000))]


def test_the_lowest_threshold_finds_all_that_have_a_word_in_common() -> None:
    some, ratio = crowded_texts(200, 40, 30, 11), Fraction("0.000000001")
    assert joined(some, ["s"] * len(some), ratio, 50) == brute_force(some, ["s"] * len(some), ratio)


@pytest.mark.parametrize("threshold", ["0.5", "0.8"])
def test_loading_finds_what_growing_finds_where_words_are_in_most_texts(threshold: str) -> None:
    some, ratio = crowded_texts(1300, 30, 10, 8), Fraction(threshold)
    grown, loaded = Join(ratio), Join(ratio)
    for start in range(0, 1200, 150):
        part = tokenize(some[start : start + 150])
        grown.find(part, np.zeros(150, np.int32), np.ones(150, np.bool_))
        grown.keep(np.arange(150), np.arange(start + 1, start + 151))
    tokens = tokenize(some[:1200])
    sizes = np.array([len(one) // 8 for one in tokens])
    hashes = np.frombuffer(b"".join(tokens), np.uint64)
    loaded.load(hashes, sizes, np.zeros(1200, np.int32), np.arange(1, 1201))
    loaded.enter_all()
    for start in (1200, 1250):
        part, answers = tokenize(some[start : start + 50]), []
        for join in (grown, loaded):
            found = join.find(part, np.zeros(50, np.int32), np.ones(50, np.bool_))
            answers.append({tuple(hit) for hit in found.hits.tolist()})
            join.keep(np.arange(50), np.arange(start + 1, start + 51))
        assert answers[0] == answers[1] != set()


@pytest.mark.slow
@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("templated", [False, True])
def test_twenty_thousand_texts_equal_brute_force(templated: bool, threshold: str) -> None:
    ratio = Fraction(threshold)
    # Below 11/15 any two texts of the template are a pair: two hundred million of 20,000.
    count = 2_000 if templated and ratio < Fraction("0.8") else 20_000
    some = generated(count, templated, fillers=5000)
    assert joined(some, ["s"] * count, ratio, 5000) == brute_force(some, ["s"] * count, ratio)


def real_texts(name: str) -> list[str]:
    if name == "locomo":
        conversations = json.loads((DATA / "locomo" / "locomo10.json").read_text())
        return [
            text
            for conversation in conversations
            for speakers in conversation["observation"].values()
            for observations in speakers.values()
            for text, _ in observations
        ]
    if name.startswith("memorybank"):
        users = json.loads((DATA / "memorybank" / f"memory_bank_{name[-2:]}.json").read_text())
        return [
            turn["query"]
            for user in users.values()
            for day in user["history"].values()
            for turn in day
            if turn.get("query")
        ]
    lines = (DATA / "xdailydialog" / f"{name}_dev_human.txt").read_text("utf-8").splitlines()
    return [turn for line in lines for turn in line.split("\t")[0].split("__eou__") if turn.strip()][:4000]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not here")
@pytest.mark.parametrize(
    "threshold",
    ["0.5", *(pytest.param(threshold, marks=pytest.mark.slow) for threshold in ("0.6", "0.7", "0.9")), "0.8", "0.95"],
)
@pytest.mark.parametrize("name", ["locomo", "memorybank-en", "memorybank-cn", "en", "de", "it", "zh"])
def test_real_texts_equal_brute_force(name: str, threshold: str) -> None:
    some, ratio = real_texts(name), Fraction(threshold)
    assert len(some) > 400
    assert joined(some, ["s"] * len(some), ratio, 1000) == brute_force(some, ["s"] * len(some), ratio)
