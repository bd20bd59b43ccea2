"""Files as streams of decompressed bytes: plain, gzip, zstd, bzip2, xz, standard input.

Rule: reads are bounded, so that a decompression bomb meets the record limit and not the memory; a damaged
stream raises `Unreadable`, after all that could be read of it was given.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from membatch.errors import SourceError
from membatch.source.standard_input import Readable, standard_input

CHUNK: Final = 1 << 18  # a processor's second cache holds it, and the lines made of it
COMPRESSIONS: Final = (".gz", ".zst", ".bz2", ".xz")

# Real text compresses to a fiftieth; beyond both bounds together a stream is a bomb.
BOMB_RATIO: Final = 1000
BOMB_BYTES: Final = 1 << 30

STANDARD_INPUT: Final = "-"


class Unreadable(Exception):  # noqa: N818
    """The rest of a stream cannot be read; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# What files of other kinds begin with, and what they are.
_OTHER_KINDS: Final = {
    b"\x1f\x8b": "gzip-compressed",
    b"(\xb5/\xfd": "zstd-compressed",
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "a SQLite database",
}


def refuse_other_kinds(beginning: bytes) -> None:
    """Raise Unreadable where no text begins like this, saying what does."""
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("encoding", "the file is UTF-16, not UTF-8")
    for magic, what in _OTHER_KINDS.items():
        if beginning.startswith(magic):
            raise Unreadable("other-kind", f"this is no text but {what}")


class ByteStream:
    """The decompressed bytes of one source; `read` gives at most `CHUNK` bytes, b"" at the end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._read_bytes = 0
        self._ahead = b""  # what was read of a compressed stream and not given
        self._is_damaged = False
        self._raw: BinaryIO | None = None
        suffix = Path(path).suffix.lower()
        self._is_compressed = suffix in COMPRESSIONS
        self._archive: zipfile.ZipFile | None = None
        self._compressed_bytes = 0  # of a member of an archive
        try:
            if path == STANDARD_INPUT:
                self._stream: Readable = standard_input().opened()
                return
            inside = member_of(path)
            if inside is not None:
                self._open_member(path, *inside)
                return
            self._raw = Path(path).open("rb")
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}") from None
        self._stream = _decompressed(self._raw, suffix) if self._is_compressed else self._raw

    def _open_member(self, path: str, archive: str, member: str) -> None:
        self._archive = opened_archive(archive)
        try:
            self._compressed_bytes = self._archive.getinfo(member).compress_size
            self._raw = self._stream = self._archive.open(member)  # type: ignore[assignment]
        except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            self._archive.close()
            raise SourceError(f"cannot read {path}: {error.args[0] if error.args else error}") from None
        self._is_compressed = True

    def go_to(self, offset: int) -> None:
        """Go on at a byte of the decompressed stream that is not behind; only a plain file is not read up to there.

        How much comes out before a damage depends on how much is asked for, so that is the same each time.
        """
        if self._raw is not None and not self._is_compressed:
            self._raw.seek(offset)
            self._read_bytes = offset
            return
        at = self._read_bytes - len(self._ahead)
        while at < offset:
            data = self.read()
            if not data:
                raise Unreadable("read-error", "the source is shorter than it was")
            at += len(data)
            self._ahead = data[len(data) - max(0, at - offset) :]

    def read(self) -> bytes:
        """Return the next bytes; raise Unreadable where the stream is damaged, once: after that it has ended."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        if self._is_damaged:
            return b""
        try:
            return self._read()
        except Unreadable:
            self._is_damaged = True
            raise

    def _read(self) -> bytes:
        try:
            # read1 gives what there is before it meets the damage; read would give nothing of it.
            data = self._stream.read1(CHUNK) if self._is_compressed else self._stream.read(CHUNK)  # type: ignore[attr-defined]
        except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise Unreadable("compression", f"the compressed stream is damaged or cut short: {error}") from None
        except OSError as error:
            if error.errno is not None:  # not the fault of what the file says: nothing of it is rejected
                reason = f"reading {self._path} failed: {error.strerror}"
                raise SourceError(f"{reason}: when it can be read again, go on with `membatch resume`") from None
            raise Unreadable("compression", f"the compressed stream is damaged: {error}") from None
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise Unreadable("compression", f"the compressed stream is damaged: {error}") from None
        self._read_bytes += len(data)
        if self._is_compressed and self._read_bytes > BOMB_BYTES and self._raw is not None:
            taken = self._compressed_bytes if self._archive is not None else self._raw.tell()
            if self._read_bytes > BOMB_RATIO * max(1, taken):
                message = f"{taken:,} bytes expand to more than {self._read_bytes:,}"
                raise Unreadable("decompression-bomb", message)
        return data

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._raw is not None:
            self._stream.close()  # type: ignore[attr-defined]
            self._raw.close()
        if self._archive is not None:
            self._archive.close()


def member_of(path: str) -> tuple[str, str] | None:
    """Return the archive and the member where a path leads into a zip file, as in export.zip/notes/a.json."""
    at = path.lower().find(".zip/")
    while at >= 0:
        if Path(path[: at + 4]).is_file():
            return path[: at + 4], path[at + 5 :]
        at = path.lower().find(".zip/", at + 1)
    return None


def opened_archive(path: str) -> zipfile.ZipFile:
    """Return an open zip file; raises SourceError where it is none."""
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SourceError(f"{path} is not a whole zip file: {error}") from None


def _decompressed(raw: BinaryIO, suffix: str) -> BinaryIO:
    if suffix == ".gz":
        return gzip.open(raw, "rb")  # type: ignore[return-value]
    if suffix == ".bz2":
        return bz2.open(raw, "rb")  # type: ignore[return-value]
    if suffix == ".xz":
        return lzma.open(raw, "rb")  # type: ignore[return-value]
    import zstandard

    # zstd ends quietly where a frame is cut short, so the frames are read one by one and checked.
    return io.BufferedReader(_ZstdFrames(raw, zstandard), CHUNK)


class _ZstdFrames(io.RawIOBase):
    """All frames of a zstd file; raises EOFError where the last one is incomplete."""

    def __init__(self, raw: BinaryIO, zstandard: object) -> None:
        self._raw = raw
        self._new = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj  # type: ignore[attr-defined]
        self._frame = self._new()
        self._pending = b""
        self._out = memoryview(b"")
        self._inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._out:
            # Small inputs bound what one call can expand to (a zstd block is at most 128 KiB from 4 bytes).
            data = self._pending or self._raw.read(2048)
            self._pending = b""
            if not data:
                if self._inside:
                    raise EOFError("the last frame is incomplete")
                return 0
            self._inside = True
            self._out = memoryview(self._frame.decompress(data))
            if self._frame.eof:
                self._pending = self._frame.unused_data
                self._frame = self._new()
                self._inside = False
        count = min(len(view), len(self._out))
        view[:count] = self._out[:count]
        self._out = self._out[count:]
        return count
