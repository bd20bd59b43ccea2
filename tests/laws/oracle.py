"""A naive sequential program that says what must happen to each record; it shares no code with the product.

It knows the fact guards (subject, participants, when) only; the laws run the product with just these.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"[ .。]+$", "", " ".join(text.split()))


def tokens(text: str) -> set[str]:
    kinds = []
    for character in folded(text):
        kind = unicodedata.category(character)[0]
        if kind == "S" or character in "#%&@":
            kinds.append((character, "symbol"))
        elif kind in "LNM":
            kinds.append((character, "unspaced" if UNSPACED.match(character) else "word"))
        else:
            kinds.append((character, "nothing"))
    found: set[str] = set()
    at = 0
    while at < len(kinds):
        end = at
        while end < len(kinds) and kinds[end][1] == kinds[at][1]:
            end += 1
        run = "".join(character for character, _ in kinds[at:end])
        match kinds[at][1]:
            case "symbol":
                found |= {f"symbol {character}" for character in run}
            case "word":
                found.add(run)
            case "unspaced":
                found |= {run[i : i + 2] for i in range(len(run) - 1)} or {run}
        at = end
    return found


def time_of(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


@dataclass
class Memory:
    scope: Any
    id: Any
    founder: set[str]
    founder_updated: str | None
    confidence: float
    sources: list[str]
    subject: str | None
    people: set[str]
    occurred: dt.datetime | None
    hashes: set[Any] = field(default_factory=set)


class Oracle:
    def __init__(self, threshold: Fraction, strategy: str = "similar", same_id: str = "newer") -> None:
        self.threshold, self.strategy, self.same_id = threshold, strategy, same_id
        self.memories: list[Memory] = []
        self.digests: dict[str, int] = {}
        self.refused: set[str] = set()

    def take(self, record: dict[str, Any]) -> tuple[str, int | None]:
        """Return the outcome of a valid record and the number (from 1) of the memory that it belongs to."""
        digest = json.dumps({key: value for key, value in record.items() if key != "id"}, sort_keys=True)
        scope = record.get("scope", {}).get("user_id")
        text = (folded(record["summary"]), scope, record.get("subject"), self.people(record))
        if digest in self.digests:
            return "duplicate", self.digests[digest]
        identity = record.get("id")
        for number, memory in enumerate(self.memories, 1):
            if identity is not None and (memory.scope, memory.id) == (scope, identity):
                return self.same(number, memory, record, digest, text)
        if self.strategy == "memory-only":
            return self.insert(record, scope, digest, text)
        mine = tokens(record["summary"])
        by_hash = [number for number, memory in enumerate(self.memories, 1) if text in memory.hashes]
        by_score = []
        for number, memory in enumerate(self.memories, 1):
            union = mine | memory.founder
            if number not in by_hash and memory.scope == scope and union and self.strategy == "similar":
                score = Fraction(len(mine & memory.founder), len(union))
                if score >= self.threshold:
                    by_score.append((-score, number))
        for number in [*by_hash, *(number for _, number in sorted(by_score))]:
            if not self.differ(record, self.memories[number - 1]):
                self.absorb(number, record, digest, text)
                return "merged", number
        return self.insert(record, scope, digest, text)

    def people(self, record: dict[str, Any]) -> tuple[str, ...]:
        return tuple(sorted(person["id"] for person in record.get("participants", [])))

    def differ(self, record: dict[str, Any], memory: Memory) -> bool:
        subject, people = record.get("subject"), set(self.people(record))
        occurred = time_of(record.get("occurred_at"))
        if subject and memory.subject and subject != memory.subject:
            return True
        if people and memory.people and not people & memory.people:
            return True
        return bool(occurred and memory.occurred and abs(occurred - memory.occurred) > dt.timedelta(days=1))

    def same(
        self, number: int, memory: Memory, record: dict[str, Any], digest: str, text: Any
    ) -> tuple[str, int | None]:
        updated = record.get("updated_at")
        newer = updated is not None and (memory.founder_updated is None or updated > memory.founder_updated)
        if self.same_id == "update" or (self.same_id == "newer" and newer and digest not in self.refused):
            fresh = self.fresh(record, memory.scope)
            self.memories[number - 1] = fresh
            fresh.hashes.add(text)
            self.digests[digest] = number
            return "merged", number
        if self.same_id == "newer" and digest not in self.refused:
            if text in memory.hashes and not self.differ(record, memory):
                self.absorb(number, record, digest, text)
                return "merged", number
        self.refused.add(digest)
        return "rejected", None

    def fresh(self, record: dict[str, Any], scope: Any) -> Memory:
        return Memory(
            scope,
            record.get("id"),
            tokens(record["summary"]),
            record.get("updated_at"),
            record.get("confidence", -1.0),
            list(record.get("source_message_ids", [])),
            record.get("subject"),
            set(self.people(record)),
            time_of(record.get("occurred_at")),
        )

    def insert(self, record: dict[str, Any], scope: Any, digest: str, text: Any) -> tuple[str, int]:
        memory = self.fresh(record, scope)
        memory.hashes.add(text)
        self.memories.append(memory)
        self.digests[digest] = len(self.memories)
        return "inserted", len(self.memories)

    def absorb(self, number: int, record: dict[str, Any], digest: str, text: Any) -> None:
        memory = self.memories[number - 1]
        confidence = record.get("confidence", -1.0)
        if record.get("subject") and (memory.subject is None or confidence > memory.confidence):
            memory.subject = record["subject"]
        memory.confidence = max(memory.confidence, confidence)
        memory.sources += [name for name in record.get("source_message_ids", []) if name not in memory.sources]
        memory.people |= set(self.people(record))
        times = [time for time in (memory.occurred, time_of(record.get("occurred_at"))) if time]
        memory.occurred = min(times, default=None)
        memory.hashes.add(text)
        self.digests[digest] = number
