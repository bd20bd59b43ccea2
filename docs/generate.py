"""Write the parts of the documentation that come from the code: docs/errors.md, docs/reference.md.

python docs/generate.py          # write
python docs/generate.py --check  # exit 1 if a file is not as it would be written
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from membatch.config import Config, flat_settings
from membatch.errors import CATEGORIES, CODES, FIELD_KINDS
from membatch.formats import BUILT_IN
from membatch.memory import EMOTIONS, json_schema
from membatch.merge import DEFAULT_RULES, RULES

HERE = Path(__file__).parent


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
        "| setting | default |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | `{json.dumps(value)}` |" for name, value in flat_settings(Config()).items()]
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
        "## Formats",
        "",
        "| name | what it is |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {item.describes} |" for name, item in BUILT_IN.items()]
    lines += ["", "## Merge rules", "", "| field | default rule |", "|---|---|"]
    lines += [f"| `{field}` | `{rule}` |" for field, rule in DEFAULT_RULES.items()]
    lines += ["", "| rule | keeps |", "|---|---|"]
    lines += [
        f"| `{name}` | {(rule.__doc__ or '').splitlines()[0].removeprefix('Return ')} |" for name, rule in RULES.items()
    ]
    return "\n".join(lines) + "\n"


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
    for name, text in {"errors.md": errors(), "reference.md": reference()}.items():
        path = HERE / name
        if "--check" in sys.argv:
            stale += not path.exists() or path.read_text("utf-8") != text
        else:
            path.write_text(text, "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
