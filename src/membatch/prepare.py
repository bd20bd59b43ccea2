"""RawBatch → Batch: decode, convert, validate, fingerprint; may run in worker processes.

Rule: a pure function of the raw batch and the rules; each record read comes out, as columns or as a rejection.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from membatch.config import Config
from membatch.errors import Category
from membatch.fingerprint import MatchScopes, canonical_text, content_hash, derived_id, id_hash, record_json
from membatch.fingerprint import digest as digest_of
from membatch.formats import known_formats
from membatch.formats.native import from_row
from membatch.plan import Batch, ContentHash, Digest, Position, RawBatch, Rejection
from membatch.validate import Invalid, Validator, unreadable

_encode = msgspec.json.encode
_decode = msgspec.json.decode

# What a rejection's `format` says of its raw record, where that is not an item in the run's format.
NATIVE: Final = "membatch"
ROW: Final = "row"

Tokenize = Callable[[Sequence[str]], list[bytes]]


class Prepare:
    """`prepare` with its rules resolved once: the format, the limits, the scope fields, the tokens."""

    def __init__(self, config: Config, format_name: str, tokenize: Tokenize | None = None) -> None:
        self._format = known_formats()[format_name]
        self._validate = Validator(max_depth=config.source.max_depth)
        self._scope_of = MatchScopes(config.dedup.scope)
        self._tokenize = tokenize

    def __call__(self, raw: RawBatch) -> Batch:
        """Return the batch of all records that the raw batch holds, in order."""
        batch = Batch(
            positions=[],
            ids=[],
            scopes=[],
            records=[],
            digests=[],
            content_hashes=[],
            id_hashes=[],
            tokens=[],
            rejections={},
            warnings={},
            after=raw.after,
            read_bytes=sum(map(len, raw.items)),
        )
        texts: list[str] = []
        native = self._format.is_native
        direct = native and not raw.flat and not raw.skip
        for number, item in enumerate(raw.items):
            position = raw.positions[number]
            if raw.rejected and number in raw.rejected:
                _add_rejection(batch, texts, position, raw.rejected[number])
            elif direct:
                self._add(batch, texts, position, item, item, None)
            else:
                records = self._convert(item)
                for index in range(raw.skip if number == 0 else 0, len(records)):
                    here = position if index == 0 else msgspec.structs.replace(position, index=index)
                    record = records[index]
                    if isinstance(record, Rejection):
                        _add_rejection(batch, texts, here, record)
                    elif native:  # a rejection keeps the row itself, else the record that the format made
                        self._add(batch, texts, here, record, item, ROW)
                    else:
                        self._add(batch, texts, here, record, record, NATIVE)
        batch.tokens = self._tokenize(texts) if self._tokenize is not None else []
        return batch

    def _convert(self, item: bytes) -> list[bytes | Rejection]:
        try:
            decoded = _decode(item)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            fault = unreadable(item, error)
            return [_reject(item, fault.category, fault.code, fault.message)]
        if self._format.is_native:
            return [_encode(from_row(decoded))]
        try:
            records = [_encode(record) for record in self._format.records(decoded)]
        except Exception as error:  # a format's bug or a shape it does not know must cost this item only
            message = f"format {self._format.name!r}: {type(error).__name__}: {error}"
            trace = "".join(traceback.format_exception(error, limit=-5))
            return [_reject(item, "conversion", "conversion-failed", message, trace)]
        if not records:
            message = f"the item holds no record of format {self._format.name!r}"
            return [_reject(item, "conversion", "nothing-found", message)]
        return list(records)

    def _add(
        self, batch: Batch, texts: list[str], position: Position, record: bytes, raw: bytes, kind: str | None
    ) -> None:
        """Add a record; if it is not valid, `raw` in format `kind` is what its rejection keeps."""
        outcome = self._validate(record)
        if isinstance(outcome, Invalid):
            rejection = Rejection(
                category=outcome.category,
                code=outcome.code,
                message=outcome.message,
                raw=raw,
                errors=outcome.errors,
                format=kind,
            )
            _add_rejection(batch, texts, position, rejection)
            return
        memory, warnings, odd_numbers = outcome
        if warnings:
            batch.warnings[len(batch.positions)] = warnings
        scope = self._scope_of(memory)
        encoded = record_json(memory)
        digest = digest_of(memory, encoded, odd_numbers=odd_numbers)
        summary = canonical_text(memory.summary)
        identity = memory.id or derived_id(memory, scope, digest)
        batch.positions.append(position)
        batch.ids.append(identity)
        batch.scopes.append(scope)
        batch.records.append(encoded)
        batch.digests.append(digest)
        batch.content_hashes.append(content_hash(memory, summary, scope))
        batch.id_hashes.append(id_hash(scope, identity))
        texts.append(summary)


def _reject(raw: bytes, category: Category, code: str, message: str, exception: str | None = None) -> Rejection:
    return Rejection(category=category, code=code, message=message, raw=raw, exception=exception)


def _add_rejection(batch: Batch, texts: list[str], position: Position, rejection: Rejection) -> None:
    batch.rejections[len(batch.positions)] = rejection
    batch.positions.append(position)
    batch.ids.append("")
    batch.scopes.append("")
    batch.records.append(b"")
    batch.digests.append(Digest(b""))
    batch.content_hashes.append(ContentHash(b""))
    batch.id_hashes.append(0)
    texts.append("")
