"""What decides in one run, resolved once from the settings.

Rule: a name that nobody knows is found here, before anything is read. Data in: Config. Data out: Rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from membatch import merge_rules
from membatch.config import Config, ratio
from membatch.similarity import guards


class Rules(NamedTuple):
    """What decides in one run, resolved once from the settings."""

    strategy: str
    same_id: str
    threshold: Fraction
    review_from: Fraction
    only_run: bool
    guards: Mapping[str, guards.GuardRow]
    merge: merge_rules.Rules


def rules_of(config: Config) -> Rules:
    """Return the rules that the settings name; raises ConfigError."""
    threshold = ratio(config.dedup.threshold, "dedup.threshold")
    review_from = config.dedup.review_from
    return Rules(
        strategy=config.dedup.strategy,
        same_id=config.dedup.same_id,
        threshold=threshold,
        review_from=threshold if review_from is None else ratio(review_from, "dedup.review_from"),
        only_run=config.dedup.against == "run",
        guards=guards.resolve(config.dedup.guards),
        merge=merge_rules.Rules(config.merge),
    )
