"""Hostile input: texts that have broken other programs, and a generator of records that nobody would write.

The list is our own; its kinds are those that such lists have: control and format characters, directions, injection
into SQL, HTML, shells, spreadsheets and format strings, paths, numbers that are none, characters beyond the first
plane, halves of surrogate pairs.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final

NAUGHTY: Final = (
    "",
    " ",
    "\t\n\r\v\f",
    "\x00",
    "\x01\x02\x07\x08\x1b\x7f",
    "\x80\x9b31m\x9d0;title\x9c",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;owned\x07",
    "\x1b]8;;http://example.invalid\x07link\x1b]8;;\x07",
    "\x1b[2J\x1b[H",
    "\r\nX-Header: injected",
    "\u202egnp.exe\u202c",
    "\u2066\u2067\u2068\u2069",
    "\u200b\u200c\u200d\u2060\ufeff",
    "\u0085\u2028\u2029",
    "a\u0301\u0302\u0303\u0304" * 20,
    "\ufdfa" * 10,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1e8\U0001f1ed",
    "\U00020000\U0002ffff\U0010ffff",
    "\ufffe\uffff\ufdd0",
    "\ud800",
    "\udfff\ud800",
    "ß\u1e9eİıſK",
    "\u0130\u0131",
    "'; DROP TABLE memory; --",
    "' OR '1'='1",
    '" OR ""="',
    "\\'; DELETE FROM reject; --",
    "Robert'); DROP TABLE fingerprint;--",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "<!--",
    "]]>",
    "&lt;&#x3c;&amp;",
    "{{7*7}}${7*7}#{7*7}",
    "%s%n%d%x%p",
    "{0}{record.__class__}{}",
    "$(touch owned)`touch owned`;touch owned|touch owned",
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "../../../../etc/passwd",
    "..\\..\\windows\\system32",
    "/dev/zero",
    "file:///etc/passwd",
    "CON",
    "null",
    "None",
    "undefined",
    "NaN",
    "-Infinity",
    "1e309",
    "0x7fffffff",
    "9223372036854775808",
    "true",
    "[]",
    "{}",
    '{"$ref": "#"}',
    "__proto__",
    "constructor",
    "2024-02-30T25:61:61Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999999+23:59",
    "٣٤٥",
    "𝕳𝖊𝖑𝖑𝖔",
    "ﬃ ﷺ",
)

_NUMBERS: Final = (0, -0.0, 1, -1, 0.5, 2, 1e308, -1e308, 5e-324, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
_FIELDS: Final = (
    "id",
    "summary",
    "content",
    "kind",
    "subject",
    "participants",
    "source_message_ids",
    "sourceMessageIds",
    "scope",
    "confidence",
    "emotional_context",
    "emotionalContext",
    "relationship_dynamics",
    "occurred_at",
    "valid_from",
    "valid_until",
    "updated_at",
    "extracted_at",
    "tags",
    "source",
    "metadata",
    "schema_version",
    "_fields",
    "participants.0.id",
    "scope.user_id",
)
_WHOLE: Final[dict[str, Any]] = {
    "id": "m1",
    "summary": "Anna moved to Oslo with her dog",
    "content": "She said so on Monday.",
    "kind": "fact",
    "subject": "p1",
    "participants": [
        {"id": "p1", "name": "Anna", "role": "self", "aliases": ["A"], "metadata": {"k": 1}},
        {"id": "p2"},
    ],
    "source_message_ids": ["c/1", "c/2"],
    "scope": {"user_id": "u1", "agent_id": "a1", "session_id": "s1", "namespace": "n1"},
    "confidence": 0.9,
    "emotional_context": {
        "primary": "joy",
        "secondary": ["trust"],
        "intensity": 0.5,
        "valence": 0.5,
        "themes": ["moving"],
        "markers": [{"type": "word", "text": "glad", "confidence": 0.5}],
        "events": ["move"],
        "temporal": {"when": "now"},
    },
    "relationship_dynamics": {
        "pattern": "open",
        "quality": "positive",
        "strength": 0.5,
        "balance": "even",
        "participants": [{"participant_id": "p2", "closeness": 3}],
    },
    "occurred_at": "2024-05-08T13:56:00Z",
    "valid_from": "2024-05-08T13:56:00+02:00",
    "valid_until": "2025-05-08T13:56:00Z",
    "updated_at": "2024-05-09T00:00:00Z",
    "tags": ["a", "b"],
    "source": {"system": "s", "external_id": "e", "uri": "file:///x"},
    "metadata": {"n": 1.5, "deep": {"x": [1, None, True]}},
    "custom": "kept",
}


def weird_value(rng: random.Random, depth: int = 0) -> Any:
    """Return any JSON value, most often one that should not be where it is put."""
    match rng.randrange(9 if depth < 4 else 5):
        case 0 | 1:
            return rng.choice(NAUGHTY) if rng.random() < 0.999 else "x" * 60_000
        case 2:
            return rng.choice(_NUMBERS)
        case 3:
            return rng.choice((None, True, False))
        case 4:
            return rng.choice(NAUGHTY) + "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(4)))
        case 5 | 6:
            return [weird_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case _:
            names = [rng.choice((*_FIELDS, *NAUGHTY)) for _ in range(rng.randrange(4))]
            return {name: weird_value(rng, depth + 1) for name in names}


def odd_record(rng: random.Random) -> Any:
    """Return a record that began as a good one."""
    record: dict[str, Any] = json.loads(json.dumps(_WHOLE))
    if rng.random() < 0.7:
        for name in rng.sample(sorted(record), rng.randrange(len(record))):
            del record[name]
    for _ in range(rng.randrange(4)):
        holder: Any = record
        while True:
            key = (
                rng.choice(sorted(holder, key=str) if isinstance(holder, dict) else range(len(holder)))
                if holder
                else None
            )
            if key is None or not isinstance(holder[key], dict | list) or rng.random() < 0.4:
                break
            holder = holder[key]
        if key is not None:
            holder[key] = weird_value(rng)
    if rng.random() < 0.3:
        record[rng.choice((*_FIELDS, *NAUGHTY))] = weird_value(rng)
    return record


def odd_bytes(rng: random.Random) -> bytes:
    """Return the bytes of one item: a record that is odd, broken, or none at all."""
    match rng.randrange(12):
        case 0:
            return rng.randbytes(rng.randrange(60))
        case 1:
            return "".join(rng.choices('{}[]":,\\u0d8e9 tfn-+.', k=rng.randrange(80))).encode()
        case 2:
            return rng.choice((b"[", b"{", b'{"a":', b'[{"metadata":')) * rng.randrange(1, 300)
        case 3:
            return json.dumps(weird_value(rng)).encode()
    # Halves of surrogate pairs are written as escapes, which is how they come in JSON.
    data = bytearray(json.dumps(odd_record(rng), ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass"))
    if rng.random() < 0.4:
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(5):
                case 0:
                    data[at : at + 1] = rng.randbytes(1)
                case 1:
                    del data[at : at + rng.randrange(1, 20)]
                case 2:
                    data[at:at] = rng.choice(
                        (b'"', b"\\", b"\\ud800", b"\x00", b"1e999", b"{", b"}", b"\xff", b"\xed\xa0\x80")
                    )
                case 3:
                    data[at:at] = data[: rng.randrange(30)]
                case 4:
                    del data[at:]
    return bytes(data).replace(b"\n", b" ")
