"""What a memory is: the record's types and limits, from which its JSON Schema is generated.

Rule: the schema is written once, here, as msgspec Structs; decoding into them is the validation. The fields of
each stand in alphabetical order, so that a record is encoded with sorted keys without being sorted.
Data in: nothing. Data out: types, `json_schema()`, the canonical emotion names.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

SCHEMA_VERSION: Final = 1

# What fingerprints depend on besides the record; a store names both.
HASH_VERSION: Final = 1
UNICODE_VERSION: Final = unicodedata.unidata_version

EMOTIONS: Final = frozenset(
    [
        "joy",
        "sadness",
        "anger",
        "fear",
        "surprise",
        "disgust",
        "anticipation",
        "trust",
        "love",
        "anxiety",
        "excitement",
        "contentment",
        "frustration",
        "neutral",
    ]
)

Identifier = Annotated[str, Meta(min_length=1, max_length=500)]
# A pattern that msgspec checks costs a quarter of decoding: that the text is not blank is for `is_plain` to see.
Summary = Annotated[str, Meta(min_length=1, max_length=50_000, extra_json_schema={"pattern": r"\S"})]
Tag = Annotated[str, Meta(min_length=1, max_length=50)]
UnitInterval = Annotated[float, Meta(ge=0, le=1)]
Polarity = Annotated[float, Meta(ge=-1, le=1)]
Time = Annotated[dt.datetime, Meta(extra_json_schema={"format": "date-time"})]

MAX_PARTICIPANTS: Final = 50
MAX_TAGS: Final = 20


class _Part(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What all parts of a record share: defaults are not written, unknown fields are not dropped unseen.

    A record is a tree: nothing in it can hold itself, so that the collector need not follow it.
    """


class Participant(_Part, kw_only=True):
    """Somebody who took part; `id` is unique within the record."""

    aliases: list[str] = []
    id: Identifier
    metadata: dict[str, Any] = {}
    name: str | None = None
    role: str | None = None


class Scope(_Part, kw_only=True):
    """Whose memory this is; by default user_id and namespace make the match scope."""

    agent_id: str | None = None
    namespace: str | None = None
    session_id: str | None = None
    user_id: str | None = None


class Marker(_Part, kw_only=True):
    """A piece of evidence for a feeling."""

    confidence: UnitInterval | None = None
    text: str
    type: str


class EmotionalContext(_Part, kw_only=True):
    """What was felt: intensity from 0 to 1, valence from -1 (unpleasant) to 1 (pleasant)."""

    events: list[str] = []
    intensity: UnitInterval | None = None
    markers: list[Marker] = []
    primary: str | None = None
    primary_raw: str | None = None
    secondary: list[str] = []
    temporal: dict[str, Any] = {}
    themes: list[str] = []
    valence: Polarity | None = None


class ParticipantDynamics(_Part, kw_only=True):
    """How one participant stands in the relationship; whatever else is said of them is metadata."""

    metadata: dict[str, Any] = {}
    participant_id: Identifier


class RelationshipDynamics(_Part, kw_only=True):
    """How the people relate; strength from 0 to 1."""

    balance: str | None = None
    participants: list[ParticipantDynamics] = []
    pattern: str | None = None
    quality: str | None = None
    strength: UnitInterval | None = None


class Source(_Part, kw_only=True):
    """Where the memory was before: the system, its id there, the document."""

    external_id: str | None = None
    system: str | None = None
    uri: str | None = None


class Memory(_Part, kw_only=True):
    """One memory record, as it is stored; times are UTC after validation."""

    confidence: UnitInterval | None = None
    content: str | None = None
    created_at: Time | None = None
    emotional_context: EmotionalContext | None = None
    extracted_at: Time | None = None
    id: Identifier | None = None
    kind: str | None = None
    metadata: dict[str, Any] = {}
    occurred_at: Time | None = None
    participants: Annotated[list[Participant], Meta(max_length=MAX_PARTICIPANTS)] = []
    relationship_dynamics: RelationshipDynamics | None = None
    schema_version: int | None = None
    scope: Scope | None = None
    source: Source | None = None
    source_message_ids: list[str] = []
    subject: str | None = None
    summary: Summary
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS)] = []
    updated_at: Time | None = None
    valid_from: Time | None = None
    valid_until: Time | None = None


TIME_FIELDS: Final = ("occurred_at", "valid_from", "valid_until", "created_at", "updated_at", "extracted_at")
SCOPE_FIELDS: Final = Scope.__struct_fields__


def camel(name: str) -> str:
    """Return the camelCase spelling of a snake_case field name."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a memory record, generated from the types above."""
    schema = msgspec.json.schema(Memory)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "membatch memory record",
        "description": "camelCase spellings are accepted too; unknown fields are kept under metadata.",
        **schema,
    }
