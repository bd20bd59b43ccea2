"""What a run costs, stage by stage: wall and CPU time, memory, bytes, pauses of the garbage collector.

Rule: figures only, never a word about records; clocks are read once a batch and twice a stage, what the system
has to be asked for at most every 50 ms, so that watching costs less than one part in a hundred of the run even
where batches are small (`benchmarks/sizing.py --overhead` measures it).
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import psutil

_MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
LOOK_EVERY_SECONDS: Final = 0.05  # at memory and at bytes written: a look takes as long as 50 records


def _peak_bytes() -> int:
    """Return the most memory that the process held; of getrusage Linux would count its parent's before the start."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
    return int(status.partition(b"VmHWM:")[2].split()[0]) * 1024


class Lap(NamedTuple):
    """What has passed since the lap before; the field names are those of a `Tally`."""

    stages: dict[str, float]  # wall seconds; writing and preparing overlap
    stages_cpu: dict[str, float]  # CPU seconds of the thread that worked
    seconds: float
    cpu_seconds: float  # of this process and of workers that have ended
    gc_seconds: float
    written_bytes: int
    rss_bytes: int  # now, of this process and its workers
    peak_rss_bytes: int  # of the process, since it began


class _Stage:
    """Adds the time of a block to a stage of a clock."""

    __slots__ = ("_begun", "_clock", "_cpu", "_name")

    def __init__(self, clock: Clock, name: str) -> None:
        self._clock, self._name = clock, name

    def __enter__(self) -> None:
        self._begun, self._cpu = time.perf_counter(), time.thread_time()

    def __exit__(self, *_: object) -> None:
        self._clock.add(self._name, time.perf_counter() - self._begun, time.thread_time() - self._cpu)


class Clock:
    """Watches a run from its beginning; `lap` gives what has passed since the last lap, `close` ends it."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.stages: dict[str, float] = {}
        self._stages_cpu: dict[str, float] = {}
        self._gc_seconds = self._gc_begun = 0.0
        gc.callbacks.append(self._collecting)
        self._wall, self._cpu = self._marks()
        self._look()
        self._written_before = self._written

    def close(self) -> None:
        """Watch the garbage collector no longer."""
        if self._collecting in gc.callbacks:
            gc.callbacks.remove(self._collecting)

    def stage(self, name: str) -> _Stage:
        """Return a block whose time is added to a stage."""
        return _Stage(self, name)

    def add(self, name: str, seconds: float, cpu_seconds: float = 0.0) -> None:
        """Add seconds to a stage."""
        self.stages[name] = self.stages.get(name, 0.0) + seconds
        self._stages_cpu[name] = self._stages_cpu.get(name, 0.0) + cpu_seconds

    def lap(self, *, is_last: bool = False) -> Lap:
        """Return what has passed since the last lap; memory and bytes written are at most 50 ms old, at last fresh."""
        wall, cpu = self._marks()
        if is_last or wall - self._looked >= LOOK_EVERY_SECONDS:
            self._look()
        lap = Lap(
            stages=self.stages,
            stages_cpu=self._stages_cpu,
            seconds=wall - self._wall,
            cpu_seconds=cpu - self._cpu,
            gc_seconds=self._gc_seconds,
            written_bytes=self._written - self._written_before,
            rss_bytes=self._resident,
            peak_rss_bytes=self._peak,
        )
        self._wall, self._cpu, self._written_before = wall, cpu, self._written
        self.stages, self._stages_cpu, self._gc_seconds = {}, {}, 0.0
        return lap

    def _marks(self) -> tuple[float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime

    def _look(self) -> None:
        self._resident, self._peak, self._written = self._resident_bytes(), _peak_bytes(), self._written_bytes()
        self._looked = time.perf_counter()

    def _resident_bytes(self) -> int:
        total = int(self._process.memory_info().rss)
        for worker in multiprocessing.active_children():
            try:
                total += int(psutil.Process(worker.pid).memory_info().rss)
            except psutil.Error:  # it has just ended
                continue
        return total

    def _written_bytes(self) -> int:
        try:
            return int(self._process.io_counters().write_bytes)
        except (psutil.Error, AttributeError, OSError):  # not on every platform, nor in every container
            return 0

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_begun = time.perf_counter()
        else:
            self._gc_seconds += time.perf_counter() - self._gc_begun


COLLECTING: Final = Clock._collecting.__code__  # where no signal may raise


def memory_total(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes of memory that this process may use: the machine's, or less where its cgroup says so."""
    total = int(psutil.virtual_memory().total)
    return min([total, *_cgroup_limits(root, _own_cgroups())])


def _own_cgroups() -> dict[str, str]:
    """Return this process's cgroup by controller; that of version 2 stands under the empty name."""
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return {}
    groups = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _cgroup_limits(root: Path, groups: dict[str, str]) -> Iterator[int]:
    """Yield the limits on the way from the process's cgroup up to the root, of version 2 and of version 1."""
    for folder, group, file in (
        (root, groups.get("", "/"), "memory.max"),
        (root / "memory", groups.get("memory", "/"), "memory.limit_in_bytes"),
    ):
        place = folder / group.lstrip("/")
        for level in (place, *place.parents):
            if not level.is_relative_to(folder):
                break
            try:
                text = (level / file).read_text("utf-8").strip()
            except OSError:
                continue
            if text.isdigit():
                yield int(text)
