"""Memory stays bounded: a long stream, most of it repeats and rejects, through `membatch run` under a limit.

python benchmarks/bounded.py [GIGABYTES] [LIMIT_MB] [STRATEGY]

The records come through a pipe, so that nothing can look ahead or read twice. The limit is on the memory that the
process may allocate for itself (RLIMIT_DATA): past it, allocations fail. Needs Linux.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

REPEATED = 2_000  # different records among the repeats
LINES_AT_ONCE = 400


def repeated_lines(rng: random.Random) -> list[bytes]:
    """Return records of about 3 KB, to be repeated."""
    words = [f"word{number}" for number in range(3_000)]
    made = []
    for number in range(REPEATED):
        record = {
            "summary": " ".join(rng.choices(words, k=30)),
            "content": " ".join(rng.choices(words, k=300)),
            "source_message_ids": [f"chat/{number}"],
            "participants": [{"id": f"p{number % 50}", "name": "A name"}],
        }
        made.append(json.dumps(record).encode() + b"\n")
    return made


def feed(pipe: IO[bytes], size: int, rng: random.Random) -> int:
    """Write so many bytes of lines: 90 of 100 repeats, 9 rejects of four kinds, one new; return how many lines."""
    repeats, sent, count = repeated_lines(rng), 0, 0
    bad = [b'{"summary": ""}\n', b'{"summary": "cut\n', b'{"summary": "x", "confidence": 9}\n', b"no JSON at all\n"]
    while sent < size:
        lines = []
        for _ in range(LINES_AT_ONCE):
            count += 1
            chance = rng.random()
            if chance < 0.9:
                lines.append(rng.choice(repeats))
            elif chance < 0.99:
                lines.append(rng.choice(bad))
            else:
                lines.append(b'{"summary": "new record %d", "content": "%s"}\n' % (count, b"word " * 500))
        block = b"".join(lines)
        pipe.write(block)
        sent += len(block)
    pipe.close()
    return count


def main() -> int:
    """Run the stream and print what it took."""
    given = sys.argv[1:]
    size = int(float(given[0] if given else 5) * 1e9)
    limit = int(given[1] if len(given) > 1 else 512) * 1024 * 1024
    strategy = given[2] if len(given) > 2 else "exact"
    with tempfile.TemporaryDirectory(prefix="bounded-") as folder:
        command = [sys.executable, "-m", "membatch.cli", "run", "-", "--json", "--strategy", strategy, "--store"]
        command += [f"sqlite:///{folder}/a.db", "--max-error-rate", "1", "--quiet"]

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

        begun = time.perf_counter()
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=limited)
        assert running.stdin is not None
        assert running.stdout is not None
        sent = feed(running.stdin, size, random.Random(1))
        report = json.loads(running.stdout.read())
        code = running.wait()
        seconds = time.perf_counter() - begun
        stored = Path(folder, "a.db").stat().st_size
    counts = report["counts"]
    assert counts["read"] == sent, (counts, sent)
    print(f"{size / 1e9:.1f} GB, {sent:,} records, strategy {strategy}, limit {limit >> 20} MiB, exit code {code}")
    print(f"  {seconds:.0f} s, peak resident {report['resources']['peak_rss_bytes'] / 2**20:.0f} MiB")
    print(f"  store {stored / 1e6:.0f} MB; " + ", ".join(f"{name} {amount:,}" for name, amount in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
