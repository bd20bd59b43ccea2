"""Runs the command as a person would, in a process of its own."""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent.parent.parent / "shared" / "data"


def membatch(
    *arguments: object, folder: Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "membatch.cli", *map(str, arguments)]
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, timeout=120, env=variables, check=False
    )


def report_of(result: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def on_a_terminal(*arguments: str, columns: int, folder: Path) -> list[str]:
    """Return the lines that a command prints on a terminal of some columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "membatch.cli", *arguments]
    subprocess.run(
        command,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        check=True,
        env={**environment, "TERM": "xterm"},
    )
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # what Linux says at the end
        while some := os.read(ours, 1 << 16):
            text += some
    os.close(ours)
    return text.decode().replace("\r\n", "\n").splitlines()
