"""The format is membatch unless another one is unmistakable; the reason is said; where two fit, the user is asked."""

from __future__ import annotations

import pytest

from membatch import ConfigError
from membatch.formats import Detection, detect, known_formats
from membatch.formats.emotions import AMBIGUOUS, UNMAPPED, emotion
from membatch.formats.fields import ONE_TO_TEN, PERCENT, Fields, Scale, time_of
from membatch.layout import Sample
from membatch.memory import EMOTIONS

FORMATS = known_formats()
MEM0 = {"id": "1", "memory": "text", "hash": "h"}

SAMPLES = {
    "a record": ({"summary": "text", "confidence": 0.5}, "membatch"),
    "a record in camelCase": ({"summary": "text", "createdAt": "2024-01-01"}, "membatch"),
    "a row with dotted columns": ({"summary": "text", "scope.user_id": "u"}, "membatch"),
    "a record with fields of its own": ({"summary": "text", "colour": "blue"}, "membatch"),
    "nothing that is known": ({"x": 1}, "membatch"),
    "no object": ("text", "membatch"),
    "a memory of mem0": (MEM0, "mem0"),
    "a wrapper of mem0": ({"results": [MEM0], "next": None}, "mem0"),
    "an object with other results": ({"results": [{"x": 1}]}, "membatch"),
    "a row of mnemosyne": (
        {"summary": "t", "contentHash": "h", "sourceMessageIds": "[]", "confidence": 7},
        "mnemosyne",
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_format_is_membatch_unless_another_is_unmistakable(name: str) -> None:
    value, expected = SAMPLES[name]
    found = detect([Sample("in.json", (value,))], FORMATS)
    assert found.format == expected
    assert found.reason


def test_without_anything_to_look_at_the_format_is_membatch() -> None:
    assert detect([], FORMATS) == Detection("membatch", "nothing marks it as another format")


def test_where_two_formats_fit_the_user_is_asked_which() -> None:
    both = {**FORMATS, "other": FORMATS["mem0"]._replace(name="other", recognises=lambda sample: "it looks like it")}
    with pytest.raises(ConfigError, match=r"could be mem0 \(.*\) or other \(it looks like it\).*--format"):
        detect([Sample("in.json", (MEM0,))], both)


def test_every_canonical_emotion_means_itself_and_the_original_is_kept_where_it_differs() -> None:
    assert all(emotion(name) == (name, None, None) for name in EMOTIONS)
    assert emotion("Joyful") == ("joy", "Joyful", None)
    assert emotion(" SADNESS ") == ("sadness", " SADNESS ", None)
    assert emotion("gratitude") == ("joy", "gratitude", AMBIGUOUS)
    assert emotion("confusion") == (None, "confusion", UNMAPPED)


def test_every_word_of_the_table_means_a_canonical_emotion() -> None:
    from membatch.formats.emotions import AMBIGUOUS_WORDS, SURE

    assert set(SURE.values()) | set(AMBIGUOUS_WORDS.values()) <= EMOTIONS
    assert not SURE.keys() & AMBIGUOUS_WORDS.keys()
    assert not (SURE.keys() | AMBIGUOUS_WORDS.keys()) & EMOTIONS


@pytest.mark.parametrize(
    ("scale", "value", "expected"),
    [
        (ONE_TO_TEN, 1, 0.0),
        (ONE_TO_TEN, 10, 1.0),
        (ONE_TO_TEN, 7, 0.666667),
        (PERCENT, "55", 0.55),
        (Scale(0, 5), 5, 1),
    ],
)
def test_a_number_is_scaled_by_a_straight_line_and_stays_as_it_was(
    scale: Scale, value: object, expected: float
) -> None:
    fields = Fields({"x": value})
    assert fields.number("x", scale) == expected
    assert fields.rest() == ({} if value == expected else {"x": value})
    assert fields.warnings == []


@pytest.mark.parametrize(("value", "code"), [(11, "off-scale"), (True, "kind-unexpected"), ("high", "kind-unexpected")])
def test_a_number_off_its_scale_is_not_taken_and_warned_of(value: object, code: str) -> None:
    fields = Fields({"x": value})
    assert fields.number("x", ONE_TO_TEN) is None
    assert (fields.rest(), [warning.code for warning in fields.warnings]) == ({"x": value}, [code])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-08T13:56:00Z", "2024-05-08T13:56:00+00:00"),
        ("2024-05-08 13:56:00.5+02:00", "2024-05-08T13:56:00.500000+02:00"),
        ("2024-05-08 13:56:00 UTC", "2024-05-08T13:56:00+00:00"),
        ("2024-05-08", "2024-05-08T00:00:00"),
        (1715176560, "2024-05-08T13:56:00+00:00"),
        (1715176560.25, "2024-05-08T13:56:00.250000+00:00"),
        ("yesterday", None),
        (1e300, None),
        (float("nan"), None),
        (True, None),
        ([], None),
    ],
)
def test_times_are_read_in_the_forms_that_exports_use(value: object, expected: str | None) -> None:
    assert time_of(value) == expected
