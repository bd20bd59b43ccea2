"""The tolerance of a run: after how many rejections, of all or of a category, it stops.

Rule: evaluated after each record, in input order; the record that breaks it is counted and is the last.
"""

from __future__ import annotations

from collections.abc import Iterable

from membatch.config import ToleranceSettings
from membatch.errors import Category
from membatch.report.tally import Tally


class Breaker:
    """The tolerance of a run: says at which record it is broken, in input order."""

    def __init__(self, settings: ToleranceSettings, earlier: Iterable[Tally] = ()) -> None:
        self._settings = settings
        self._read = self._rejected = 0
        self._by_category: dict[str, int] = {}
        for tally in earlier:
            self._read += tally.counts.read
            self._rejected += tally.counts.rejected
            for name, count in tally.by_category.items():
                self._by_category[name] = self._by_category.get(name, 0) + count

    @property
    def read(self) -> int:
        """How many records were counted."""
        return self._read

    def is_broken(self) -> bool:
        """Return whether what was counted so far is past the tolerance."""
        settings = self._settings
        if settings.max_errors is not None and self._rejected > settings.max_errors:
            return True
        for name, most in settings.by_category.items():
            if self._by_category.get(name, 0) > most:
                return True
        rate = settings.max_error_rate
        return rate is not None and self._read >= settings.min_sample and self._rejected > rate * self._read

    def copy(self) -> Breaker:
        """Return a breaker that counted the same."""
        other = Breaker(self._settings)
        other.become(self)
        return other

    def become(self, other: Breaker) -> None:
        """Count what the other one counted."""
        self._read, self._rejected = other._read, other._rejected
        self._by_category = dict(other._by_category)

    def count(self, length: int, rejected: Iterable[tuple[int, Category]]) -> int | None:
        """Count records, the rejected ones of them (number from 0, in order) by category.

        Returns how many there are up to the one that breaks the tolerance, or None. Between rejections it can
        break only where the sample for the rate becomes large enough.
        """
        begun, sample = self._read, self._settings.min_sample
        for record, category in rejected:
            if self._read < sample <= begun + record and self._is_broken_at(sample):
                return sample - begun
            self._rejected += 1
            self._by_category[category] = self._by_category.get(category, 0) + 1
            if self._is_broken_at(begun + record + 1):
                return record + 1
        if self._read < sample <= begun + length and self._is_broken_at(sample):
            return sample - begun
        self._read = begun + length
        return None

    def _is_broken_at(self, read: int) -> bool:
        self._read = read
        return self.is_broken()
