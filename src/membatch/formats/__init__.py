"""The table of formats: foreign and legacy shapes → records.

Rule: one file a format, one row here; a format only converts, what is valid is decided afterwards.
Data in: one decoded item of a source and its document. Data out: the records it holds, as plain objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from membatch.extension import extensions
from membatch.formats import (
    basic_memory,
    chatgpt,
    claude,
    esconv,
    evermem,
    goemotions,
    graphiti,
    langgraph,
    locomo,
    mapping,
    mcp_memory,
    meld,
    mem0,
    memorybank,
    mnemosyne,
    native,
    pam,
    xdailydialog,
)
from membatch.formats.declare import Converted, Format
from membatch.formats.detect import NATIVE, Detection, belongs, detect, recognised

ENTRY_POINTS: Final = "membatch.formats"

BUILT_IN: Final[Mapping[str, Format]] = MappingProxyType(
    {
        format_.name: format_
        for format_ in (
            native.FORMAT,
            mapping.FORMAT,
            mem0.FORMAT,
            chatgpt.FORMAT,
            claude.FORMAT,
            mcp_memory.FORMAT,
            pam.FORMAT,
            mnemosyne.FORMAT,
            graphiti.FORMAT,
            langgraph.FORMAT,
            basic_memory.FORMAT,
            locomo.FORMAT,
            xdailydialog.FORMAT,
            esconv.FORMAT,
            meld.FORMAT,
            goemotions.FORMAT,
            memorybank.FORMAT,
            evermem.FORMAT,
        )
    }
)


def known_formats() -> dict[str, Format]:
    """Return all formats by name: the built-in ones, and those that other packages add by entry point."""
    formats = dict(BUILT_IN)
    for point in extensions(ENTRY_POINTS):
        formats[point.name] = point.load()
    return formats


__all__ = [
    "BUILT_IN",
    "ENTRY_POINTS",
    "NATIVE",
    "Converted",
    "Detection",
    "Format",
    "belongs",
    "detect",
    "known_formats",
    "recognised",
]
