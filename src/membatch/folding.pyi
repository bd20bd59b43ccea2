"""Canonical text where a text is ASCII, compiled."""

def folded(text: str) -> str | None:
    """Return the canonical text, None where a character is not ASCII."""
