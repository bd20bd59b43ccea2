"""JSON on its way to a terminal.

Rule: the value stays the same; characters that drive terminals or turn the direction of writing are written as
the escapes that JSON has for them. Those below U+0020 always are.
"""

from __future__ import annotations

import json
import re
import sys
from typing import BinaryIO, Final, cast

_FOREIGN: Final = re.compile("[^\x00-\x7f]")
_DRIVING: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Return a JSON text of the same value that no terminal obeys."""
    return _DRIVING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def ascii_only(text: str) -> str:
    """Return a JSON text of the same value that any encoding can write."""
    return _FOREIGN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def json_output() -> BinaryIO:
    """Return standard output for JSON: as it is, or harmless where it is a terminal."""
    return cast(BinaryIO, _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer


class _Terminal:
    """Standard output, a terminal; each call writes whole characters."""

    def write(self, data: bytes) -> int:
        sys.stdout.buffer.write(harmless(data.decode()).encode())
        return len(data)
