"""What can go wrong, in words: exceptions that stop a run, and the codes of records that are rejected.

MembatchError                    anything below; its message gives the fact and the remedy
├── ConfigError                  a setting or an argument is wrong                      (exit 2)
├── SourceError                  a source cannot be opened, or changed since            (exit 4)
└── StoreError                   the store cannot be used                               (exit 4)
    ├── StoreBusyError           another run holds the store's write lease
    ├── StoreMismatchError       the store was made with other settings or a newer schema
    ├── TransientError           locked or timed out; worth another try
    ├── RefusedError             the database refuses a row; isolated to the record that causes it
    └── SurroundingsError        disk full, read-only, corrupt, out of memory; resumable

Bad data is a value, not an exception: a `Rejection` with one of the codes in `CODES`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Category = Literal["source", "conversion", "validation", "deduplication", "database", "resource", "internal"]
CATEGORIES: Final[tuple[Category, ...]] = (
    "source",
    "conversion",
    "validation",
    "deduplication",
    "database",
    "resource",
    "internal",
)


class MembatchError(Exception):
    """Anything that membatch raises on purpose; `exit_code` is what the command line returns for it."""

    exit_code = 4


class ConfigError(MembatchError):
    """A setting, an argument or a combination of them is wrong."""

    exit_code = 2


class SourceError(MembatchError):
    """A source is missing, unreadable as a whole, or not what it was when the run began."""


class StoreError(MembatchError):
    """The store cannot be opened or used."""


class StoreBusyError(StoreError):
    """Another process holds the write lease of the store."""


class StoreMismatchError(StoreError):
    """The store was made with other settings, or by a newer version."""


class TransientError(StoreError):
    """The store was locked or did not answer in time; the same transaction may succeed later."""


class RefusedError(StoreError):
    """The database refuses something that a record holds, whatever the circumstances.

    `step` is the number of the plan's step whose row it refuses, where that is known.
    """

    step: int | None = None


class SurroundingsError(StoreError):
    """The machine failed the store (disk full, input/output error, read-only, corrupt, out of memory)."""


class Code(NamedTuple):
    """One reason why a record is rejected."""

    category: Category
    meaning: str
    advice: str


# A field error's code is `<field>-<kind>`, so `confidence-range`; these are the kinds.
FIELD_KINDS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("a required field is absent", "Give the field, or name the format that the file really has."),
    "type": (
        "the value has another JSON type than the field",
        "Write the value as the type that is expected.",
    ),
    "range": ("a number lies outside its bounds", "Scale the number into the range that is expected."),
    "length": ("a text is too short or too long", "Shorten the text, or split the record."),
    "blank": ("a text holds nothing but white space", "Write the text, or leave the record out."),
    "count": ("a list holds too many items", "Keep the most important items, or split the record."),
    "format": (
        "a time is not written as RFC 3339",
        "Write times like 2024-05-08T13:56:00Z or 2024-05-08T13:56:00+02:00.",
    ),
    "repeated": ("an id occurs twice in one list", "Unite the entries that share an id."),
    "unknown": (
        "a reference names a participant that the record does not list",
        "Add the participant, or correct the id.",
    ),
    "order": ("valid_from lies after valid_until", "Exchange the two times, or correct one."),
    "nul": (
        "a text holds U+0000, which no database text may hold",
        "Remove the NUL character from the text.",
    ),
    "value": ("the value is not acceptable here", "See the message for what is expected."),
}

CODES: Final[dict[str, Code]] = {
    "json-malformed": Code(
        "source",
        "the bytes are not one JSON value",
        "Repair the line; a tool that writes JSON will not produce it.",
    ),
    "json-truncated": Code(
        "source", "the input ends inside a value", "Export or copy the file again; its end is missing."
    ),
    "encoding": Code("source", "the bytes are not UTF-8", "Convert the file to UTF-8 first, for example with iconv."),
    "other-kind": Code(
        "source",
        "the bytes are a file of another kind",
        "Give the file the suffix of what it is; on standard input only text is read: zcat FILE | membatch run -",
    ),
    "surrogate-lone": Code(
        "source",
        "an escape names half of a surrogate pair",
        "Write the character whole, or remove the escape.",
    ),
    "number-range": Code(
        "source",
        "a number is beyond 64 bits or beyond a double",
        "Write the number as text if its digits matter, else round it.",
    ),
    "too-long": Code(
        "source",
        "the record is longer than source.max_record_bytes",
        "Split the record, or raise source.max_record_bytes.",
    ),
    "too-deep": Code(
        "source",
        "the record nests deeper than source.max_depth",
        "Flatten the record, or raise source.max_depth.",
    ),
    "compression": Code(
        "source",
        "the compressed stream is damaged or cut short",
        "Copy the file again and compare its checksum.",
    ),
    "decompression-bomb": Code(
        "source",
        "the stream expands beyond any honest ratio",
        "If the file is genuine, decompress it yourself and load the result.",
    ),
    "csv-malformed": Code(
        "source", "the row is not valid CSV", "Check the quotes, the number of columns, and what divides them."
    ),
    "parquet-malformed": Code("source", "the Parquet data cannot be read", "Write the file again."),
    "sql-malformed": Code(
        "source",
        "the database is damaged from this row on",
        "Recover what there is with the .recover command of the sqlite3 shell, and load the result.",
    ),
    "read-error": Code("source", "reading failed in the middle of the file", "Check the disk, then resume or rerun."),
    "not-object": Code(
        "conversion",
        "the value is not a JSON object",
        "Each record must be an object with at least a summary.",
    ),
    "nothing-found": Code(
        "conversion",
        "the item holds no record of this format",
        "Nothing to do where it is empty; else check that --format names what the file is.",
    ),
    "conversion-failed": Code(
        "conversion", "the format could not make sense of the item", "Check the item against docs/formats.md."
    ),
    "invalid": Code("validation", "one or more fields are not acceptable", "Each field error says what to do."),
    "id-conflict": Code(
        "deduplication",
        "another memory has this id and says something else",
        'Give the record its own id, or set dedup.same_id to "update".',
    ),
    "constraint": Code(
        "database",
        "the database refuses the row",
        "Look at the constraint or trigger that the message names.",
    ),
    "row-too-big": Code("database", "the row exceeds a limit of the database", "Split the record."),
    "batch-quarantined": Code(
        "database",
        'a record of the batch was refused, and isolation = "batch"',
        'Run again with isolation = "record" to load the others.',
    ),
    "memory-exhausted": Code("resource", "handling the record needed more memory than there is", "Split the record."),
    "unexpected": Code(
        "internal",
        "handling the record raised an error that nobody foresaw",
        "Report it with the stack trace, which names what failed: membatch or another package.",
    ),
}


def advice_on(code: str) -> str:
    """Return what to do about a rejection's code; a field error's code ends in its kind."""
    return CODES[code].advice if code in CODES else FIELD_KINDS.get(code.rpartition("-")[2], ("", ""))[1]
