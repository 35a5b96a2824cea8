"""Pretraining reads what the pipeline wrote, unchanged: from video to a trained (tiny) network."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from vitra_training.training.run import train


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    path = Path(__file__).parents[1] / "training/tiny.py"
    spec = importlib.util.spec_from_file_location("training_tiny", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.install()
    return module


@pytest.fixture(scope="module")
def episodes(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for number in range(2):
        made.film(root / f"videos/v{number}.mp4", made.one_hand, seconds=6.0)
    outcome = made.label_all(root / "videos", root / "out")
    assert outcome.episodes.accepted >= 4
    return root / "out/episodes"


@pytest.mark.parametrize("where", [".", "store"])
def test_a_network_is_pretrained_on_the_pipelines_own_episodes(
    where: str, episodes: Path, tiny: ModuleType, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    train(tiny.settings(episodes / where, tmp_path, "labelled"))
    journal = next(tmp_path.rglob("metrics.jsonl")).read_text().splitlines()
    losses = [row["loss"] for row in map(json.loads, journal) if "loss" in row]
    assert len(losses) == 12
    assert np.isfinite(losses).all()
