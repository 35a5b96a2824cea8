"""The same videos give the same files, in this process, in workers of this machine, and on Ray."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vitra_training.labeling import pipeline, run
from vitra_training.labeling.engines.local import LocalEngine
from vitra_training.labeling.ingest.layouts import find_videos
from vitra_training.labeling.ingest.stage import IngestConfig

HERE = Path(__file__).parents[1]
TIMED = {"ledger.sqlite", "report.html", "report.json"}
"""Files that hold how long something took, when it was done and where."""
PLACES = ("wall_s", "times_real_time", "engine", "workers")

MakeEngine = Callable[[], Any]


@pytest.fixture(scope="module")
def made_up() -> Iterator[ModuleType]:
    """The made-up videos as a module that other processes can import, too."""
    sys.path.insert(0, str(HERE))
    yield importlib.import_module("made_up_videos")
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def videos(made_up: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two that can be labelled, the first in two clips, and one that cannot."""
    root = tmp_path_factory.mktemp("videos")
    for number, seconds in enumerate((5.0, 2.0)):
        made_up.film(root / f"v{number}.mp4", made_up.one_hand, seconds=seconds)
    (root / "torn.mp4").write_bytes((root / "v0.mp4").read_bytes()[:3000])
    return root


def label(videos: Path, out: Path, made_up: ModuleType, engine: MakeEngine) -> dict[str, Any]:
    """Every file that does not hold times, and what the report says besides them."""

    def with_made_up_eyes(config: pipeline.PipelineConfig) -> tuple[pipeline.Stage, ...]:
        stages = pipeline.stages(config)
        return tuple(replace(s, run=made_up.track_made_up_hands) if s.name == "hands" else s for s in stages)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "stages", with_made_up_eyes)
        patch.setattr(run, "_engine", lambda resources: engine())
        patch.setattr(pipeline, "models_folder", lambda: videos)
        run.label(find_videos(videos), out, pipeline.PipelineConfig(ingest=IngestConfig(clip_s=3.0, overlap_s=1.0)))
    files: dict[str, Any] = {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }
    report = json.loads(files["report.json"])
    stages = {name: [s["done"], s["quarantined"]] for name, s in report.pop("stages").items()}
    told = {key: value for key, value in report.items() if key not in PLACES}
    told["quarantined"] = sorted(map(str, told["quarantined"]))
    return {name: content for name, content in files.items() if name not in TIMED} | {"stages": stages, "told": told}


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


@pytest.fixture(scope="module")
def alone(videos: Path, made_up: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One job after the other, in this process."""
    return label(videos, tmp_path_factory.mktemp("alone"), made_up, made_up.Inline)


def test_two_workers_write_the_files_that_one_process_writes(
    alone: dict[str, Any], videos: Path, made_up: ModuleType, tmp_path: Path
) -> None:
    workers = label(videos, tmp_path, made_up, lambda: LocalEngine(2))
    assert differences(alone, workers) == []
    assert alone["stages"] == {"ingest": [2, 1], "hands": [3, 0], "camera": [3, 0]} | {
        name: [2, 0] for name in ("world", "segments", "captions", "quality")
    }
    assert alone["told"]["episodes"] >= 4
    kinds = {Path(name).suffix for name in alone}
    assert kinds >= {".npz", ".json", ".png", ".mp4", ".npy", ".tar", ".parquet"}


@pytest.mark.slow
def test_two_actors_of_ray_write_the_files_that_one_process_writes(
    alone: dict[str, Any], videos: Path, made_up: ModuleType, tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray", reason="the cluster engine needs Ray: pip install ray")
    from vitra_training.labeling.engines.ray_engine import RayEngine

    os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # a busy machine starts it slowly
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": ":".join(sys.path)}})  # fmt: skip
    try:
        actors = label(videos, tmp_path, made_up, lambda: RayEngine(2))
    finally:
        ray.shutdown()
    assert differences(alone, actors) == []


def test_a_difference_is_named() -> None:
    assert differences({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4}) == ["b", "c", "d"]
