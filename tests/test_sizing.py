"""The batch size climbs to the best throughput, holds its limits, backs off at once, and does not oscillate."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from membatch.config import BatchSettings
from membatch.sizing import Changed, Climber, Fixed, Limits, Observation, sizer

GB = 10**9
SETTLED_WITHIN = 80  # batches, from any start or change
NEAR_THE_BEST = 1.10

# Seconds that a batch of a size takes.
COSTS: dict[str, Callable[[int], float]] = {
    "linear": lambda size: 30e-6 * size,
    "dear commits": lambda size: 0.5 + 30e-6 * size,
    "very dear commits": lambda size: 3.0 + 30e-6 * size,
    "cheap commits": lambda size: 0.002 + 30e-6 * size,
    "small is better": lambda size: 0.001 + 10e-6 * size * (1 + size / 3_000),
    "cache of five thousand": lambda size: 0.01 + 20e-6 * size + 40e-6 * max(0, size - 5_000),
}
NOISES = {"none": 0.0, "quiet": 0.03, "busy machine": 0.08}
SIZES = [100 * 2**step for step in range(9)] + [50_000, *(10_000 * 2**step for step in range(-6, 3))]


class Machine:
    """A machine as the controller meets it: cost, noise, memory and faults are data."""

    def __init__(self, cost: Callable[[int], float], noise: float = 0.0, seed: int = 1) -> None:
        self.cost, self.noise, self._random = cost, noise, random.Random(seed)
        self.commit: Callable[[int], float] = lambda size: 1e-6 * size
        self.memory: Callable[[int], int] = lambda size: GB // 10
        self.record_bytes = self.retries = 0
        self.drifts, self._level = False, 1.0  # of a machine that others use: the same work at up to twice the cost

    def run(self, climber: Climber | Fixed, batches: int) -> list[Changed]:
        changes = []
        for _ in range(batches):
            if self.drifts and self._random.random() < 1 / 12:
                self._level = self._random.choice([1.0, 1.4, 2.0])
            factor = self._level * max(0.5, self._random.gauss(1.0, self.noise))
            if self.noise and self._random.random() < 0.02:
                factor *= 4  # something else had the machine
            seen = Observation(
                climber.size,
                self.cost(climber.size) * factor,
                self.commit(climber.size),
                self.memory(climber.size),
                self.record_bytes * climber.size,
                self.retries,
            )
            changed = climber.observe(seen)
            if changed is not None:
                changes.append(changed)
        return changes


def best_cost(cost: Callable[[int], float], sizes: list[int] = SIZES) -> float:
    return min(cost(size) / size for size in sizes if 100 <= size <= 50_000)


def started() -> Climber:
    return Climber(Limits(100, 50_000, GB))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", COSTS)
def test_it_settles_near_the_best_fixed_size(name: str, noise: str) -> None:
    cost, near = COSTS[name], 0
    for seed in range(40):
        climber = started()
        Machine(cost, NOISES[noise], seed).run(climber, SETTLED_WITHIN)
        near += cost(climber.size) / climber.size <= NEAR_THE_BEST * best_cost(cost)
    assert near >= (40 if noise == "none" else 36)


@pytest.mark.parametrize("name", COSTS)
def test_it_mostly_settles_there_too_where_others_use_the_machine(name: str) -> None:
    cost, near = COSTS[name], 0
    for seed in range(40):
        climber, machine = started(), Machine(cost, 0.05, seed)
        machine.drifts = True
        machine.run(climber, 100)
        near += cost(climber.size) / climber.size <= NEAR_THE_BEST * best_cost(cost)
    assert near >= 28


@pytest.mark.parametrize("name", COSTS)
def test_a_settled_size_stays(name: str) -> None:
    climber, machine = started(), Machine(COSTS[name], NOISES["quiet"])
    machine.run(climber, SETTLED_WITHIN)
    assert machine.run(climber, 500) == []


@pytest.mark.parametrize(
    ("before", "after"), [("dear commits", "small is better"), ("small is better", "dear commits")]
)
def test_it_finds_the_new_best_after_a_step_change_of_cost(before: str, after: str) -> None:
    climber = started()
    machine = Machine(COSTS[before], NOISES["quiet"])
    machine.run(climber, 200)
    machine.cost = COSTS[after]
    machine.run(climber, 2 * SETTLED_WITHIN)
    assert COSTS[after](climber.size) / climber.size <= NEAR_THE_BEST * best_cost(COSTS[after])


def test_it_backs_off_at_once_from_a_memory_wall_and_does_not_return() -> None:
    climber = started()
    machine = Machine(COSTS["very dear commits"])
    machine.memory = lambda size: 40_000 * size  # 25,000 records fill the gigabyte
    changes = machine.run(climber, 500)
    over = [change for change in changes if "memory" in change.reason]
    assert [(change.before, change.after) for change in over] == [(50_000, 25_000)]
    assert climber.size <= 25_000
    assert climber.size >= 10_000


def test_memory_that_shrinks_halves_the_size_batch_by_batch_down_to_the_bound() -> None:
    climber = started()
    machine = Machine(COSTS["linear"])
    machine.memory = lambda size: 2 * GB
    changes = machine.run(climber, 20)
    assert [change.after for change in changes] == [5_000, 2_500, 1_250, 625, 312, 156, 100]


def test_a_locked_store_halves_the_size_at_once_and_the_climb_resumes_later() -> None:
    climber = started()
    machine = Machine(COSTS["dear commits"])
    machine.run(climber, SETTLED_WITHIN)
    settled = climber.size
    machine.retries = 2
    (change,) = machine.run(climber, 1)
    assert (change.before, change.after) == (settled, settled // 2)
    assert "locked" in change.reason
    machine.retries = 0
    machine.run(climber, 2 * SETTLED_WITHIN)
    assert COSTS["dear commits"](climber.size) / climber.size <= NEAR_THE_BEST * best_cost(COSTS["dear commits"])


def test_the_commit_time_is_held_under_its_target() -> None:
    climber = Climber(Limits(100, 50_000, GB, commit_seconds=1.0))
    machine = Machine(COSTS["very dear commits"])
    machine.commit = lambda size: 60e-6 * size  # a second for 16,667 records
    changes = machine.run(climber, 200)
    assert climber.size <= 16_667
    machine.commit = lambda size: 400e-6 * size  # a disk that has become slow
    (change,) = [change for change in machine.run(climber, 100) if "commit" in change.reason]
    assert "commit took" in change.reason
    assert 400e-6 * climber.size <= 1.0
    assert len(changes) <= 4


def test_a_size_whose_batches_would_hold_much_is_not_tried() -> None:
    climber, machine = started(), Machine(COSTS["dear commits"])
    machine.record_bytes = 500
    machine.run(climber, 2 * SETTLED_WITHIN)
    assert 10_000 < climber.size <= 24_000  # of 12 MB


def test_batches_of_another_size_than_asked_for_do_not_mislead() -> None:
    climber = started()
    for _ in range(50):
        assert climber.observe(Observation(17, 5.0, 0.01, 0)) is None
    assert climber.size == 10_000


def test_parts_of_a_batch_that_was_prepared_at_another_size_do_not_mislead() -> None:
    climber, machine = started(), Machine(COSTS["linear"])
    machine.run(climber, 20)
    for _ in range(20):  # its preparing is not in what each part costs
        assert climber.observe(Observation(10_000, 0.1, 0.01, 0, prepared=20_000)) is None
    machine.run(climber, SETTLED_WITHIN)
    assert climber.size == 10_000


@pytest.mark.parametrize(("least", "most", "first"), [(100, 50_000, 10_000), (1, 7, 7), (20_000, 50_000, 20_000)])
def test_it_starts_at_ten_thousand_within_its_bounds(least: int, most: int, first: int) -> None:
    assert Climber(Limits(least, most, GB)).size == first


def test_every_change_stays_within_the_bounds_and_has_a_reason() -> None:
    for seed in range(20):
        climber = Climber(Limits(300, 30_000, GB))
        machine = Machine(COSTS["cache of five thousand"], 0.3, seed)
        for change in machine.run(climber, 300):
            assert 300 <= change.after <= 30_000
            assert change.reason


def test_a_fixed_size_stays_fixed() -> None:
    fixed = sizer(BatchSettings(size=123), GB)
    assert fixed.observe(Observation(123, 9.0, 9.0, 2 * GB, retries=5)) is None
    assert fixed.size == 123
    assert isinstance(sizer(BatchSettings(), GB), Climber)
