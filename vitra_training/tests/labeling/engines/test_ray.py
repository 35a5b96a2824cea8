"""The cluster engine on a Ray of this machine: the same results as the local engine, and the same patience."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.local import LocalEngine
from vitra_training.labeling.engines.schedule import RunResult, Schedule
from vitra_training.labeling.engines.stage import WHOLE, Item, Scope, Stage
from vitra_training.labeling.engines.workspace import Workspace

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="the cluster engine needs Ray: pip install ray")

STAGES = """
import os, signal, time
from dataclasses import dataclass
import numpy as np
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.errors import UnreadableVideoError

@dataclass(frozen=True)
class Config:
    log: str

@dataclass(frozen=True)
class Number:
    value: int

def cut(inputs, config):
    with open(config.log, "a") as stream:
        stream.write(inputs.item.video + chr(10))
    if inputs.item.video == "corrupt":
        raise UnreadableVideoError(inputs.item.source, "no moov atom")
    return Number(1)

def work(inputs, config):
    name = inputs.item.video
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    while name == "hang":
        time.sleep(60)
    if name == "greedy":
        held = np.ones(1 << 28)
    return Number(len(name) + sum(map(ord, name)))

def count(folder):
    return load(Number, folder).value
"""
BAD = {"crash": "crash", "hang": "timeout", "corrupt": "bad input", "greedy": "memory"}
VIDEOS = 200


def names() -> list[str]:
    good = [f"clip{n:03d}" for n in range(VIDEOS - len(BAD))]
    return good[:50] + list(BAD) + good[50:]


def run(root: Path, engine: object, which: list[str]) -> RunResult:
    import ray_made_up_stages as made_up

    root.mkdir(exist_ok=True)
    config = made_up.Config(str(root / "log.txt"))
    stages = (
        Stage("cut", 1, Scope.VIDEO, (), config, made_up.cut),
        Stage("work", 1, Scope.CLIP, ("cut",), config, made_up.work, 10.0, 700),
    )
    items = [Item(name, Path(f"{name}.mp4")) for name in which]
    return Schedule(stages, Workspace(root), "cut", made_up.count).run(items, engine)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("ray")
    (folder / "ray_made_up_stages.py").write_text(textwrap.dedent(STAGES))
    sys.path.insert(0, str(folder))
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # a busy machine starts it slowly
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": ":".join(sys.path)}})  # fmt: skip
    yield ray
    ray.shutdown()
    sys.path.remove(str(folder))


def test_200_clips_with_four_bad_ones(cluster: object, tmp_path: Path) -> None:
    from vitra_training.labeling.engines.ray_engine import RayEngine

    first = run(tmp_path / "ray", RayEngine(2), names()[:120])  # an earlier run that ended early
    again = run(tmp_path / "ray", RayEngine(2), names())
    assert {q.item.video: str(q.reason) for q in again.quarantined} == BAD
    assert again.tallies["work"].done + again.tallies["work"].skipped == VIDEOS - len(BAD)
    assert again.tallies["work"].skipped == first.tallies["work"].done  # nothing redone
    seen = (tmp_path / "ray" / "log.txt").read_text().split()
    assert sorted(seen) == sorted(names())  # nothing lost, nothing twice

    local = run(tmp_path / "local", LocalEngine(2), names())
    import ray_made_up_stages as made_up

    def values(result: RunResult) -> dict[str, int]:
        return {n: load(made_up.Number, o["work"][0]).value for n, o in result.outputs.items() if 0 in o["work"]}

    assert values(again) == values(local)
    assert {q.item.video for q in local.quarantined} == set(BAD)
    assert all(WHOLE in o["cut"] for n, o in again.outputs.items() if n != "corrupt")
