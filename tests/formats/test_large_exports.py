"""An export is read in memory that depends on the batch and its largest conversation, not on its size."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

MEBIBYTE = 1 << 20
WORDS = [
    "the",
    "a",
    "boat",
    "river",
    "Oslo",
    "winter",
    "bakes",
    "sister",
    "42",
    "walnut",
    "plan",
    "train",
    "garden",
    "never",
    "Friday",
    "red",
    "piano",
]


def write_export(path: Path, size: int) -> int:
    """Write conversations of twenty messages each until the file has this size; return how many messages."""
    random_ = random.Random(7)
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write("[")
        while stream.tell() < size:
            stream.write(",\n" if count else "")
            json.dump(conversation(count, random_), stream)
            count += 20
        stream.write("]")
    return count


def conversation(number: int, random_: random.Random) -> dict[str, object]:
    mapping: dict[str, object] = {"root": {"id": "root", "message": None, "parent": None, "children": ["n0"]}}
    for place in range(20):
        text = " ".join(random_.choices(WORDS, k=250))
        message = {
            "id": f"n{place}",
            "author": {"role": "assistant" if place % 2 else "user", "name": None, "metadata": {}},
            "create_time": 1.7e9 + number + place,
            "content": {"content_type": "text", "parts": [f"{number + place} {text}"]},
            "status": "finished_successfully",
            "metadata": {"model_slug": "gpt-4o"} if place % 2 else {},
        }
        parent = f"n{place - 1}" if place else "root"
        children = [f"n{place + 1}"] if place < 19 else []
        mapping[f"n{place}"] = {"id": f"n{place}", "message": message, "parent": parent, "children": children}
    return {"title": None, "conversation_id": f"c{number}", "current_node": "n19", "mapping": mapping}


def peak_of_conversion(source: Path, folder: Path) -> tuple[int, int]:
    """Return how many records a process of its own converted, and the most memory it held, in bytes."""
    command = [sys.executable, "-m", "membatch.cli", "convert", source, "--output", "out.jsonl", "--json", "--quiet"]
    with (folder / "report.json").open("wb") as output:
        child = subprocess.Popen([str(part) for part in command], stdout=output, cwd=folder)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    report = json.loads((folder / "report.json").read_text("utf-8"))
    return report["counts"]["valid"], usage.ru_maxrss * 1024


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_a_chatgpt_export_of_200_megabytes_needs_no_more_memory_than_half_of_it(zipped: bool, tmp_path: Path) -> None:
    peaks = []
    for size in (100, 200):
        folder = tmp_path / str(size)
        folder.mkdir()
        source = folder / "conversations.json"
        count = write_export(source, size * MEBIBYTE)
        if zipped:
            with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.write(source, source.name)
                archive.writestr("user.json", '{"id": "user-1"}')
            source = folder / "export.zip"
        converted, peak = peak_of_conversion(source, folder)
        assert converted == count
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 48 * MEBIBYTE
    assert peaks[1] < 512 * MEBIBYTE
