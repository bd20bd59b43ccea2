"""Frames: which of many memories say what a record says but for one word, so that no guard is asked pair by pair.

Rule: says only what the guards of `similarity.guards` would say. Two texts that are one but for a plain word, which
neither has twice, can differ for the guards `names` and `substitution` alone: other names are different, other words
of content unsure unless they are inflections of one.
Data in: the documents of memories and of a record. Data out: the memories that guards refuse, or are unsure of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from membatch.patch import Document
from membatch.plan import MemoryKey
from membatch.similarity.guards import FIELDS, GUARDS, GuardRow, Judgement
from membatch.similarity.pieces import piece_of
from membatch.similarity.text import is_plain_word, may_go_on, words_in
from membatch.similarity.variants import stems_of

_MOST_WORDS: Final = 60  # each word makes a frame as long as the text
_ALL: Final = ""
_encode = msgspec.json.encode


class Slot(NamedTuple):
    """A word of a text, and the key of its frame: all that is around it, and whether the word is a name."""

    key: int
    word: str
    is_name: bool


class Apart(NamedTuple):
    """Memories that are one word apart from a record: those that are different, and those that are unsure."""

    different: set[MemoryKey]
    unsure: set[MemoryKey]


OTHER_NAME: Final = Judgement("different", {"names": "different"})


class Frames:
    """The frames of some memories, as they now stand."""

    def __init__(self, guards: Mapping[str, GuardRow]) -> None:
        is_ours = all(GUARDS.get(name) is row for name, row in guards.items())
        self._names, self._substitution = (is_ours and name in guards for name in ("names", "substitution"))
        self._slots: dict[MemoryKey, list[Slot]] = {}
        self._of: dict[int, dict[str, set[MemoryKey]]] = {}  # by key: memories by their word, or the stems of that

    def __contains__(self, memory: MemoryKey) -> bool:
        return memory in self._slots

    def add(self, memory: MemoryKey, document: Document) -> None:
        """Add a memory."""
        slots = self._slots[memory] = list(self._frames(document))
        for slot in slots:
            there = self._of.setdefault(slot.key, {})
            for name in _names_of(slot):
                there.setdefault(name, set()).add(memory)

    def discard(self, memory: MemoryKey) -> None:
        """Forget a memory, which changes."""
        for slot in self._slots.pop(memory, ()):
            for name in _names_of(slot):
                self._of[slot.key][name].discard(memory)

    def apart(self, document: Document) -> Apart:
        """Return the memories that are one word apart from a record."""
        found = Apart(set(), set())
        for slot in self._frames(document):
            there = self._of.get(slot.key)
            if there is not None:
                alike = [there.get(name, set()) for name in _names_of(slot) if name != _ALL]
                (found.different if slot.is_name else found.unsure).update(there[_ALL].difference(*alike))
        return found

    def _frames(self, document: Document) -> Iterator[Slot]:
        text: str = document["summary"]
        parts = text.split(" ")
        if not text.isascii() or len(parts) > _MOST_WORDS or document.get("content") is not None:
            return
        if not all(parts) or text.split() != parts:  # other white space
            return
        pieces = [piece_of(part) for part in parts]
        counts = Counter(word for piece in pieces for word in words_in(piece))
        fields = _encode([document.get(name) for name in FIELDS])
        for at, (part, piece) in enumerate(zip(parts, pieces, strict=True)):
            if not is_plain_word(part, piece) or counts[piece.words[0]] > 1:
                continue
            if at and may_go_on(pieces[at - 1]):
                continue
            word, is_name = piece.words[0], bool(piece.capitalised)
            if not (self._is_name_alone(word, counts) if is_name else self._substitution):
                continue
            around = (is_name, fields, " ".join(parts[:at]), " ".join(parts[at + 1 :]))
            yield Slot(hash(around), word, is_name)

    def _is_name_alone(self, word: str, counts: Counter[str]) -> bool:
        """Return whether a name is another one than each that has no s at its end either."""
        return self._names and not word.endswith("s") and f"{word}s" not in counts


def _names_of(slot: Slot) -> list[str]:
    """Return by what a memory is found in a frame: with all, and with those whose word is the same for the guards."""
    return [_ALL, slot.word] if slot.is_name else [_ALL, *stems_of(slot.word)]
