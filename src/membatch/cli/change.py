"""Commands that change what is stored: undo, unmerge, review, forget."""

from __future__ import annotations

import json
from typing import Any

import click

from membatch.cli.commands import examples
from membatch.cli.options import answer, common, settings_of, show_json, show_lines, waiting


@click.command(epilog=examples("membatch undo 3", "membatch undo 3 --cascade"))
@click.argument("run_id", metavar="RUN", type=int)
@click.option("--cascade", is_flag=True, help="Take out later runs that name its memories too.")
@waiting
@common
def undo(run_id: int, cascade: bool, wait: bool, **flags: Any) -> int:
    """Take RUN out again: memories are as they were before it."""
    from membatch.reversal import undo as undo_run

    resolved, as_json, quiet = settings_of(flags)
    report = undo_run(run_id, store=resolved.config.store, cascade=cascade, wait=wait)
    return answer(f"run {run_id} is undone, as run {report.run_id}", report.to_json(), as_json, quiet)


@click.command(epilog=examples("membatch unmerge 12", "membatch unmerge 12 --cascade"))
@click.argument("merge_id", metavar="MERGE_ID", type=int)
@click.option("--cascade", is_flag=True, help="Take out whole later runs that name the memory too.")
@waiting
@common
def unmerge(merge_id: int, cascade: bool, wait: bool, **flags: Any) -> int:
    """Take one merge back: what it absorbed is a memory again.

    `membatch history` shows the numbers of merges.
    """
    from membatch.reversal import unmerge as unmerge_one

    settings, as_json, quiet = settings_of(flags)
    report = unmerge_one(merge_id, store=settings.config.store, cascade=cascade, wait=wait)
    return answer(f"merge {merge_id} is taken back, as run {report.run_id}", report.to_json(), as_json, quiet)


@click.command(
    epilog=examples(
        "membatch review             # list the pairs",
        "membatch review --accept 7  # they are one memory",
        "membatch review --accept-all --guard negation --min-score 0.95",
    )
)
@click.option(
    "--accept", "accepted", type=int, metavar="ID", help="Merge the younger memory of the pair into the older."
)
@click.option("--reject", "rejected", type=int, metavar="ID", help="Keep the two memories apart for good.")
@click.option("--accept-all", is_flag=True, help="Accept every pair that only --guard was unsure of.")
@click.option("--guard", metavar="NAME", help="With --accept-all: the guard.")
@click.option("--min-score", metavar="S", help="With --accept-all: the least score [0.8].")
@waiting
@common
def review(
    accepted: int | None,
    rejected: int | None,
    accept_all: bool,
    guard: str | None,
    min_score: str | None,
    wait: bool,
    **flags: Any,
) -> int:
    """List the pairs that a guard was unsure of, or decide them."""
    from membatch import review as reviews
    from membatch.config import DEFAULT_GUARDS, ratio
    from membatch.report.words import plural
    from membatch.runs.accounts import report as report_of_run

    resolved, as_json, quiet = settings_of(flags)
    config = resolved.config
    if sum((accepted is not None, rejected is not None, accept_all)) > 1 or accept_all != (guard is not None):
        raise click.UsageError("use one of --accept ID, --reject ID, or --accept-all with --guard NAME")
    if min_score is not None and not accept_all:
        raise click.UsageError("--min-score goes with --accept-all and --guard NAME")
    if accepted is not None:
        number = reviews.accept(accepted, config=config, wait=wait)
        done = f"the pair {accepted} is one memory now"
    elif rejected is not None:
        number = reviews.reject(rejected, config=config, wait=wait)
        done = f"the pair {rejected} stays apart"
    elif guard is not None:
        from membatch.rules import rules_of

        min_score = min_score or "0.8"
        ratio(min_score, "--min-score")
        known = sorted({*DEFAULT_GUARDS, *rules_of(config).guards})
        if guard not in known:
            raise click.UsageError(f"unknown guard {guard!r}: known are {', '.join(known)}")
        found, count = reviews.accept_all(guard, min_score, config=config, wait=wait)
        if found is None:
            fits = f"has a score of {min_score} or more and could be merged"
            return answer(f"no open pair that only {guard!r} was unsure of {fits}", "null", as_json, quiet)
        number, done = found, f"accepted {plural(count, 'pair')}"
    else:
        _show_pairs(reviews.open_pairs(config.store), as_json)
        return 0
    report = report_of_run(number, store=config.store)
    sentence = f"{done} (run {number}; `membatch undo {number}` takes it back)"
    return answer(sentence, report.to_json(), as_json, quiet)


@click.command(epilog=examples("membatch forget 7c9e6679-7425-40de-944b-e07fc1f90ae7"))
@click.argument("memory_id", metavar="MEMORY_ID")
@waiting
@common
def forget(memory_id: str, wait: bool, **flags: Any) -> int:
    """Remove a memory and every trace of it, for good.

    It cannot be undone. What it absorbed, its pairs, and rejects that say the same go too; only counts stay. Reports
    and exports written before are not touched. A later import of the same record brings it back.
    """
    from membatch.forget import forget as forget_memory

    resolved, as_json, quiet = settings_of(flags)
    found = forget_memory(memory_id, store=resolved.config.store, wait=wait)
    rows = ", ".join(f"{table} {count:,}" for table, count in sorted(found.removed.items()))
    sentence = f"forgotten, as run {found.run}; rows removed: {rows}"
    return answer(sentence, json.dumps(found._asdict()), as_json, quiet)


def _show_pairs(pairs: list[dict[str, Any]], as_json: bool) -> None:
    from membatch.report.text import marked

    if as_json:
        show_json(json.dumps(pairs, indent=2, ensure_ascii=False))
        return
    for pair in pairs:
        older, younger = marked(pair["older"]["summary"], pair["younger"]["summary"])
        head = f"{pair['review']}  score {pair['score']}, unsure: {', '.join(pair['guards'])}"
        show_lines([head, f"   older    {older}", f"   younger  {younger}"])
    if not pairs:
        click.echo("no pair waits for a decision", err=True)
