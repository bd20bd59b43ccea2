"""The compiled loops refuse what they were not made for, and give the interpreter's lock away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from membatch.similarity import kernels

CLASSES = np.zeros(0x110000, np.uint8)
TOKENS, ENDS = np.array([1, 2, 3], np.int32), np.array([3], np.int64)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: kernels.sort_rows(TOKENS.astype(np.int64), ENDS, 0), TypeError),
        (lambda: kernels.sort_rows(TOKENS.astype(np.uint32), ENDS, 0), TypeError),
        (lambda: kernels.sort_rows(TOKENS.astype(np.float32), ENDS, 0), TypeError),
        (lambda: kernels.sort_rows(np.zeros(6, np.int32)[::2], ENDS, 0), ValueError),
        (lambda: kernels.sort_rows(np.frombuffer(bytes(12), np.int32), ENDS, 0), ValueError),
        (lambda: kernels.sort_rows([1, 2, 3], ENDS, 0), TypeError),
        (lambda: kernels.sort_rows(TOKENS, ENDS, "0"), TypeError),  # type: ignore[arg-type]
        (lambda: kernels.sort_rows(TOKENS, ENDS, 2**64), OverflowError),
        (lambda: kernels.sort_rows(TOKENS, ENDS), TypeError),  # type: ignore[call-arg]
        (lambda: kernels.hash_tokens(1, CLASSES), TypeError),  # type: ignore[arg-type]
        (lambda: kernels.hash_tokens([1], CLASSES), TypeError),  # type: ignore[list-item]
        (lambda: kernels.hash_tokens(["\ud800"], CLASSES), UnicodeEncodeError),
        (lambda: kernels.insert_rows(0, 0, (0, ENDS, TOKENS), (TOKENS, ENDS), (), TOKENS), IndexError),
        (lambda: kernels.insert_rows(0, 0, [0, ENDS, TOKENS], (), (), TOKENS), (TypeError, SystemError)),
    ],
)
def test_what_a_loop_was_not_made_for_is_refused(
    call: Callable[[], object], error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with pytest.raises(error):
        call()


def test_what_is_refused_is_let_go() -> None:
    held: Any = np.zeros(3, np.int32)
    with pytest.raises(TypeError):
        kernels.sort_rows(held, ENDS, "0")  # type: ignore[arg-type]
    held.resize(5, refcheck=False)  # not possible while somebody holds it
    assert len(held) == 5


def test_a_loop_gives_the_lock_away() -> None:
    tokens, ends = np.arange(4_000_000, dtype=np.int32), np.array([4_000_000])
    begun, seen = threading.Event(), []

    def sort() -> None:
        begun.set()
        kernels.sort_rows(tokens, ends, 0)
        seen.append("sorted")

    other = threading.Thread(target=sort)
    other.start()
    begun.wait()
    while other.is_alive():
        seen.append("")
        other.join(0.001)
    assert len(seen) > 10
