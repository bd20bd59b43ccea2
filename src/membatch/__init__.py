"""membatch: load large sets of memory records into a database, validated, de-duplicated, merged.

Rule: re-exports only, and each on its first use, so that `membatch --help` loads no compiled code.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from membatch.check import Checked, check
    from membatch.config import Config
    from membatch.errors import (
        ConfigError,
        MembatchError,
        SourceError,
        StoreBusyError,
        StoreError,
        StoreMismatchError,
        SurroundingsError,
    )
    from membatch.forget import Forgotten, forget
    from membatch.judgement import explain
    from membatch.lineage import history
    from membatch.memory import Memory
    from membatch.report import Report
    from membatch.reversal import undo, unmerge
    from membatch.runs.accounts import report
    from membatch.runs.conversion import convert
    from membatch.runs.load import process, resume
    from membatch.runs.retry import retry
    from membatch.runs.validation import validate
    from membatch.validate import ValidationResult, validate_memory

__version__ = "0.1.0"

__all__ = [
    "Checked",
    "Config",
    "ConfigError",
    "Forgotten",
    "MembatchError",
    "Memory",
    "Report",
    "SourceError",
    "StoreBusyError",
    "StoreError",
    "StoreMismatchError",
    "SurroundingsError",
    "ValidationResult",
    "__version__",
    "check",
    "convert",
    "explain",
    "forget",
    "history",
    "process",
    "report",
    "resume",
    "retry",
    "undo",
    "unmerge",
    "validate",
    "validate_memory",
]

# The room that each public name lives in; the imports above say the same to type checkers.
_ROOMS: Final = {
    "check": ("Checked", "check"),
    "config": ("Config",),
    "errors": (
        "ConfigError",
        "MembatchError",
        "SourceError",
        "StoreBusyError",
        "StoreError",
        "StoreMismatchError",
        "SurroundingsError",
    ),
    "forget": ("Forgotten", "forget"),
    "judgement": ("explain",),
    "lineage": ("history",),
    "memory": ("Memory",),
    "report": ("Report",),
    "reversal": ("undo", "unmerge"),
    "runs.accounts": ("report",),
    "runs.conversion": ("convert",),
    "runs.load": ("process", "resume"),
    "runs.retry": ("retry",),
    "runs.validation": ("validate",),
    "validate": ("ValidationResult", "validate_memory"),
}
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names}


class _Face(ModuleType):
    """This module: a public function goes before the room of its name (`membatch.check` is the function)."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a submodule would bind it to its name here.
        if not (name in _ROOM_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
