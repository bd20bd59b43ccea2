"""What a format is: its declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Format(NamedTuple):
    """How one foreign shape becomes records.

    `records` gets an item (a line, an array element, a row) as a decoded JSON value and gives the records it
    holds; what it raises rejects the item. `recognises` says whether an item is unmistakably of this format.
    `is_native` says that an item already is a record, so that it is not converted at all.
    """

    name: str
    describes: str
    records: Callable[[Any], Iterable[dict[str, Any]]]
    recognises: Callable[[Any], bool]
    is_native: bool = False
