"""Whole runs, from sources to a report: process, resume, retry, validate, report.

Rule: a run is noted in the store before its first batch and after its last; a run that died in between is
found as interrupted and can be resumed.
"""

from membatch.runs.accounts import list_rejects, list_runs, open_once, report, run_of_rejects, sources_of_runs
from membatch.runs.conversion import convert, explain
from membatch.runs.inputs import Input
from membatch.runs.load import process, resume
from membatch.runs.outputs import check_output
from membatch.runs.retry import retry
from membatch.runs.validation import validate

__all__ = [
    "Input",
    "check_output",
    "convert",
    "explain",
    "list_rejects",
    "list_runs",
    "open_once",
    "process",
    "report",
    "resume",
    "retry",
    "run_of_rejects",
    "sources_of_runs",
    "validate",
]
