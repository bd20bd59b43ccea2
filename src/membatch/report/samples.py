"""Short samples of rejected records for reports; none of them with `redact`."""

from __future__ import annotations

from typing import Any

from membatch.errors import advice_on
from membatch.report import SAMPLE_LENGTH


def sample_of(
    source: str,
    line: int,
    offset: int | None,
    *,
    category: str,
    code: str,
    message: str,
    errors: list[dict[str, Any]],
    raw: bytes,
    redact: bool,
) -> dict[str, Any]:
    """Return one sample: where the record is, what is wrong with it, what to do, how it begins."""
    sample: dict[str, Any] = {
        "source": source,
        "line": line,
        "offset": offset,
        "category": category,
        "code": code,
        "advice": advice_on(code),
    }
    if not redact:
        text = raw[: 4 * SAMPLE_LENGTH].decode("utf-8", "replace")
        sample["message"] = message
        sample["errors"] = errors
        sample["raw"] = shortened(text)
    return sample


def shortened(text: str) -> str:
    """Return a text, its end left out where it is long."""
    return text if len(text) <= SAMPLE_LENGTH else text[: SAMPLE_LENGTH - 1] + "…"
