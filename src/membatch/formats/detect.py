"""Which format a source has, and why.

Rule: `membatch` unless another one is unmistakable; where two others fit, or files differ, the user is asked.
Data in: the beginnings of the files. Data out: the format's name, and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Final, NamedTuple

from membatch.errors import ConfigError
from membatch.formats.declare import Format
from membatch.layout import Layout, Sample

NATIVE: Final = "membatch"


class Detection(NamedTuple):
    """The format of a run, and why it is this one."""

    format: str
    reason: str


def detect(samples: Sequence[Sample], formats: Mapping[str, Format]) -> Detection:
    """Return the one format that the samples have; raises ConfigError where that is not clear."""
    found: dict[str, tuple[str, str]] = {}
    for sample in samples:
        name, reason = _of_one(sample, formats)
        if name is not None:
            found.setdefault(name, (sample.name, reason))
    if len(found) > 1:
        which = ", ".join(f"{file or 'the input'} is {name} ({reason})" for name, (file, reason) in found.items())
        raise ConfigError(f"the sources are of several formats: {which}; load them one by one, or say --format NAME")
    for name, (_, reason) in found.items():
        return Detection(name, reason)
    return Detection(NATIVE, "nothing marks it as another format")


def recognised(item: Format, sample: Sample) -> str | None:
    """Return why a sample is of a format, None if it is not: one that stumbles over a sample does not know it."""
    try:
        return item.recognises(sample)
    except MemoryError:
        raise
    except Exception:
        return None


def _of_one(sample: Sample, formats: Mapping[str, Format]) -> tuple[str | None, str]:
    own = recognised(formats[NATIVE], sample)
    if own is not None:
        return NATIVE, own
    fits = {name: reason for name, item in formats.items() if (reason := recognised(item, sample)) is not None}
    if len(fits) > 1:
        which = " or ".join(f"{name} ({reason})" for name, reason in fits.items())
        raise ConfigError(f"{sample.name or 'the input'} could be {which}: say which with --format NAME")
    for name, reason in fits.items():
        return name, reason
    return None, ""


def belongs(name: str, layout: Layout) -> bool:
    """Return whether a file of a folder or archive is one that the format reads, by its name without folder."""
    return not layout.names or any(fnmatch(name.lower(), pattern) for pattern in layout.names)
