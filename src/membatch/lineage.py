"""The past of a memory: history.

Rule: reading only; what is shown is what the store says, nothing is guessed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from membatch.config import Config
from membatch.errors import ConfigError
from membatch.patch import Document, Operation, apply
from membatch.plan import MemoryKey
from membatch.runs.accounts import open_once
from membatch.store import MergeRow, Store


def history(identity: str, *, store: str | None = None) -> dict[str, Any]:
    """Return the past of a memory: its record now, the founder, each merge, and where each field came from.

    `founder` is the record by which the memory is known now, `first` the one that it began as; they differ where a
    record replaced it by its id.

    `identity` is the memory's id, or that of a record that it absorbed or knew. The merge of an accepted review
    holds the past of the memory that it merged, told in the same way. Raises ConfigError if no memory or several
    answer to the id.
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
        past = _Past(reader)
        head = {"id": row.id, "match_scope": msgspec.json.decode(row.scope), "record": msgspec.json.decode(row.record)}
        return head | past.of(row.key, None, row.record, merges)


class _Past:
    """Reads what led to a memory, and to each that a review merged into it."""

    def __init__(self, reader: Store) -> None:
        self._reader = reader
        self._files = {
            one.run: [file["path"] for file in msgspec.json.decode(one.sources)["files"]] for one in reader.runs()
        }

    def of(self, memory: MemoryKey, batch: int | None, record: bytes | str, merges: list[MergeRow]) -> dict[str, Any]:
        """Return first record, founder, merges and origins of a memory, of which the record as it ended is given."""
        moved: dict[int, set[int]] = {}  # by the merge of an accepted review, while that stands
        for row in merges:
            if row.moved_merges is not None and row.unmerged_in is None:
                moved[row.merge] = set(msgspec.json.decode(row.moved_merges))
        theirs = set().union(*moved.values())
        numbered = {row.merge: row for row in merges}
        state = msgspec.json.decode(record)
        founder: Document | None = None  # the last record that replaced the memory whole is its founder
        origins = _Origins(msgspec.json.decode(record))
        entries: list[dict[str, Any]] = []
        for row in reversed(merges):
            if row.merge in theirs:
                continue
            entry = self._entry(row)
            if row.unmerged_in is None:
                reverse = msgspec.json.decode(row.reverse)
                origins.add(f"merge {row.merge}", reverse, entry["rules"])
                state = apply(state, reverse)
                if row.replaces and founder is None:
                    founder = entry["record"]
            if row.merge in moved and row.moved_memory is not None:
                own = [numbered[number] for number in sorted(moved[row.merge]) if number in numbered]
                entry |= self.of(row.moved_memory, row.moved_batch, row.record, own)
            entries.append(entry)
        return {
            "unmerged_from": [one._asdict() for one in self._reader.unmerged_from(memory, batch)],
            "first": state,
            "founder": state if founder is None else founder,
            "merges": entries[::-1],
            "origins": origins.told(),
        }

    def _entry(self, row: MergeRow) -> dict[str, Any]:
        return {
            "merge": row.merge,
            "run": row.run,
            "step": row.step,
            "score": f"{row.shared}/{row.union}",
            "replaces": bool(row.replaces),
            "id": row.id,
            "source": None if row.source is None else self._files[row.run][row.source],
            "line": row.line,
            "record": msgspec.json.decode(row.record),
            "rules": msgspec.json.decode(row.rules),
            "guards": msgspec.json.decode(row.guards),
            "conflicts": msgspec.json.decode(row.conflicts),
            "unmerged_in": row.unmerged_in,
        }


# Rules whose value is made of both: what a memory had before is still in it.
_MIXING: Final = (":weighted", ":corroborated")


class _Origins:
    """Where the value of each field came from, told by what merges would take back, the newest first.

    A field is a member of the record, or of an object in it; a list is one field, with an origin for each merge
    that added to it.
    """

    def __init__(self, document: Document) -> None:
        self._is_object = {name for name, value in document.items() if isinstance(value, dict)}
        self._of: dict[tuple[str, ...], list[str]] = {}
        for name, value in document.items():
            for field in [(name, member) for member in value] if name in self._is_object else [(name,)]:
                self._of[field] = []
        self._open = set(self._of)

    def add(self, origin: str, reverse: list[Operation], rules: list[str]) -> None:
        """Note what one merge gave, by its reverse patch and its rules."""
        mixed = {rule.partition(":")[0] for rule in rules if rule.endswith(_MIXING)}
        changed: dict[tuple[str, ...], bool] = {}  # whether nothing older is left in it
        for operation in reverse:
            path = () if operation[0] == "replace" else tuple(operation[1])
            for field in self._fields(path):
                is_whole = operation[0] != "truncate" and len(path) <= len(field) and field[-1] not in mixed
                changed[field] = is_whole or changed.get(field, False)
        for field, is_whole in changed.items():
            if field in self._open:
                self._of[field].append(origin)
                if is_whole:
                    self._open.discard(field)

    def _fields(self, path: tuple[str | int, ...]) -> list[tuple[str, ...]]:
        if len(path) > 1 and path[0] in self._is_object:
            return [field for field in [(str(path[0]), str(path[1]))] if field in self._of]
        if path and path[0] not in self._is_object:
            return [field for field in [(str(path[0]),)] if field in self._of]
        return [field for field in self._of if not path or field[0] == path[0]]

    def told(self) -> dict[str, list[str]]:
        """Return the origins of each field by its dotted name, the oldest first."""
        return {
            ".".join(field): [*(["founder"] if field in self._open else []), *reversed(found)]
            for field, found in self._of.items()
        }
