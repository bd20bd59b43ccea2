"""Compiled loops of the similarity search; each works without the interpreter's lock.

What a loop does, and how long its arrays must be, is said in `native/*.h`. An array of another kind of number than a
loop reads, or one whose numbers do not follow one another, raises TypeError, ValueError or BufferError; a tuple that is
too short raises IndexError.
"""

from collections.abc import Sequence
from typing import Any, Final

# Classes of characters, but for 0, which separates.
WORD: Final[int]
SYMBOL: Final[int]
UNSPACED: Final[int]

# Postings: the most rows, when a list is long, the columns of its table and the numbers of its state.
MOST_ROWS: Final[int]
LONG: Final[int]
UNSPLIT: Final[int]
START: Final[int]
LENGTH: Final[int]
CAPACITY: Final[int]
SORTED: Final[int]
TABLE_WIDTH: Final[int]
LISTS: Final[int]
END: Final[int]
ROOM: Final[int]
GROWN: Final[int]
STATES: Final[int]

# The columns of a hit.
RECORD: Final[int]
FOUND: Final[int]

FREE: Final[int]  # instead of a row in a slot

UNKNOWN: Final[int]  # instead of a row of the table of whos
NOBODY: Final[int]  # instead of a subject
ZONE: Final[int]  # members that are looked at together
EXAMPLES: Final[int]  # of refusals, for each guard

# Guards as numbers, in the order of their table; a mask has the bit 1 << number of each that is asked.
NONE: Final[int]
SUBJECT: Final[int]
PARTICIPANTS: Final[int]
WHEN: Final[int]
NUMBERS: Final[int]
OUTCOMES: Final[int]

def hash_tokens(texts: Sequence[str], classes: Any) -> list[bytes]: ...
def number_tokens(
    hashes: Any, start: int, keys: Any, numbers: Any, count: int, has_digit: Any, out: Any
) -> tuple[int, int]: ...
def rehash(old_keys: Any, old_values: Any, keys: Any, values: Any) -> None: ...
def sort_rows(tokens: Any, ends: Any, first: int) -> None: ...
def sign_rows(first: int, stop: int, tokens: Any, offsets: Any, signatures: Any) -> None: ...
def rank_rows(first: int, stop: int, tokens: Any, offsets: Any, rank: Any, signatures: Any) -> None: ...
def count_tokens(tokens: Any, frequency: Any) -> None: ...
def place_rows(wanted: Any, rows: Any, lists: Any, places: Any) -> None: ...
def insert_rows(first: int, stop: int, places: Any, rows: Any, lists: Any, grown: Any) -> int: ...
def take_out_rows(first: int, stop: int, places: Any, rows: Any, table: Any) -> None: ...
def split_lists(at: int, which: Any, of: Any, rows: Any, lists: Any, old: Any) -> int: ...
def count_all(which: Any, table: Any, slab: Any) -> None: ...
def merge_tails(which: Any, table: Any, slab: Any, tail: Any) -> None: ...
def purge_rows(which: Any, rows: Any, lists: Any, is_clean: Any) -> None: ...
def count_entries(first: int, stop: int, rows: Any, lists: Any) -> int: ...
def fill_lists(first: int, stop: int, rows: Any, lists: Any, is_split: Any, reaches: Any, ends: Any) -> None: ...
def find_similar(
    start: int, stop: int, places: Any, rows: Any, lists: Any, room: Any, stamp: int
) -> tuple[int, int, int, int]: ...
def write_zones(members: Any, zones: Any) -> None: ...
def look_over(
    start: int,
    records: Any,
    shared: Any,
    limits: Any,
    asked: Any,
    members: Any,
    zones: Any,
    led: Any,
    whos: Any,
    memo: Any,
    rule: Any,
    rank: Any,
    found: Any,
    counted: Any,
    kept: Any,
) -> tuple[int, int]: ...
def recount(
    record: int,
    base: int,
    asked: Any,
    members: Any,
    changes: Any,
    count: int,
    led: Any,
    whos: Any,
    memo: Any,
    rule: Any,
    rank: Any,
    found: Any,
    counted: Any,
    before: Any,
    kept: Any,
) -> None: ...
def lets_go(records: Any, asked: Any, old: Any, new: Any, whos: Any, mask: int) -> bool: ...
def base_keys(which: Any, rows: Any, most: int, keys: Any) -> None: ...
def digits_of(which: Any, rows: Any, digits: Any) -> None: ...
def prefix_keys(which: Any, rows: Any, numerator: int, denominator: int, keys: Any, holders: Any) -> int: ...
def token_keys(scope: int, tokens: Any, keys: Any) -> None: ...
def overlaps(which: Any, crowds: Any, rows: Any, bases: Any, base_offsets: Any, shared: Any) -> None: ...
def flat_digits(first: int, stop: int, rows: Any, starts: Any, digits: Any) -> None: ...
def find_keys(
    slots: Any,
    capacity: int,
    keys: Any,
    checks: Any | None,
    wanted: Any,
    wanted_checks: Any | None,
    found: Any,
    places: Any,
) -> None: ...
def enter_keys(slots: Any, capacity: int, keys: Any, rows: Any) -> bool: ...
