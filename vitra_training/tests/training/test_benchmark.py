"""The training benchmark and its arithmetic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitra_policy.model.config import preset
from vitra_training.training.flops import training_flops

_PROGRAM = """
import sys
for name in (
    *("cv2", "av", "tyro", "accelerate", "rich", "pyarrow", "scipy", "PIL", "h5py", "tokenizers", "transformers"),
    *("yaml", "pinocchio", "matplotlib", "onnxruntime", "tensorboard", "vitra_description", "rosbags"),
):
    sys.modules[name] = None
from vitra_training.benchmarks.bench_train_gpu import main
main()
"""


def test_the_3b_network_needs_what_the_cost_model_says() -> None:
    assert training_flops(preset("3b"), text_tokens=29, repeats=8) == pytest.approx(3.85e12, rel=0.05)


def test_the_benchmark_runs_with_torch_numpy_and_safetensors_alone(tmp_path: Path) -> None:
    out = tmp_path / "train.json"
    small = ["--tiny", "--device", "cpu", "--samples-per-step", "2", "--warmup", "0", "--steps", "1", "--repeats", "1"]
    program = [sys.executable, "-c", _PROGRAM, *small, "--out", str(out)]
    done = subprocess.run(program, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["best"]["samples_per_s"] > 0
    assert not any("error" in variant for variant in result["variants"])


def test_the_data_benchmark_times_both_loaders_in_one_run(tmp_path: Path) -> None:
    out = tmp_path / "data.json"
    small = ["--data", str(tmp_path / "absent"), "--samples", "2", "--rounds", "1", "--out", str(out)]
    program = [sys.executable, "-m", "vitra_training.benchmarks.bench_data", *small]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["data"] == "synthetic episode"
    assert result["samples_per_cpu_s"].keys() == {"ours", "ours_from_original_files", "reference_manner"}
    assert result["speedup_cpu_time"] > 0
