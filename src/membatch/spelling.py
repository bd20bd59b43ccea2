"""camelCase spellings and unknown fields: `canonical` says what they mean, `Spelling` does it at C speed.

Rule: nothing is dropped. An unknown field goes to the metadata of its object, or to the record's metadata
under its dotted path where the object has none; `_fields` takes it where that name is taken.
Data in: JSON text or a decoded object. Data out: the same record in canonical names.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from membatch.memory import Memory, camel

# Past this many unusual names a file is not one shape any more, and its records take the slow path.
MAX_LEARNED_NAMES: Final = 500

Struct = type[msgspec.Struct]


class Nested(NamedTuple):
    """A field that holds an object of another type, or a list of them."""

    type: Struct
    is_list: bool


def nested_fields(struct: Struct) -> dict[str, Nested]:
    """Return the fields of a record type that hold objects of another record type."""
    found = {}
    for name, annotation in typing.get_type_hints(struct).items():
        for inner in typing.get_args(annotation) or (annotation,):
            elements = typing.get_args(inner)
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                found[name] = Nested(inner, is_list=typing.get_origin(annotation) is list)
            elif typing.get_origin(inner) is list and isinstance(elements[0], type):
                if issubclass(elements[0], msgspec.Struct):
                    found[name] = Nested(elements[0], is_list=True)
    return found


def _all_structs(struct: Struct) -> list[Struct]:
    found = [struct]
    for nested in nested_fields(struct).values():
        found.extend(_all_structs(nested.type))
    return found


STRUCTS: Final[tuple[Struct, ...]] = tuple(_all_structs(Memory))
NESTED: Final = {struct: nested_fields(struct) for struct in STRUCTS}
FIELDS: Final = {struct: frozenset(struct.__struct_fields__) for struct in STRUCTS}
CAMEL: Final = {struct: {camel(name): name for name in struct.__struct_fields__ if "_" in name} for struct in STRUCTS}
HAS_METADATA: Final = {struct: "metadata" in struct.__struct_fields__ for struct in STRUCTS}


def canonical(document: dict[str, Any]) -> dict[str, Any]:
    """Return a record in canonical names: nulls left out, camelCase respelt, unknown fields in metadata."""
    return _canonical(Memory, document, "", None)


def _canonical(struct: Struct, document: dict[str, Any], path: str, above: dict[str, Any] | None) -> dict[str, Any]:
    fields, respelt, nested = FIELDS[struct], CAMEL[struct], NESTED[struct]
    result: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    outward = unknown if HAS_METADATA[struct] or above is None else above
    prefix = "" if outward is unknown else path
    for name, value in document.items():
        field = name if name in fields else respelt.get(name)
        if field is None or (field != name and document.get(field) not in (None, [], {})):
            if field is None or value is not None:
                outward[prefix + name] = value
        elif value is not None:
            kind = nested.get(field)
            result[field] = value if kind is None else _canonical_part(kind, value, f"{prefix}{field}.", outward)
    if unknown:
        metadata = result.setdefault("metadata", {})
        if isinstance(metadata, dict):
            result["metadata"] = add_unknown(dict(metadata), unknown)
    return result


def _canonical_part(kind: Nested, value: Any, path: str, outward: dict[str, Any]) -> Any:
    if isinstance(value, dict) and not kind.is_list:
        return _canonical(kind.type, value, path, outward)
    if isinstance(value, list) and kind.is_list:
        return [
            _canonical(kind.type, item, f"{path}{number}.", outward) if isinstance(item, dict) else item
            for number, item in enumerate(value)
        ]
    return value


def add_unknown(metadata: dict[str, Any], unknown: dict[str, Any]) -> dict[str, Any]:
    """Return metadata with the unknown fields added; a name that is taken goes under `_fields`."""
    for name, value in unknown.items():
        if name not in metadata:
            metadata[name] = value
            continue
        holder = "_fields"
        while not isinstance(metadata.setdefault(holder, {}), dict) or name in metadata[holder]:
            holder += "_"
        metadata[holder] = {**metadata[holder], name: value}
    return metadata


_ESCAPED: Final = re.compile(r'["\\\x00-\x1f]')


class Spelling:
    """A decoder that learns the unusual names of a file, so that each costs the slow path once.

    `decode` gives exactly what `canonical` and `msgspec.convert` give, or raises what msgspec raises.
    """

    def __init__(self) -> None:
        self._names: dict[Struct, set[str]] = {struct: set() for struct in STRUCTS}
        self._learned = 0
        self._wire: dict[Struct, Struct] = {}
        self._unusual: dict[Struct, list[tuple[str, str, str | None]]] = {}
        self._containers: dict[Struct, list[tuple[str, type]]] = {}
        self._deep: dict[Struct, list[tuple[str, Nested]]] = {}
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Memory)
        # Until something is learned the decoder itself, so that a regular record costs no call more.
        self.decode: Callable[[bytes], Memory] = self._decoder.decode

    def _decode(self, raw: bytes) -> Memory:
        """Return the record; raises msgspec.ValidationError also for names not learned yet."""
        record = self._decoder.decode(raw)
        self._settle(Memory, record, "", None)
        return msgspec.convert(record, Memory, from_attributes=True)

    def learn(self, document: dict[str, Any]) -> None:
        """Take note of the unusual names, and of nulls for lists, in a record that `decode` refused."""
        if self._learned >= MAX_LEARNED_NAMES:
            return
        before = self._learned
        self._look(Memory, document)
        if self._learned > before:
            self._generate()

    def _look(self, struct: Struct, document: dict[str, Any]) -> None:
        fields = FIELDS[struct]
        for name, value in document.items():
            unusual = name not in fields or (value is None and name in _containers(struct))
            # Others are read the slow way each time: msgspec takes no such name for a field.
            can_be_learned = unusual and not _ESCAPED.search(name)
            if can_be_learned and name not in self._names[struct] and self._learned < MAX_LEARNED_NAMES:
                self._names[struct].add(name)
                self._learned += 1
            field = name if name in fields else CAMEL[struct].get(name, "")
            nested = NESTED[struct].get(field)
            if nested is not None:
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, dict):
                        self._look(nested.type, item)

    def _generate(self) -> None:
        for struct in reversed(STRUCTS):  # the innermost first
            self._generate_one(struct)
        self._decoder = msgspec.json.Decoder(self._wire[Memory])
        self.decode = self._decode

    def _generate_one(self, struct: Struct) -> None:
        fields: list[tuple[str, Any, Any]] = []
        rename: dict[str, str] = {}
        types_of: dict[str, Any] = {}
        hints = typing.get_type_hints(struct, include_extras=True)
        for field in msgspec.structs.fields(struct):
            kind = self._wire_type(struct, field.name, hints[field.name])
            types_of[field.name] = kind
            if field.required:
                fields.append((field.name, kind, msgspec.NODEFAULT))
            elif field.default is not msgspec.NODEFAULT:
                fields.append((field.name, kind | None, field.default))
            else:
                fields.append((field.name, kind | None, msgspec.field(default_factory=field.default_factory)))
        unusual: list[tuple[str, str, str | None]] = []
        for number, name in enumerate(sorted(self._names[struct] - FIELDS[struct])):
            attribute, target = f"unusual_{number}", CAMEL[struct].get(name)
            kind = Any if target is None else types_of[target] | None | msgspec.UnsetType
            fields.append((attribute, kind, UNSET))
            rename[attribute] = name
            unusual.append((attribute, name, target))
        self._wire[struct] = msgspec.defstruct(
            struct.__name__, fields, kw_only=True, forbid_unknown_fields=True, rename=rename
        )
        self._unusual[struct] = unusual
        self._containers[struct] = [
            (name, kind) for name, kind in _containers(struct).items() if name in self._names[struct]
        ]
        self._deep[struct] = [
            (name, nested) for name, nested in NESTED[struct].items() if self._is_unusual(nested.type)
        ]

    def _is_unusual(self, struct: Struct) -> bool:
        return bool(self._names[struct]) or any(self._is_unusual(item.type) for item in NESTED[struct].values())

    def _wire_type(self, struct: Struct, name: str, hint: Any) -> Any:
        nested = NESTED[struct].get(name)
        if nested is None:
            return hint
        wire = self._wire[nested.type]
        if not nested.is_list:
            return wire | None
        bounds = getattr(hint, "__metadata__", ())
        return typing.Annotated[(types.GenericAlias(list, (wire,)), *bounds)] if bounds else list[wire]  # type: ignore[valid-type]

    def _settle(self, struct: Struct, record: Any, path: str, above: dict[str, Any] | None) -> None:
        """Move what came under unusual names to where `canonical` would put it; the record is changed in place."""
        unknown: dict[str, Any] = {}
        outward = unknown if HAS_METADATA[struct] or above is None else above
        prefix = "" if outward is unknown else path
        for attribute, name, target in self._unusual[struct]:
            value = getattr(record, attribute)
            if value is UNSET:
                continue
            if target is None:
                outward[prefix + name] = value
            elif value is not None:
                if getattr(record, target) not in (None, [], {}):
                    outward[prefix + name] = msgspec.to_builtins(value)
                else:
                    setattr(record, target, value)
        for name, kind in self._containers[struct]:
            if getattr(record, name) is None:
                setattr(record, name, kind())
        for name, nested in self._deep[struct]:
            value = getattr(record, name)
            if not value:
                continue
            if not nested.is_list:
                self._settle(nested.type, value, f"{prefix}{name}.", outward)
                continue
            for number, item in enumerate(value):
                self._settle(nested.type, item, f"{prefix}{name}.{number}.", outward)
        if unknown:
            record.metadata = add_unknown(record.metadata or {}, unknown)  # a null that was not met before


@cache
def _containers(struct: Struct) -> dict[str, type]:
    return {
        field.name: field.default_factory
        for field in msgspec.structs.fields(struct)
        if field.default_factory is not msgspec.NODEFAULT and isinstance(field.default_factory, type)
    }
