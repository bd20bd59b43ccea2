"""What a run reads: sources looked at, raw batches, the format."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from membatch import source as sources
from membatch.config import Config
from membatch.errors import ConfigError, SourceError
from membatch.formats import known_formats
from membatch.memory import Memory
from membatch.plan import Checkpoint, RawBatch
from membatch.prepare import NATIVE
from membatch.source import SourceFile

ITERABLE: Final = "(iterable)"

Input = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Iterable[dict[str, Any] | Memory | bytes]


def with_choices(config: Config, store: str | None, format_name: str | None) -> Config:
    """Return the settings with the store and format of a call, where it names them; raises ConfigError."""
    if store is not None:
        config = msgspec.structs.replace(config, store=store)
    if format_name is not None:
        config = msgspec.structs.replace(config, format=format_name)
    if config.format is not None and config.format not in known_formats():
        raise ConfigError(f"unknown format {config.format!r}: known are {', '.join(known_formats())}")
    return config


def looked_at(source: Input) -> tuple[list[SourceFile], Iterable[Any] | None]:
    """Return the files of an input as they look now, and its values where it is an iterable."""
    if isinstance(source, str | os.PathLike):
        source = [source]
    if isinstance(source, Sequence) and all(isinstance(name, str | os.PathLike) for name in source):
        if not source:
            raise SourceError("no source was named")
        return [sources.look_at(path) for path in sources.expand(source)], None
    return [SourceFile(ITERABLE)], source


def raw_batches(
    files: list[SourceFile],
    values: Iterable[Any] | None,
    config: Config,
    after: Checkpoint,
    size: Callable[[], int],
) -> Iterator[RawBatch]:
    """Return what is left of an input after a checkpoint, in batches of at most `size()` items."""
    if values is None:
        return sources.read(files, after, config.source, size)
    chunks = sources.chunks_of(values, config.source.max_record_bytes)
    return sources.batches(chunks, after, size)


def detected(raws: Iterator[RawBatch], config: Config) -> tuple[Iterator[RawBatch], str]:
    """Return the raw batches, and the format: the one that is named, else `membatch` unless one is unmistakable."""
    if config.format is not None:
        return raws, config.format
    first = next(raws, None)
    if first is None:
        return iter(()), NATIVE
    raws = itertools.chain([first], raws)
    for number, item in enumerate(first.items):
        if number in first.rejected:
            continue
        try:
            value = msgspec.json.decode(item)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        fits = [name for name, format_ in known_formats().items() if format_.recognises(value)]
        if NATIVE in fits or not fits:
            return raws, NATIVE
        if len(fits) > 1:
            raise ConfigError(f"the source could be {' or '.join(fits)}: say which with --format")
        return raws, fits[0]
    return raws, NATIVE
