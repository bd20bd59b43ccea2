"""The known traps stay apart, and what says the same merges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import ConfigError
from membatch.config import DEFAULT_GUARDS
from membatch.similarity.guards import GUARDS, LIMITS, Facts, judge, resolve
from membatch.similarity.text import differ_plainly

ALL = resolve(DEFAULT_GUARDS)

# (one, other, the guard that speaks up, its verdict)
TRAPS = [
    ("Gina lost her job at Door Dash", "Jon lost his job at Door Dash", "names", "different"),
    (
        "Jolene finished an electrical engineering project",
        "Deborah finished an electrical engineering project",
        "names",
        "different",
    ),
    ("We met on October 15th", "We met on October 16th", "numbers", "different"),
    ("Wir trafen uns am 15. Oktober", "Wir trafen uns am 16. Oktober", "numbers", "different"),
    ("Nos vimos el 15 de octubre", "Nos vimos el 15 de noviembre", "numbers", "different"),
    ("我们十月十五日见面", "我们十月十六日见面", "numbers", "different"),
    ("Anna loves pizza", "Anna does not love pizza", "negation", "unsure"),
    ("Anna loves pizza", "Anna doesn't love pizza", "negation", "unsure"),
    ("Anna isst gern Pizza", "Anna isst nicht gern Pizza", "negation", "unsure"),
    ("No me gusta el café", "Me gusta el café", "negation", "unsure"),
    ("我爱吃苹果", "我不爱吃苹果", "negation", "unsure"),
    ("肉を食べます", "肉を食べません", "negation", "unsure"),
    ("I always run in the morning", "I never run in the morning", "negation", "unsure"),
    ("The parcel weighs 3 kg", "The parcel weighs 5 kg", "numbers", "different"),
    ("She paid forty dollars", "She paid ninety dollars", "numbers", "different"),
    ("Ich habe drei Katzen", "Ich habe vier Katzen", "numbers", "different"),
    ("Tengo dos gatos", "Tengo tres gatos", "numbers", "different"),
    ("我有三只猫", "我有四只猫", "numbers", "different"),
    ("The gate is B12", "The gate is B14", "numbers", "different"),
    ("I write C++ at work", "I write C# at work", "numbers", "different"),
    ("It was −5 °C outside", "It was 5 °C outside", "numbers", "different"),
    ("The tea cost $5", "The tea cost €5", "numbers", "different"),
    ("I love 🍎", "I love 🍌", "symbols", "different"),
    ("my mother died when I was in high school", "my father died when I was in high school", "substitution", "unsure"),
    ("meine schwester lebt in der stadt", "meine tante lebt in der stadt", "substitution", "unsure"),
    ("mi madre vive en la ciudad", "mi padre vive en la ciudad", "substitution", "unsure"),
    ("我妈妈去世了", "我爸爸去世了", "substitution", "unsure"),
    ("Tom owes Anna ten euros", "Anna owes Tom ten euros", "order", "unsure"),
]

SAME = [
    ("Anna went home", "anna WENT home"),
    ("Anna went home.", "Anna went home!"),
    ("Anna  went\thome", "Anna went home"),
    ("Ａｎｎａ has 12 cats", "Anna has １２ cats"),
    ("I'm going to the lake", "I am going to the lake"),
    ("I don’t like tea", "I do not like tea"),
    ("I bought a car", "I bought a new car"),
    ("often walks to school", "walks to school often"),
    ("It weighs 3kg", "It weighs 3 kg"),
    ("We met on October 15th", "We met on October 15"),
    ("It cost 1,000 euros", "It cost 1000 euros"),
    ("I have three cats", "I have 3 cats"),
    ("She travelled to Rome", "She traveled to Rome"),
    ("the colour of the walls", "the color of the walls"),
    ("She walks to work", "She walked to work"),
    ("我爱吃苹果", "我很爱吃苹果"),
]


def spoken(one: str, other: str) -> dict[str, str]:
    return judge(ALL, Facts({"summary": one}), Facts({"summary": other}), equal_hashes=False).fired


@pytest.mark.parametrize(("one", "other", "guard", "verdict"), TRAPS)
def test_a_trap_does_not_merge(one: str, other: str, guard: str, verdict: str) -> None:
    assert spoken(one, other).get(guard) == verdict
    assert spoken(other, one).get(guard) == verdict


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_said_again_merges(one: str, other: str) -> None:
    assert spoken(one, other) == spoken(other, one) == {}


FACTS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ({"subject": "a"}, {"subject": "b"}, {"subject": "different"}),
    ({"subject": "a"}, {}, {}),
    ({"participants": [{"id": "a"}]}, {"participants": [{"id": "b"}]}, {"participants": "different"}),
    ({"participants": [{"id": "a"}, {"id": "c"}]}, {"participants": [{"id": "c"}]}, {}),
    ({"occurred_at": "2024-01-05T00:00:00Z"}, {"occurred_at": "2024-06-05T00:00:00Z"}, {"when": "different"}),
    ({"occurred_at": "2024-01-05T00:00:00Z"}, {"occurred_at": "2024-01-06T00:00:00Z"}, {}),
    ({"valid_until": "2024-01-05T00:00:00Z"}, {"valid_from": "2024-01-06T00:00:00Z"}, {"when": "different"}),
    ({"emotional_context": {"valence": 0.4}}, {"emotional_context": {"valence": -0.4}}, {"valence": "unsure"}),
    ({"emotional_context": {"valence": 0.2}}, {"emotional_context": {"valence": -0.2}}, {}),
]


@pytest.mark.parametrize(("one", "other", "expected"), FACTS)
def test_facts_are_compared_where_both_are_given(
    one: dict[str, Any], other: dict[str, Any], expected: dict[str, str]
) -> None:
    mine, theirs = Facts({"summary": "x", **one}), Facts({"summary": "x", **other})
    assert judge(ALL, mine, theirs, equal_hashes=True).fired == expected
    assert judge(ALL, theirs, mine, equal_hashes=True).fired == expected


def test_equal_hashes_answer_what_is_asked_of_texts() -> None:
    mine, other = Facts({"summary": "I have 3 cats"}), Facts({"summary": "I have 5 cats"})
    assert judge(ALL, mine, other, equal_hashes=True).verdict == "same"


@pytest.mark.parametrize("name", GUARDS)
def test_each_guard_can_be_switched_off(name: str) -> None:
    assert name not in resolve(tuple(guard for guard in DEFAULT_GUARDS if guard != name))


def test_an_unknown_guard_is_refused() -> None:
    with pytest.raises(ConfigError, match="known are"):
        resolve(("nope", LIMITS))


def test_contents_are_compared_where_both_have_one() -> None:
    mine, other = ({"summary": "the plan", "content": text} for text in ("pay 3 euros", "pay 5 euros"))
    assert judge(ALL, Facts(mine), Facts(other), equal_hashes=False).fired == {"numbers": "different"}
    assert judge(ALL, Facts(mine), Facts({"summary": "the plan"}), equal_hashes=False).verdict == "same"


_WORDS = st.sampled_from(
    [
        "a",
        "the",
        "Tom",
        "Anna",
        "tom",
        "car",
        "new",
        "old",
        "red",
        "I'm",
        "don't",
        "never",
        "always",
        "not",
        "3",
        "5kg",
        "$5",
        "C++",
        "🍎",
        "B12",
        "#",
        "two",
        "Two",
        "mai",
        "我爱",
        "his.",
        "(her)",
        "kg",
    ]
)


@settings(max_examples=3000, deadline=None)
@given(
    st.lists(_WORDS, max_size=6),
    st.lists(_WORDS, max_size=3),
    st.lists(_WORDS, max_size=3),
    st.lists(_WORDS, max_size=6),
)
def test_the_short_cut_for_texts_says_same_only_where_every_text_guard_does(
    before: list[str], mine: list[str], other: list[str], after: list[str]
) -> None:
    one, two = " ".join([*before, *mine, *after]), " ".join([*before, *other, *after])
    if differ_plainly(one, two):
        for name, row in GUARDS.items():
            if not row.asks_equal_hashes:
                assert row.judge(Facts({"summary": one}), Facts({"summary": two})) == "same", name


def test_a_word_more_needs_no_facts_of_the_texts() -> None:
    assert differ_plainly("she bought a car in may last year", "she bought a new car in may last year")
