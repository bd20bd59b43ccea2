"""How the command line shows itself: commands by task, examples, hints at typical slips.

Rule: imports nothing but click, so that help and completion are quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click


def examples(*lines: str) -> str:
    """Return an epilog that shows each example on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Unread(Exception):  # noqa: N818 - nothing went wrong
    """Whoever read what the command of this name writes has gone, as `head` does."""


def stop_writing() -> None:
    """Let what is still to be written to a reader that has gone lead nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Commands(click.Group):
    """A group that lists its commands by section, and says what was probably meant."""

    def __init__(self, *, sections: Mapping[str, Sequence[click.Command]], **settings: Any) -> None:
        super().__init__(**settings)
        self.sections = sections
        for commands in sections.values():
            for command in commands:
                self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the sections."""
        return [command.name for commands in self.sections.values() for command in commands if command.name]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section with the first sentence of each command."""
        width = max(map(len, self.list_commands(ctx)))
        limit = formatter.width - width - 6
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{command.name:<{width}}", command.get_short_help_str(limit)) for command in commands]
                )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Say where options go, if one stands before the command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            hint = "Options of a command follow it, as in: membatch run FILE --store URL"
            raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; that its reader has gone is no error, which click would make of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise Unread(ctx.invoked_subcommand) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what was probably meant, if a file stands where a command should."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if Path(args[0]).exists():
                hint = f"To load a file: membatch run {args[0]}"
                raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None
            raise
