"""Chunk time on a CPU: the fast engine against the eager reference structure, in one run, taking turns.

One thread by default: on the robot's computer the other cores are busy. ``p50`` is wall time; on a machine that others
use too, ``cpu_p50`` is the honest figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitra_policy.benchmarks.bench_gpu import action_error
from vitra_policy.benchmarks.eager_reference import EagerReference
from vitra_policy.benchmarks.random_network import random_network
from vitra_policy.benchmarks.scene import Scene, time_in_turns, tokenizer_for, write_report
from vitra_policy.engine.fast import FastEngine, FastOptions
from vitra_policy.model.config import preset

_WARM_UP = 2


def bench(name: str, rounds: int, limit_s: float = float("inf")) -> dict[str, Any]:
    """Times in ms, ratios and errors of one preset.

    Args:
        name: Of the preset.
        rounds: Timed calls of each engine.
        limit_s: Time after which no further round begins.
    """
    config = preset(name)
    model, scene = random_network(config), Scene.of(config)
    tokenizer = tokenizer_for(config)
    reference = EagerReference(model)
    engines = {
        "fast": FastEngine(model, tokenizer, None),
        "fast_fp32": FastEngine(model, tokenizer, None, options=FastOptions(dtype=torch.float32)),
    }
    request = scene.request()
    answers = {key: engine.predict(request) for key, engine in engines.items()}
    exact = reference.predict(scene.reference_inputs(config))
    rivals: dict[str, Callable[[], object]] = {
        "eager_reference": lambda: reference.predict(scene.reference_inputs(config))
    }
    rivals |= {key: partial(engine.predict, request) for key, engine in engines.items()}
    times = {key: value.summary_ms() for key, value in time_in_turns(rivals, rounds, _WARM_UP, limit_s).items()}
    eager = times["eager_reference"]
    return {
        "fast_products_in": str(engines["fast"].dtype),
        "ms": times,
        "speedup": {
            key: {what: round(eager[what] / times[key][what], 2) for what in ("p50", "min", "cpu_p50")}
            for key in engines
        },
        "stages_ms": {
            key: {stage: round(s * 1e3, 3) for stage, s in engine.timing.items()} for key, engine in engines.items()
        },
        "relative_error": {
            key: float(np.abs(answer - exact).max() / np.abs(exact).max()) for key, answer in answers.items()
        },
        "action_error": {key: action_error([exact], [answer]) for key, answer in answers.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/policy.json"), help="JSON to write")
    parser.add_argument("--presets", nargs="+", default=["mini", "reduced"], help="networks to measure")
    parser.add_argument("--rounds", type=int, default=20, help="turns per rival")
    parser.add_argument("--limit", type=float, default=40.0, help="seconds after which a preset's turns end")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; 0 leaves PyTorch's choice")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    presets = {name: bench(name, options.rounds, options.limit) for name in options.presets}
    write_report(options.out, {"presets": presets})


if __name__ == "__main__":
    main()
