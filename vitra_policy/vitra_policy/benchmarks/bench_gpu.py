"""Chunk time of the 3B network on a GPU: random weights, one image, DDIM 10, guidance 5, batch 1.

Needs torch, numpy and safetensors only. ``--tiny --device cpu`` runs every line of it anywhere.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, ROTATION, WRIST, Hands, Side
from vitra_policy.benchmarks.eager_reference import EagerReference
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.benchmarks.roofline import find_peak, least_seconds
from vitra_policy.benchmarks.scene import INSTRUCTION, Scene, time_in_turns, tokenizer_for, write_report
from vitra_policy.engine.fast import FastEngine, FastOptions
from vitra_policy.engine.gate import FP8_LIMIT
from vitra_policy.engine.linear import Precision
from vitra_policy.errors import VitraError
from vitra_policy.model.config import ExpertConfig, LanguageConfig, TokenizerConfig, VisionConfig, VitraConfig, preset
from vitra_policy.model.vla import Vitra
from vitra_policy.tokenizer import text_ids
from vitra_policy.transforms import integrate_wrist, matrix_from_euler_xyz, rotation_angle

CAMERA_SIZE = (720, 1280)
TINY = VitraConfig(
    name="tiny",
    vision=VisionConfig(image_size=28, width=32, layers=2, heads=2, mlp_width=64),
    language=LanguageConfig(
        vocabulary=264, width=64, layers=2, heads=4, kv_heads=2, head_dim=16, mlp_width=96, query_scalar=16.0
    ),
    expert=ExpertConfig(width=64, layers=2, heads=2),
    tokenizer=TokenizerConfig(kind="bytes", image_id=4),
)

_WARM_UP, _SCENES = 5, 8
_EAGER_SHARE = 5
"""The eager loop runs once for so many rounds of an engine."""
_FP32, _BF16, _FP8 = 4, 2, 1
_WORKSPACE_GIB = 1.5
"""Activations, recorded graphs and the libraries' own buffers."""


def bench(config: VitraConfig, device: torch.device, rounds: int, fp8: bool) -> dict[str, Any]:
    """Times, ratio to the roofline, and errors of all rivals, one after another so that one at a time is in memory.

    Args:
        config: Sizes of the network.
        device: The GPU.
        rounds: Timed calls of each rival.
        fp8: Whether the fp8 engine runs too.

    Raises:
        VitraError: the device has not enough memory left.
    """
    demand_memory(config, device)
    model, tokenizer = random_network(config, device=device), tokenizer_for(config)
    scenes = [Scene.of(config, seed, CAMERA_SIZE) for seed in range(_SCENES)]
    # Prepared once and outside of what is timed: the baseline pays for no resize, the engines pay for theirs.
    prepared = [scene.reference_inputs(config) for scene in scenes]
    memory: dict[str, float] = {}
    with _peak(memory, "eager_reference", device):
        reference = EagerReference(model)
        with tf32(False):
            exact = [reference.predict(inputs) for inputs in prepared]
        with tf32(True):
            eager = {"eager_reference": partial(reference.predict, prepared[0])}
            times = time_in_turns(eager, max(rounds // _EAGER_SHARE, 1), _WARM_UP)
    del reference, eager
    model = model.cpu()
    errors, stages = {}, {}
    for name in ("fast", "fast_fp8") if fp8 else ("fast",):
        with _peak(memory, name, device), tf32(True):
            fp8_now = name == "fast_fp8"
            options = FastOptions(lengths=(), fp8=fp8_now, fp8_limit=float("inf") if fp8_now else FP8_LIMIT)
            engine = FastEngine(model, tokenizer, None, device, options)
            if fp8_now and engine.prefix.precision is not Precision.FP8:
                continue
            found = [engine.predict(scene.request()) for scene in scenes]
            errors[name] = action_error(exact, found)
            rival = {name: partial(engine.predict, scenes[0].request())}
            times |= time_in_turns(rival, rounds, _WARM_UP)
            stages[name] = {stage: round(s * 1e3, 3) for stage, s in engine.timing.items()}
        del engine, rival
    summaries = {name: value.summary_ms() for name, value in times.items()}
    tokens = config.vision.tokens + len(text_ids(INSTRUCTION, tokenizer, config.tokenizer)) + 1 + config.use_fov
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "network": config.name,
        "tokens": tokens,
        "tf32": "on for all that is timed, off for the answers that errors are measured against",
        "ms": summaries,
        "speedup_p50": {n: round(summaries["eager_reference"]["p50"] / summaries[n]["p50"], 2) for n in errors},
        "stages_ms": stages,
        "roofline": _rooflines(config, device, tokens, summaries),
        "action_error_against_fp32": errors,
        "memory_gib": memory or None,
    }


@contextmanager
def tf32(enabled: bool) -> Iterator[None]:
    """fp32 products and convolutions with 10 bits of mantissa or with all of them, whoever multiplies."""
    flags: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag in flags:
            flag.allow_tf32 = enabled
        yield
    finally:
        for flag, value in zip(flags, before, strict=True):
            flag.allow_tf32 = value


def needed_gib(config: VitraConfig) -> dict[str, float]:
    """About what each phase of the benchmark holds at its peak, from the network's shapes alone."""
    with torch.device("meta"):
        model = Vitra(config)
    weights = sum(weight.numel() for weight in model.parameters())
    prepared = weights - model.language.embedding.weight.numel()
    logits = 3 * (config.vision.tokens + 64) * config.language.vocabulary * _FP32
    phases = {
        "eager_reference": weights * _FP32 + logits,
        "fast": prepared * _BF16,
        "fast_fp8": prepared * (_BF16 + _FP8),
    }
    return {name: size / 2**30 + _WORKSPACE_GIB for name, size in phases.items()}


def demand_memory(config: VitraConfig, device: torch.device) -> None:
    """Refuse to begin what cannot be finished.

    Raises:
        VitraError: says how much is missing.
    """
    if device.type != "cuda":
        return
    needed, free = max(needed_gib(config).values()), torch.cuda.mem_get_info(device)[0] / 2**30
    if free < needed:
        raise VitraError(
            f"The benchmark needs about {needed:.1f} GiB of {device}'s memory; {free:.1f} GiB are free. End other "
            "programs on it (nvidia-smi lists them), or take another device."
        )


@contextmanager
def _peak(memory: dict[str, float], name: str, device: torch.device) -> Iterator[None]:
    """Notes the largest memory of a phase, and gives what it held back before the next one."""
    if device.type != "cuda":
        yield
        return
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    yield
    memory[name] = round(torch.cuda.max_memory_allocated(device) / 2**30, 2)


def action_error(exact: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Largest and mean wrist errors per step [mm, degree], at the end of a chunk, and in standard deviations.

    Chunks are normalised (1, T, action_dim); made-up statistics of table-top motion turn them into metres.
    """
    statistics, hands = example_statistics(), Hands(right=True)
    step_mm, step_deg, end_mm, normalised = [], [], [], []
    for a, b in zip(exact, found, strict=True):
        true, other = (statistics.denormalise_action(chunk[0], hands)[:, HAND[Side.RIGHT]] for chunk in (a, b))
        step_mm.append(np.linalg.norm(true[:, :3] - other[:, :3], axis=1) * 1e3)
        turned = [matrix_from_euler_xyz(chunk[:, ROTATION]) for chunk in (true, other)]
        step_deg.append(np.rad2deg(rotation_angle(turned[0].swapaxes(1, 2) @ turned[1])))
        ends = [integrate_wrist(np.eye(4), chunk[:, WRIST])[-1, :3, 3] for chunk in (true, other)]
        end_mm.append(np.linalg.norm(ends[0] - ends[1]) * 1e3)
        normalised.append(np.sqrt(np.mean((a - b)[..., HAND[Side.RIGHT]] ** 2)))
    values = {
        "step_mm_mean": np.mean(step_mm),
        "step_mm_max": np.max(step_mm),
        "step_deg_mean": np.mean(step_deg),
        "step_deg_max": np.max(step_deg),
        "chunk_end_mm_max": np.max(end_mm),
        "rms_in_standard_deviations": np.mean(normalised),
        "largest_action_in_standard_deviations": np.max(np.abs(exact)),
    }
    return {name: round(float(value), 5) for name, value in values.items()}


def _rooflines(
    config: VitraConfig, device: torch.device, tokens: int, summaries: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]] | None:
    peak = find_peak(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    if peak is None:
        return None
    found = {}
    for name in summaries.keys() - {"eager_reference"}:
        least_ms = least_seconds(config, peak, tokens, fp8=name == "fast_fp8") * 1e3
        found[name] = {"least_ms": round(least_ms, 3), "ratio_p50": round(summaries[name]["p50"] / least_ms, 2)}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line.

    Raises:
        SystemExit: no GPU, or too little memory on it; the message says which.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/policy_gpu.json"), help="JSON to write")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:0, or cpu")
    parser.add_argument("--rounds", type=int, default=200, help="timed chunks per engine")
    parser.add_argument("--tiny", action="store_true", help="a tiny network, to try the benchmark itself")
    parser.add_argument("--no-fp8", action="store_true", help="leave fp8 out")
    options = parser.parse_args(arguments)
    try:
        device = torch.device(options.device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise VitraError(
                f"PyTorch {torch.__version__} finds no GPU. Run this on a machine with one; to try the benchmark "
                "itself: python -m vitra_policy.benchmarks.bench_gpu --tiny --device cpu"
            )
        config = TINY if options.tiny else preset("3b")
        write_report(options.out, bench(config, device, options.rounds, fp8=not options.no_fp8))
    except VitraError as error:
        sys.stderr.write(f"bench_gpu: {error}\n")
        raise SystemExit(2) from None
    except torch.OutOfMemoryError as error:
        needed = max(needed_gib(config).values())
        sys.stderr.write(
            f"bench_gpu: {str(error).splitlines()[0]} The benchmark needs about {needed:.1f} GiB; end other programs "
            "on the device (nvidia-smi lists them).\n"
        )
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
