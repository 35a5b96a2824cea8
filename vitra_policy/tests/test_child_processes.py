"""No worker is left behind by a program that was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_POOL = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from vitra_policy.child_processes import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context(sys.argv[1]), initializer=end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_worker_ends_when_its_program_is_killed(method: str, tmp_path: Path) -> None:
    program = tmp_path / "pool.py"
    program.write_text(_POOL)
    parent = subprocess.Popen(
        [sys.executable, str(program), method], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(20)
    _, alive = psutil.wait_procs([worker], 20)
    assert alive == []
