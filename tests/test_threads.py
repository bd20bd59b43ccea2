"""A block with another thread is left when that has ended, so that nothing is closed under it."""

from __future__ import annotations

import subprocess
import sys

IMPATIENT = """
import os, signal, threading, time
from membatch.threads import other_thread

signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts this may have switched it off
ended, interrupted = [], threading.Event()

def work():
    interrupted.wait()
    time.sleep(0.1)
    ended.append(True)

def interrupt():
    for _ in range(4):
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
    interrupted.set()

try:
    with other_thread("test") as other:
        other.submit(work)
        threading.Thread(target=interrupt).start()
        time.sleep(30)
except KeyboardInterrupt:
    print("interrupted", ended)
"""


def test_a_thread_is_waited_for_however_often_it_is_interrupted() -> None:
    done = subprocess.run([sys.executable, "-c", IMPATIENT], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("interrupted [True]\n", "")
