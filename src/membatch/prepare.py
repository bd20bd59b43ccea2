"""RawBatch → Batch: decode, convert, validate, fingerprint; may run in worker processes.

Rule: a pure function of the raw batch and the rules; each record read comes out, as columns or as a rejection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from membatch.config import Config
from membatch.consistency import Invalid, Valid, is_plain
from membatch.errors import Category
from membatch.fingerprint import (
    DIGEST_BYTES,
    MatchScopes,
    canonical_text,
    content_hash,
    derived_id,
    encode_record_into,
    id_hash,
)
from membatch.fingerprint import digest as digest_of
from membatch.formats import Converted, known_formats
from membatch.formats.migrate import STEPS, migrated
from membatch.formats.native import from_row
from membatch.layout import Document, unwrapped
from membatch.memory import Memory
from membatch.plan import Batch, ContentHash, Digest, FieldWarning, Migration, Position, RawBatch, Rejection
from membatch.spelling import add_unknown
from membatch.unforeseen import trace_of, unforeseen
from membatch.validate import NUL, REFUSALS, Validator, unreadable

_encode = msgspec.json.encode
_decode = msgspec.json.decode

# What a rejection's `format` says of its raw record, where that is not an item in the run's format.
NATIVE: Final = "membatch"
ROW: Final = "row"
# Where the first record of a wrapper that is a line keeps what stands around its items.
AROUND: Final = "around"

# What a format raises over an item whose shape it does not know.
_STUMBLES: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    msgspec.MsgspecError,
)

_NO_DOCUMENT: Final = Document()
_DOCUMENTS_KEPT: Final = 16
_NO_NOTES: Final = Converted({})

Tokenize = Callable[[Sequence[str]], list[bytes]]


_NO_DIGEST: Final = Digest(b"\0" * DIGEST_BYTES)
_NO_HASH: Final = ContentHash(b"\0" * DIGEST_BYTES)
_BACKSLASH: Final = 0x5C
_NO_ID: Final = b"\0" * 8
_TOGETHER: Final = 32  # records that are looked at again


class Found(NamedTuple):
    """Records as JSON texts, with what a rejection of each would keep (and in which format, None the run's).

    `notes` holds what the format says of those records that deserve a look or were of an older version.
    """

    positions: Sequence[Position]
    records: list[bytes]
    raws: list[bytes]
    formats: list[str | None] | None
    rejected: dict[int, Rejection]
    notes: dict[int, Converted]

    def add(
        self, position: Position, record: bytes | Rejection, raw: bytes, kind: str | None, notes: Converted = _NO_NOTES
    ) -> None:
        """Add a record, or what takes its place."""
        if notes.warnings or notes.migration is not None:
            self.notes[len(self.positions)] = notes
        if isinstance(record, Rejection):
            self.rejected[len(self.positions)] = record
            record = b""
        assert isinstance(self.positions, list)
        self.positions.append(position)
        self.records.append(record)
        self.raws.append(raw)
        if self.formats is not None:
            self.formats.append(kind)


class Prepare:
    """`prepare` with its rules resolved once: the format, the limits, the scope fields, the tokens."""

    def __init__(self, config: Config, format_name: str, tokenize: Tokenize | None = None) -> None:
        self._format = known_formats()[format_name]
        self._validator = Validator(max_depth=config.source.max_depth)
        self._scope_of = MatchScopes(config.dedup.scope)
        self._tokenize = tokenize
        layout_from = self._format.layout_from
        self._members = (self._format.layout if layout_from is None else layout_from(config.mapping)).members
        self._settings = {"per": config.per, "mapping": config.mapping}
        self._documents: dict[int, tuple[Document, Document]] = {}

    def __call__(self, raw: RawBatch) -> Batch:
        """Return the batch of all records that the raw batch holds, in order."""
        if self._format.is_native and not raw.flat:
            first = raw.skip  # an item is a record
            rejected = {number - first: why for number, why in raw.rejected.items() if number >= first}
            found = Found(raw.positions[first:], raw.items[first:], raw.items[first:], None, rejected, {})
        else:
            found = self._found(raw)
        try:
            return self._batch(found, raw)
        except Exception:  # whatever it is, it costs the records that bring it about, and no other
            return self._batch(self._foreseen(found, raw), raw)

    def _foreseen(self, found: Found, raw: RawBatch) -> Found:
        """Return the records with those rejected that raise what nobody foresaw, each tried alone."""
        rejected = dict(found.rejected)
        bare = msgspec.structs.replace(raw, items=[])  # whose bytes need not be counted for each record
        for number, record in enumerate(found.records):
            if number in rejected:
                continue
            kind = None if found.formats is None else found.formats[number]
            alone = Found([found.positions[number]], [record], [found.raws[number]], [kind], {}, {})
            try:
                self._batch(alone, bare)
            except Exception as error:
                rejected[number] = unforeseen(found.raws[number], error, kind)
        return found._replace(rejected=rejected)

    def _found(self, raw: RawBatch) -> Found:
        """Return the records that the items of a raw batch hold."""
        found = Found([], [], [], [], {}, {})
        for number, item in enumerate(raw.items):
            position = raw.positions[number]
            if number in raw.rejected:
                found.add(position, raw.rejected[number], b"", None)
                continue
            try:
                records = self._convert(item, raw.documents.get(position.source))
            except Exception as error:
                records = [(unforeseen(item, error), _NO_NOTES)]
            for index in range(raw.skip if number == 0 else 0, len(records)):
                here = position if index == 0 else msgspec.structs.replace(position, index=position.index + index)
                record, notes = records[index]
                if self._format.is_native:  # a rejection keeps the row itself, else the record that the format made
                    found.add(here, record, item, ROW)
                else:
                    found.add(here, record, record if isinstance(record, bytes) else b"", NATIVE, notes)
        return found

    def _convert(self, item: bytes, document: Document | None) -> list[tuple[bytes | Rejection, Converted]]:
        try:
            decoded = _decode(item)
            if self._format.is_native:
                return [(_encode(from_row(decoded)) if isinstance(decoded, dict) else item, _NO_NOTES)]
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            fault = unreadable(item, error)
            return [(_reject(item, fault.category, fault.code, fault.message), _NO_NOTES)]
        document = self._with_settings(document)
        inside = None if document.is_wrapper else unwrapped(decoded, self._members)
        if inside is None:
            return self._records_in(decoded, item, document)
        items, rest = inside
        document = msgspec.structs.replace(document, rest=rest)
        # A bad one costs itself only.
        records = [record for each in items for record in self._records_in(each, None, document)]
        return _with_rest(records, rest)

    def _records_in(
        self, decoded: Any, item: bytes | None, document: Document
    ) -> list[tuple[bytes | Rejection, Converted]]:
        """Return the records that the format makes of an item, or its rejection."""
        name = self._format.name
        try:
            records = [(_encode(made.record), made) for made in self._format.records(decoded, document)]
        except _STUMBLES as error:
            message = f"format {name!r}: {type(error).__name__}: {error}"
            raw = _encode(decoded) if item is None else item
            return [(_reject(raw, "conversion", "conversion-failed", message, trace_of(error)), _NO_NOTES)]
        if not records:
            what = "the conversation holds no message with text" if self._format.per else "the item holds no record"
            raw = _encode(decoded) if item is None else item
            return [(_reject(raw, "conversion", "nothing-found", f"format {name!r}: {what}"), _NO_NOTES)]
        return list(records)

    def _with_settings(self, document: Document | None) -> Document:
        """Return the document with this run's settings, the same one as long as it is the same."""
        if document is None:
            document = _NO_DOCUMENT
        known = self._documents.get(id(document))
        if known is None or known[0] is not document:
            # The document itself is kept too, so that its identity is not given to another one meanwhile.
            known = self._documents[id(document)] = (document, msgspec.structs.replace(document, **self._settings))
            if len(self._documents) > _DOCUMENTS_KEPT:
                del self._documents[next(iter(self._documents))]
        return known[1]

    def _batch(self, found: Found, raw: RawBatch) -> Batch:
        """Validate and fingerprint records; this loop is hot, so that what it calls is bound once.

        Records that cannot be decoded at once are looked at again several together: the slow path is long, and takes
        a third of the time where it was gone through a moment ago.
        """
        made = _Made(len(found.records), dict(found.rejected), self._scope_of)
        validator, enter, rejections = self._validator, made.enter, made.rejections
        decode, refused = validator.decoder, []
        for number, record in enumerate(found.records):
            if number in rejections:
                continue
            try:
                memory = decode(record)
            except REFUSALS:
                refused.append(number)
                if len(refused) == _TOGETHER:
                    self._look_again(refused, found, made)
                    decode, refused = validator.decoder, []
                continue
            if is_plain(memory) and (record.find(_BACKSLASH) < 0 or NUL not in record):
                enter(number, memory)
            else:
                self._settle(number, validator.settled(memory, record), found, made)
        self._look_again(refused, found, made)
        migrations = _add_notes(found.notes, rejections, made.warnings)
        return Batch(
            positions=found.positions,
            ids=made.ids,
            scopes=made.scopes,
            records=made.records,
            digests=made.digests,
            content_hashes=made.content_hashes,
            id_hashes=made.id_hashes,
            tokens=self._tokenize(made.texts) if self._tokenize is not None else [],
            rejections=dict(sorted(rejections.items())),
            warnings=dict(sorted(made.warnings.items())),
            migrations=dict(sorted(migrations.items())),
            after=raw.after,
            read_bytes=sum(map(len, raw.items)),
        )

    def _look_again(self, numbers: list[int], found: Found, made: _Made) -> None:
        """Take the slow path with records that could not be decoded at once."""
        for number in numbers:
            self._settle(number, self._validator.second_look(found.records[number]), found, made)

    def _settle(self, number: int, outcome: Valid | Invalid, found: Found, made: _Made) -> None:
        """Enter a record, or reject it, as it was found to be."""
        if STEPS.up and isinstance(outcome, Invalid):
            outcome = self._in_current_version(outcome, found, number)
        if isinstance(outcome, Invalid):
            made.rejections[number] = _refused(outcome, found, number)
            return
        made.enter(number, outcome.memory, odd_numbers=outcome.odd_numbers)
        if outcome.warnings:
            made.warnings[number] = outcome.warnings

    def _in_current_version(self, outcome: Invalid, found: Found, number: int) -> Valid | Invalid:
        """Return what is found of a record in the current version, if its being of another is what is wrong."""
        if not any(error.pointer == "/schema_version" for error in outcome.errors):
            return outcome
        try:
            made, migration = migrated(_decode(found.records[number]))
        except ValueError:
            return outcome
        found.notes[number] = Converted({}, (), migration)
        return self._validator(_encode(made))


class _Made:
    """What is made of the records of a batch: columns, empty where a record is rejected; rejections; warnings."""

    def __init__(self, count: int, rejections: dict[int, Rejection], scope_of: MatchScopes) -> None:
        self._scope_of, self._buffer = scope_of, bytearray()
        self.ids, self.scopes, self.texts = [""] * count, [""] * count, [""] * count
        self.records = [b""] * count
        self.digests, self.content_hashes = [_NO_DIGEST] * count, [_NO_HASH] * count
        self.id_hashes = [_NO_ID] * count
        self.rejections = rejections
        self.warnings: dict[int, tuple[FieldWarning, ...]] = {}

    def enter(self, number: int, memory: Memory, *, odd_numbers: bool = False) -> None:
        """Fingerprint a record."""
        scope = self._scope_of(memory)
        identity, memory.id = memory.id, None
        encode_record_into(memory, self._buffer)
        record = bytes(self._buffer)
        digest = digest_of(memory, record, odd_numbers=odd_numbers)
        summary = canonical_text(memory.summary)
        if identity is None:
            identity = derived_id(memory, scope, digest)
        self.ids[number] = identity
        self.scopes[number] = scope
        self.records[number] = record
        self.digests[number] = digest
        self.content_hashes[number] = content_hash(memory, summary, scope)
        self.id_hashes[number] = id_hash(scope, identity)
        self.texts[number] = summary


def _with_rest(
    records: list[tuple[bytes | Rejection, Converted]], rest: dict[str, Any]
) -> list[tuple[bytes | Rejection, Converted]]:
    """Return the records of a wrapper that no file keeps, the first one with what stands around them."""
    first = next((number for number, (record, _) in enumerate(records) if isinstance(record, bytes)), None)
    if first is not None and any(rest.values()):
        made = records[first][1]
        metadata = add_unknown(dict(made.record.get("metadata") or {}), {AROUND: rest})
        records[first] = _encode({**made.record, "metadata": metadata}), made
    return records


def _add_notes(
    notes: dict[int, Converted], rejections: dict[int, Rejection], warnings: dict[int, tuple[FieldWarning, ...]]
) -> dict[int, Migration]:
    """Put what formats say of the records that are valid before the warnings; return the migrations."""
    migrations = {}
    for number, made in notes.items():
        if number not in rejections:
            if made.warnings:
                warnings[number] = made.warnings + warnings.get(number, ())
            if made.migration is not None:
                migrations[number] = made.migration
    return migrations


def _refused(outcome: Invalid, found: Found, number: int) -> Rejection:
    return Rejection(
        category=outcome.category,
        code=outcome.code,
        message=outcome.message,
        raw=found.raws[number],
        errors=outcome.errors,
        format=None if found.formats is None else found.formats[number],
    )


def _reject(raw: bytes, category: Category, code: str, message: str, exception: str | None = None) -> Rejection:
    return Rejection(category=category, code=code, message=message, raw=raw, exception=exception)
