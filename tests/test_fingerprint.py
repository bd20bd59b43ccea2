"""What makes two records the same, and what keeps them apart."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membatch import Memory, fingerprint, validate_memory
from membatch.consistency import Valid, is_plain, settled
from membatch.plan import Digest
from membatch.spelling import canonical


def prints(record: dict[str, Any]) -> tuple[bytes, bytes]:
    result = validate_memory(record)
    assert result.memory is not None, result.errors
    memory = result.memory
    text = fingerprint.record_json(memory)
    scope = fingerprint.MatchScopes(("user_id", "namespace"))(memory)
    from membatch.validate import Validator

    valid = Validator()(json.dumps(record).encode())
    odd = getattr(valid, "odd_numbers", False)
    hashed = fingerprint.content_hash(memory, fingerprint.canonical_text(memory.summary), scope)
    return fingerprint.digest(memory, text, odd_numbers=odd), hashed


SAME_RECORD = [
    ({"summary": "a"}, {"summary": "a", "tags": [], "content": None, "scope": {}, "metadata": {}}),
    ({"summary": "a"}, {"id": "x", "summary": "a", "schema_version": 1}),
    ({"summary": "a", "confidence": 1}, {"summary": "a", "confidence": 1.0}),
    ({"summary": "a", "metadata": {"n": 1}}, {"summary": "a", "metadata": {"n": 1.0}}),
    (
        {"summary": "a", "confidence": 1, "metadata": {"n": 2}},
        {"summary": "a", "confidence": 1.0, "metadata": {"n": 2.0}},
    ),
    (
        {"summary": "a", "occurred_at": "2024-01-01T02:00:00+02:00"},
        {"summary": "a", "occurredAt": "2024-01-01T00:00:00Z"},
    ),
    ({"summary": "a", "emotional_context": {"themes": []}}, {"summary": "a"}),
]


@pytest.mark.parametrize(("one", "other"), SAME_RECORD)
def test_spelling_of_the_same_record_gives_one_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert prints(one)[0] == prints(other)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"summary": "a"}, {"summary": "A"}),
        ({"summary": "a", "tags": ["x", "y"]}, {"summary": "a", "tags": ["y", "x"]}),
        ({"summary": "a", "metadata": {"n": 1}}, {"summary": "a", "metadata": {"n": "1"}}),
        ({"summary": "a", "metadata": {"n": 1.5}}, {"summary": "a", "metadata": {"n": 1.25}}),
    ],
)
def test_another_record_gives_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert prints(one)[0] != prints(other)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna went home.", "anna  WENT\thome"),
        ("ＡＢＣ", "abc"),
        ("Straße", "STRASSE"),
        ("我爱你。", "我爱你"),
        ("é", "e\u0301"),
    ],
)
def test_case_spacing_width_and_final_stops_do_not_count(one: str, other: str) -> None:
    assert prints({"summary": one})[1] == prints({"summary": other})[1]


TEXTS = [
    "我妈妈去世了", "我爸爸去世了", "ฉันรักแม่", "ฉันรักพ่อ", "أحب أمي", "أحب أبي", "🍎", "🍌", "👍🏽", "👍",
    "I write C++", "I write C#", "I write C", "−5", "5", "-5", "+5", "$5", "€5", "5%", "café", "cafe", "?", "!", "...?",
]  # fmt: skip


def test_texts_of_every_script_stay_apart() -> None:
    hashes = [prints({"summary": text})[1] for text in TEXTS]
    assert len(set(hashes)) == len(TEXTS)


def test_what_a_record_says_of_another_person_is_another_thing() -> None:
    people = [{"id": "gina"}, {"id": "jon"}]
    gina = {"summary": "lost the job", "subject": "gina", "participants": people}
    assert prints(gina)[1] != prints({**gina, "subject": "jon"})[1]
    assert prints(gina)[1] != prints({**gina, "scope": {"user_id": "u"}})[1]
    assert prints(gina)[1] == prints({**gina, "participants": people[::-1], "confidence": 0.5})[1]


def test_ids_are_derived_from_the_origin_else_from_the_content() -> None:
    def derived(record: dict[str, Any]) -> str:
        memory = validate_memory(record).memory
        assert memory is not None
        return fingerprint.derived_id(memory, "[]", Digest(b"d" * 16))

    origin = {"system": "mem0", "external_id": "7"}
    assert derived({"summary": "a", "source": origin}) == derived({"summary": "b", "source": origin})
    assert derived({"summary": "a", "source": {"system": "mem0"}}) == fingerprint.id_from_digest(
        "[]", Digest(b"d" * 16)
    )
    assert derived({"summary": "a"})[14] == "5"


def test_an_empty_text_is_as_one_that_is_absent() -> None:
    absent, empty = ({"summary": "a"}, {"summary": "a", "content": "", "kind": "", "tags": [], "metadata": {}})
    records = [validate_memory(record).memory for record in (absent, empty)]
    assert records[0] == records[1]


times = st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00+02:00", "2024-01-01T00:00:00", None])
fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"summary": st.just("a")},
    optional={
        "content": st.sampled_from(["", "x", None]),
        "kind": st.sampled_from(["", "x"]),
        "participants": st.lists(
            st.fixed_dictionaries(
                {"id": st.sampled_from("xyz")}, optional={"metadata": st.dictionaries(st.just("n"), st.floats(0, 9))}
            ),
            max_size=3,
        ),
        "subject": st.sampled_from("xw"),
        "source_message_ids": st.lists(st.sampled_from("ab"), max_size=3),
        "tags": st.lists(st.sampled_from("ab"), max_size=3),
        "scope": st.dictionaries(st.just("user_id"), st.just("u")),
        "source": st.dictionaries(st.just("uri"), st.just("u")),
        "emotional_context": st.fixed_dictionaries(
            {},
            optional={
                "primary": st.sampled_from(["joy", "Joy", "glee"]),
                "intensity": st.sampled_from([0, 1]),
                "valence": st.sampled_from([-1, 0, 1]),
                "temporal": st.dictionaries(st.just("t"), st.integers(0, 2**70)),
            },
        ),
        "relationship_dynamics": st.fixed_dictionaries(
            {}, optional={"participants": st.just([{"participant_id": "x"}]), "quality": st.just("good")}
        ),
        "metadata": st.dictionaries(
            st.sampled_from("ab"), st.sampled_from([1, 2.5, 2**60, "x", True, None, [], {}, {"b": {"c": 0.5}}])
        ),
        "created_at": times,
        "valid_from": times,
        "valid_until": times,
        "schema_version": st.sampled_from([1, 9]),
    },
)


@settings(max_examples=2000, deadline=None)
@given(fields)
def test_what_a_quick_look_finds_in_order_is_left_as_it_is(record: dict[str, Any]) -> None:
    memory = msgspec.convert(canonical(record), Memory)
    if is_plain(memory):
        again = settled(msgspec.convert(canonical(record), Memory), 100, b"")
        assert again == Valid(memory, (), False)


def test_a_usual_record_needs_no_more_than_a_quick_look() -> None:
    record = {"summary": "a", "subject": "x", "participants": [{"id": "x"}], "created_at": "2024-01-01T00:00:00Z"}
    assert is_plain(msgspec.convert(record, Memory))


@given(st.text(st.characters(max_codepoint=0x7F) | st.sampled_from(" .\t\x1c\x1fA") | st.characters(), max_size=40))
def test_canonical_text_is_what_its_definition_says(text: str) -> None:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    assert fingerprint.canonical_text(text) == " ".join(folded.split()).rstrip(" .。")


@given(st.integers(1_000, 1_100), st.sampled_from(["a ", "Ab.", " \t", "é"]))
def test_canonical_text_of_any_length(length: int, part: str) -> None:
    text = (part * length)[:length]
    assert fingerprint.canonical_text(text) == " ".join(text.casefold().split()).rstrip(" .")
