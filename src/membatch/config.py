"""Every setting with its default and bounds, and where each value came from.

Rule: plain frozen data, resolved once per run; flag over environment over file over default; an unknown
key is an error that suggests the nearest name.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from membatch.errors import CATEGORIES, ConfigError
from membatch.layout import Per
from membatch.memory import SCOPE_FIELDS

DEFAULT_STORE: Final = "sqlite:///memories.db"
CONFIG_FILE: Final = "membatch.toml"
ENVIRONMENT_PREFIX: Final = "MEMBATCH_"
_SECRET: Final = re.compile(r"([?&](?:password|passwd|pwd|sslpassword|token|secret)=)[^&#\s'\"]+", re.IGNORECASE)

Strategy = Literal["memory-only", "exact", "similar"]
Isolation = Literal["record", "batch", "run"]
Timing = Literal["inline", "before", "only"]

DEFAULT_GUARDS: Final = (
    "subject",
    "participants",
    "when",
    "numbers",
    "names",
    "symbols",
    "substitution",
    "order",
    "negation",
    "valence",
    "limits",
)


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How records are grouped into transactions."""

    size: Annotated[int, Meta(ge=1, le=1_000_000)] | Literal["auto"] = "auto"
    min: Annotated[int, Meta(ge=1)] = 100
    max: Annotated[int, Meta(ge=1, le=1_000_000)] = 50_000
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    isolation: Isolation = "record"
    memory_limit: str = "80%"


class DedupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes two memories the same."""

    strategy: Strategy = "similar"
    threshold: str = "0.8"
    scope: tuple[str, ...] = ("user_id", "namespace")
    against: Literal["store", "run"] = "store"
    same_id: Literal["newer", "update", "reject"] = "newer"
    guards: tuple[str, ...] = DEFAULT_GUARDS
    review_from: str | None = None


class ValidationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When validation happens: with each batch, in a pass before, or alone."""

    timing: Timing = "inline"


class ToleranceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many rejections a run bears before it stops."""

    max_errors: Annotated[int, Meta(ge=0)] | None = None
    max_error_rate: Annotated[float, Meta(ge=0, le=1)] | None = 0.5
    min_sample: Annotated[int, Meta(ge=1)] = 1000
    by_category: dict[str, Annotated[int, Meta(ge=0)]] = {}


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on what is read."""

    max_record_bytes: Annotated[int, Meta(ge=1_000, le=1_000_000_000)] = 16 * 1024 * 1024
    max_depth: Annotated[int, Meta(ge=8, le=500)] = 100


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the command talks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a run; build one with `Config.load` or by keyword, then `check` it."""

    store: str = DEFAULT_STORE
    format: str | None = None
    per: Per | None = None
    redact: bool = False
    batch: BatchSettings = BatchSettings()
    dedup: DedupSettings = DedupSettings()
    merge: dict[str, str] = {}
    mapping: dict[str, Any] = {}
    validation: ValidationSettings = ValidationSettings()
    tolerance: ToleranceSettings = ToleranceSettings()
    source: SourceSettings = SourceSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        **flags: Any,
    ) -> Config:
        """Return the effective settings: `flags` over environment over file over default.

        `path` names a TOML file; without it `membatch.toml` in the current folder is read if it is there.
        A flag is given by its dotted name with `__` for the dot: `batch__size=500`; None means not given.
        Raises ConfigError for unknown keys, values of the wrong kind, or an unreadable file.
        """
        return resolve(path, os.environ if environment is None else environment, flags).config

    def check(self) -> Config:
        """Return self if the settings fit together, else raise ConfigError."""
        if self.batch.min > self.batch.max:
            raise ConfigError(f"batch.min = {self.batch.min} is above batch.max = {self.batch.max}: exchange them")
        threshold = ratio(self.dedup.threshold, "dedup.threshold")
        if threshold <= 0:
            raise ConfigError("dedup.threshold must be above 0: at 0 everything would be the same")
        if self.dedup.review_from is not None:
            review_from = ratio(self.dedup.review_from, "dedup.review_from")
            if not 0 < review_from <= threshold:
                raise ConfigError(
                    f"dedup.review_from = {self.dedup.review_from} must lie above 0 and not above "
                    f"dedup.threshold = {self.dedup.threshold}"
                )
        if not self.dedup.scope:
            raise ConfigError("dedup.scope is empty: name at least one of " + ", ".join(SCOPE_FIELDS))
        for name in self.dedup.scope:
            if name not in SCOPE_FIELDS:
                raise ConfigError(f"dedup.scope names {name!r}" + suggest(name, SCOPE_FIELDS))
        for name in self.tolerance.by_category:
            if name not in CATEGORIES:
                raise ConfigError(f"tolerance.by_category names {name!r}" + suggest(name, CATEGORIES))
        memory_bytes(self.batch.memory_limit, 1 << 40)
        return self

    def to_toml(self) -> str:
        """Return the settings as TOML text that `load` reads back to equal settings."""
        import tomli_w

        return tomli_w.dumps(_without_none(to_plain(self)))


class Resolved(NamedTuple):
    """Settings and, for each dotted name, where its value came from, and how an error names the place."""

    config: Config
    origin: dict[str, str]
    typed: dict[str, str]


def resolve(
    path: str | os.PathLike[str] | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any],
    spelled: Mapping[str, str] = {},
) -> Resolved:
    """Return the effective settings and the origin of each; see `Config.load` for the order and the errors.

    `spelled` gives flags by the dotted names of their settings as they are typed, for errors.
    """
    values = _flatten(to_plain(Config()))
    origin = dict.fromkeys(values, "default")
    layers = [
        (f"file {Path(path or CONFIG_FILE)}", _from_file(path)),
        ("environment", _from_environment(environment)),
        ("flag", {name.replace("__", "."): value for name, value in flags.items() if value is not None}),
    ]
    for source, layer in layers:
        for name, value in layer.items():
            known = (
                name in values
                or name.split(".")[0] in ("merge", "mapping")
                or name.startswith("tolerance.by_category.")
            )
            if not known:
                if any(full.startswith(f"{name}.") for full in values):
                    raise ConfigError(f"{source}: {name} = {value!r} is not acceptable: write a table [{name}]")
                raise ConfigError(f"{source}: unknown setting {name!r}" + suggest(name, values))
            values[name] = value
            origin[name] = source
    typed = {name: _typed(name, found, spelled) for name, found in origin.items()}
    try:
        config = msgspec.convert(_nest(values), Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(str(error), values, typed)) from None
    try:
        return Resolved(config.check(), origin, typed)
    except ConfigError as error:
        name = re.split(r"[ :]", str(error), maxsplit=1)[0]
        places = [place for full, place in typed.items() if full == name or full.startswith(f"{name}.")]
        where = next((place for place in places if place != "default"), "default")
        raise ConfigError(str(error) if where == "default" else f"{where}: {error}") from None


def _typed(name: str, origin: str, spelled: Mapping[str, str]) -> str:
    """Return how an error names the place where a setting was given."""
    if origin == "environment":
        return f"environment: {_variable(name)}"
    return spelled.get(name, origin) if origin == "flag" else origin


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper().replace(".", "_")


def _explained(message: str, values: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """Return what is wrong with a setting, given msgspec's message, and what would be right."""
    fault, _, place = message.partition(" - at `$.")
    name = place.rstrip("`").split("[")[0]
    if name == "merge":
        return 'merge holds something else than names of rules: write each like summary = "longest"'
    if name not in values:
        return f"a setting is not acceptable: {message}"
    wanted = expected(name)
    return f"{origin[name]}: {name} = {values[name]!r} is not acceptable: " + (f"write {wanted}" if wanted else fault)


def expected(name: str) -> str:
    """Return in words what a setting accepts, from its type; empty where that says too little."""
    (schema,), definitions = msgspec.json.schema_components([Config], ref_template="{name}")
    for part in ("", *name.split(".")):
        schema = schema if not part else schema.get("properties", {}).get(part, {})
        schema = definitions.get(schema.get("$ref", ""), schema)
    found = [_in_words(choice) for choice in schema.get("anyOf", [schema])]
    return " or ".join(text for text in found if text)


def _in_words(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    kinds = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "string": "text in quotes",
        "array": "a list",
        "object": "a table",
    }
    text = kinds.get(schema.get("type", ""), "")
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        text += f" from {least:,}" + ("" if most is None else f" to {most:,}")
    return text


def to_plain(config: Config) -> dict[str, Any]:
    """Return the settings as nested plain values, ready for JSON; passwords in the store's URL are hidden."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    plain["store"] = hide_password(config.store)
    return plain


def with_store(config: Config, store: str | None) -> Config:
    """Return the settings with the store of a call, where it names one; raises ConfigError."""
    if store is None:
        return config
    if not isinstance(store, str):
        raise ConfigError(f"store is a {type(store).__name__}, not a URL: write 'sqlite:///FILE.db'")
    return msgspec.structs.replace(config, store=store)


def flat_settings(config: Config) -> dict[str, Any]:
    """Return each setting by its dotted name."""
    return _flatten(to_plain(config))


def hide_password(url: str) -> str:
    """Return the URL with its password, if it has one, replaced by three asterisks."""
    url = re.sub(r"(://[^/@:\s]*):\S*@", r"\1:***@", url)  # one that is not escaped may hold / and @ itself
    return _SECRET.sub(r"\1***", url)


def ratio(text: str, name: str) -> Fraction:
    """Return a decimal between 0 and 1 as an exact fraction; raise ConfigError naming the setting otherwise."""
    try:
        value = Fraction(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError(f"{name} = {text!r} is not a decimal number: write one like 0.8") from None
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} = {text} must lie between 0 and 1")
    if value.denominator > 10**9:
        raise ConfigError(f"{name} = {text} has too many digits: at most nine after the point")
    return value


def memory_bytes(text: str, total: int) -> int:
    """Return a limit like "80%", "512MB" or "2GiB" in bytes, percentages being of `total`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|[kKMGT]?i?B?)\s*", text)
    if match is None:
        raise ConfigError(f'batch.memory_limit = {text!r}: write a share like "80%" or a size like "512MB"')
    number, unit = float(match[1]), match[2]
    if unit == "%":
        return int(total * number / 100)
    base = 1024 if "i" in unit else 1000
    power = " kMGT".index(unit[0].replace("K", "k")) if unit and unit[0] in "kKMGT" else 0
    return int(number * base**power)


def _from_file(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    file = Path(path or CONFIG_FILE)
    if path is None and not file.is_file():
        return {}
    try:
        with file.open("rb") as stream:
            document = tomllib.load(stream, parse_float=Decimal)
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {file}: {error.strerror}: check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    return {name: _settle(value) for name, value in _flatten(document).items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    names = _flatten(to_plain(Config()))
    known = {_variable(name): name for name in names}
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        table = variable.removeprefix(ENVIRONMENT_PREFIX).split("_")[0].lower()
        if table in ("merge", "mapping"):
            raise ConfigError(f"environment: {variable} is not read: write the table [{table}] into {CONFIG_FILE}")
        if variable not in known:
            raise ConfigError(f"environment: unknown setting {variable}" + suggest(variable, known))
        name = known[variable]
        found[name] = text.split(",") if isinstance(names[name], list | tuple) else text
    return found


def _settle(value: Any) -> Any:
    # Thresholds are compared as the decimals that were written; everything else may be a float.
    if isinstance(value, Decimal):
        return str(value)
    return value


def _flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping) and (value or prefix == ""):
            flat.update(_flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        holder = nested
        for part in path:
            if not isinstance(holder.get(part), dict):
                holder[part] = {}
            holder = holder[part]
        if not isinstance(holder.get(last), dict):
            holder[last] = str(value) if last in ("threshold", "review_from") and value is not None else value
    return nested


def _without_none(value: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _without_none(item) if isinstance(item, dict) else item for name, item in value.items()}
    return {name: item for name, item in kept.items() if item is not None and item != {}}


def suggest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """Return the end of an error about an unknown name: the nearest known one, or all."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {nearest[0]!r}?" if nearest else f": known are {', '.join(sorted(known))}"
