"""The files that names, globs, folders and archives stand for, and which reader each has.

Rule: those of one name come in the order of their bytes; a member of a zip archive is a file of its own, named
ARCHIVE.zip/MEMBER. A record never learns more of a file than its name without folder.
"""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Final

from membatch.config import hide_password
from membatch.errors import SourceError
from membatch.extension import extensions
from membatch.layout import PLAIN, Layout
from membatch.source import json_array, json_members, jsonl, parquet, sql, table, text
from membatch.source.chunk import Reader
from membatch.source.standard_input import standard_input
from membatch.source.stream import COMPRESSIONS, STANDARD_INPUT, member_of, opened_archive

ENTRY_POINTS: Final = "membatch.sources"
ARCHIVE: Final = ".zip"
SQLITE: Final = (".db", ".sqlite", ".sqlite3")  # what people call databases, which are read by URL

SOURCES: Final[Mapping[str, Reader]] = {
    ".jsonl": Reader(jsonl.read),
    ".ndjson": Reader(jsonl.read),
    ".json": Reader(json_array.read),
    ".csv": Reader(table.read_csv, flat=True),
    ".tsv": Reader(table.read_tsv, flat=True),
    ".parquet": Reader(parquet.read, flat=True),
}
# Of a folder these count only where a format asks for them, or where there is nothing else.
TEXTS: Final[Mapping[str, Reader]] = {".md": Reader(text.read_whole), ".txt": Reader(text.read_whole)}


def known_sources() -> dict[str, Reader]:
    """Return all readers by file suffix: the built-in ones, and those that other packages add by entry point."""
    readers = dict(SOURCES)
    for point in extensions(ENTRY_POINTS):
        readers[f".{point.name}"] = point.load()
    return readers


def expand(names: Sequence[str | os.PathLike[str]], layout: Layout = PLAIN) -> list[str]:
    """Return the files that names, globs, folders and archives stand for, those of one name in the order of bytes.

    Of folders and archives, only what the layout asks for is taken. Raises SourceError for a missing file, a
    glob without a match, a folder or archive without data, an unknown suffix.
    """
    paths: list[str] = []
    for given in names:
        name = os.fspath(given)
        paths.extend([name] if name == STANDARD_INPUT else _expand_one(name, layout))
    for path in paths:
        if not _is_text(path):
            shown = path.encode("utf-8", "backslashreplace").decode()
            raise SourceError(f"{shown}: the name is not UTF-8: rename the file")
    return paths


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def left_out(names: Sequence[str | os.PathLike[str]], paths: Iterable[str]) -> list[str]:
    """Return the files in the folders and archives of these names that hold data and are not among the paths.

    They are read where they are named themselves, or where a format asks for them.
    """
    kept = set(paths)
    kinds = {*known_sources(), *TEXTS, ARCHIVE}
    found = {file for name in names for file in _files_in(os.fspath(name))}
    return sorted((file for file in found - kept if suffix_of(file) in kinds), key=os.fsencode)


def _files_in(name: str) -> list[str]:
    """Return all files in a folder or archive that are not hidden."""
    path = Path(name)
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        return [str(file) for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    if not path.is_file() or not name.lower().endswith(ARCHIVE):
        return []
    with opened_archive(name) as archive:
        members = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    return [f"{name}/{member}" for member in members if _is_seen(member)]


def _expand_one(name: str, layout: Layout) -> list[str]:
    if not name:
        raise SourceError("the name of a source is empty: is a variable not set? For this folder write .")
    if sql.is_database(name):
        sql.selection_of(name)
        return [name]
    path = Path(name)
    if "://" in name and not path.exists():
        is_page = name.startswith(("http://", "https://"))
        remedy = "download it first, or pipe it into `membatch run -`" if is_page else "export the data to a file first"
        known = " or ".join(f"{scheme}:///FILE.db?table=NAME" for scheme in sql.DATABASES)
        raise SourceError(f"{hide_password(name)} is a URL, and sources are files or {known}: {remedy}")
    if path.is_dir():
        return _chosen(name, _files_in(name), layout)
    if path.exists() or member_of(name) is not None:
        if path.exists() and not path.is_file():
            raise SourceError(f"{name} is a pipe or a device and no file: give what it says to `membatch run -`")
        if name.lower().endswith(ARCHIVE):
            return _chosen(name, _files_in(name), layout)
        reader_of(name, layout if layout.suffixes else Layout(suffixes=tuple(TEXTS)))
        return [name]
    if glob.has_magic(name):
        found = sorted((file for file in glob.glob(name, recursive=True) if Path(file).is_file()), key=os.fsencode)
        files_of_glob = [path for file in found for path in _expand_one(file, layout)]
        if files_of_glob:
            return files_of_glob
        raise SourceError(f"no file matches {name}")
    raise SourceError(f"no such file: {name}{_meant(name)}")


def _meant(name: str) -> str:
    """Return what to do about a file that is not there, if that can be guessed."""
    try:
        there = [file.name for file in Path(name).parent.iterdir() if file.name.isprintable()]
    except OSError:
        return ""
    nearest = difflib.get_close_matches(Path(name).name, there, n=1, cutoff=0.7)
    return f": did you mean {Path(name).with_name(nearest[0])}?" if nearest else ""


def _is_seen(member: str) -> bool:
    parts = (part for part in member.split("/") if part not in (".", ".."))  # a place, which hides nothing
    return not any(part.startswith((".", "__MACOSX")) for part in parts)


def _chosen(name: str, files: Iterable[str], layout: Layout) -> list[str]:
    """Return those of the files in a folder or archive that hold data, in order."""
    by_suffix = {file: suffix_of(file) for file in files}
    wanted = set(layout.suffixes) or set(known_sources())
    chosen = [file for file, suffix in by_suffix.items() if suffix in wanted]
    if not chosen and not layout.suffixes:
        chosen = [file for file, suffix in by_suffix.items() if suffix in TEXTS]
    if not chosen:
        raise SourceError(
            f"{_kind(name)} {name} holds no data: expected {', '.join(sorted(wanted))} files, also compressed"
        )
    if layout.names:
        left = [file for file in chosen if is_named(file, layout)]
        if not left:
            raise SourceError(f"{_kind(name)} {name} holds no file named {' or '.join(layout.names)}")
        chosen = left
    return sorted(chosen, key=os.fsencode)


def _kind(name: str) -> str:
    return "folder" if Path(name).is_dir() else "archive"


def is_named(path: str, layout: Layout) -> bool:
    """Return whether a file of a folder or archive has a name that the layout asks for."""
    return not layout.names or any(fnmatch(Path(path).name.lower(), pattern) for pattern in layout.names)


def is_inside(path: str, name: str) -> bool:
    """Return whether a path was found in a folder or archive of that name, not named itself."""
    return path != name and (Path(name).is_dir() or name.lower().endswith(ARCHIVE))


def suffix_of(path: str) -> str:
    """Return the suffix that says what a file holds, compressed or not; of standard input its like, of a URL none."""
    if path == STANDARD_INPUT:
        return ".jsonl" if standard_input().document is None else ".json"
    if sql.is_database(path):
        return ""
    stem, suffix = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] if suffix in COMPRESSIONS else suffix


def stem_of(path: str) -> str:
    """Return a file's name without folder, suffix and compression; of a URL the name of the table."""
    if sql.is_database(path):
        return sql.name_of(path)
    name = Path(path).name
    stem, suffix = os.path.splitext(name)
    return os.path.splitext(stem)[0] if suffix.lower() in COMPRESSIONS else stem


def reader_of(path: str, layout: Layout = PLAIN) -> Reader:
    """Return the reader for a path by its suffix, that of standard input by what it is; raises SourceError.

    Text files are read for a layout that names their suffix only: without a format they hold no records.
    """
    if sql.is_database(path):
        return Reader(sql.read, flat=True)
    known = {**{suffix: TEXTS[suffix] for suffix in layout.suffixes if suffix in TEXTS}, **known_sources()}
    suffix = suffix_of(path)
    if suffix not in known:
        if suffix in SQLITE:
            raise SourceError(f"{path}: of a SQLite database name a table: 'sqlite:///{path}?table=NAME'")
        if not suffix and path.lower().endswith(COMPRESSIONS):
            end = os.path.splitext(path)[1]
            raise SourceError(
                f"{path}: the name does not say what is compressed: call it like {path[: -len(end)]}.jsonl{end}"
            )
        expected = ", ".join(known)
        raise SourceError(f"{path}: unknown kind of file {suffix or '(no suffix)'!r}: expected {expected}")
    if suffix == ".parquet" and (path.lower().endswith(COMPRESSIONS) or member_of(path) is not None):
        raise SourceError(f"{path}: Parquet is compressed inside; decompress the file first")
    if suffix in (".csv", ".tsv") and (layout.columns or not layout.quoted):
        delimiter = "," if suffix == ".csv" else "\t"
        columns = layout.columns if suffix in layout.unnamed else ()
        return Reader(partial(table.read, delimiter, columns=columns, quoted=layout.quoted), flat=True)
    if suffix in TEXTS and layout.lines:
        return Reader(text.read_lines)
    return known[suffix]


def wrapper_in(path: str, layout: Layout, limit: int) -> json_members.Wrapper | None:
    """Return what a wrapper object holds besides its items, and where these stand; None where the file is none."""
    if not layout.members or suffix_of(path) != ".json":
        return None
    return json_members.wrapper_in(path, layout, limit)


def reader_of_wrapper(layout: Layout, spans: list[json_members.Span] | None) -> Reader:
    """Return the reader for a wrapper whose items stand in the spans."""
    return Reader(partial(json_members.read, layout, spans))


__all__ = [
    "ENTRY_POINTS",
    "SOURCES",
    "expand",
    "is_inside",
    "is_named",
    "known_sources",
    "left_out",
    "reader_of",
    "reader_of_wrapper",
    "stem_of",
    "suffix_of",
    "wrapper_in",
]
