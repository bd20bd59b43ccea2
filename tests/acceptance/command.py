"""Runs the command as a person would, in a process of its own."""

import json
import os
import subprocess
import sys
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
