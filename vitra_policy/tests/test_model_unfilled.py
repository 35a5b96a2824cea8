"""Networks that wait for weights from a file cost neither memory nor the compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import random_network
from vitra_policy.checkpoint.store import save_model
from vitra_policy.model.config import preset
from vitra_policy.model.unfilled import unfilled
from vitra_policy.model.vla import Vitra


def test_a_network_without_numbers_has_the_names_and_shapes_of_one_with_them() -> None:
    for config in (TINY, preset("mini-lite0")):
        with unfilled():
            empty = Vitra(config).state_dict()
        assert {w.device.type for w in empty.values()} == {"meta"}
        filled = Vitra(config).state_dict()
        assert {n: (w.shape, w.dtype) for n, w in empty.items()} == {n: (w.shape, w.dtype) for n, w in filled.items()}


def test_afterwards_weights_are_drawn_again() -> None:
    with unfilled():
        Vitra(TINY)
    drawn = torch.nn.Linear(8, 8).weight
    assert drawn.device.type == "cpu"
    assert drawn.std() > 0


def test_loading_a_checkpoint_does_not_load_the_compiler(tmp_path: Path) -> None:
    save_model(tmp_path / "tiny", random_network(TINY), dtype=torch.bfloat16)
    program = (
        "import sys; from vitra_policy.loading import load_policy;"
        f"load_policy({str(tmp_path / 'tiny')!r}, 'parity'); print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]
