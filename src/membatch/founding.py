"""The way of memories back to the records that founded them.

Rule: reading only; each fingerprint belongs to one record, and that record is found here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from membatch.patch import Document, apply
from membatch.store.inspection import CheckedFingerprint, CheckedMemory, CheckedMerge

_decode = msgspec.json.decode


class Lines:
    """A memory going back, merge by merge, to its founder, and to those of memories that reviews merged into it.

    A merge of a review absorbed a whole memory with its own merges, which `moved` lists: they are that line's.
    """

    def __init__(self, memory: CheckedMemory) -> None:
        self._states: dict[int, Any] = {}
        self._fingerprints = {0: memory.fingerprint}
        self._line_of: dict[int, int] = {}
        self._is_lost = False
        self._texts: set[int] = set()
        try:
            self._states[0] = _decode(memory.record)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._is_lost = True  # that its record is none is told elsewhere

    @property
    def is_lost(self) -> bool:
        """Whether the way back is broken."""
        return self._is_lost

    def go_back(self, merge: CheckedMerge) -> str | None:
        """Take one merge back, the newest first; return why that cannot be done, once."""
        if self._is_lost:
            return None
        try:
            if merge.moved is not None:
                self._states[merge.merge] = _decode(merge.record)
                self._fingerprints[merge.merge] = merge.fingerprint
                self._line_of |= dict.fromkeys(_decode(merge.moved)["merges"], merge.merge)
            self._texts |= _texts_of(_decode(merge.record))
            line = self._line_of.get(merge.merge, 0)
            self._states[line] = apply(self._states[line], _decode(merge.reverse))
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            self._is_lost = True
            return f"cannot be taken back: {error!r}"
        return None

    def say(self, summary: str, content: str | None) -> bool:
        """Return whether summary and content are those of the founder or absorbed records: merging makes no text."""
        known = set(self._texts)
        for state, _ in self.founders().values():
            known |= _texts_of(state)
        return self._is_lost or {hash(summary), hash(content)} <= known

    def founders(self) -> dict[int, tuple[Document, CheckedFingerprint]]:
        """Return each line's founder and the fingerprint that should be its own."""
        if self._is_lost:
            return {}
        return {line: (state, self._fingerprints[line]) for line, state in self._states.items()}


def _texts_of(record: Document) -> set[int]:
    return {hash(record["summary"]), hash(record.get("content")), hash(None)}
