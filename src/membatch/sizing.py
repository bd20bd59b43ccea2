"""How many records a batch holds: fixed, or climbing toward the best measured throughput.

Rule: pure; what happened comes in as an `Observation`, the size of the next batch is read off; no clock, no
randomness. Batching is invisible, so that any answer is right and only its speed differs.

What a batch cost is the CPU time of the process and the wait for its commit, not the time on the clock: that depends
on whoever else has the machine, and the clock of a busy one differs by a factor of three for the same work.

The climb: let a short load be, then measure a few batches, try twice the size (the most where that is near), go on
while a record gets cheaper by more than the noise, also beside the size before measured once more; where the first
try up gains nothing, try half; then stay. It begins anew only when a record's cost has clearly changed for good, or
a size that was barred for a while is free again, so that it does not oscillate.
"""

from __future__ import annotations

from statistics import median
from typing import Final, NamedTuple

from membatch.config import BatchSettings

FIRST_SIZE: Final = 10_000
COMMIT_SECONDS: Final = 2.5  # the target: others wait for a writer no longer, half of SQLite's usual patience
# Some four batches are held at once, each several times over: what a larger one gains is not worth its memory.
BATCH_BYTES: Final = 12_000_000

_PATIENCE: Final = 20  # batches before the climb begins
_GAIN: Final = 0.04  # a size counts as better where a record costs less by more than this, and than the noise
_MOST_NOISE: Final = 0.25
_CLEAR: Final = (0.88, 1.08)  # outside of these a few samples tell enough
_FEW: Final = 3
_ENOUGH: Final = 6
_WINDOW: Final = 7  # batches by which a settled size is watched
_CHANGED: Final = 1.3  # how much dearer or cheaper a record must become for the climb to begin anew
_BARRED_BATCHES: Final = 25  # how long a size stays barred after a passing fault, doubling each time


class Limits(NamedTuple):
    """The bounds of the size, and what a batch may cost."""

    least: int
    most: int
    memory_bytes: int
    commit_seconds: float = COMMIT_SECONDS


class Observation(NamedTuple):
    """What one batch cost."""

    records: int
    seconds: float  # of CPU, and of waiting for the commit
    commit_seconds: float  # of writing and committing: how long the store was locked
    memory_bytes: int
    read_bytes: int = 0
    retries: int = 0
    prepared: int | None = None  # records prepared together, where more than were written: parts of these cost less


class Changed(NamedTuple):
    """The size before and after, and why."""

    before: int
    after: int
    reason: str


class Fixed:
    """A size that stays."""

    def __init__(self, size: int) -> None:
        self.size = size

    def observe(self, seen: Observation) -> Changed | None:
        """Return None: nothing changes the size."""
        return None


class Climber:
    """A size that climbs toward the best throughput and backs off at once under pressure."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.size = min(max(FIRST_SIZE, limits.least), limits.most)
        self._batches = 0
        self._fitted = False  # whether the latest batch had this size; its successor bears the cost of writing it
        self._costs: list[float] = []  # seconds a record, of the batches at this size
        self._best: tuple[int, float] | None = None  # the size, and what a record cost
        self._tried: tuple[int, float] | None = None  # what seemed better, until the best was measured again
        self._noise = self._tried_noise = 0.0
        self._up, self._may_turn, self._settled = True, True, False
        self._slow_commits = 0
        self._ceiling = limits.most  # by memory, for good
        self._barred, self._barred_until, self._penalty = limits.most + 1, 0, _BARRED_BATCHES
        self._commit_rate = 0.0
        self._records = self._read_bytes = 0

    def observe(self, seen: Observation) -> Changed | None:
        """Take in what a batch cost; return the change of size, if there is one."""
        self._batches += 1
        self._commit_rate = seen.commit_seconds / max(1, seen.records)
        self._records, self._read_bytes = self._records + seen.records, self._read_bytes + seen.read_bytes
        changed = self._under_pressure(seen)
        if changed is not None:
            return changed
        if self._batches == self._barred_until:
            self._barred = self._limits.most + 1
            if self._settled:
                self._begin_anew()
        together = seen.records if seen.prepared is None else seen.prepared
        is_new, self._fitted = not self._fitted, abs(together - self.size) <= 0.1 * self.size
        if not self._fitted or is_new:
            return None  # the end of the input, or a batch that was read, or that follows one, before the size changed
        if self._batches <= _PATIENCE:
            return None  # a short load is not worth the trying, and the first batch costs more
        self._costs.append(seen.seconds / seen.records)
        return self._watch() if self._settled else self._climb()

    def _under_pressure(self, seen: Observation) -> Changed | None:
        size, limits = self.size, self._limits
        if seen.retries:
            times = "once" if seen.retries == 1 else f"{seen.retries} times"
            self._barred = min(self._barred, size)
            self._barred_until, self._penalty = self._batches + self._penalty, 2 * self._penalty
            return self._retreat(size // 2, f"the store was locked or failed {times}")
        if seen.memory_bytes > limits.memory_bytes:
            self._ceiling = max(limits.least, size // 2)
            held, limit = seen.memory_bytes / 1e6, limits.memory_bytes / 1e6
            return self._retreat(size // 2, f"memory: {held:,.0f} MB held, the limit is {limit:,.0f} MB")
        target = limits.commit_seconds
        self._slow_commits = self._slow_commits + 1 if seen.commit_seconds > target else 0
        if self._slow_commits > 1 or seen.commit_seconds > 3 * target:
            smaller = int(0.8 * size * target / seen.commit_seconds)
            return self._retreat(smaller, f"a commit took {seen.commit_seconds:.1f} s, the target is {target:.1f} s")
        return None

    def _retreat(self, size: int, reason: str) -> Changed | None:
        self._slow_commits = 0
        self._begin_anew()
        return self._go(max(size, self._limits.least), reason)

    def _begin_anew(self) -> None:
        self._costs, self._best, self._tried = [], None, None
        self._up, self._may_turn, self._settled = True, True, False

    def _go(self, size: int, reason: str) -> Changed | None:
        if size == self.size:
            return None
        before, self.size, self._costs, self._fitted = self.size, size, [], False
        return Changed(before, size, reason)

    def _climb(self) -> Changed | None:
        if len(self._costs) < _FEW:
            return None
        cost, noise = median(self._costs), _noise(self._costs)
        if self._best is None:
            self._best, self._noise = (self.size, cost), noise
            return self._try_next("trying")
        if self._tried is not None:
            return self._confirm(self._best[0], self._tried, cost)
        size, best = self._best
        ratio = cost / best
        if self._is_unclear(ratio):
            return None
        if ratio < 1 - self._least_gain(noise):
            self._tried, self._tried_noise = (self.size, cost), noise
            return self._go(size, f"{_faster(ratio)} than {size:,}: measuring that again")
        return self._give_up(self.size)

    def _confirm(self, size: int, tried: tuple[int, float], cost: float) -> Changed | None:
        """Say whether what seemed better is so beside the best size as it is now: else it was the machine."""
        ratio = tried[1] / cost
        if self._is_unclear(ratio):
            return None
        self._tried = None
        if ratio < 1 - self._least_gain(self._tried_noise):
            self._best, self._noise, self._may_turn = tried, self._tried_noise, False
            return self._try_next(f"{tried[0]:,} is {_faster(ratio)} than {size:,}: trying")
        self._best = (size, cost)
        return self._give_up(tried[0])

    def _give_up(self, tried: int) -> Changed | None:
        size = self._best[0] if self._best else tried
        if self._may_turn and self._up:
            self._up, self._may_turn = False, False
            turned = self._next()
            if turned != size:
                return self._go(turned, f"{tried:,} is not faster than {size:,}: trying half of that")
        return self._settle(f"{tried:,} is not faster than {size:,}: back to that")

    def _is_unclear(self, ratio: float) -> bool:
        return _CLEAR[0] < ratio < _CLEAR[1] and len(self._costs) < _ENOUGH

    def _least_gain(self, noise: float) -> float:
        return max(_GAIN, min(_MOST_NOISE, max(noise, self._noise)))

    def _try_next(self, reason: str) -> Changed | None:
        if self._best is None:
            return None
        size = self._best[0]
        following = self._next()
        if following == size and self._up and self._may_turn:
            self._up, self._may_turn = False, False
            following = self._next()
        if following == size:
            return self._settle("")
        return self._go(following, f"{reason} {'more' if following > size else 'half of that'}")

    def _next(self) -> int:
        """Return the size after the best one in the direction of the climb; the same where none is allowed."""
        size = self._best[0] if self._best else self.size
        if not self._up:
            return max(size // 2, self._limits.least)
        larger = 2 * size if 4 * size <= self._ceiling else self._ceiling  # no last step that is too small to tell
        too_slow = larger * self._commit_rate > self._limits.commit_seconds
        too_large = larger * self._read_bytes > BATCH_BYTES * self._records
        return size if larger <= size or larger >= self._barred or too_slow or too_large else larger

    def _settle(self, reason: str) -> Changed | None:
        self._settled = True
        if self._best is None:
            return None
        return self._go(self._best[0], reason)

    def _watch(self) -> Changed | None:
        self._costs = self._costs[-_WINDOW:]
        if self._best is None or len(self._costs) < _WINDOW:
            return None
        ratio = median(self._costs) / self._best[1]
        if 1 / _CHANGED < ratio < _CHANGED:
            return None
        self._begin_anew()
        return None


def _faster(ratio: float) -> str:
    return f"{100 * (1 / ratio - 1):.0f}% faster"


def _noise(costs: list[float]) -> float:
    """Return how far costs lie from their median, typically, as a share of it."""
    middle = median(costs)
    return median(abs(cost - middle) for cost in costs) / middle if middle else 0.0


Sizer = Fixed | Climber


def sizer(settings: BatchSettings, memory_bytes: int) -> Sizer:
    """Return what decides the size of batches under these settings; `memory_bytes` is what the process may hold."""
    if settings.size != "auto":
        return Fixed(settings.size)
    return Climber(Limits(settings.min, settings.max, memory_bytes))
