"""Stage times, CPU and memory of a run; figures only, never a word about records."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil


class Clock:
    """Wall seconds a stage; `lap` gives what has passed since the last lap."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.started = time.perf_counter()
        self._lap_cpu = time.process_time()
        self._lap = self.started

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - begun)

    def add(self, name: str, seconds: float) -> None:
        """Add seconds to a stage."""
        self.stages[name] = self.stages.get(name, 0.0) + seconds

    def seconds(self) -> float:
        """Return the wall seconds since the clock was started."""
        return time.perf_counter() - self.started

    def lap(self) -> tuple[dict[str, float], float, float]:
        """Return the stage times, the wall seconds and the CPU share in percent since the last lap."""
        now, cpu = time.perf_counter(), time.process_time()
        seconds = now - self._lap
        percent = 100 * (cpu - self._lap_cpu) / seconds if seconds > 0 else 0.0
        stages, self.stages = self.stages, {}
        self._lap, self._lap_cpu = now, cpu
        return stages, seconds, round(percent, 1)


class Resources:
    """What a run used, from its beginning."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        self._written = self._written_bytes()

    def _written_bytes(self) -> int | None:
        try:
            return int(self._process.io_counters().write_bytes)
        except (psutil.Error, AttributeError, OSError):
            return None

    def resident_bytes(self) -> int:
        """Return the memory that the process holds now."""
        return int(self._process.memory_info().rss)

    def used(self) -> dict[str, Any]:
        """Return the figures of the report's `resources`, `read_bytes` aside."""
        cpu = time.process_time() - self._cpu
        wall = time.perf_counter() - self._wall
        unit = 1 if sys.platform == "darwin" else 1024
        written = self._written_bytes()
        return {
            "cpu_seconds": round(cpu, 3),
            "cpu_percent": round(100 * cpu / wall, 1) if wall else None,
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
            "written_bytes": None if written is None or self._written is None else written - self._written,
            "gc_seconds": None,
        }
