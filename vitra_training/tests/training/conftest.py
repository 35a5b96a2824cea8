"""Data and settings that the training tests share."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vitra_training.synthetic.generate import SyntheticOptions, generate
from vitra_training.synthetic.robot_demos import generate_robot_demos
from vitra_training.training.run import train

_SMALL = SyntheticOptions(episodes=4, width_px=96, height_px=72)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module `tiny.py` of this folder, with its network installed."""
    spec = importlib.util.spec_from_file_location("training_tiny", Path(__file__).with_name("tiny.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.install()
    return module


@pytest.fixture(scope="session")
def human_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rendered human episodes."""
    root = tmp_path_factory.mktemp("human") / "data"
    generate(root, _SMALL)
    return root


@pytest.fixture(scope="session")
def robot_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rendered robot episodes."""
    root = tmp_path_factory.mktemp("robot") / "demos"
    generate_robot_demos(root, _SMALL)
    return root


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the session's runs."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def finished_run(tiny: ModuleType, human_data: Path, runs: Path) -> Path:
    """A run of twelve steps that nothing disturbed."""
    torch.set_num_threads(1)
    assert train(tiny.settings(human_data, runs, "undisturbed")) == 0
    return runs / "undisturbed"


@pytest.fixture(scope="session")
def losses_of() -> Callable[[Path], dict[int, float]]:
    """Reads a run's training losses by step."""

    def read(run: Path) -> dict[int, float]:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return {row["step"]: row["loss"] for row in rows if "loss" in row}

    return read
