"""Arrow's memory while a data set is converted, and nobody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from vitra_training.datasets import convert
from vitra_training.datasets.sources import EpisodeSource

PROGRAM = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
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
print(kept - held_mb())
"""


def test_arrow_gives_memory_back_that_nobody_uses() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert float(run.stdout) > 30


def test_a_conversion_runs_on_the_systems_pool_and_leaves_everybody_else_theirs(
    robot: EpisodeSource, tmp_path: Path
) -> None:
    before, during = pa.default_memory_pool().backend_name, []
    convert.convert(
        robot, tmp_path / "s", convert.Format.CANONICAL, progress=lambda *_: during.append(pa.default_memory_pool())
    )
    assert {pool.backend_name for pool in during} == {"system"}
    assert pa.default_memory_pool().backend_name == before

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert.convert(robot, tmp_path / "t", convert.Format.CANONICAL, progress=interrupt)
    assert pa.default_memory_pool().backend_name == before


def test_memory_is_given_back_after_every_episode_and_when_a_format_is_complete(
    robot: EpisodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(convert, "give_memory_back", lambda: given.append(len(list(tmp_path.rglob("*")))))
    formats = (convert.Format.CANONICAL, convert.Format.LEROBOT)
    convert.convert_all(robot, {format: tmp_path / format.value for format in formats})
    assert len(given) == len(formats) * (len(robot) + 1)
