"""Values of databases and typed files that JSON has not: bytes, and infinite numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from membatch.plan import Rejection


def text_of(data: bytes) -> str:
    """Return the text that bytes spell, else base64."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    encoded: str = text if "\0" not in text else msgspec.to_builtins(data)
    return encoded


def has_infinity(value: Any) -> bool:
    """Return whether a value is infinite, or holds one that is."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(map(has_infinity, value))
    return isinstance(value, float) and math.isinf(value)


def infinite(row: dict[str, Any], column: str) -> Rejection:
    """Return the rejection of a row with a column that holds an infinite number."""
    raw = json.dumps(row, ensure_ascii=False, default=str).encode()
    return Rejection(category="source", code="number-range", message=f"the column {column} is infinite", raw=raw)
