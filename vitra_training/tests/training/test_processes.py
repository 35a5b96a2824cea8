"""Several processes train exactly what one does: copies of the network (DDP) and shards of it (FSDP2), on gloo."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

Losses = Callable[[Path], dict[int, float]]


@pytest.fixture(scope="module")
def two_processes(tiny: ModuleType, human_data: Path, runs: Path) -> Path:
    """Runs `copies`, `shards` and `narrow` (bf16 shards), each by the same two processes."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = [
        tiny.__file__,
        human_data,
        runs,
        "copies",
        "shards",
        "narrow",
        "--sharding",
        "replicate",
        "fsdp2",
        "fsdp2",
    ]
    program += ["--precision", "fp32", "fp32", "bf16"]
    done = subprocess.run([*launch, *map(str, program)], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    return runs


@pytest.mark.parametrize("name", ["copies", "shards"])
def test_two_processes_give_the_losses_and_weights_of_one(
    two_processes: Path, finished_run: Path, losses_of: Losses, name: str
) -> None:
    assert losses_of(two_processes / name) == pytest.approx(losses_of(finished_run), abs=1e-5)
    for file in ("model.safetensors", "training/weights.safetensors"):
        shared = load_file(two_processes / name / "checkpoints/latest" / file)
        for key, value in load_file(finished_run / "checkpoints/latest" / file).items():
            torch.testing.assert_close(shared[key], value, rtol=0, atol=1e-5)


def test_bf16_shards_stay_close(two_processes: Path, finished_run: Path, losses_of: Losses) -> None:
    narrow, wide = losses_of(two_processes / "narrow"), losses_of(finished_run)
    assert narrow != wide
    assert narrow == pytest.approx(wide, abs=0.02)


def test_a_run_of_two_processes_goes_on_with_one(
    two_processes: Path, tiny: ModuleType, human_data: Path, finished_run: Path, losses_of: Losses
) -> None:
    from vitra_training.training.checkpoints import CheckpointFolder
    from vitra_training.training.run import train

    folder = two_processes / "shards/checkpoints"
    for path in folder.glob("step-00000012/training/state.json"):
        path.unlink()  # the run forgets its end and goes on from step 8
    assert CheckpointFolder(folder, 0).latest().name == "step-00000008"
    assert train(tiny.settings(human_data, two_processes, "shards")) == 0
    assert losses_of(two_processes / "shards") == pytest.approx(losses_of(finished_run), abs=1e-5)
