"""What each guard compares, and what it leaves alone; the known traps are in tests/acceptance/test_traps.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from membatch import ConfigError
from membatch.config import DEFAULT_GUARDS
from membatch.similarity import words as words_
from membatch.similarity.guards import GUARDS, LIMITS, Facts, judge, resolve
from membatch.similarity.pieces import piece_of, taken_apart
from membatch.similarity.text import told_by_difference
from membatch.similarity.words import CONTRACTIONS, FUNCTION_WORDS, NEGATION, NUMBER_WORDS, RESERVED

ALL = resolve(DEFAULT_GUARDS)

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


def test_a_text_without_a_word_has_no_order_of_numbers() -> None:
    mine, other = ({"summary": "the pets", "content": text} for text in ("2 cats and 3 dogs", "..."))
    assert judge(resolve(("order",)), Facts(mine), Facts(other), equal_hashes=False).verdict == "unsure"


# (one, other, the guards that speak up; none where both say the same)
TEXTS: list[tuple[str, str, str]] = [
    ("most of the guests came by train", "some of the guests came by train", "substitution"),
    ("both of her children play chess", "one of her children play chess", "substitution"),
    ("toma el café con azúcar y pan con aceite", "toma el café sin azúcar y pan con aceite", "substitution"),
    ("she bought it from Tom for her mother", "she bought it for Tom for her mother", "substitution"),
    ("she should see a doctor about it", "she did see a doctor about it", "substitution"),
    ("the key lies under the flower pot", "the key lies behind the flower pot", "substitution"),
    ("the key is in the old box", "the key is on the old box", "substitution"),
    ("Ben has a small flat in Oslo", "Ben wants a small flat in Oslo", "substitution"),
    ("She moves to Bath this summer", "She moves to Bath last summer", "substitution"),
    ("He put off the trip to Rome", "He put up the trip to Rome", "substitution"),
    ("he works when it rains", "he works because it rains", "substitution"),
    ("l'ami qui aime Paul", "l'ami que aime Paul", "substitution"),
    ("他从北京打电话", "他在北京打电话", "substitution"),
    ("Er arbeitet noch bei der Post", "Er arbeitet schon bei der Post", "substitution"),
    ("Non ho un cane in casa", "Non ha un cane in casa", "substitution"),
    ("She will move to Rome in spring", "She moved to Rome in spring", "substitution"),
    ("My mother-in-law lives in Leeds", "My mother lives in Leeds", "substitution"),
    ("Ma grand-mère habite à Lyon", "Ma mère habite à Lyon", "substitution"),
    ("明後日友達に会う", "明日友達に会う", "negation"),
    ("She plans to quit her job", "She quit her job", "negation"),
    ("Tom forgot to lock the door", "Tom locked the door", "negation"),
    ("Er möchte ein Haus in Bonn kaufen", "Er kauft ein Haus in Bonn", "negation"),
    ("She stopped smoking last year", "She smoked last year", "negation"),
    ("walks the dog every other day", "walks the dog every day", "negation"),
    ("We leave the day after tomorrow", "We leave tomorrow", "negation"),
    ("The party is on Christmas Eve", "The party is on Christmas", "negation"),
    ("Only Tom has a key", "Tom has a key", "negation"),
    ("他打算在上海买房子", "他在上海买房子", "negation"),
    ("Il n'aime plus le café", "Il aime le café", "negation"),
    ("The talk starts at half past three", "The talk starts past three", "numbers"),
    ("会议下午三点半开始", "会议下午三点开始", "numbers"),
    ("Rents rose by 5% last year", "Rents rose by 5 last year", "numbers"),
    ("Run git push --force on main", "Run git push on main", "numbers"),
    ("Call get_user before set_user here", "Call set_user before get_user here", "order"),
    ("Anna's doctor told her to rest", "Anna told her doctor to rest", "order"),
    ("Anna's sister lives in Rome", "Anna lives in Rome", "order"),
    ("der hund biss den mann", "den hund biss der mann", "order"),
    ("田中さんが鈴木さんに本を貸した", "田中さんに鈴木さんが本を貸した", "order"),
    ("He works at the bank", "He works in the bank", ""),
    ("She was very tired at noon", "She was really tired at noon", ""),
    ("She has a part-time job", "She has a part time job", ""),
    ("the e-mail from Anna", "the email from Anna", ""),
    ("has a 5-year-old son", "has a son 5 years old", ""),
    ("Ela chama-se Ana", "Ela se chama Ana", ""),
    ("Je ne mange pas de viande", "Je mange pas de viande", ""),
    ("Les œufs sont frais", "Les oeufs sont frais", ""),
    ("José lives in Köln", "Jose lives in Koeln", ""),
    ("O bebê dorme bem", "O bebé dorme bem", ""),
    ("Sie tanzt gern am Abend", "Sie tanzt gerne am Abend", ""),
    ("Ich hab einen Hund", "Ich habe einen Hund", ""),
    ("Rents rose by 5 percent", "Rents rose by 5%", ""),
    ("他有三个孩子", "他有3个孩子", ""),
    ("他教了二十年历史", "他教了20年历史", ""),
    ("开始于二〇二四年三月", "开始于2024年3月", ""),
    ("彼は東京に住んでいます", "彼は東京に住んでいる", ""),
    ("母は本を読みます", "母は本を読む", ""),
    ("毎朝公園を散歩します", "毎朝公園を散歩する", ""),
    ("母は夜早く寝ます", "母は夜早く寝ない", "negation"),
    ("それは習慣です", "それは習慣である", ""),
    ("私達は海に行く", "私たちは海に行く", ""),
    ("Anna's tired today", "Anna is tired today", ""),
    ("the house of Tom", "Tom's house", ""),
    ("Im Winter fährt Karl mit Anna nach Wien", "Karl fährt im Winter mit Anna nach Wien", ""),
    ("Die Familie fährt nach Italien ans Meer", "Die Familie fährt ans Meer nach Italien", ""),
]


@pytest.mark.parametrize(("one", "other", "guards"), TEXTS)
def test_texts_are_compared_by_what_they_say(one: str, other: str, guards: str) -> None:
    for mine, theirs in ((one, other), (other, one)):
        fired = judge(ALL, Facts({"summary": mine}), Facts({"summary": theirs}), equal_hashes=False).fired
        assert " ".join(fired) == guards


WORDS = st.sampled_from(
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
        "twenty",
        "one",
        "or",
        "to",
        "from",
        "he",
        "she",
        "pm",
        "a.m.",
        "IT",
        "will",
        "€",
        "I",
        "me",
        "my",
        "your",
        "was",
        "is",
        "by",
        "might",
        "if",
        "used",
        "former",
        "C",
        "D",
        "==",
        "!=",
        "15:00",
        "15.00",
        "5-year-old",
        "for",
        "with",
        "only",
        "also",
        "get",
        "every",
        "other",
        "day",
        "wants",
        "stopped",
        "Tom's",
        "in",
        "at",
        "behind",
        "half",
        "percent",
        "5%",
        "mother-in-law",
        "mother",
        "in law",
        "part-time",
        "part",
        "time",
        "--force",
        "get_user",
        "all",
        "most",
        "could",
        "had",
        "after",
        "tomorrow",
        "ne",
        "pas",
        "and",
        "of",
        "here",
        "this",
        "last",
        "up",
    ]
)


def _texts_in(table: object) -> Iterator[str]:
    if isinstance(table, str):
        yield table
    elif isinstance(table, Mapping):
        yield from _texts_in([*table, *table.values()])
    elif isinstance(table, Iterable):
        for row in table:
            yield from _texts_in(row)


# Words of one table are what a rule may take for one another, so that each table is as likely as any.
TABLES = [
    sorted({text for text in _texts_in(table) if text and not text.isspace()})
    for name, table in sorted(vars(words_).items())
    if name.isupper()
]
TABLE_WORDS = st.one_of(WORDS, *(st.sampled_from(table) for table in TABLES if table))

ONE_WORD = st.one_of(
    st.sampled_from(["bread", "breads", "cheese", "icecream", "ice-cream", "ice", "going", "gonna", "colour", "Bread"]),
    WORDS,
)


def assert_told(one: str, two: str) -> None:
    told = told_by_difference(one, two)
    if told is not None:
        for name, row in GUARDS.items():
            if not row.asks_equal_hashes:
                verdict = row.judge(Facts({"summary": one}), Facts({"summary": two}))
                assert verdict == ("unsure" if name == told else "same"), name


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [(WORDS, 0, 3), (TABLE_WORDS, 0, 2), (ONE_WORD, 1, 1)],
    ids=["words", "words of the tables", "one word"],
)
@settings(max_examples=3000, deadline=None)
@given(st.data())
def test_the_short_cut_for_texts_says_what_every_text_guard_does(
    words: st.SearchStrategy[str], least: int, most: int, data: st.DataObject
) -> None:
    around, between = st.lists(words, max_size=5), st.lists(words, min_size=least, max_size=most)
    before, mine, other, after = map(data.draw, (around, between, between, around))
    assert_told(" ".join([*before, *mine, *after]), " ".join([*before, *other, *after]))


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("she ate bread at home", "she ate cheese at home", "substitution"),
        ("she ate bread at home", "she ate breads at home", None),
        ("she ate bread at Bread", "she ate cheese at Bread", None),
        ("icecream and ice-cream", "bread and ice-cream", None),
        ("she ate bread off a breadboard", "she ate cheese off a breadboard", "substitution"),
        ("she ate Bread at home", "she ate Cheese at home", None),
    ],
)
def test_another_word_is_told_without_taking_texts_apart(one: str, other: str, told: str | None) -> None:
    assert told_by_difference(one, other) == told


@settings(max_examples=2000, deadline=None)
@given(
    st.lists(TABLE_WORDS, min_size=1, max_size=6).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some)))
)
def test_texts_of_words_of_the_tables_are_judged_the_same_either_way_round(texts: tuple[list[str], list[str]]) -> None:
    one, two = ({"summary": " ".join(some)} for some in texts)
    verdict = judge(GUARDS, Facts(one), Facts(two), equal_hashes=False).verdict
    assert judge(GUARDS, Facts(two), Facts(one), equal_hashes=False).verdict == verdict
    assert_told(one["summary"], two["summary"])


def test_texts_of_nothing_but_grammar_in_another_order_are_judged() -> None:
    one, two = Facts({"summary": "is it he"}), Facts({"summary": "he is it"})
    assert judge(GUARDS, one, two, equal_hashes=False).verdict == "same"


@pytest.mark.parametrize("name", ["summary", "content"])
def test_another_word_in_one_of_summary_and_content_is_unsure_where_the_other_has_a_word_more(name: str) -> None:
    one = {"summary": "they talked at home", "content": "they had a car"}
    two = {"summary": "they talked at home again", "content": "they had a new car"}
    two[name] = one[name].replace("they", "cheese")
    one[name] = one[name].replace("they", "bread")
    assert judge(GUARDS, Facts(one), Facts(two), equal_hashes=False).fired == {"substitution": "unsure"}


@pytest.mark.parametrize("name", ["IS_ENABLED", "GET_IT", "IT", "US", "IT-US"])
def test_a_name_in_capitals_is_no_other_name_than_itself(name: str) -> None:
    one, two = Facts({"summary": f"the flag {name} is off"}), Facts({"summary": f"the flag {name} was off today"})
    assert GUARDS["names"].judge(one, two) == "same"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000 per cent", "1,000 per"),
        ("two une cars", "two house une cars"),
        ("at 3 pm", "at 3"),
        ("one two", "one the two"),
        ("two and one", "two and new one"),
        ("chamou das casas", "chamou dans casas"),
        ("Anna decides who gets what in here", "Anna decides what gets who in here"),
    ],
)
def test_the_short_cut_leaves_to_the_guards_what_may_belong_to_the_word_before(one: str, other: str) -> None:
    assert told_by_difference(one, other) is None


_KNOWN = sorted({*NUMBER_WORDS, *CONTRACTIONS, *FUNCTION_WORDS, *NEGATION, *RESERVED})


@settings(max_examples=2000, deadline=None)
@given(
    st.text('.,;:!?()"-', max_size=2),
    st.one_of(st.sampled_from(_KNOWN), st.text("abcxyzAIé5'-_", max_size=6)),
    st.text('.,;:!?()"-', max_size=2),
)
def test_a_plain_piece_holds_what_it_holds_taken_apart(before: str, word: str, after: str) -> None:
    assert piece_of(before + word + after) == taken_apart(before + word + after)


_TIMES = st.sampled_from([None, "2024-05-01T10:00:00Z", "2024-05-02T09:00:00Z", "2024-06-01T10:00:00Z"])
_FIELDS = ("subject", "participants", "emotional_context", "occurred_at", "valid_from", "valid_until")
_DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "summary": st.just("she bought a car"),
        "subject": st.sampled_from([None, "p1", "p2"]),
        "participants": st.sampled_from([None, [{"id": "p1"}], [{"id": "p2"}], [{"id": "p1"}, {"id": "p2"}]]),
        "emotional_context": st.sampled_from([None, {"valence": 0.6}, {"valence": -0.6}, {"valence": 0.1}]),
        "occurred_at": _TIMES,
        "valid_from": _TIMES,
        "valid_until": _TIMES,
    }
)


def _holds_at_some_time(one: dict[str, Any]) -> bool:
    return None in (one["valid_from"], one["valid_until"]) or one["valid_from"] <= one["valid_until"]


@settings(max_examples=1000, deadline=None)
@given(_DOCUMENTS, st.lists(st.sampled_from(_FIELDS), max_size=2), _DOCUMENTS)
def test_a_judgement_is_that_of_every_guard_asked_alone(
    one: dict[str, Any], changed: list[str], other: dict[str, Any]
) -> None:
    two = {**one, **{name: other[name] for name in changed}}
    assume(_holds_at_some_time(one) and _holds_at_some_time(two))
    alone = [row.judge(Facts(one), Facts(two)) for row in GUARDS.values()]
    verdict = "different" if "different" in alone else "unsure" if "unsure" in alone else "same"
    assert judge(GUARDS, Facts(one), Facts(two), equal_hashes=False).verdict == verdict


def test_a_word_more_needs_no_facts_of_the_texts() -> None:
    assert told_by_difference("she bought a car in may last year", "she bought a new car in may last year") == "same"
