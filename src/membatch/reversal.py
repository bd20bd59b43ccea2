"""Taking back: a whole run, or one merge.

Rule: what cannot be taken back without leaving something that points at nothing is refused, with the list of
what points there; `cascade` takes whole later runs out too, the newest first, all in one transaction.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from membatch import fingerprint
from membatch.config import Config, hide_password, to_plain
from membatch.errors import ConfigError
from membatch.report import Report
from membatch.runs.accounts import report_from
from membatch.store import Blocker, OneMerge, RunRow, Store, open_store

# Runs of these kinds cannot be taken back; an unmerge goes with the run whose merge it took back.
FINAL_KINDS: Final = ("undo", "forget", "unmerge")
_ABSENT_KINDS: Final = ("undo", "forget")


def undo(run: int, *, store: str | None = None, cascade: bool = False, wait: bool = False) -> Report:
    """Take a run out again: memory data is as it was before it; return the report of the undo.

    Raises ConfigError where a later run names a memory of this one, unless `cascade`, which takes those later
    runs out too.
    """
    config = msgspec.structs.replace(Config(), store=store or Config().store)
    with _opened(config, wait) as opened:
        rows = {row.run: row for row in opened.runs()}
        row = rows.get(run)
        if row is None:
            raise ConfigError(f"there is no run {run} in {hide_password(config.store)}: see `membatch runs`")
        if row.status == "undone" or row.kind in FINAL_KINDS:
            what = "was undone already" if row.status == "undone" else f"is of kind {row.kind}, which cannot be undone"
            raise ConfigError(f"run {run} {what}: load the source again if you want its memories back")
        chosen, found = _with_followers(opened, rows, [run])
        if found and not cascade:
            others = ", ".join(f"run {other}" for other in reversed(chosen) if other != run)
            raise ConfigError(
                f"run {run} cannot be undone alone, later runs name its memories ({_listed(found)}): "
                f"use --cascade to undo {others} too"
            )
        number = _begin(opened, config, "undo", run)
        with opened.changes(number) as changes:
            changes.undo(chosen)
        return report_from(opened, number, config)


def unmerge(merge: int, *, store: str | None = None, cascade: bool = False, wait: bool = False) -> Report:
    """Take one merge back; return the report of the run that did.

    The absorbed record is a memory again, the youngest; a memory that an accepted review merged is again what it
    was. Where the id is taken, also by a memory that a review merged away since, it gets one from its digest.
    `merge` is the number that `history` shows.
    Raises ConfigError where something later names the memory; `cascade` takes whole later runs out, but what
    came later in the same run only an undo of that run can take out.
    """
    config = msgspec.structs.replace(Config(), store=store or Config().store)
    with _opened(config, wait) as opened:
        row = opened.merge(merge)
        if row is None:
            raise ConfigError(f"there is no merge {merge} in {hide_password(config.store)}: see `membatch history ID`")
        if row.unmerged_in is not None:
            raise ConfigError(f"merge {merge} was taken back already, by run {row.unmerged_in}")
        chosen = _in_the_way(opened, row, merge, cascade)
        number = _begin(opened, config, "unmerge", row.run)
        with opened.changes(number) as changes:
            changes.undo(chosen)
            identity = _free_id(opened, row, merge)
            id_hash = int.from_bytes(fingerprint.id_hash(row.scope, identity), sys.byteorder, signed=True)
            changes.unmerge(merge, identity, id_hash)
        return report_from(opened, number, config)


@contextlib.contextmanager
def _opened(config: Config, wait: bool) -> Iterator[Store]:
    opened = open_store(config.store, None, wait=wait)
    try:
        yield opened
    finally:
        opened.close()


def _begin(opened: Store, config: Config, kind: str, parent: int) -> int:
    settings = msgspec.json.encode(to_plain(config)).decode()
    return opened.begin_run(kind=kind, parent=parent, format="", sources='{"files":[]}', config=settings)


def _in_the_way(opened: Store, row: OneMerge, merge: int, cascade: bool) -> list[int]:
    """Return the runs to take out before a merge can be taken back, the newest first; raises ConfigError."""
    blockers = opened.after_merge(merge)
    if not blockers:
        return []
    if any(blocker.run == row.run for blocker in blockers):
        raise ConfigError(
            f"merge {merge} cannot be taken back alone, something later in its own run names the memory "
            f"({_listed(blockers)}): take those back first, or use `membatch undo {row.run}`"
        )
    if not cascade:
        raise ConfigError(
            f"merge {merge} cannot be taken back alone, something later names the memory ({_listed(blockers)}): "
            "take those back first, or use --cascade to undo these runs whole"
        )
    rows = {one.run: one for one in opened.runs()}
    chosen = _with_followers(opened, rows, sorted({blocker.run for blocker in blockers}))[0]
    if row.run in chosen:
        raise ConfigError(
            f"merge {merge} cannot be taken back alone, what later names the memory ({_listed(blockers)}) cannot be "
            f"taken out without its own run: use `membatch undo {row.run} --cascade`"
        )
    return chosen


def _with_followers(opened: Store, rows: dict[int, RunRow], runs: list[int]) -> tuple[list[int], list[Blocker]]:
    """Return runs with all that name their memories later, those with the highest numbers first, and what these did.

    A run that was resumed may name the memories of one with a higher number. Of a run that is found no more is asked:
    each decision of a review is a run.
    """
    there = [run for run in sorted(rows) if rows[run].status != "undone" and rows[run].kind not in _ABSENT_KINDS]
    chosen, known = list(runs), set(runs)
    found: list[Blocker] = []
    for one in chosen:  # it grows
        blockers = opened.blockers(one, [other for other in there if other not in known])
        found.extend(blockers)
        new = {blocker.run for blocker in blockers}
        chosen.extend(sorted(new))
        known |= new
    return sorted(chosen, reverse=True), found


def _listed(found: Iterable[Blocker]) -> str:
    found = list(dict.fromkeys(found))
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return "; ".join(f"run {item.run}: {item.what} {item.id}" for item in found[:10]) + more


def _free_id(opened: Store, row: OneMerge, merge: int) -> str:
    """Return the id of what a merge absorbed, or where that is taken one from its digest, or one made of that."""
    if row.digest is None:
        raise ConfigError(f"nothing is known of what merge {merge} absorbed: run `membatch check`")
    identity, another = row.id, fingerprint.id_from_digest(row.scope, row.digest)
    while opened.is_taken(identity, row.scope, merge):
        identity, another = another, fingerprint.uuid5(row.scope, "taken", another)
    return identity
