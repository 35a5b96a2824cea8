"""Training samples per second and model FLOP utilisation of the 3B network on one GPU, with random weights and data.

Needs torch, numpy and safetensors only:

    PYTHONPATH=vitra_policy:vitra_training python -m vitra_training.benchmarks.bench_train_gpu

`--tiny --device cpu` exercises the same code anywhere.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitra_policy.model.config import VitraConfig, preset
from vitra_policy.model.vla import Vitra
from vitra_training.training.batch import TrainBatch
from vitra_training.training.config import LossConfig, OptimizerConfig
from vitra_training.training.flops import training_flops
from vitra_training.training.network import TrainingNetwork, valid_components
from vitra_training.training.optimizer import apply_rates, make_optimizer
from vitra_training.training.schedule import rates_at

TEXT_TOKENS = 32
PEAK_BF16_TFLOPS = {
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "4090": 165.0,
    "L40S": 362.0,
    "5090": 209.5,
}
"""Dense bfloat16 peaks by what the device calls itself (data sheets); the first that fits counts."""
TARGET_MFU = 0.40


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the same training step."""

    micro_batch: int
    checkpointing: bool
    compiled: bool


VARIANTS = (
    Variant(16, checkpointing=False, compiled=False),
    Variant(16, checkpointing=False, compiled=True),
    Variant(32, checkpointing=True, compiled=True),
    Variant(64, checkpointing=True, compiled=False),
    Variant(64, checkpointing=True, compiled=True),
)
_TINY_VARIANTS = (Variant(2, checkpointing=False, compiled=False), Variant(4, checkpointing=True, compiled=False))


class Step:
    """Optimizer steps on one random batch, as the trainer takes them."""

    def __init__(self, config: VitraConfig, variant: Variant, samples: int, repeats: int, device: torch.device) -> None:
        torch.manual_seed(0)
        with torch.device(device):
            vitra = Vitra(config)
        vitra.set_gradient_checkpointing(variant.checkpointing)
        if variant.compiled:
            vitra.compile_layers()
        self._loss = LossConfig(repeats=repeats)
        self._network = TrainingNetwork(vitra.train(), self._loss, bf16=device.type == "cuda")
        self._settings = OptimizerConfig(backbone_freeze_steps=0)
        self._optimizer = make_optimizer(vitra.named_parameters(), self._settings)
        count = max(samples // variant.micro_batch, 1)
        self.samples = count * variant.micro_batch
        self._batches = [random_batch(config, variant.micro_batch, repeats, device) for _ in range(count)]

    def __call__(self) -> Tensor:
        """One step; returns its loss."""
        self._optimizer.zero_grad(set_to_none=True)
        counts = [valid_components(batch, 0) for batch in self._batches]
        total, loss = torch.stack(counts).sum(), torch.zeros((), device=counts[0].device)
        for batch, count in zip(self._batches, counts, strict=True):
            part = self._network(batch)[0] * count / total
            part.backward()
            loss += part.detach()
        apply_rates(self._optimizer, rates_at(0, 1, self._settings))
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.clip_norm)
        self._optimizer.step()
        return loss


def random_batch(config: VitraConfig, size: int, repeats: int, device: torch.device) -> TrainBatch:
    """A batch of right hands with noise for an image.

    Args:
        config: Sizes of the network.
        size: Samples.
        repeats: Noise levels of each.
        device: Where it is made.
    """
    expert, image = config.expert, config.vision.image_size
    action_mask = torch.zeros(size, expert.steps, expert.action_dim, dtype=torch.bool)
    action_mask[..., 51:102] = True
    state_mask = torch.zeros(size, expert.state_dim, dtype=torch.bool)
    state_mask[:, 51:102] = True
    return TrainBatch(
        pixels=torch.randint(0, 256, (size, 3, image, image), dtype=torch.uint8),
        text_ids=torch.randint(5, min(config.language.vocabulary, 10_000), (size, TEXT_TOKENS)),
        text_valid=torch.arange(TEXT_TOKENS).expand(size, -1) < TEXT_TOKENS - 3,
        fov_rad=torch.rand(size, 2) + 0.5,
        state=torch.randn(size, expert.state_dim),
        state_mask=state_mask,
        actions=torch.randn(size, expert.steps, expert.action_dim),
        action_mask=action_mask,
        is_robot=torch.zeros(size, dtype=torch.bool),
        noise=torch.randn(repeats, size, expert.steps, expert.action_dim),
        timesteps=torch.randint(0, config.diffusion_steps, (repeats, size)),
        dropped=torch.rand(repeats, size) < 0.1,
        prefix_lengths=torch.zeros(repeats, size, dtype=torch.long),
    ).to(device)


def measure(
    config: VitraConfig, variant: Variant, options: argparse.Namespace, device: torch.device, peak: float | None
) -> dict[str, Any]:
    """Figures of one variant; an out-of-memory error is a result too.

    Args:
        config: Sizes of the network.
        variant: What is switched on.
        options: Of the command.
        device: The GPU.
        peak: Operations a second it could do; None: unknown.
    """
    try:
        step = Step(config, variant, options.samples_per_step, options.repeats, device)
        for _ in range(options.warmup):
            loss = step()
        _wait(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        times = []
        for _ in range(options.steps):
            start = time.perf_counter()
            loss = step()
            _wait(device)
            times.append(time.perf_counter() - start)
    except torch.OutOfMemoryError:
        return {**asdict(variant), "error": "out of memory"}
    except Exception as error:  # a compiler that fails on one machine must not hide the other variants
        return {**asdict(variant), "error": f"{type(error).__name__}: {error}"[:500]}
    seconds = sorted(times)[len(times) // 2]
    rate = step.samples / seconds
    flops = training_flops(config, TEXT_TOKENS, options.repeats) * rate
    return {
        **asdict(variant),
        "samples_per_step": step.samples,
        "step_s": seconds,
        "samples_per_s": rate,
        "model_tflops": flops / 1e12,
        "mfu": flops / 1e12 / peak if peak else None,
        "peak_memory_gib": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        "loss": float(loss),
    }


def main() -> None:
    """Run the variants and write the figures."""
    options = _options()
    name = options.device or ("cuda" if torch.cuda.is_available() else "")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not name:
        options.out.write_text(json.dumps({"skipped": "no CUDA GPU here; --tiny --device cpu runs anywhere"}) + "\n")
        print(options.out.read_text())
        return
    device = torch.device(name)
    torch.set_float32_matmul_precision("high")
    config = preset("mini" if options.tiny else "3b")
    called = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"
    peak = options.peak_tflops or next((v for key, v in PEAK_BF16_TFLOPS.items() if key in called), None)
    results = []
    for variant in _TINY_VARIANTS if options.tiny else VARIANTS:
        results.append(measure(config, variant, options, device, peak))
        print(json.dumps(results[-1]), flush=True)
        torch.compiler.reset()
        gc.collect()  # modules and their compiled code refer to each other; the next variant needs the memory
        if device.type == "cuda":
            torch.cuda.empty_cache()
    done = [result for result in results if "error" not in result]
    best = max(done, key=lambda result: result["samples_per_s"], default=None)
    summary = {
        "device": called,
        "torch": torch.__version__,
        "network": config.name,
        "gflop_per_sample": training_flops(config, TEXT_TOKENS, options.repeats) / 1e9,
        "repeats": options.repeats,
        "text_tokens": TEXT_TOKENS,
        "peak_bf16_tflops": peak,
        "target_mfu": TARGET_MFU,
        "best": best,
        "variants": results,
    }
    options.out.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps({"best": best}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/train_gpu.json"), help="JSON file to write")
    parser.add_argument("--device", help="cuda, cuda:1 or cpu; default cuda where there is one")
    parser.add_argument("--tiny", action="store_true", help="the mini network, to exercise the code")
    parser.add_argument("--samples-per-step", type=int, default=64, help="per optimizer step (paper: 64 a GPU)")
    parser.add_argument("--repeats", type=int, default=8, help="noise levels per sample (8 in pretraining)")
    parser.add_argument("--warmup", type=int, default=2, help="steps before measuring")
    parser.add_argument("--steps", type=int, default=5, help="measured steps; the median counts")
    parser.add_argument("--peak-tflops", type=float, help="dense bf16 peak, for GPUs that are not in the table")
    return parser.parse_args()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
