"""Sees each SQL statement of this process before it runs, without touching the code that runs it.

An audit hook gets every connection that is made; the driver's trace callback tells what it is about to run.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from typing import Any


def on_statement(callback: Callable[[str], object]) -> None:
    """Call back with each statement that a connection made from now on is about to run."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect/handle":
            sys.setprofile(lambda *_: attach(arguments[0]))  # the connection is not ready yet, but soon

    def attach(connection: sqlite3.Connection) -> None:
        try:
            connection.set_trace_callback(callback)
        except sqlite3.ProgrammingError:
            return
        sys.setprofile(None)

    sys.addaudithook(hook)
