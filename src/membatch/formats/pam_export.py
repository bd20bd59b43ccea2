"""Records → Portable AI Memory 1.0 memory objects, the way back of `pam`.

Rule: what PAM has a place for stands there, all else under metadata.membatch, so that an import gives the same
record again. Pure: no clock, so the same memories give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any, Final

from membatch.formats.pam import KEPT

SCHEMA: Final = "portable-ai-memory"
SCHEMA_VERSION: Final = "1.0"
_TYPES: Final = frozenset(
    ("fact", "preference", "skill", "context", "relationship", "goal", "instruction", "identity", "environment")
)
_TAG: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_UNKNOWN_TIME: Final = "1970-01-01T00:00:00Z"
_TIMES: Final = ("created_at", "extracted_at", "occurred_at", "valid_from", "updated_at")


def memory_object(identity: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return the memory object of a record with its id."""
    left = dict(record)
    summary = left.pop("summary")
    content = left.pop("content", None)
    kind = left.pop("kind", None)
    created = next((record[name] for name in _TIMES if record.get(name)), _UNKNOWN_TIME)
    if "created_at" in left:
        del left["created_at"]
        back: dict[str, Any] = {}
    else:
        back = {"created_at": None}  # the time above stands in for one that the record lacks
    temporal = {"created_at": created}
    for name in ("updated_at", "valid_from", "valid_until"):
        if name in left:
            temporal[name] = left.pop(name)
    tags = left.get("tags", [])
    if all(_TAG.fullmatch(tag) for tag in tags) and len(set(tags)) == len(tags):
        left.pop("tags", None)
    else:
        tags = sorted({slug for tag in tags if (slug := slug_of(tag))})
    is_known = kind in _TYPES
    made: dict[str, Any] = {
        "id": identity,
        "type": kind if is_known else "custom",
        "custom_type": None if is_known else kind or "memory",
        "status": "active",
        "content": summary if content is None else content,
        "content_hash": content_hash(summary if content is None else content),
        "summary": None if content is None else summary,
        "tags": tags,
        "temporal": temporal,
        "provenance": _provenance(left),
        "metadata": {},
    }
    if not is_known and not kind:
        back["kind"] = None
    if "confidence" in left:
        made["confidence"] = {"current": left.pop("confidence")}
    kept = {**left, **back, "id": identity}
    # A content that is empty, or a summary that PAM cannot tell from one, comes back from here too.
    if content is not None and (not content.strip() or content == summary):
        kept.update({"summary": summary, "content": content})
        made["content"] = summary
        made["content_hash"] = content_hash(made["content"])
    made["metadata"] = {KEPT: {"source": None, "scope": None, "metadata": {}, **kept}}
    return made


def _provenance(left: dict[str, Any]) -> dict[str, Any]:
    system = (left.get("source") or {}).get("system") or ""
    platform = re.sub(r"[^a-z0-9_-]+", "-", system.lower()).strip("-")[:32]
    made: dict[str, Any] = {"platform": platform if len(platform) >= 2 else "membatch"}
    session = (left.get("scope") or {}).get("session_id")
    if session:
        made["conversation_ref"] = session
    if left.get("source_message_ids"):
        made["message_ref"] = left["source_message_ids"][0]
    if "extracted_at" in left:
        made["extracted_at"] = left.pop("extracted_at")
    return made


def slug_of(tag: str) -> str:
    """Return a tag in the letters that PAM allows, or "" where nothing is left of it."""
    text = unicodedata.normalize("NFKD", tag.casefold())
    return re.sub(r"[^a-z0-9_]+", "-", text.encode("ascii", "ignore").decode()).strip("-_")


def content_hash(content: str) -> str:
    """Return PAM's hash of a content: trimmed, lower case, NFC, white space collapsed."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFC", content.strip().lower()))
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def head(owner: str, version: str) -> dict[str, Any]:
    """Return what a store's file says besides its memories."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "spec_uri": "https://portable-ai-memory.org/spec/v1.0",
        "exported_by": f"membatch/{version}",
        "owner": {"id": owner},
    }
