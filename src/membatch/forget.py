"""Forgetting: a memory and every trace of its content, for good.

Rule: a numbered run that leaves counts and nothing else, and cannot be undone; it is done when the files hold
no byte of what was removed. A later import of the same record brings it back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from membatch.config import Config, to_plain
from membatch.errors import ConfigError
from membatch.fingerprint import canonical_text
from membatch.plan import StoredRow
from membatch.store import Store, open_store

# A shorter text may be part of another one by chance: then it must be the whole of a value.
_TELLING_LENGTH: Final = 20
# As much of a summary as a message quotes.
_QUOTED_LENGTH: Final = 59
_ENCODINGS: Final = ("utf-8", "cp1252", "utf-16-le", "utf-16-be")


class Forgotten(NamedTuple):
    """What a forget removed: the number of its run, and rows by table."""

    run: int
    removed: dict[str, int]


def forget(memory_id: str, *, store: str | None = None, wait: bool = False) -> Forgotten:
    """Remove a memory and every trace of its content from a store, leaving counts; it cannot be undone.

    Its lineage, fingerprints, pairs, duplicates, and the rejects whose raw record says the same go too, then the
    files are rewritten without the gaps that removed rows leave. `memory_id` is the memory's id, or that of a
    record that it absorbed. Reports and exports written before are not touched, and a later import of the same
    record brings it back. Raises ConfigError if no memory or several answer to the id, StoreBusyError if
    another program reads the store at the end: the rows are gone then, the next writing command erases the rest.
    """
    config = msgspec.structs.replace(Config(), store=store or Config().store)
    opened = open_store(config.store, None, wait=wait)
    try:
        row = _named(opened, memory_id)
        said = Content(_texts(opened, row))
        settings = msgspec.json.encode(to_plain(config)).decode()
        run = opened.begin_run(kind="forget", parent=None, format="", sources='{"files":[]}', config=settings)
        with opened.changes(run) as changes:
            changes.forget(row.key, said)
        removed: dict[str, int] = {}
        for tables in changes.tally.removed.values():
            for table, count in tables.items():
                removed[table] = removed.get(table, 0) + count
        opened.purge()
        return Forgotten(run, removed)
    finally:
        opened.close()


def _named(store: Store, memory_id: str) -> StoredRow:
    found = store.by_id(memory_id)
    if not found:
        raise ConfigError(f"no memory has or absorbed the id {memory_id!r}: `membatch export` shows all ids")
    if len(found) > 1:
        listed = ", ".join(f"{row.id} in {row.scope}" for row in found)
        raise ConfigError(f"{memory_id!r} leads to several memories: {listed}")
    return found[0]


def _texts(store: Store, row: StoredRow) -> Iterator[str]:
    """Yield every summary and content that the memory and its records ever had."""
    documents: list[Any] = [msgspec.json.decode(row.record)]
    for merge in store.lineage(row.key):
        if merge.unmerged_in is not None:
            continue  # what was taken back is another memory's
        documents.append(msgspec.json.decode(merge.record))
        for operation in msgspec.json.decode(merge.reverse):
            match operation:
                case ["replace", document]:
                    documents.append(document)
                case ["set", [("summary" | "content") as name], str(text)]:
                    documents.append({name: text})
    for document in documents:
        for name in ("summary", "content"):
            if document.get(name):
                yield document[name]


class Content:
    """What is to be forgotten, and whether something says it."""

    def __init__(self, texts: Iterable[str]) -> None:
        found = set(texts)
        self._whole = {canonical_text(text) or text for text in found}
        self._telling = [text for text in self._whole if len(text) >= _TELLING_LENGTH]
        self._beginnings = [
            f'"{text}"' if len(text) <= _QUOTED_LENGTH else f'"{text[:_QUOTED_LENGTH]}' for text in found
        ]
        self._bytes = {form for text in found for form in _written_forms(text)}

    def is_said_by(self, raw: bytes) -> bool:
        """Return whether a raw record, whatever it is written in, says it."""
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return any(form in raw for form in self._bytes)
        return any(self._is_it(canonical_text(text) or text) for text in _strings(value))

    def is_quoted_by(self, text: str) -> bool:
        """Return whether a message or stack trace quotes its beginning, or holds it whole."""
        if any(beginning in text for beginning in self._beginnings):
            return True
        folded = canonical_text(text)
        return any(telling in folded for telling in self._telling)

    def removed_from(self, sources: str) -> str | None:
        """Return the sources of a run without what stood around their items and says it; None if nothing does."""
        document = msgspec.json.decode(sources)
        is_changed = False
        for file in document["files"]:
            try:
                left = self._left_of(file.get("rest"))
            except RecursionError:  # too deep to be looked through: nothing of it stays
                left = {}
            if left != file.get("rest"):
                file["rest"], is_changed = left, True
        return msgspec.json.encode(document).decode() if is_changed else None

    def _left_of(self, value: Any) -> Any:
        """Return a JSON value without the names and texts in it that say it."""
        if isinstance(value, dict):
            return {
                name: self._left_of(item)
                for name, item in value.items()
                if not self._says(name) and not self._says(item)
            }
        if isinstance(value, list):
            return [self._left_of(item) for item in value if not self._says(item)]
        return value

    def _says(self, value: Any) -> bool:
        return isinstance(value, str) and self._is_it(canonical_text(value) or value)

    def _is_it(self, text: str) -> bool:
        return text in self._whole or any(telling in text for telling in self._telling)


def _written_forms(text: str) -> Iterator[bytes]:
    """Yield a text as JSON, CSV and plain text write it, in the encodings that files come in."""
    forms = {text, text.replace('"', '""'), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    for form in forms:
        whole = form if len(text) >= _TELLING_LENGTH else f'"{form}"'
        for encoding in _ENCODINGS:
            with contextlib.suppress(UnicodeEncodeError):
                yield whole.encode(encoding)


def _strings(value: Any) -> Iterator[str]:
    """Yield all texts of a JSON value, to any depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
