"""membatch: load large sets of memory records into a database, validated, de-duplicated, merged."""

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
from membatch.runs import convert, process, report, resume, retry, validate
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
