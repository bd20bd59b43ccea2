"""What a format makes of files, and where a value of the input is found again."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from membatch.config import Config
from membatch.layout import Per
from membatch.plan import Rejection
from membatch.prepare import Prepare
from membatch.runs.inputs import looked_at, opened

FIXTURES = Path(__file__).parent.parent / "data" / "conversations"


class Conversion(NamedTuple):
    """The items read, the records made of them, the rejections, the warnings' codes."""

    items: list[Any]
    records: list[dict[str, Any]]
    rejections: list[Rejection]
    warnings: list[str]


def converted(path: Path, name: str | None = None, per: Per | None = None) -> Conversion:
    """Return what reading a file, or all files of a folder or archive, gives."""
    config = Config(format=name, per=per)
    raws, detection = opened(looked_at([path], config), config)
    prepare = Prepare(config, detection.format)
    found = Conversion([], [], [], [])
    for raw in raws:
        found.items.extend(msgspec.json.decode(item) for item in raw.items if item)
        batch = prepare(raw)
        found.records.extend(msgspec.json.decode(record) for record in batch.records if record)
        found.rejections.extend(batch.rejections.values())
        found.warnings.extend(warning.code for several in batch.warnings.values() for warning in several)
    return found


def vanished(items: list[Any], records: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return the leaf values of the items, with their names, that none of the records holds."""
    texts, numbers, truths = set(), set(), set()
    for name, value in leaves(records):
        if isinstance(value, str):
            texts.add(value)
        elif isinstance(value, bool):
            truths.add((name, value))
        elif value is not None:
            numbers.add(value)
    times = {time for text in texts if (time := _time(text)) is not None}
    whole = "\n".join(texts)
    return [
        (name, value)
        for name, value in leaves(items)
        if not (
            (value is None or value == "")
            or (isinstance(value, bool) and (name, value) in truths)
            or (isinstance(value, str) and (value in whole or _time(value) in times))
            or (isinstance(value, int | float) and not isinstance(value, bool) and _holds(value, numbers, times, texts))
        )
    ]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is no list or object, with the name it stands under; a line of text by its parts."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    elif isinstance(value, str) and value.startswith("['"):
        yield from ((name, part) for part in re.findall(r"'([^']*)'", value))
    elif isinstance(value, str) and "__eou__" in value:
        for part in re.split(r"\t|__eou__|(?<=\d) (?=\d)", value):
            yield name, part.strip()
    else:
        yield name, value


def _holds(value: float, numbers: set[float], times: set[dt.datetime], texts: set[str]) -> bool:
    return value == 0 or value in numbers or str(value) in texts or dt.datetime.fromtimestamp(value, dt.UTC) in times


def _time(text: str) -> dt.datetime | None:
    try:
        time = msgspec.convert(text, dt.datetime)
    except msgspec.ValidationError:
        return dt.datetime.fromtimestamp(float(text), dt.UTC) if re.fullmatch(r"\d{9,10}\.\d+", text) else None
    return time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC)
