"""The past of a memory, and the judgement of two records: history, explain.

Rule: reading only; what is shown is what the store and the rules say, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from membatch import fingerprint
from membatch.config import Config
from membatch.consistency import Invalid
from membatch.decide import rules_of
from membatch.errors import ConfigError
from membatch.merge import Survivor, merge
from membatch.patch import apply
from membatch.plan import StoredRow
from membatch.runs.accounts import open_once
from membatch.similarity.guards import Facts
from membatch.validate import Validator


def history(identity: str, *, store: str | None = None) -> dict[str, Any]:
    """Return the past of a memory: its record now, the founder, each merge, and where each field came from.

    `identity` is the memory's id, or that of a record that it absorbed. Raises ConfigError if no memory or
    several (in different match scopes) answer to it.
    """
    with open_once(store or Config().store) as reader:
        found = reader.by_id(identity)
        if not found:
            raise ConfigError(f"no memory has or absorbed the id {identity!r}: `membatch export` shows all ids")
        if len(found) > 1:
            listed = ", ".join(f"{row.id} in {row.scope}" for row in found)
            raise ConfigError(f"{identity!r} leads to several memories: {listed}")
        row = found[0]
        merges = reader.lineage(row.key)
        files = {one.run: [file["path"] for file in msgspec.json.decode(one.sources)["files"]] for one in reader.runs()}
    document = msgspec.json.decode(row.record)
    origins: dict[str, str] = {}
    entries: list[dict[str, Any]] = []
    state = msgspec.json.decode(row.record)
    for item in reversed(merges):
        after = state
        state = apply(msgspec.json.decode(msgspec.json.encode(state)), msgspec.json.decode(item.reverse))
        for name in after:
            if after[name] != state.get(name) and name not in origins:
                origins[name] = f"merge {item.merge}"
        entries.append(
            {
                "merge": item.merge,
                "run": item.run,
                "step": item.step,
                "score": f"{item.shared}/{item.union}",
                "replaces": bool(item.replaces),
                "id": item.id,
                "source": None if item.source is None else files[item.run][item.source],
                "line": item.line,
                "record": msgspec.json.decode(item.record),
                "rules": msgspec.json.decode(item.rules),
                "conflicts": msgspec.json.decode(item.conflicts),
            }
        )
    return {
        "id": row.id,
        "match_scope": msgspec.json.decode(row.scope),
        "record": document,
        "founder": state,
        "merges": entries[::-1],
        "origins": {name: origins.get(name, "founder") for name in document},
    }


def explain(one: str, other: str, *, config: Config) -> dict[str, Any]:
    """Return what would happen to record `other` if memory `one` were stored: each step's answer and the outcome.

    Each is the JSON text of a record, or the id of a stored memory. Raises ConfigError.
    """
    from membatch.similarity.tokens import words_of

    rules = rules_of(config)
    memory, record = (_record(text, config) for text in (one, other))
    facts = [Facts(item["document"]) for item in (memory, record)]
    tokens = [words_of(item["canonical"]) for item in (memory, record)]
    shared, union = tokens[0] & tokens[1], tokens[0] | tokens[1]
    equal_hashes = memory["content_hash"] == record["content_hash"]
    score = Fraction(len(shared), len(union)) if union else Fraction(0)
    verdicts = {
        name: row.judge(facts[1], facts[0])
        for name, row in rules.guards.items()
        if row.asks_equal_hashes or not equal_hashes
    }
    merged = merge(Survivor(memory["document"], None), record["document"], rules.merge)
    verdicts["limits"] = "unsure" if merged is None else "same"
    return {
        "same_match_scope": memory["scope"] == record["scope"],
        "digest": memory["digest"] == record["digest"],
        "id": memory["id"] == record["id"],
        "content_hash": equal_hashes,
        "score": f"{len(shared)}/{len(union)}",
        "threshold": config.dedup.threshold,
        "tokens": {
            "shared": sorted(shared),
            "only_first": sorted(tokens[0] - tokens[1]),
            "only_second": sorted(tokens[1] - tokens[0]),
        },
        "guards": verdicts,
        "outcome": _outcome(memory, record, equal_hashes, score >= rules.threshold, verdicts),
    }


def _outcome(
    memory: dict[str, Any], record: dict[str, Any], equal_hashes: bool, is_similar: bool, verdicts: Mapping[str, str]
) -> str:
    if memory["scope"] != record["scope"]:
        return "inserted: the match scopes differ"
    if memory["digest"] == record["digest"]:
        return "duplicate: this very record is known"
    if memory["id"] == record["id"]:
        return "decided by dedup.same_id: the ids are the same"
    if not equal_hashes and not is_similar:
        return "inserted: neither are the content hashes equal nor is the score at the threshold"
    for verdict, outcome in (("different", "inserted"), ("unsure", "held")):
        fired = [name for name, said in verdicts.items() if said == verdict]
        if fired:
            return f"{outcome}: {', '.join(fired)} says {verdict}"
    return "merged"


def _record(text: str, config: Config) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        raw = text.encode()
    else:
        with open_once(config.store) as reader:
            found: list[StoredRow] = reader.by_id(text)
        if len(found) != 1:
            raise ConfigError(f"{text!r} leads to {len(found)} memories: give an id of one, or a record as JSON")
        raw = b'{"id":' + msgspec.json.encode(found[0].id) + b"," + found[0].record[1:]
    outcome = Validator(max_depth=config.source.max_depth)(raw)
    if isinstance(outcome, Invalid):
        raise ConfigError(f"a record is not valid: {outcome.message}")
    memory = outcome.memory
    scope = fingerprint.MatchScopes(config.dedup.scope)(memory)
    encoded = fingerprint.record_json(memory)
    digest = fingerprint.digest(memory, encoded, odd_numbers=outcome.odd_numbers)
    canonical = fingerprint.canonical_text(memory.summary)
    return {
        "document": msgspec.json.decode(encoded),
        "scope": scope,
        "digest": digest,
        "canonical": canonical,
        "content_hash": fingerprint.content_hash(memory, canonical, scope),
        "id": memory.id or fingerprint.derived_id(memory, scope, digest),
    }
