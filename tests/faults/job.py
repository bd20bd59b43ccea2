"""The small load that is disturbed, what it must end as, and how to bring it there."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

from membatch import StoreError, check, report
from tests.laws.data import memory_data

from .arena import Arena, Fault, Result

RECORDS: Final = 120
ARGUMENTS: Final = ("--batch-size", 15, "--store", "sqlite:///store/a.db")
# What a run that could not begin says when it is resumed.
NOTHING_YET: Final = (b"there is no store", b"nothing to resume", b"no membatch store")


def write_source(path: Path, count: int = RECORDS, seed: int = 4) -> Path:
    """Write records of every outcome: new ones, repeats, near repeats, held ones, invalid and malformed ones."""
    rng = random.Random(seed)
    words = [f"word{number}" for number in range(40)]
    said: list[dict[str, Any]] = []
    with path.open("w") as stream:
        for number in range(count):
            record: dict[str, Any] = {"summary": " ".join(rng.sample(words, 9)), "source_message_ids": [f"m{number}"]}
            known = rng.choice(said) if said else record
            match rng.randrange(12):
                case 0:
                    stream.write('{"summary": "cut\n')
                    continue
                case 1:
                    record = {"summary": "x", "confidence": 5}
                case 2:
                    record |= {"summary": known["summary"] + ".", "confidence": 0.5}
                case 3:
                    record |= {"summary": known["summary"], "emotional_context": {"valence": 0.9 - number % 2 * 1.8}}
                case 4:
                    record = known
                case 5:
                    record |= {"id": f"i{rng.randrange(3)}", "updated_at": f"2024-01-01T00:00:{rng.randrange(60):02}Z"}
            said.append(record)
            stream.write(json.dumps(record) + "\n")
    return path


class Job:
    """One load in a folder of its own, that can be disturbed, resumed and compared."""

    def __init__(self, arena: Arena, folder: Path, strategy: str = "exact") -> None:
        self.arena, self.folder, self.store = arena, folder, folder / "store"
        self.arguments = ("run", "in.jsonl", "--strategy", strategy, *ARGUMENTS)
        self.url = f"sqlite:///{self.store}/a.db"
        write_source(folder / "in.jsonl")
        self.again()
        self.undisturbed = self.run()
        assert self.undisturbed.code == 1, self.undisturbed.errors
        self.expected = self.ending()

    def again(self) -> None:
        """Make the store's folder new and empty."""
        shutil.rmtree(self.store, ignore_errors=True)
        self.store.mkdir()

    def run(self, *more: str, **disturbance: Any) -> Result:
        """Load the source, disturbed or not."""
        return self.arena.run(*self.arguments, *more, folder=self.folder, **disturbance)

    def fault(self, how: int, kinds: int, number: int, **rest: Any) -> Fault:
        """Return a fault in the files of the store."""
        return Fault(self.store, how, kinds, number, **rest)

    def finish(self) -> int:
        """Resume, or begin where nothing had begun, until the load is done; return how many commands it took."""
        for times in range(1, 4):
            result = self.arena.run("resume", *ARGUMENTS, folder=self.folder)
            if any(text in result.errors for text in NOTHING_YET) and not self._has_a_run():
                result = self.run()
            assert b"Traceback" not in result.errors, result.errors
            if result.code in (0, 1):
                return times
        raise AssertionError(result)

    def batches(self) -> int:
        """Return how many batches the store holds."""
        try:
            connection = sqlite3.connect(f"file:{self.store / 'a.db'}?mode=rw", uri=True)
            count = connection.execute("SELECT count(*) FROM batch").fetchone()[0]
            connection.close()
        except sqlite3.OperationalError:
            return 0
        return int(count)

    def _has_a_run(self) -> bool:
        listed = self.arena.run("runs", "--json", *ARGUMENTS[2:], folder=self.folder)
        return b'"run_id"' in listed.output

    def is_whole(self) -> bool:
        """Return whether a check finds nothing wrong, or nothing at all."""
        try:
            return check(self.url).is_whole
        except StoreError as error:
            if any(text in str(error).encode() for text in NOTHING_YET):
                return True
            raise

    def ending(self) -> tuple[Any, Any, list[Any]]:
        """Return what the load left: memory data, the counts of its run, what a check says."""
        told = report(store=self.url)
        return memory_data(self.store / "a.db"), (told.status, told.counts), check(self.url).faults


def said_clearly(result: Result) -> bool:
    """Return whether a run that a fault ended says so in one line, without a stack trace, with exit code 4."""
    text = result.errors.decode()
    return result.code == 4 and "Traceback" not in text and text.count("membatch: ") == 1 and "not foreseen" not in text
