"""What makes two records the same, and what keeps them apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from membatch import fingerprint, validate_memory
from membatch.plan import Digest


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
