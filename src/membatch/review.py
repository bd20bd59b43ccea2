"""The review of held pairs: list them, accept or reject them.

Rule: each call is one numbered run, which can be undone; accepting merges the younger memory into the older
with all that led to it, rejecting keeps the two apart for good.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec

from membatch.config import Config, to_plain
from membatch.errors import ConfigError
from membatch.plan import Merge
from membatch.runs.accounts import open_once
from membatch.store import ReviewRow, Store, open_store

if TYPE_CHECKING:
    from membatch import merge_rules


def open_pairs(store: str | None = None) -> list[dict[str, Any]]:
    """Return the pairs that wait for a decision, the oldest first."""
    with open_once(store or Config().store) as reader:
        return [_entry(row) for row in reader.reviews("open")]


def _entry(row: ReviewRow) -> dict[str, Any]:
    return {
        "review": row.review,
        "step": row.step,
        "score": f"{row.shared}/{row.union}",
        "guards": sorted(msgspec.json.decode(row.guards)),
        "older": {"id": row.older_id, **msgspec.json.decode(row.older_record)},
        "younger": {"id": row.younger_id, **msgspec.json.decode(row.younger_record)},
    }


def reject(review: int, *, config: Config, wait: bool = False) -> int:
    """Keep the two memories of a pair apart for good; return the number of the run. Raises ConfigError."""
    with _opened(config, wait) as store:
        _pair(store, review)
        return _change(store, config, lambda changes: changes.reject(review))


def accept(review: int, *, config: Config, wait: bool = False) -> int:
    """Merge the younger memory of a pair into the older; return the number of the run.

    Raises ConfigError if there is no such open pair or the merged record would break a limit.
    """
    from membatch.rules import rules_of  # a look at the pairs needs none of the rules

    with _opened(config, wait) as store:
        row = _pair(store, review)
        step = _step(store, row, rules_of(config).merge)
        if step is None:
            raise ConfigError(f"review {review}: the merged record would break a limit of the record: reject the pair")
        return _change(store, config, lambda changes: changes.accept(review, row.younger, *step))


def accept_all(guard: str, min_score: str, *, config: Config, wait: bool = False) -> tuple[int | None, int]:
    """Accept each open pair that only this guard was unsure of, with at least this score.

    Returns the number of the run, None where no pair could be accepted, and how many pairs were accepted; a pair that
    would break a limit stays open.
    """
    from membatch.rules import rules_of

    least = Fraction(min_score)
    rules = rules_of(config).merge
    done: set[int] = set()

    def fits(row: ReviewRow) -> bool:
        return list(msgspec.json.decode(row.guards)) == [guard] and Fraction(row.shared, row.union) >= least

    with _opened(config, wait) as store:
        fitting = [row for row in store.reviews("open") if fits(row)]
        if not any(_step(store, row, rules) for row in fitting):  # one of them could be accepted as things are
            return None, 0

        def decide(changes: Any) -> None:
            changes.expect(len(fitting))
            for number in [row.review for row in fitting]:
                row = store.review(number)  # as the decisions before it left it
                step = None if row is None or row.state != "open" else _step(store, row, rules)
                if row is not None and step is not None:
                    changes.accept(number, row.younger, *step)
                    done.add(number)

        return _change(store, config, decide), len(done)


@contextlib.contextmanager
def _opened(config: Config, wait: bool) -> Iterator[Store]:
    with open_once(config.store):
        pass  # a store that is missing is not made
    store = open_store(config.store, config.dedup.scope, wait=wait)
    try:
        yield store
    finally:
        store.close()


def _pair(store: Store, review: int) -> ReviewRow:
    row = store.review(review)
    if row is None or row.state != "open":
        raise ConfigError(f"there is no open pair {review}: see `membatch review`")
    return row


def _step(store: Store, row: ReviewRow, rules: merge_rules.Rules) -> tuple[Merge, bytes] | None:
    """Return the merge of a pair and the record that it absorbs, or None where it would break a limit."""
    from membatch.merge import Survivor, merge

    rows = store.fetch([row.older, row.younger])
    older, younger = rows[row.older], rows[row.younger]
    survivor = Survivor(msgspec.json.decode(older.record), older.stated)
    absorbed = Survivor(msgspec.json.decode(younger.record), younger.stated)
    merged = merge(survivor, absorbed.document, rules, absorbed.stated)
    if merged is None:
        return None
    survivor.take(merged)
    step = Merge(
        record=-1,
        memory=row.older,
        step="review",
        shared=row.shared,
        union=row.union,
        replaces=False,
        forward=merged.forward,
        reverse=merged.reverse,
        stated=survivor.stated_text(),
        stated_before=older.stated,
        rules=merged.rules,
        conflicts=merged.conflicts,
        guards=msgspec.json.decode(row.guards),
        next_key=store.next_key(),
    )
    return step, younger.record


def _change(store: Store, config: Config, change: Callable[[Any], None]) -> int:
    settings = msgspec.json.encode(to_plain(config)).decode()
    run = store.begin_run(kind="review", parent=None, format="", sources='{"files":[]}', config=settings)
    with store.changes(run) as changes:
        change(changes)
    return run
