"""Run the sessions that pages show, and compare what they print with what the pages say, or write it there.

python docs/sessions.py PAGE...          # run each page's console blocks; exit 1 and say where they differ
python docs/sessions.py --write PAGE...  # write what they print into the pages

A page's blocks run in one temporary folder that holds `examples/`. A line that begins with `$ ` is a command,
lines after it that begin with `> ` go on with it, the rest is what it prints on both outputs. Times, rates
and sizes may differ; a line `…` stands for any lines, so that long output can be cut, and a command of which
nothing is shown must end with exit code 0 or 1 (done, some rejected).
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "TIME"),
    (re.compile(r"\d+(\.\d+)? (s|ms|seconds?)\b"), "SECONDS"),
    (re.compile(r"[\d,.]+ a second"), "RATE"),
    (re.compile(r"^time: .*"), "time"),
    (re.compile(r"(?<=%)\s+[\d,]+$"), " RATE"),
    (re.compile(r"[\d,.]+ (bytes|[kMG]i?B)\b"), "SIZE"),
)
# Written only by what takes a while: progress, what would make a long run faster.
_PROGRESS = re.compile(r"[\d,]+ read, .*/s, |next: \d+% of the work is ")
ANY = "…"


class Step(NamedTuple):
    """One command of a session, as a page shows it."""

    command: str
    printed: list[str]


def steps_of(block: str) -> list[Step]:
    """Return the commands of a console block with what they print."""
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], []))
        elif line.startswith(">") and not steps[-1].printed:
            steps[-1] = Step(steps[-1].command + "\n" + line[2:], [])
        else:
            steps[-1].printed.append(line)
    return steps


def run(step: Step, folder: Path) -> tuple[list[str], int]:
    """Run a command of a session and return the lines that it prints, and its exit code."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEMBATCH_")}
    here = Path(sys.executable).parent
    environment = {**clean, "PATH": f"{here}{os.pathsep}{clean['PATH']}", "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(  # noqa: S603 - the pages are ours
        ["bash", "-c", step.command],  # noqa: S607
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines() if line.strip() and not _PROGRESS.match(line)]
    return lines, done.returncode


def settled(line: str) -> str:
    """Return a line without what differs from run to run; rows of a table without their spacing."""
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return re.sub(r"[ ─]+", " ", line.rstrip())


def agree(shown: list[str], printed: list[str]) -> bool:
    """Return whether a page shows what was printed."""
    lines = [line for line in shown if line.strip()]
    parts = [
        r"(?:[^\n]*\n)*" if line.strip() == ANY else re.escape(settled(line)).replace(ANY, "[^\n]*") + r"\n"
        for line in lines
    ]
    return re.fullmatch("".join(parts), "".join(settled(line) + "\n" for line in printed)) is not None


def replay(page: Path, write: bool) -> Iterator[str]:
    """Run the sessions of a page; yield what differs, or write it into the page."""
    text = page.read_text("utf-8")
    with tempfile.TemporaryDirectory(prefix="session-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "examples", folder / "examples")
        blocks = []
        for block in _BLOCK.findall(text):
            lines = []
            for step in steps_of(block):
                printed, code = run(step, folder)
                wrong = "\n".join(printed).count("Traceback") or (not step.printed and code not in (0, 1))
                is_shown = [line for line in step.printed if line.strip()]
                if wrong or (is_shown and not agree(step.printed, printed)):
                    shown = "\n".join(difflib.unified_diff(step.printed, printed, "page", "printed", lineterm=""))
                    yield f"{page.name}: $ {step.command}\n(exit code {code})\n{shown or printed}"
                    if not wrong:
                        known = {settled(line): line for line in step.printed}
                        step = Step(step.command, [known.get(settled(line), line) for line in printed])
                shown_command = "$ " + step.command.replace("\n", "\n> ")
                lines += [line.rstrip() for line in [*shown_command.split("\n"), *step.printed]]
            blocks.append("\n".join(lines) + "\n")
    if write:
        found = iter(blocks)
        page.write_text(_BLOCK.sub(lambda match: next(found), text), "utf-8")


def main() -> int:
    """Replay the pages that are named; return the exit code."""
    write = "--write" in sys.argv
    pages = [Path(name) for name in sys.argv[1:] if name != "--write"]
    different = [text for page in pages for text in replay(page.resolve(), write)]
    print("\n\n".join(different))
    return 1 if different and not write else 0


if __name__ == "__main__":
    sys.exit(main())
