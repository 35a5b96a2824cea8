"""From the start of `vitra-policy predict` to the written image: the 3B network on a CPU, with random weights.

The checkpoint takes 6.3 GB of disk in bf16 or fp16 and is written once. ``wall_s`` is with whatever else the machine
does; ``cpu_s`` is the honest figure there. Each run is a new process; the first reads the weights from the disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vitra_policy.benchmarks.random_network import draw_weight, example_statistics
from vitra_policy.benchmarks.scene import write_report
from vitra_policy.checkpoint.store import About, WeightSource, save_weights
from vitra_policy.checkpoint.stream import TensorSpec, weight_files
from vitra_policy.model.config import TokenizerConfig, VitraConfig, preset
from vitra_policy.model.unfilled import unfilled
from vitra_policy.model.vla import Vitra

_INSTRUCTION = "Left hand: None. Right hand: Put the red cube into the box."
_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class Start:
    """What one run took."""

    wall_s: float
    cpu_s: float
    peak_gib: float
    """Largest resident memory, pages of the mapped file included."""


def random_checkpoint(folder: Path, config: VitraConfig, dtype: torch.dtype) -> Path:
    """Write a checkpoint of random weights, file by file: the 3B network takes 5 GB of memory meanwhile.

    Args:
        folder: Where to; it appears only when complete.
        config: Sizes of the network; its tokenizer must need no file.
        dtype: Stored number format.
    """
    with unfilled():
        model = Vitra(config)
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    draw = torch.Generator().manual_seed(0)

    def read(names: Sequence[str]) -> dict[str, torch.Tensor]:
        return {name: draw_weight(name, torch.empty(shapes[name]), draw).to(dtype) for name in names}

    source = WeightSource([TensorSpec(name, shape) for name, shape in shapes.items()], read)
    return save_weights(folder, config, source, About(statistics=example_statistics()), dtype=dtype)


def start(checkpoint: Path, out: Path, more: Sequence[str] = ()) -> Start:
    """Predict one chunk from an image in a new process.

    Args:
        checkpoint: As for ``vitra-policy predict``.
        out: Folder for the image and the answer.
        more: Further arguments of ``vitra-policy predict``.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    out.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(np.kron(noise, np.ones((40, 40, 1), np.uint8))).save(out / "scene.png")
    command = [sys.executable, "-m", "vitra_policy.cli", "predict", "--checkpoint", str(checkpoint), "--out", str(out)]
    command += ["--image", str(out / "scene.png"), "--instruction", _INSTRUCTION, "--fov", "60", "--seed", "0", *more]
    begun_s = time.perf_counter()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - begun_s
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Start(round(wall_s, 2), round(usage.ru_utime + usage.ru_stime, 2), round(usage.ru_maxrss / 2**20, 2))


def forget(checkpoint: Path) -> None:
    """Let the system drop the pages of the weights, as if they had never been read."""
    for file in weight_files(checkpoint):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/start.json"), help="JSON to write")
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/random_3b"), help="written where it is missing")
    parser.add_argument("--preset", default="3b", help="network")
    parser.add_argument("--stored", choices=_TYPES, default="bfloat16", help="type of the weights in the file")
    parser.add_argument("--mode", choices=("fast", "parity", "onnx"), default="fast", help="engine")
    parser.add_argument("--rounds", type=int, default=2, help="runs; the weights are read from the disk in the first")
    options = parser.parse_args(arguments)
    checkpoint = options.checkpoint.with_name(f"{options.checkpoint.name}_{options.stored}")
    if not checkpoint.exists():
        config = replace(preset(options.preset), tokenizer=TokenizerConfig(kind="bytes"))
        random_checkpoint(checkpoint, config, _TYPES[options.stored])
    forget(checkpoint)
    answers = options.out.parent / "start_predict"
    runs = [asdict(start(checkpoint, answers, ["--mode", options.mode])) for _ in range(options.rounds)]
    asked = {"preset": options.preset, "stored": options.stored, "mode": options.mode}
    write_report(options.out, {**asked, "load": os.getloadavg(), "runs": runs})


if __name__ == "__main__":
    main()
