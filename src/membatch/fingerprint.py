"""Canonical text, digest, content hash, derived id and tokens: what makes two records the same.

Rule: pure functions of a record; every definition here carries a version, so that a store knows when its
fingerprints were made by another one. (What is returned as a NewType is not passed through it: the call costs
a tenth of the hash.) Data in: Memory. Data out: bytes and integers.
"""

from __future__ import annotations

import hashlib
import operator
import unicodedata
from typing import Any, Final, NewType

import msgspec

from membatch.folding import folded
from membatch.memory import HASH_VERSION, Memory
from membatch.plan import ContentHash, Digest

DIGEST_BYTES: Final = 16

# The name-based part of RFC 9562 ids that membatch derives; made once with uuid4.
ID_NAMESPACE: Final = bytes.fromhex("6f4a1c0e5b7d4f0c9a3e2d8171c4be59")

NormalText = NewType("NormalText", str)

# Writes a record with all keys sorted: struct fields stand in alphabetical order already.
_encoder = msgspec.json.Encoder(order="deterministic")
_encode = _encoder.encode
# Into a buffer that is kept, which takes two thirds of the time of bytes that grow.
encode_record_into = _encoder.encode_into
_decode = msgspec.json.decode
_sha256 = hashlib.sha256
# A copy of a fresh hash is had in two thirds of the time of another one.
_fresh_blake2b = hashlib.blake2b(digest_size=8).copy
_LARGEST_EXACT_INTEGER: Final = 2**53
_VERSION: Final = str(HASH_VERSION)
_NOBODY: Final = ("",)


def record_json(memory: Memory) -> bytes:
    """Return the record without its id as JSON: defaults omitted, keys sorted, times UTC, list order kept."""
    identity, memory.id = memory.id, None
    try:
        return _encode(memory)
    finally:
        memory.id = identity


def digest(memory: Memory, record: bytes, *, odd_numbers: bool) -> Digest:
    """Return the digest of a record whose `record_json` is given: SHA-256, its first 16 bytes.

    Numbers count as doubles: 1, 1.0 and 1e0 in free-form fields give one digest; `odd_numbers` says that
    there are others than small integers among them.
    """
    if odd_numbers:
        record = record_json(_with_double_numbers(memory))
    return _sha256(record).digest()[:DIGEST_BYTES]  # type: ignore[return-value]


def _with_double_numbers(memory: Memory) -> Memory:
    copy = _decode(_encode(memory), type=Memory)
    copy.metadata = _doubles(copy.metadata)
    for person in copy.participants:
        person.metadata = _doubles(person.metadata)
    if copy.emotional_context is not None:
        copy.emotional_context.temporal = _doubles(copy.emotional_context.temporal)
    if copy.relationship_dynamics is not None:
        for party in copy.relationship_dynamics.participants:
            party.metadata = _doubles(party.metadata)
    return copy


def _doubles(value: Any) -> Any:
    """Return a JSON value with each number as a double, the whole ones below 2**53 written as integers."""
    if isinstance(value, dict):
        return {name: _doubles(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < _LARGEST_EXACT_INTEGER else number


def canonical_text(text: str) -> NormalText:
    """Return a text with everything folded that does not count: NFKC, case, white space, final full stops."""
    quickly = folded(text)  # most texts are ASCII
    if quickly is not None:
        return quickly  # type: ignore[return-value]
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(normal.split()).rstrip(" .。")  # type: ignore[return-value]


def content_hash(memory: Memory, summary: NormalText, match_scope: str) -> ContentHash:
    """Return the hash of what a record says, and of whom; `summary` is its canonical text.

    SHA-256, its first 16 bytes, of the canonical texts of summary and content, the match scope, the subject
    and the sorted participant ids.
    """
    content = canonical_text(memory.content) if memory.content else ""
    ids = []
    for person in memory.participants:
        ids.append(person.id)
    ids.sort()
    # Validated texts hold no U+0000, so that it separates them; each number and name has a place of its own.
    said = "\0".join((_VERSION, summary, content, match_scope, memory.subject or "", *(ids or _NOBODY)))
    return _sha256(said.encode()).digest()[:DIGEST_BYTES]  # type: ignore[return-value]


def derived_id(memory: Memory, match_scope: str, record_digest: Digest) -> str:
    """Return the id of a record that has none: uuid5 of its origin where that is known, else of its digest."""
    origin = memory.source
    if origin is not None and origin.system and origin.external_id:
        return uuid5(match_scope, "origin", origin.system, origin.external_id)
    return id_from_digest(match_scope, record_digest)


def id_from_digest(match_scope: str, record_digest: Digest) -> str:
    """Return the id that a record gets by its content alone."""
    return uuid5(match_scope, "digest", record_digest.hex())


def uuid5(*parts: str) -> str:
    """Return the name-based id (RFC 9562, version 5) of some texts."""
    digits = hashlib.sha1(ID_NAMESPACE + _encode(parts), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def id_hash(match_scope: str, identity: str) -> bytes:
    """Return 8 bytes by which an id is found within its match scope; a store keeps them as a signed integer."""
    made = _fresh_blake2b()
    made.update(f"{match_scope}\n{identity}".encode())
    return made.digest()


class MatchScopes:
    """The match scope of each record, as text: the values of the scope fields as a JSON array."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._values_of = operator.attrgetter(*fields)
        self._texts: dict[Any, str] = {}
        self._of_none = self._text((None,) * len(fields))

    def __call__(self, memory: Memory) -> str:
        """Return the match scope of a record."""
        scope = memory.scope
        if scope is None:
            return self._of_none
        values = self._values_of(scope)
        text = self._texts.get(values)
        if text is None:
            if len(self._texts) > 100_000:  # bounded, whatever the number of scopes
                self._texts.clear()
            text = self._texts[values] = self._text(values if isinstance(values, tuple) else (values,))
        return text

    @staticmethod
    def _text(values: tuple[str | None, ...]) -> str:
        return _encode([value or None for value in values]).decode()
