"""Write the parts of the documentation that come from the code: docs/commands.md, errors.md, formats.md,
reference.md.

python docs/generate.py          # write
python docs/generate.py --check  # exit 1 if a file is not as it would be written
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import click

from membatch.cli.options import common
from membatch.cli.program import SECTIONS
from membatch.config import Config, expected, flat_settings
from membatch.errors import CATEGORIES, CODES, FIELD_KINDS
from membatch.formats import BUILT_IN, Format, emotions
from membatch.layout import Document
from membatch.memory import EMOTIONS, json_schema
from membatch.merge_rules import FITTING, RULES
from membatch.plan import Checkpoint, Position, RawBatch
from membatch.prepare import Prepare

HERE = Path(__file__).parent
MEANINGS = {
    "store": "where the memories are, a URL",
    "format": "what the sources are; without it they are looked at",
    "per": "what a conversation is divided into, a memory each",
    "mapping": "where the fields stand in any JSON or table",
    "redact": "no record content in reports",
    "batch.size": "records a transaction",
    "batch.min": "`auto` does not go below",
    "batch.max": "`auto` does not go above, nor above some 12 MB of input a batch",
    "batch.workers": "processes that prepare batches",
    "batch.isolation": "what a refused row costs: its record, its batch, the run",
    "batch.memory_limit": "what the process may hold, a share like `80%` or a size like `512MB`",
    "dedup.strategy": "how records are known, see [Matching](matching.md)",
    "dedup.threshold": "the Jaccard index from which records match, a decimal from 0 to 1",
    "dedup.scope": "scope fields whose values keep records apart; fixed when a store is made",
    "dedup.against": "whether candidates come from all that is stored, or from this run only",
    "dedup.same_id": "what happens to a record whose id is taken",
    "dedup.guards": "the guards that are asked; `limits` is always",
    "dedup.review_from": "pairs with a score from here to the threshold are held for review",
    "validation.timing": "validate with each batch, in a pass before, or do nothing else",
    "tolerance.max_errors": "the run stops above so many rejections",
    "tolerance.max_error_rate": "the run stops above this share of rejections",
    "tolerance.min_sample": "records before the share counts",
    "tolerance.by_category": "rejections that are borne, by category: `{database = 100}`",
    "source.max_record_bytes": "a longer record is rejected",
    "source.max_depth": "a record that nests deeper is rejected",
    "log.level": "how much is said",
    "log.format": "how progress is written",
}


def errors() -> str:
    """Return docs/errors.md."""
    lines = ["# Error codes", "", "Generated from `membatch/errors.py` by `python docs/generate.py`.", ""]
    lines += ["## Of a field", "", "A field error's code is the field's name, a hyphen and one of these kinds.", ""]
    lines += ["| kind | means | what to do |", "|---|---|---|"]
    lines += [f"| `{kind}` | {meaning} | {advice} |" for kind, (meaning, advice) in FIELD_KINDS.items()]
    for category in CATEGORIES:
        codes = {name: code for name, code in CODES.items() if code.category == category}
        lines += ["", f"## Category `{category}`", "", "| code | means | what to do |", "|---|---|---|"]
        lines += [f"| `{name}` | {code.meaning} | {code.advice} |" for name, code in codes.items()]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """Return docs/reference.md."""
    lines = ["# Reference", "", "Generated from the code by `python docs/generate.py`.", "", "## Settings", ""]
    lines += [
        "In `membatch.toml`, as `MEMBATCH_…` in the environment (upper case, `_` for the dot), or as a flag; "
        "flag over environment over file over default. `membatch config` shows what is in force and why.",
        "",
        "| setting | default | accepts | what it does |",
        "|---|---|---|---|",
    ]
    for name, value in flat_settings(Config()).items():
        lines.append(f"| `{name}` | `{json.dumps(value)}` | {expected(name) or 'text'} | {MEANINGS[name]} |")
    lines += ["", "## The record", "", "camelCase is accepted too; unknown fields are kept under `metadata`.", ""]
    for name, definition in json_schema()["$defs"].items():
        lines += [f"### {name}", "", definition.get("description", ""), "", "| field | type |", "|---|---|"]
        required = definition.get("required", [])
        for field, schema in definition["properties"].items():
            mark = " (required)" if field in required else ""
            lines.append(f"| `{field}`{mark} | {_type_of(schema)} |")
        lines.append("")
    lines += [
        f"`primary` is one of {', '.join(sorted(EMOTIONS))}.",
        "",
        "Formats have [a page of their own](formats.md).",
    ]
    lines += ["", "## Merge rules", "", "| field | default rule | others that fit |", "|---|---|---|"]
    for field, (default, *others) in FITTING.items():
        fitting = ", ".join(f"`{rule}`" for rule in others if rule != default)
        lines.append(f"| `{field}` | `{default}` | {fitting} |")
    lines += ["", "| rule | keeps |", "|---|---|"]
    lines += [
        f"| `{name}` | {(rule.__doc__ or '').splitlines()[0].removeprefix('Return ')} |" for name, rule in RULES.items()
    ]
    return "\n".join(lines) + "\n"


def formats() -> str:
    """Return docs/formats.md: what stands in formats-intro.md, then each format from its declaration."""
    lines = [(HERE / "formats-intro.md").read_text("utf-8").rstrip(), "", "## The formats", ""]
    lines += ["| name | what it is |", "|---|---|"]
    lines += [f"| [`{name}`](#{name}) | {item.describes} |" for name, item in BUILT_IN.items()]
    for item in BUILT_IN.values():
        lines += ["", *_format(item)]
    warns = {code: when for item in BUILT_IN.values() for code, when in item.warns.items()}
    lines += ["", "## Warnings", "", "Counted with the other warnings of a run.", "", "| code | when |", "|---|---|"]
    lines += [f"| `{code}` | {when} |" for code, when in sorted(warns.items())]
    lines += [
        "",
        "## Emotions",
        "",
        "A word of any vocabulary becomes one of the canonical emotions by this table; with ? it means more.",
        "",
    ]
    lines += ["| emotion | words |", "|---|---|"]
    for name in sorted(EMOTIONS):
        words = [word for word, meant in emotions.SURE.items() if meant == name]
        unsure = [f"{word}?" for word, meant in emotions.AMBIGUOUS_WORDS.items() if meant == name]
        lines.append(f"| {name} | {', '.join(words + unsure)} |")
    return "\n".join(lines) + "\n"


def _format(item: Format) -> list[str]:
    lines = [f"### {item.name}", "", item.describes[0].upper() + item.describes[1:] + ".", ""]
    members = ", ".join(f"`{pointer}`" for pointer in item.layout.members)
    facts = {
        "items stand in": f"{members} of an object, else a list, lines, rows" if members else "",
        "files": ", ".join(f"`{name}`" for name in (*item.layout.names, *item.layout.suffixes)),
        "per": ", ".join(item.per),
        "confidence": item.scale,
        "the rest goes to": item.rest,
        "warns": ", ".join(f"`{code}`" for code in item.warns),
    }
    lines += [f"- {name}: {text}" for name, text in facts.items() if text]
    if item.maps:
        lines += ["", "| there | here |", "|---|---|", *(f"| {there} | {here} |" for there, here in item.maps.items())]
    if item.example is not None:
        settings = f" under `[mapping]` settings `{json.dumps(item.example_mapping)}`" if item.example_mapping else ""
        lines += ["", f"For example{settings}", "", "```", _shown(item.example), "```", "", "becomes", "", "```json"]
        lines += [_shown(record) for record in _examples(item)]
        lines += ["```"]
    return lines


def _shown(value: object) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)


def _examples(item: Format) -> list[object]:
    """Return the records that the example of a format becomes."""
    prepare = Prepare(Config(mapping=dict(item.example_mapping)), item.name)
    raw = RawBatch(
        items=[json.dumps(item.example).encode()],
        positions=[Position(0, 1, 0)],
        rejected={},
        skip=0,
        after=Checkpoint(),
        documents={0: Document(name="example")},
        flat=item.is_native,
    )
    batch = prepare(raw)
    if batch.rejections:
        raise SystemExit(f"the example of {item.name} is rejected: {batch.rejections[0].message}")
    return [json.loads(record) for record in batch.records]


def commands() -> str:
    """Return docs/commands.md."""
    shared = {name for option in common(click.Command("any")).params for name in option.opts}
    lines = ["# Commands", "", "Generated from the command line by `python docs/generate.py`.", ""]
    lines += ["Every command takes these; the exit codes are 0 done, 1 done with rejections, 2 wrong usage or setting,"]
    lines += ["3 stopped by the tolerance, 4 source or store unavailable, 130 interrupted.", ""]
    lines += _options(common(click.Command("any")).params[::-1], set())
    for title, members in SECTIONS.items():
        lines += [f"## {title}"]
        for command in members:
            lines += ["", f"### membatch {command.name}", "", inspect.cleandoc(command.help or "")]
            usage = ["membatch", str(command.name), *command.collect_usage_pieces(click.Context(command))]
            lines += ["", "```text", " ".join(usage), "```"]
            lines += ["", *_options(command.params, shared)]
            examples = [line.strip() for line in (command.epilog or "").splitlines()[2:]]
            lines += ["```sh", *examples, "```"]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _options(params: list[click.Parameter], left_out: set[str]) -> list[str]:
    options = [param for param in params if isinstance(param, click.Option) and not left_out & set(param.opts)]
    if not options:
        return []
    lines = ["| option | what it does |", "|---|---|"]
    for option in options:
        value = "" if option.is_flag else " " + (option.metavar or option.type.name.upper()).replace("|", "\\|")
        lines.append(f"| `{option.opts[0]}{value}` | {(option.help or '').replace('|', chr(92) + '|')} |")
    return [*lines, ""]


def _type_of(schema: dict[str, object]) -> str:
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        return " or ".join(_type_of(choice) for choice in choices if choice != {"type": "null"})
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    text = str(schema.get("type", "anything"))
    items = schema.get("items")
    if isinstance(items, dict):
        text += " of " + _type_of(items)
    if schema.get("format"):
        text += " (RFC 3339 time)"
    if "minimum" in schema:
        text += f" from {schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        text += f", {schema.get('minLength', 0)} to {schema['maxLength']:,} characters"
    if "maxItems" in schema:
        text += f", at most {schema['maxItems']}"
    return text


def main() -> int:
    """Write or check the files; return the exit code."""
    stale = 0
    pages = {"commands.md": commands(), "errors.md": errors(), "formats.md": formats(), "reference.md": reference()}
    for name, text in pages.items():
        path = HERE / name
        if "--check" in sys.argv:
            stale += not path.exists() or path.read_text("utf-8") != text
        else:
            path.write_text(text, "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
