"""What a run reads: sources looked at, their format and why, raw batches."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from membatch import source as sources
from membatch.config import Config, with_store
from membatch.errors import ConfigError, SourceError
from membatch.formats import NATIVE, Detection, Format, belongs, detect, known_formats, recognised
from membatch.layout import PLAIN, Layout, Sample
from membatch.memory import Memory
from membatch.plan import Checkpoint, RawBatch
from membatch.source import SourceFile

ITERABLE: Final = "(iterable)"
_MOST_NAMED: Final = 5  # of the files that are left out
MOST_SAMPLES: Final = 20  # of the files of a run, and of the items of a stream, so many are looked at

Input = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Iterable[dict[str, Any] | Memory | bytes]


def with_choices(config: Config, store: str | None, format_name: str | None) -> Config:
    """Return the settings with the store and format of a call, where it names them; raises ConfigError."""
    if not isinstance(config, Config):
        raise ConfigError(f"config is a {type(config).__name__}, not a Config: Config.load(FILE) reads one")
    config = with_store(config, store)
    if format_name is not None:
        config = msgspec.structs.replace(config, format=format_name)
    if config.format is not None:
        format_named(config.format)
    return config


class Sources(NamedTuple):
    """What a run reads: files as they look now, or the values of an iterable, and the format where that is known."""

    files: list[SourceFile]
    values: Iterable[Any] | None
    detection: Detection | None


def looked_at(source: Input, config: Config) -> Sources:
    """Return the sources of a run; raises SourceError, or ConfigError where several formats fit."""
    if isinstance(source, str | os.PathLike):
        source = [source]
    if isinstance(source, Mapping | Memory | bytes) or not isinstance(source, Iterable):
        raise ConfigError(f"a source is a path or an iterable of records, not one {type(source).__name__}: give a list")
    if not isinstance(source, Sequence) or not all(isinstance(name, str | os.PathLike) for name in source):
        return Sources([SourceFile(ITERABLE)], source, _named(config))
    if not source:
        raise SourceError("no source was named")
    detection = _named(config)
    layout = layout_of(detection, config)
    paths = every = sources.expand(source, layout)
    if detection is not None and layout.names:
        every = sources.expand(source, msgspec.structs.replace(layout, names=()))
        detection = _leaving(detection, every, paths, "as it bears another name than the format's files")
    others = sources.left_out(source, every)
    if detection is None and not any(map(sources.is_stream, paths)):
        detection, paths = _detected_files(paths, [os.fspath(name) for name in source], config)
    layout = layout_of(detection, config)
    if detection is not None:
        check_per(config, detection.format)
        detection = _leaving(detection, others, [], "as its kind is read only where it is named")
    return Sources([sources.look_at(path, layout, config.source.max_record_bytes) for path in paths], None, detection)


def paths_of(source: Sequence[str | os.PathLike[str]], config: Config) -> list[str]:
    """Return the files that the names of sources stand for; raises SourceError."""
    return sources.expand(source, layout_of(_named(with_choices(config, None, None)), config))


def _named(config: Config) -> Detection | None:
    if config.format is None:
        return None
    check_per(config, config.format)
    return Detection(config.format, "it was named")


def layout_of(detection: Detection | None, config: Config) -> Layout:
    """Return where the items of a format stand."""
    if detection is None:
        return PLAIN
    found = format_named(detection.format)
    return found.layout if found.layout_from is None else found.layout_from(config.mapping)


def format_named(name: str) -> Format:
    """Return a format by its name; raises ConfigError where there is none."""
    known = known_formats()
    if name not in known:
        raise ConfigError(f"unknown format {name!r}: known are {', '.join(known)}")
    return known[name]


def check_per(config: Config, name: str) -> None:
    """Raise ConfigError where the settings divide conversations in a way that the format does not know."""
    ways = format_named(name).per
    if config.per is not None and config.per not in ways:
        known = f"it knows {', '.join(ways)}" if ways else "it holds no conversations"
        raise ConfigError(f"format {name} cannot be divided per {config.per}: {known}")


def _detected_files(paths: list[str], given: list[str], config: Config) -> tuple[Detection, list[str]]:
    """Return the format of some files, and those that have it where the others were only found beside them."""
    samples = [sources.sample_of(path, config.source) for path in paths[:MOST_SAMPLES]]
    formats = known_formats()
    detection = detect([sample for sample in samples if sample.values], formats)
    found = formats[detection.format]
    if detection.format == NATIVE or not found.layout.names:
        return detection, paths

    def has_it(path: str) -> bool:
        is_named = path in given or belongs(Path(path).name, found.layout)
        return is_named or recognised(found, sources.sample_of(path, config.source)) is not None

    chosen = [path for path in paths if has_it(path)]
    return _leaving(detection, paths, chosen, "as it is something else"), chosen


def _leaving(detection: Detection, paths: list[str], chosen: list[str], why: str) -> Detection:
    """Return a detection that says which files were left out, if any were."""
    kept = set(chosen)
    others = [Path(path).name for path in paths if path not in kept]
    if not others:
        return detection
    more = f" and {len(others) - _MOST_NAMED:,} more" if len(others) > _MOST_NAMED else ""
    return detection._replace(reason=f"{detection.reason}; left out, {why}: {', '.join(others[:_MOST_NAMED])}{more}")


def raw_batches(
    files: list[SourceFile],
    values: Iterable[Any] | None,
    config: Config,
    after: Checkpoint,
    size: Callable[[], int],
    layout: Layout = PLAIN,
) -> Iterator[RawBatch]:
    """Return what is left of an input after a checkpoint, in batches of at most `size()` items."""
    if values is None:
        return sources.read(files, after, config.source, size, layout)
    chunks = sources.chunks_of(values, config.source.max_record_bytes)
    return sources.batches(chunks, after, size)


def opened(source: Sources, config: Config, size: Callable[[], int]) -> tuple[Iterator[RawBatch], Detection]:
    """Return the raw batches of a new run, and its format; that of a stream is seen by its first batch."""
    detection = source.detection
    raws = raw_batches(source.files, source.values, config, Checkpoint(), size, layout_of(detection, config))
    if detection is not None:
        return raws, detection
    first = next(raws, None)
    if first is None:
        return iter(()), Detection(NATIVE, "there is nothing in it")
    items = [item for number, item in enumerate(first.items[:MOST_SAMPLES]) if number not in first.rejected]
    detection = detect([Sample("", sources.decoded(items))], known_formats())
    check_per(config, detection.format)
    return itertools.chain([first], raws), detection
