"""A report as one HTML page: self-contained, light and dark, for screen, screen reader and paper.

Rule: no script, no network, no style but the page's own; a content policy in the page forbids all else, so
that whatever a record holds stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any, Final

from membatch.report import Report, charts
from membatch.report.advice import arguments_of
from membatch.report.markup import (
    Html,
    cell,
    figure,
    folded,
    grid,
    joined,
    marked,
    prose,
    section,
    table,
    text,
)
from membatch.report.timeline import Moment, timeline
from membatch.report.words import (
    OUTCOMES,
    PART_WORDS,
    duration,
    name_of,
    next_step,
    outcome,
    percent,
    plural,
    size,
)

_MOST_ROWS: Final = 12  # of a chart


def html_of(report: Report) -> str:
    """Return the report as an HTML page."""
    style = (resources.files("membatch.report") / "page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    parts = [
        section("errors", "Rejected records", *_errors(report)),
        section("matches", "Repeats, merges and held pairs", *_matches(report)),
        section("records", "What the records are like", *_records(report)),
        section("time", "Time and resources", *([] if report.changes is not None else _time(report))),
        section("facts", "About this run", *_facts(report)),
    ]
    shown = [part for part in parts if part]
    title = f"{name_of(report)} · membatch report"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">Skip to the report</a>\n{_header(report)}\n{_contents(shown)}\n'
        f'<main id="main" tabindex="-1">\n{_overview(report) if report.counts.read else ""}\n{joined(shown)}\n</main>\n'
        "<footer><p>Written by membatch. This page holds everything that it shows and loads nothing.</p></footer>\n"
        "</body>\n</html>\n"
    )


def _header(report: Report) -> Html:
    advice = "" if not report.recommendations[1:] else _further(report)
    return Html(
        f'<header class="{text(report.status)}{" faults" if report.counts.rejected else ""}">\n'
        f'<p class="name">membatch · {text(name_of(report))} · {text(_moment(report.started_at))}</p>\n'
        f"<h1>{text(outcome(report))}</h1>\n"
        f'<p class="next"><strong>Next</strong> {prose(next_step(report))}</p>\n{advice}</header>'
    )


def _further(report: Report) -> Html:
    items = "".join(f"<li>{prose(item['text'])}</li>" for item in report.recommendations[1:])
    return Html(f'<ul class="further">{items}</ul>\n')


def _contents(parts: list[Html]) -> Html:
    links = []
    for part in parts:
        name = part.split('"', 2)[1]
        title = part.split("</h2>", 1)[0].rpartition(">")[2]
        links.append(f'<a href="#{name}">{title}</a>')
    return Html(f'<nav aria-label="Contents">{" ".join(links)}</nav>')


def _overview(report: Report) -> Html:
    counts, read = report.counts, report.counts.read
    names = ("valid", "rejected") if report.kind == "validate" else OUTCOMES
    amounts = [(name, int(getattr(counts, name))) for name in names]
    tiles = "".join(
        f'<div class="tile {name}"><dt>{name}</dt><dd>{amount:,}</dd><dd>{percent(amount / read)}</dd></div>'
        for name, amount in amounts
    )
    label = "Outcomes: " + ", ".join(f"{amount:,} {name}" for name, amount in amounts)
    bar = f'<div class="bar">{charts.stacked(amounts, label)}</div>'
    speed = report.timing["records_per_second"]
    facts = [
        ("read", plural(read, "record")),
        ("in", duration(report.timing["seconds"])),
        ("a second", f"{speed:,.0f}" if speed else "–"),
        ("success rate", percent(report.rates["success"])),
        ("peak memory", size(report.resources["peak_rss_bytes"])),
        ("warnings", f"{counts.warnings:,}"),
    ]
    line = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
    return Html(
        f'<section id="overview" aria-label="Overview">\n{bar}\n<dl class="tiles">{tiles}</dl>\n'
        f'<dl class="facts">{line}</dl>\n</section>'
    )


def _errors(report: Report) -> list[Html]:
    errors = report.errors
    if not report.counts.rejected:
        return []
    fields = _most(errors["by_field"])
    codes = _most(errors["by_code"])
    shown = grid(
        figure("Errors by field", charts.rows(fields, _listed("Errors by field", fields))) if fields else Html(""),
        figure("Rejections by code", charts.rows(codes, _listed("Rejections by code", codes))) if codes else Html(""),
    )
    rows = [(cell(prose(item["text"])), item["code"], f"{item['count']:,}") for item in errors["patterns"][:50]]
    run, store = arguments_of(report)
    whole = Html("")
    if report.run_id is not None:
        whole = Html(f"<p>{prose(f'All of them, whole, with every error: `membatch rejects{run}{store}`')}</p>")
    return [
        table("What is wrong, the most frequent first", ("in words", "code", "records"), rows, numbers=1),
        shown,
        folded(f"Samples ({len(errors['samples'])})", *map(_sample, errors["samples"])),
        whole,
    ]


def _sample(sample: dict[str, Any]) -> Html:
    place = f"{sample['source']}, line {sample['line']:,}"
    details = joined(
        [
            Html(f"<li><code>{text(error['pointer'])}</code> {text(error['message'])}. {text(error['advice'])}</li>")
            for error in sample.get("errors", ())
        ]
    )
    raw = f'<pre tabindex="0">{text(sample["raw"])}</pre>' if "raw" in sample else ""
    listed = f"<ul>{details}</ul>" if details else f"<p>{text(sample.get('message', sample['advice']))}</p>"
    return Html(
        f'<article><h3>{text(place)} <span class="code">{text(sample["code"])}</span></h3>{listed}{raw}</article>'
    )


def _matches(report: Report) -> list[Html]:
    found = report.deduplication
    if report.kind == "validate" or not (found["records_saved"] or found["candidates"] or found["by_guard"]):
        return []
    bins = [
        (f"{number / len(found['score_histogram']):.2f}", amount)
        for number, amount in enumerate(found["score_histogram"])
    ]
    first = next((at for at, (_, amount) in enumerate(bins) if amount), 0)
    bins = bins[max(0, min(first, len(bins) - 6)) :]
    scores = Html("")
    if found["candidates"]:
        label = _listed("Scores of the candidates found", [item for item in bins if item[1]])
        scores = figure("Scores of the candidates found", charts.columns(bins, label), "Jaccard index, from … up")
    steps = _most(found["by_step"])
    facts = [
        ("duplicate rate", percent(report.rates["duplicate"])),
        ("merged of merged or held", percent(report.rates["merge_success"])),
        ("pairs compared", f"{found['pairs_compared']:,}"),
        ("candidates", f"{found['candidates']:,}"),
        ("records saved", f"{found['records_saved']:,}"),
        ("bytes saved", size(found["bytes_saved"])),
        ("conflicts recorded", f"{found['conflicts']:,}"),
    ]
    line = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
    guards = [(name, f"{each['different']:,}", f"{each['unsure']:,}") for name, each in found["by_guard"].items()]
    return [
        Html(f'<dl class="facts">{line}</dl>'),
        grid(
            scores,
            figure("Repeats by step", charts.rows(steps, _listed("Repeats by step", steps))) if steps else Html(""),
        ),
        table("Guards: pairs that look alike and are not the same", ("guard", "refused", "held"), guards, numbers=2),
        *[folded(f"Pairs held by {name}", _pairs(pairs)) for name, pairs in found["examples"]["held"].items()],
        *[folded(f"Pairs refused by {name}", _pairs(pairs)) for name, pairs in found["examples"]["refused"].items()],
    ]


def _pairs(pairs: list[dict[str, Any]]) -> Html:
    rows = []
    for pair in pairs:
        older, younger = marked(pair["older"], pair["younger"])
        rows.append((cell(older), cell(younger), f"{pair['score']:.2f}"))
    return table("Words that differ are marked", ("older", "younger", "score"), rows, numbers=1)


def _records(report: Report) -> list[Html]:
    quality, emotions = report.quality, report.emotions
    examined = quality["examined"]
    if not examined:
        return []
    missing = [(name, amount / examined) for name, amount in quality["missing"].items() if amount]
    missing = sorted(missing, key=lambda item: -item[1])
    sure = [(f"{number / 10:.1f}", amount) for number, amount in enumerate(quality["confidence"]["histogram"])]
    lengths, scripts = list(quality["text_length"].items()), _most(quality["scripts"])
    feelings = _most(emotions["primary"])
    mean = quality["confidence"]["mean"]
    share = percent(emotions["with_context"] / examined)
    return [
        Html(f"<p>Looked at: {examined:,} of {text(plural(report.counts.read, 'record'))}.</p>"),
        grid(
            figure(
                "Fields that records lack",
                charts.rows(missing, _listed("Share of records that lack a field", missing, percent), percent),
            )
            if missing
            else Html(""),
            figure(
                "Primary emotion",
                charts.rows(feelings, _listed("Primary emotions", feelings)),
                f"{share} have an emotional context; merges recorded "
                f"{plural(emotions['conflicts'], 'disagreement')} about feelings",
            )
            if feelings
            else Html(""),
            figure("Confidence", charts.columns(sure, _listed("Confidence", sure)), f"mean {mean:.2f}")
            if mean is not None
            else Html(""),
            figure("Characters of a summary", charts.rows(lengths, _listed("Characters of a summary", lengths))),
            figure("Script", charts.rows(scripts, _listed("Scripts", scripts))),
        ),
    ]


def _time(report: Report) -> list[Html]:
    moments, timing = timeline(report.batches), report.timing
    stages = [(name, seconds) for name, seconds in timing["stages"].items() if seconds]
    part = timing["bottleneck"]
    note = f"{percent(timing['bottleneck_share'])} of the work is {PART_WORDS[part]}" if part else ""
    used = report.resources
    facts = [
        ("CPU", f"{duration(used['cpu_seconds'])} ({used['cpu_percent']:.0f}%)"),
        ("peak memory", size(used["peak_rss_bytes"])),
        ("read", size(used["read_bytes"])),
        ("written", size(used["written_bytes"])),
        ("garbage collection", duration(used["gc_seconds"])),
        ("transactions", f"{len(report.batches):,}"),
        ("retries", f"{report.recovery['retries']:,}"),
    ]
    line = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
    changes = [(item["batch"], item["from"], item["to"], item["reason"]) for item in report.batch_size["changes"]]
    return [
        Html(f'<dl class="facts">{line}</dl>'),
        grid(
            *_over_time(moments),
            figure("Time by stage", charts.rows(stages, _listed("Seconds by stage", stages, duration), duration), note)
            if stages
            else Html(""),
        ),
        folded(
            f"Changes of the batch size ({len(changes)})",
            table("Changes", ("before batch", "from", "to", "why"), changes),
        ),
        folded(f"Batches ({len(report.batches):,})", _batches(moments)),
    ]


def _over_time(moments: list[Moment]) -> list[Html]:
    if len(moments) < 2:
        return []
    drawn = (
        ("Records a second", [(each.at, each.speed) for each in moments], charts.short),
        ("Batch size", [(each.at, each.records) for each in moments], charts.short),
        ("Memory held", [(each.at, each.rss_bytes) for each in moments], size),
    )
    figures = []
    for title, points, form in drawn:
        values = [value for _, value in points]
        extent = f"from {form(min(values))} to {form(max(values))}, at last {form(values[-1])}"
        label = f"{title} over {duration(points[-1][0])}: {extent}"
        figures.append(figure(title, charts.line(points, label, lambda at: f"{at:g} s", form)))
    return figures


def _batches(moments: list[Moment]) -> Html:
    rows = [
        (
            each.name,
            f"{each.at:.2f}",
            f"{each.records:,.0f}",
            f"{each.speed:,.0f}",
            size(each.rss_bytes),
            f"{each.rejected:,}",
        )
        for each in moments
    ]
    heads = ("batch", "seconds since the start", "records", "a second", "memory", "rejected")
    return table("Batch by batch", heads, rows, numbers=5)


def _facts(report: Report) -> list[Html]:
    rows = [
        ("status", report.status),
        ("began", _moment(report.started_at)),
        ("ended", _moment(report.finished_at) if report.finished_at else "–"),
        ("store", report.store or "none"),
        *([("read as", ": ".join(filter(None, map(report.format.get, ("name", "reason")))))] if report.format else []),
        *[("source", name) for name in report.sources[:20]],
        *([("source", f"and {len(report.sources) - 20:,} more")] if len(report.sources) > 20 else []),
    ]
    if report.recovery["resumed_from"]:
        rows.append(("resumed from", json.dumps(report.recovery["resumed_from"])))
    settings = "\n".join(map(text, json.dumps(report.config, indent=2, ensure_ascii=False).splitlines()))
    return [
        table("The run", ("what", "value"), rows),
        *_migration(report),
        folded("Settings", Html(f'<pre tabindex="0">{settings}</pre>')),
    ]


def _migration(report: Report) -> list[Html]:
    """Return what records of other shapes or versions were, which of their fields changed, and what was not carried."""
    migration = report.migration
    if migration is None:
        return []
    rows = [
        *[("records from", name, f"{amount:,}") for name, amount in _most(migration["from"])],
        *[("changed", name, f"{amount:,}") for name, amount in _most(migration["changed"])],
        *[("not carried", entry["what"], f"{entry['count']:,}") for entry in migration["lost"][:_MOST_ROWS]],
    ]
    return [table("Migration", ("what", "which", "records"), rows, 1)]


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the most frequent of some counts, and the sum of the rest."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(amount for _, amount in ordered[_MOST_ROWS:])
    return ordered[:_MOST_ROWS] + ([("all others", rest)] if rest else [])


def _listed(title: str, values: list[Any], form: Any = charts.short) -> str:
    return f"{title}: " + ", ".join(f"{name} {form(value)}" for name, value in values)


def _moment(time: str) -> str:
    return f"{time[:19].replace('T', ' ')} UTC"
