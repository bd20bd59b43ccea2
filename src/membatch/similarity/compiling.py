"""Tell when the loops of `kernels` are compiled: seconds of work that the next start finds done.

Rule: says it once, and only where code is really compiled, not where it is read from the cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

TEXT: Final = "compiling the similarity search for this machine, which takes some seconds once"


@contextmanager
def announced(say: Callable[[str], None]) -> Iterator[None]:
    """Call `say` when the first loop is compiled within the block; worker processes keep silent."""
    from numba.core import event

    process = os.getpid()
    is_said = False

    class Once(event.Listener):
        def on_start(self, event: Any) -> None:
            nonlocal is_said
            if not is_said and os.getpid() == process:
                is_said = True
                say(TEXT)

        def on_end(self, event: Any) -> None:
            """Nothing is said of the end."""

    with event.install_listener("numba:compile", Once()):
        yield
