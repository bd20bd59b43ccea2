"""Laws 1 and 2 of sources: whole or damaged, read at once or on from any checkpoint, a file gives the same."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import signal
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from membatch import SourceError
from membatch.config import SourceSettings
from membatch.layout import PLAIN, Layout
from membatch.plan import Checkpoint, Position, RawBatch, Rejection, checkpoint_at
from membatch.source import SourceFile, look_at, read

LIMIT = 120
MOST = 500  # items: far more than any of these files can hold
WRAPPER = Layout(members=("/results", "/data/memories"), own=("id",))
NAMELESS = Layout(columns=("a", "b"), quoted=False)
LINES = Layout(suffixes=(".txt",), lines=True)


class Found(NamedTuple):
    """One item as it was read."""

    item: bytes
    position: Position
    rejection: Rejection | None


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail what takes longer: a reader that never ends."""

    def too_late(*_: object) -> None:
        pytest.fail(f"not done in {seconds} seconds")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def found_in(batch: RawBatch) -> list[Found]:
    return [
        Found(item, position, batch.rejected.get(number))
        for number, (item, position) in enumerate(zip(batch.items, batch.positions, strict=True))
    ]


def batches(files: list[SourceFile], layout: Layout, after: Checkpoint, size: int) -> list[RawBatch]:
    limits = SourceSettings(max_record_bytes=LIMIT)
    return list(islice(read(files, after, limits, lambda: size, layout), MOST))


def on_from(files: list[SourceFile], layout: Layout, after: Checkpoint, size: int) -> list[Found]:
    return [found for batch in batches(files, layout, after, size) for found in found_in(batch)]


# What one item may be: fine, of a nested kind, no JSON, over the limit, with what is special to the readers.
SUMMARIES = ("one", "two ☃", 'a "quote", a\ncomma', "]}[{", "x" * 30, "y" * 200, "", "\\")
ELEMENTS = [
    *(json.dumps({"summary": summary}, ensure_ascii=False).encode() for summary in SUMMARIES),
    b"7",
    b"null",
    b'"text]"',
    b"[1,[2]]",
    b"[]",
    b"{bad}",
    b"tru",
    b'{"a":\xff}',
]
CELLS = ("one", '"two, 2"', '"a\nb"', "x" * 30, "y" * 200, "", 'a"b', '"c""d"', "☃")
BREAKS = (b"", b" ", b"\n", b",", b",\n ", b"]", b"[", b"}", b"{", b'"', b"\xef\xbb\xbf")


def joined(parts: list[bytes], between: list[bytes]) -> bytes:
    return b"".join(part + between[number % len(between)] for number, part in enumerate(parts))


elements = st.lists(st.sampled_from(ELEMENTS), max_size=6)
separators = st.lists(st.sampled_from([b",", b", ", b",\n"]), min_size=1, max_size=3)
arrays = st.builds(lambda parts, between: b"[" + b",".join(parts) + b"]" + between[0], elements, separators)
bare = st.builds(joined, elements, st.lists(st.sampled_from([b"\n", b" ", b" \n\n"]), min_size=1, max_size=3))
anything = st.builds(joined, elements, st.lists(st.sampled_from(BREAKS), min_size=1, max_size=4))
around = st.sampled_from([element for element in ELEMENTS if len(element) < 30])
rows = st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3), max_size=6)


def wrapped(first: list[bytes], second: list[bytes], around: bytes, behind: bytes) -> bytes:
    results, memories = b",\n".join(first), b",".join(second)
    return b'{"n": %s, "results": [%s], "data": {"memories": [%s]}, "z": %s}%s' % (
        around,
        results,
        memories,
        around,
        behind,
    )


def table(separator: str, header: str) -> st.SearchStrategy[bytes]:
    return rows.map(lambda all_rows: "\n".join([header, *map(separator.join, all_rows)]).encode())


CONTENTS: dict[str, tuple[str, Layout, st.SearchStrategy[bytes]]] = {
    "lines": (".jsonl", PLAIN, st.builds(joined, elements, st.lists(st.sampled_from([b"\n", b"\n \n", b"\r\n"]), min_size=1))),
    "an array": (".json", PLAIN, arrays),
    "values": (".json", PLAIN, bare),
    "arrays and values": (".json", PLAIN, st.lists(arrays | bare, max_size=4).map(b"".join)),
    "anything": (".json", PLAIN, anything),
    "a wrapper": (".json", WRAPPER, st.builds(wrapped, elements, elements, around, bare)),
    "csv": (".csv", PLAIN, table(",", "summary,kind")),
    "csv with a bad header": (".csv", PLAIN, st.sampled_from(['a,a', '"a', "a;b", ""]).flatmap(lambda header: table(",", header))),
    "tsv": (".tsv", PLAIN, table("\t", "summary\tkind")),
    "a table without names": (".tsv", NAMELESS, table("\t", "one\ttwo")),
    "text lines": (".txt", LINES, anything),
}  # fmt: skip

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda content: gzip.compress(content[:50], mtime=0) + gzip.compress(content[50:], mtime=0),
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


class Damage(NamedTuple):
    """What is done to the bytes of a file: cut at a part of its length, or a byte there changed."""

    kind: str
    at: float
    bits: int = 0

    def done_to(self, content: bytes) -> bytes:
        place = int(self.at * len(content))
        if self.kind == "cut":
            return content[:place]
        if self.kind == "flipped" and content:
            return content[:place] + bytes([content[place] ^ self.bits]) + content[place + 1 :]
        return content


places = st.floats(0, 1, exclude_max=True)
damages = st.one_of(
    st.just(Damage("none", 0)),
    st.builds(Damage, st.just("cut"), places),
    st.builds(Damage, st.just("flipped"), places, st.integers(1, 255)),
)
sizes = st.integers(1, 7)
ENDS = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def assert_the_same_from_everywhere(path: Path, layout: Layout, size: int, other: int) -> None:
    """Read a file, and another one behind it, on from each checkpoint there is."""
    behind = next(folder for folder in path.parents if folder.is_dir()) / "behind.jsonl"
    behind.write_bytes(b'{"summary":"behind"}\n{"summary":"it"}\n')
    with within(20):
        try:
            files = [look_at(str(path), layout, LIMIT), look_at(str(behind))]
            whole = batches(files, layout, Checkpoint(), size)
        except SourceError:
            return  # refused as a whole: an archive that is none, too much around the items of a wrapper
        found = [item for batch in whole for item in found_in(batch)]
        assert len(whole) < MOST
        assert [item.item for item in found[-2:]] == [b'{"summary":"behind"}', b'{"summary":"it"}']
        assert on_from(files, layout, Checkpoint(), other) == found
        done = 0
        for batch in whole:
            done += len(batch.items)
            assert on_from(files, layout, batch.after, other) == found[done:]
        for number, item in enumerate(found):
            assert on_from(files, layout, checkpoint_at(item.position), other) == found[number:]


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", CONTENTS)
@ENDS
@given(st.data(), damages, sizes, sizes)
def test_a_file_gives_the_same_from_every_checkpoint(
    kind: str, compression: str, data: Any, damage: Damage, size: int, other: int
) -> None:
    suffix, layout, contents = CONTENTS[kind]
    content = damage.done_to(COMPRESS[compression](data.draw(contents)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"in{suffix}{compression}"
        path.write_bytes(content)
        assert_the_same_from_everywhere(path, layout, size, other)


@ENDS
@given(arrays | bare, places, st.integers(1, 255), sizes, sizes)
def test_a_damaged_member_of_an_archive_gives_the_same_from_every_checkpoint(
    content: bytes, at: float, bits: int, size: int, other: int
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in.json", content)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in.zip").write_bytes(Damage("flipped", at, bits).done_to(packed.getvalue()))
        assert_the_same_from_everywhere(Path(folder) / "in.zip" / "in.json", PLAIN, size, other)


@ENDS
@given(st.integers(0, 30), st.integers(1, 9), st.sampled_from(["none", "snappy"]), damages, sizes, sizes)
def test_a_parquet_file_gives_the_same_from_every_checkpoint(
    count: int, group: int, compression: str, damage: Damage, size: int, other: int
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"summary": f"number {number} ☃", "tags": ["a", "b"], "n": number} for number in range(count)]
    packed = io.BytesIO()
    schema = pa.schema([("summary", pa.string()), ("tags", pa.list_(pa.string())), ("n", pa.timestamp("ms"))])
    pq.write_table(
        pa.Table.from_pylist(rows, schema), packed, row_group_size=group, compression=compression, use_dictionary=False
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.parquet"
        path.write_bytes(damage.done_to(packed.getvalue()))
        assert_the_same_from_everywhere(path, PLAIN, size, other)


LARGE = 40_000


@pytest.mark.parametrize("kind", ["cut", "flipped"])
@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_a_large_file_damaged_late_gives_the_same_from_its_checkpoints(
    suffix: str, compression: str, kind: str, tmp_path: Path
) -> None:
    texts = [f"{number * number * 7919 % 1_000_003} is number {number}" for number in range(LARGE)]
    if suffix == ".csv":
        content = "\n".join(["summary", *texts]).encode()
    else:
        items = [json.dumps({"summary": text, "more": text[::-1]}) for text in texts]
        content = ("\n".join(items) if suffix == ".jsonl" else f"[{','.join(items)}]").encode()
    path = tmp_path / f"in{suffix}{compression}"
    path.write_bytes(Damage(kind, 0.9, 1).done_to(COMPRESS[compression](content)))
    with within(60):
        files = [look_at(str(path))]
        whole = batches(files, PLAIN, Checkpoint(), 3001)
        found = [item for batch in whole for item in found_in(batch)]
        for number in (0, len(whole) // 2, len(whole) - 2, len(whole) - 1):
            done = sum(len(batch.items) for batch in whole[: number + 1])
            assert on_from(files, PLAIN, whole[number].after, 5000) == found[done:]
