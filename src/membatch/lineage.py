"""The past of a memory: history.

Rule: reading only; what is shown is what the store says, nothing is guessed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from membatch.config import Config
from membatch.errors import ConfigError
from membatch.patch import apply
from membatch.runs.accounts import open_once


def history(identity: str, *, store: str | None = None) -> dict[str, Any]:
    """Return the past of a memory: its record now, the founder, each merge, and where each field came from.

    `identity` is the memory's id, or that of a record that it absorbed. Raises ConfigError if no memory or
    several (in different match scopes) answer to it.
    """
    with open_once(store or Config().store) as reader:
        found = reader.by_id(identity)
        if not found:
            raise ConfigError(f"no memory has or absorbed the id {identity!r}")
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
