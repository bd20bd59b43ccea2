"""The commands in their sections, and what each ending of one says and returns.

Rule: data goes to standard output, everything for people to standard error; a person never sees a stack
trace. Heavy modules are imported where a command needs them, so that --help is quick.
"""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn

import click

from membatch import signals
from membatch.cli import change, load, look, settings
from membatch.cli.commands import Commands, Unread, examples, stop_writing
from membatch.errors import MembatchError

SECTIONS: Final = {
    "Load": (load.run, load.validate, load.convert, load.resume, load.retry),
    "Look": (
        look.runs,
        look.report,
        look.rejects,
        look.history,
        look.explain,
        look.check,
        look.export,
    ),
    "Change": (change.review, change.undo, change.unmerge, change.forget),
    "Set up": (settings.init, settings.show_config, settings.schema, settings.formats),
}

cli = Commands(
    name="membatch",
    help="Load large sets of memory records into a database, and never lose one.",
    epilog=examples(
        "membatch run memories.jsonl  # load a file into memories.db",
        "membatch report              # show what became of its records",
        "membatch run --help          # say more about a command",
    ),
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(package_name="membatch")(cli)


def run() -> NoReturn:
    """Run the command that the arguments name; exits with one of the codes of DESIGN."""
    _make_writable()
    try:
        code = cli.main(prog_name="membatch", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt) as error:  # click makes the one of the other
        signals.ignore()
        click.echo("; ".join(("membatch: interrupted at once", *_notes_of(error))), err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except MembatchError as error:
        from membatch.config import hide_password
        from membatch.report.words import printable

        click.echo(f"membatch: {printable(hide_password(str(error)))}", err=True)
        code = error.exit_code
    except Unread as gone:
        stop_writing()
        # A load that could not show its progress was cut short, and can be resumed.
        code = 130 if gone.args[0] in {command.name for command in SECTIONS["Load"]} else 0
    except MemoryError:
        click.echo("membatch: memory ran out; free some or lower --batch-size, then `membatch resume`", err=True)
        code = 4
    except OSError as error:
        where = "" if error.filename is None else f" {error.filename}"
        click.echo(f"membatch: the system refused{where}: {error.strerror or error}", err=True)
        code = 4
    except Exception as error:
        code = _unforeseen(error)
    gc.freeze()  # or all that is left would be looked through once more, for a third of a second after a load
    sys.exit(code if isinstance(code, int) else 0)


def _make_writable() -> None:
    """Let both outputs take any text: one that is closed leads nowhere, what an encoding lacks is escaped."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _notes_of(error: BaseException | None) -> tuple[str, ...]:
    """Return the notes of an error, or of the one that it came after: a further signal may hit what tidies up."""
    while error is not None:
        if notes := getattr(error, "__notes__", ()):
            return tuple(notes)
        error = error.__cause__ or error.__context__
    return ()


def _unforeseen(error: Exception) -> int:
    """Say that we met a fault of our own, with its place in the code and without a word of a record; return 4."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-6:]))
    click.echo(
        f"membatch: an error that was not foreseen: {type(error).__name__} at {places}; please report this line. "
        "What had committed is kept; `membatch resume` goes on",
        err=True,
    )
    return 4
