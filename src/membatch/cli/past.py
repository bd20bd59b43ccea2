"""The past of a memory as a tree of lines.

Rule: what a review merged brings its own past, indented below it; every text of a record is made printable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from membatch.report.words import printable

_MOST_ORIGINS: Final = 4  # of a field, then the rest is counted


def told(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of what `history` returned."""
    scope = json.dumps(found["match_scope"], ensure_ascii=False)
    yield f"memory {printable(found['id'])} in {printable(scope)}"
    yield from _past(found, "  ")


def _past(found: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}founder: {printable(found['founder']['summary'])}"
    if found["first"] != found["founder"]:
        yield f"{indent}began as: {printable(found['first']['summary'])}"
    for one in found["unmerged_from"]:
        yield f"{indent}was merge {one['merge']} of {printable(one['id'])}, taken back by run {one['run']}"
    for item in found["merges"]:
        yield from _merge(item, indent)
    yield f"{indent}fields: " + ", ".join(f"{printable(name)} ({_origin(of)})" for name, of in found["origins"].items())


def _merge(item: dict[str, Any], indent: str) -> Iterator[str]:
    what = "replaced by" if item["replaces"] else "absorbed"
    place = f" from {printable(item['source'])}:{item['line']}" if item["source"] else ""
    taken_back = "" if item["unmerged_in"] is None else f", taken back by run {item['unmerged_in']}"
    yield f"{indent}merge {item['merge']} (run {item['run']}) {what} {printable(item['id'])}{place}{taken_back}"
    inner = indent + "  "
    score = "" if item["step"] == "id" else f", score {item['score']}"  # an id is the same, whatever is said
    yield f"{inner}by {item['step']}{score}: {printable(item['record']['summary'])}"
    if item["guards"]:
        yield f"{inner}guards: " + ", ".join(f"{name} {verdict}" for name, verdict in item["guards"].items())
    if item["rules"]:
        yield f"{inner}rules: " + ", ".join(map(printable, item["rules"]))
    for conflict in item["conflicts"]:
        path = printable(".".join(map(str, conflict["path"])))
        kept, other = (printable(_value(conflict[side])) for side in ("kept", "other"))
        yield f"{inner}kept {kept}, not {other} at {path}"
    if "founder" in item:
        yield from _past(item, inner)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _origin(found: list[str]) -> str:
    if len(found) <= _MOST_ORIGINS:
        return ", ".join(found)
    return f"{', '.join(found[: _MOST_ORIGINS - 1])} … {found[-1]}: {len(found):,} in all"
