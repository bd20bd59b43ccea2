"""Commands that look at a store: runs, report, rejects, history, explain, check, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from membatch.cli.commands import examples
from membatch.cli.options import (
    answer,
    check_report_file,
    common,
    matching,
    say,
    settings_of,
    show_json,
    show_lines,
    write_report,
)


@click.command(epilog=examples("membatch runs", "membatch runs --json"))
@common
def runs(**flags: Any) -> int:
    """List all runs of the store with their rates.

    Each run's rates stand above those of all earlier runs together.
    """
    from membatch.runs.accounts import list_runs

    resolved, as_json, _ = settings_of(flags)
    rows = list_runs(resolved.config.store)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return 0
    show_lines(_table_of(rows))
    return 0


_HEADS = {
    **dict.fromkeys(("kind", "status", "started"), "left"),
    **dict.fromkeys(("read", "inserted", "duplicates", "merged", "held", "rejected"), "right"),
    **dict.fromkeys(("success", "repeats", "a second"), "right"),
}
# Of a terminal that is too narrow these are left out, one after the other until the rest fits.
_LESS_NEEDED = ("started", "duplicates", "merged", "held", "a second", "repeats", "success")


def _table_of(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of the table of runs; a narrow terminal gets fewer columns rather than cut figures."""
    from rich.console import Console

    terminal, left_out = Console(), 0
    lines = _drawn(rows, list(_HEADS))
    while terminal.is_terminal and max(map(len, lines)) > terminal.width and left_out < len(_LESS_NEEDED):
        left_out += 1
        lines = _drawn(rows, [name for name in _HEADS if name not in _LESS_NEEDED[:left_out]])
    if len(rows) > 1 and left_out < len(_LESS_NEEDED):
        lines.append("below each rate: that of all earlier runs of this store together")
    if left_out:
        lines.append(f"a wider terminal also shows {', '.join(_LESS_NEEDED[:left_out])}; --json has all")
    return lines


def _drawn(rows: list[dict[str, Any]], names: list[str]) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("run", justify="right", no_wrap=True)
    for name in names:
        table.add_column(name, justify="left" if _HEADS[name] == "left" else "right", no_wrap=True)
    for row in rows:
        success, repeats, speed = _beside_earlier(row)
        cells = {
            **row,
            **{name: f"{count:,}" for name, count in row["counts"].items()},
            "started": row["started_at"][:16].replace("T", " "),
            "success": success,
            "repeats": repeats,
            "a second": speed,
        }
        table.add_row(str(row["run_id"]), *[cells[name] for name in names])
    console = Console(width=1_000, color_system=None)  # as wide as it is: a figure that is cut tells nothing
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


def _beside_earlier(row: dict[str, Any]) -> list[str]:
    """Return a run's rates, each above that of the earlier runs."""

    def beside(mine: float | None, other: float | None, form: str) -> str:
        shown = "–" if mine is None else format(mine, form)
        return shown if other is None else f"{shown}\n{other:{form}}"

    mine, earlier = row["rates"], row["earlier"]
    pairs = [(mine[name], earlier[name] if earlier else None, ".1%") for name in ("success", "duplicate")]
    speeds = (row["records_per_second"], earlier["records_per_second"] if earlier else None, ",.0f")
    return [beside(*each) for each in (*pairs, speeds)]


@click.command(epilog=examples("membatch report", "membatch report 3 --output report.html"))
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option("--output", type=click.Path(), metavar="FILE", help="Write the report to a file .html or .json.")
@click.option("--redact", is_flag=True, default=None, help="No record content in the report.")
@common
def report(run_id: int | None, output: str | None, **flags: Any) -> int:
    """Show the report of a run.

    Without RUN, of the latest that read records and is not undone; where there is none, of the latest.
    """
    from membatch.runs.accounts import report as report_of_run

    resolved, as_json, quiet = settings_of(flags)
    check_report_file(output, resolved.config)
    found = report_of_run(run_id, store=resolved.config.store, redact=resolved.config.redact)
    if output is not None:
        write_report(found, output)
    if output is not None or as_json:
        return answer(f"wrote {output}", found.to_json(), as_json, quiet)
    from membatch.report.text import text_of

    click.echo(text_of(found))
    return 0


@click.command(epilog=examples("membatch rejects", "membatch rejects 3 --output rejects.jsonl"))
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option("--output", type=click.Path(), metavar="FILE.jsonl", help="Write the rejects here.")
@common
def rejects(run_id: int | None, output: str | None, **flags: Any) -> int:
    """Print the rejected records of a run and why, as JSON lines.

    Without RUN, those of the latest run that read records and is not undone. Each line holds the raw
    record, its place, all field errors, advice.
    """
    from membatch.report.words import plural
    from membatch.runs.accounts import list_rejects, run_of_rejects, sources_of_runs

    resolved, as_json, quiet = settings_of(flags)
    store = resolved.config.store
    run = run_of_rejects(run_id, store)
    lines = list_rejects(run, store)
    if output is None:
        for line in lines:
            show_json(line)
        if run_id is None:
            say(f"these are the rejects of run {run}", quiet or as_json)
        return 0
    from membatch.export import placed
    from membatch.runs.outputs import check_output

    check_output(output, sources_of_runs(store), store)
    with placed(Path(output)) as stream:
        count = sum(1 for line in lines if stream.write(line.encode() + b"\n"))
    sentence = f"wrote {plural(count, 'reject')} of run {run} to {output}"
    return answer(sentence, json.dumps({"wrote": output, "run": run, "rejects": count}), as_json, quiet)


@click.command(epilog=examples("membatch history 7c9e6679-7425-40de-944b-e07fc1f90ae7"))
@click.argument("memory_id", metavar="MEMORY_ID")
@common
def history(memory_id: str, **flags: Any) -> int:
    """Show the past of a memory.

    Its founder, what it absorbed and why, where each field came from. MEMORY_ID may also be the id of a
    record that it absorbed.
    """
    from membatch.cli.past import told
    from membatch.lineage import history as history_of

    resolved, as_json, _ = settings_of(flags)
    found = history_of(memory_id, store=resolved.config.store)
    if as_json:
        show_json(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    show_lines(told(found))
    return 0


@click.command(epilog=examples("""membatch explain '{"summary": "Tom met Anna"}' '{"summary": "Anna met Tom"}'"""))
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@matching
@common
def explain(first: str, second: str, **flags: Any) -> int:
    """Say what would become of record B beside memory A, and why.

    Each is the id of a memory or a record as JSON.
    """
    from membatch.judgement import explain as explain_pair
    from membatch.report.words import printable

    resolved, as_json, _ = settings_of(flags)
    found = explain_pair(first, second, config=resolved.config)
    if as_json:
        show_json(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for name in ("same_match_scope", "digest", "id", "content_hash"):
        click.echo(f"{name.replace('_', ' '):<17}{'yes' if found[name] else 'no'}")
    review = "" if found["review_from"] is None else f", review from {found['review_from']}"
    click.echo(f"{'score':<17}{found['score']} (threshold {found['threshold']}{review})")
    for name, words in found["tokens"].items():
        click.echo(f"{name.replace('_', ' '):<17}{printable(' '.join(words))}")
    for name, verdict in found["guards"].items():
        click.echo(f"{'guard ' + name:<22}{verdict}")
    click.echo(f"outcome: {found['outcome']}, because {printable(found['reason'])}")
    return 0


_ONE = {"batches": "batch", "memories": "memory", "merges": "merge"}  # of what a check counts


@click.command(epilog=examples("membatch check && echo all is well"))
@common
def check(**flags: Any) -> int:
    """Verify the whole store.

    Damage, the accounts of all runs, lineage, fingerprints; the exit code is 0 only if all holds.
    """
    import msgspec

    from membatch.check import check as check_store
    from membatch.report.words import plural, printable

    resolved, as_json, quiet = settings_of(flags)
    found = check_store(resolved.config.store)
    if as_json:
        show_json(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))
        return 0 if found.is_whole else 1
    for fault in found.faults:
        click.echo(f"{fault.rule}: {printable(fault.where)}: {printable(fault.message)}")
    looked_at = ", ".join(plural(count, _ONE[name], name) for name, count in found.looked_at.items())
    more = f", the first {len(found.faults):,} shown" if found.count > len(found.faults) else ""
    say(
        f"looked at {looked_at or 'nothing'}: "
        + (f"{plural(found.count, 'fault')}{more}" if found.count else "all holds"),
        quiet,
    )
    return 0 if found.is_whole else 1


@click.command(
    epilog=examples(
        "membatch export --output memories.parquet", "membatch export --format pam --user anna --output anna.json"
    )
)
@click.option(
    "--output", type=click.Path(), metavar="FILE", help="A .jsonl, .json, .csv or .parquet file [standard output]."
)
@click.option(
    "--format",
    "shape",
    metavar="NAME",
    type=click.Choice(["membatch", "pam"]),
    default="membatch",
    help="As membatch or pam [membatch].",
)
@click.option("--user", metavar="ID", help="With --format pam: of this user only ('' for those of nobody).")
@common
def export(output: str | None, shape: str, user: str | None, **flags: Any) -> int:
    """Write all memories, the oldest first, to load elsewhere."""
    from membatch.export import export as export_rows
    from membatch.report.words import plural
    from membatch.runs.accounts import open_once
    from membatch.runs.outputs import check_output

    resolved, as_json, quiet = settings_of(flags)
    if output is not None:
        check_output(output, store=resolved.config.store)
    if user is not None and shape != "pam":
        raise click.UsageError("--user goes with --format pam")
    with open_once(resolved.config.store) as store:
        count = _export_pam(store, output, user) if shape == "pam" else export_rows(store.export(), output)
    if output is None:
        return 0
    sentence = f"wrote {plural(count, 'memory', 'memories')} to {output}"
    return answer(sentence, json.dumps({"wrote": output, "memories": count}), as_json, quiet)


def _export_pam(store: Any, output: str | None, user: str | None) -> int:
    from membatch.errors import ConfigError
    from membatch.export import export_pam, owners

    found = owners(store.export())
    names = ", ".join("nobody (--user '')" if name is None else name for name in found[:5])
    if user is not None:
        if (user or None) not in found:
            whom = f"user {user!r} has no memory" if user else "every memory has a user"
            raise ConfigError(f"{whom}: there are those of {names}" if found else f"{whom}: the store has none")
        return export_pam(store.export(), output, user or None, only=True)
    if len(found) > 1:
        raise ConfigError(f"Portable AI Memory holds one person's memories, here are those of {names}: say --user ID")
    return export_pam(store.export(), output, found[0] if found else None)
