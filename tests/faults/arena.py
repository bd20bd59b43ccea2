"""A place to run the command in, many times a minute, while the ground gives way under it.

A server process has the product loaded and the shim of shim.c under it; for each run it forks a child, which
arms the shim and then is nothing but `membatch`. What the product does is not touched.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent.parent
COMPILER: Final = shutil.which("cc") or shutil.which("gcc")

WRITES, SYNCS, READS, OPENS, TRUNCATES, UNLINKS = 1, 2, 4, 8, 16, 32
KINDS: Final = {"write": WRITES, "sync": SYNCS, "read": READS, "open": OPENS, "truncate": TRUNCATES, "unlink": UNLINKS}
FAIL, KILL_BEFORE, KILL_AFTER, FULL = 1, 2, 3, 4


class Fault(NamedTuple):
    """What goes wrong: at which call of which kinds below a folder, or after how many bytes written."""

    folder: Path
    how: int
    kinds: int
    number: int
    error: int = errno.EIO
    stays: bool = False
    log: str = ""


class Result(NamedTuple):
    """How a run ended: exit code (negative: a signal), what it printed, how many calls counted, how many failed."""

    code: int
    output: bytes
    errors: bytes
    calls: int
    fired: int
    statements: int
    seconds: float


class Arena:
    """The server, from here."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="arena-")
        shim = Path(self._folder.name) / "shim.so"
        source = Path(__file__).with_name("shim.c")
        assert COMPILER is not None, "there is no C compiler"
        subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(shim)}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.arena"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        self._folder.cleanup()

    def run(
        self,
        *arguments: object,
        folder: Path,
        fault: Fault | None = None,
        kill_at: float | None = None,
        kill_at_statement: int = 0,
    ) -> Result:
        """Run the command in a folder, under a fault; `kill_at` kills it after so many seconds."""
        request = {
            "arguments": list(map(str, arguments)),
            "folder": str(folder),
            "fault": None if fault is None else [str(fault.folder), *fault[1:]],
            "kill_at": kill_at,
            "kill_at_statement": kill_at_statement,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        output, errors = ((folder / name).read_bytes() for name in (".out", ".err"))
        calls, fired, statements = answer["counted"]
        return Result(answer["code"], output, errors, calls, fired, statements, answer["seconds"])


def _serve() -> None:
    import membatch.cli
    import membatch.export
    import membatch.runs
    import membatch.similarity.index
    import membatch.similarity.join
    import membatch.similarity.tokens  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        begun = time.perf_counter()
        child = os.fork()
        if child == 0:
            _be_the_command(request)
        code = _wait(child, request["kill_at"])
        seconds = time.perf_counter() - begun
        counts = Path(request["folder"]) / ".counts"
        counted = json.loads(counts.read_text() or "[0, 0, 0]") if counts.exists() else [0, 0, 0]  # killed in it
        counts.unlink(missing_ok=True)
        print(json.dumps({"code": code, "counted": counted, "seconds": seconds}), flush=True)


def _wait(child: int, kill_at: float | None) -> int:
    if kill_at is not None:
        time.sleep(kill_at)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_the_command(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    for descriptor, name in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    code: object = 99
    shim = ctypes.CDLL(None)
    seen = [0]
    try:
        _watch(seen, request["kill_at_statement"])
        if request["fault"] is not None:
            folder, how, kinds, number, error, stays, log = request["fault"]
            shim.fault_arm(folder.encode(), how, kinds, ctypes.c_long(number), error, int(stays), log.encode())
        from membatch.cli import main

        sys.argv = ["membatch", *request["arguments"]]
        main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        counted = [shim.fault_count(), shim.fault_fired(), seen[0]]
        shim.fault_arm(b"", 0, 0, ctypes.c_long(0), 0, 0, b"")
        Path(".counts").write_text(json.dumps(counted))
        os._exit(code if isinstance(code, int) else 98)


def _watch(seen: list[int], kill_at: int) -> None:
    from tests.faults.watch import on_statement

    def about_to_run(_: str) -> None:
        seen[0] += 1
        if seen[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    on_statement(about_to_run)


@functools.cache
def arena() -> Arena:
    """Return the one arena of this process."""
    return Arena()


if __name__ == "__main__":
    _serve()
