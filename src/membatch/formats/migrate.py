"""Records of another schema version → the current one, or an older one, step by step.

Rule: a step is a small pure function from one version to the next; it says which fields it changed and what it
could not carry. What a step cannot carry it leaves in metadata where that is possible, else it is lost, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from membatch.memory import SCHEMA_VERSION
from membatch.plan import Migration


class Moved(NamedTuple):
    """A record after a step: the fields that changed, and what was lost, each with why."""

    record: dict[str, Any]
    changed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


Step = Callable[[dict[str, Any]], Moved]


class Steps(NamedTuple):
    """The steps there are: `up` from a version to the next, `down` from a version to the one before."""

    up: Mapping[int, Step]
    down: Mapping[int, Step]


# A new version adds its step here, both ways where that is possible, and raises memory.SCHEMA_VERSION.
STEPS: Final = Steps(up=MappingProxyType({}), down=MappingProxyType({}))


def version_of(record: dict[str, Any]) -> int:
    """Return the schema version that a record names; one that names none is current."""
    version = record.get("schema_version", record.get("schemaVersion"))
    return version if isinstance(version, int) and not isinstance(version, bool) else SCHEMA_VERSION


def migrated(
    record: dict[str, Any], to: int = SCHEMA_VERSION, steps: Steps = STEPS
) -> tuple[dict[str, Any], Migration | None]:
    """Return a record in another version, and what happened to it; None where it is of that version already.

    Raises ValueError where no steps lead there.
    """
    version = start = version_of(record)
    changed: list[str] = []
    lost: list[str] = []
    while version != to:
        table, following = (steps.up, version + 1) if version < to else (steps.down, version - 1)
        if version not in table:
            raise ValueError(f"no way leads from schema version {start} to {to}: known are {known_versions(steps)}")
        moved = table[version](record)
        record, version = moved.record, following
        changed.extend(moved.changed)
        lost.extend(moved.lost)
    if version == start:
        return record, None
    record = {name: value for name, value in record.items() if name not in ("schema_version", "schemaVersion")}
    if to != SCHEMA_VERSION:
        record["schema_version"] = to
    return record, Migration(str(start), tuple(dict.fromkeys(changed)), tuple(dict.fromkeys(lost)))


def known_versions(steps: Steps = STEPS) -> str:
    """Return the versions that can be read or written, in words."""
    versions = {SCHEMA_VERSION, *steps.up, *(version - 1 for version in steps.down)}
    return ", ".join(map(str, sorted(versions)))
