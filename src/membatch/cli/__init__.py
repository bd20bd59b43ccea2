"""The command line: arguments, progress, exit codes.

Rule: `main` imports the rest, so that who interrupts at once sees no stack trace either.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; exits with one of the codes of DESIGN."""
    try:
        from membatch.cli.program import run
    except KeyboardInterrupt:
        print("membatch: interrupted at once", file=sys.stderr)
        sys.exit(130)
    run()
