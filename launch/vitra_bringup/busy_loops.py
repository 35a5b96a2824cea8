"""Processes that only turn: what a graph has to compete with on a machine that does other things too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vitra_policy.child_processes import end_with_parent


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many of them, until the end of the block.

    Args:
        count: 0 or more.
    """
    command = [sys.executable, "-S", "-c", "while True: pass"]
    busy = [subprocess.Popen(command, preexec_fn=end_with_parent) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
