"""Files in the shape of each format, and what becomes of them: data/FORMAT/FILE with FILE.golden.jsonl beside it.

Run `python -m tests.formats.cases` to write the golden files anew, then read what changed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from membatch.config import Config
from membatch.runs.conversion import convert

DATA = Path(__file__).parent / "data"


class Case(NamedTuple):
    format: str
    file: Path

    @property
    def golden(self) -> Path:
        return self.file.with_name(self.file.name + ".golden.jsonl")

    @property
    def config(self) -> Config:
        settings = self.file.parent / "membatch.toml"
        return Config.load(settings, environment={}) if settings.exists() else Config()


CASES = [
    Case(folder.name, file)
    for folder in sorted(DATA.iterdir())
    for file in sorted(folder.iterdir())
    if file.suffix != ".toml" and not file.name.endswith(".golden.jsonl")
]


def name_of(case: Case) -> str:
    return f"{case.format}/{case.file.name}"


def converted(file: Path, config: Config, folder: Path) -> tuple[list[Any], list[str], dict[str, int]]:
    """Return the records of a file, their warnings by code, and the codes of the rejected ones."""
    output = folder / "out.jsonl"
    report = convert([file], output, config=config)
    records = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    return records, [str(report.counts.warnings)], report.errors["by_code"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            records, warnings, rejected = converted(case.file, case.config, Path(folder))
            lines = [json.dumps(record, ensure_ascii=False) for record in records]
            case.golden.write_text("".join(line + "\n" for line in lines), "utf-8")
            print(name_of(case), len(records), "records", warnings[0], "warnings", rejected)
