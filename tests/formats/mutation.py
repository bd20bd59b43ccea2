"""Values near a valid one: some part of it is replaced, taken out or put elsewhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_TEXT = st.text(max_size=8)
_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXT,
    st.sampled_from(["", " ", "0", "1", "\x00", "[", "2024-13-45", "D1:1"]),
)
JSON = st.recursive(_SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3))


@st.composite
def near(draw: st.DrawFn, value: Any) -> Any:
    """Draw a value that differs from a given one in one to three places."""
    for _ in range(draw(st.integers(1, 3))):
        value = _changed(draw, value)
    return value


def _changed(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        if draw(st.booleans()):
            return [*value[:at], _changed(draw, value[at]), *value[at + 1 :]]
        return value[:at] + value[at + 1 :]
    name = draw(st.sampled_from(sorted(value)))
    rest = {key: item for key, item in value.items() if key != name}
    how = draw(st.integers(0, 5))
    if how == 0:
        return rest
    if how == 1:
        return {**rest, draw(_TEXT): value[name]}
    return {**value, name: _changed(draw, value[name])}
