"""Arrow's memory: given back after every format of an episode, by a call and not by a setting for the whole process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vitra_training.datasets import convert
from vitra_training.datasets.sources import EpisodeSource

PROGRAM = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
before = pa.default_memory_pool().backend_name
from vitra_training.datasets.arrow_memory import give_memory_back
def held_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
table = pa.table({f"c{n}": np.random.default_rng(n).standard_normal(1_000_000) for n in range(8)})
written = pa.BufferOutputStream()
pq.write_table(table, written, use_dictionary=False)
read = pq.read_table(pa.BufferReader(written.getvalue()), use_threads=False)
del table, read, written
kept = held_mb()
give_memory_back()
print(kept - held_mb(), pa.default_memory_pool().backend_name == before)
"""


def test_arrow_gives_memory_back_that_nobody_uses() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    given_mb, same_pool = run.stdout.split()
    assert float(given_mb) > 30
    assert same_pool == "True", "whoever else uses Arrow in this process keeps the pool they had"


def test_memory_is_given_back_after_every_episode_and_when_a_format_is_complete(
    robot: EpisodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(convert, "give_memory_back", lambda: given.append(len(list(tmp_path.rglob("*")))))
    formats = (convert.Format.CANONICAL, convert.Format.LEROBOT)
    convert.convert_all(robot, {format: tmp_path / format.value for format in formats})
    assert len(given) == len(formats) * (len(robot) + 1)
