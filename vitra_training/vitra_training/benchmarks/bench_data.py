"""Samples per second and worker with full augmentation, ours against a loader in the reference's manner."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import tyro

from vitra_training.benchmarks.reference_loader import load_sample
from vitra_training.datasets.formats.store import StoreWriter
from vitra_training.datasets.samples.stream import SampleStream, TrainingSet
from vitra_training.datasets.sources import EpisodeSource, Vitra1M, open_source
from vitra_training.datasets.statistics import compute_statistics

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Options:
    """Benchmark the data loader of training."""

    data: Path = _ROOT.parent / "shared" / "data" / "vitra_example"
    """Folder with a VITRA-1M episode; a synthetic one is made when it is absent."""
    out: Path = _ROOT / "runs" / "bench" / "data.json"
    """Where the figures go."""
    samples: int = 100
    """Samples per round and loader."""
    rounds: int = 5
    """Rounds; the loaders take turns and the median of the ratios counts (of CPU time, where a core was shared)."""


def main(options: Options) -> None:
    """Run and write the figures."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        source, origin = _source(options.data, Path(folder))
        store_root = Path(folder) / "store"
        with StoreWriter(store_root) as writer:
            writer.add(source.load(0))
        store = open_source(store_root)
        measured, _ = compute_statistics(store, "bench")
        stream = SampleStream([TrainingSet("bench", store, measured)], seed=0)
        raw = SampleStream([TrainingSet("bench", source, measured)], seed=0)
        annotation, video = source.paths[0], source.load(0).video.path
        length = len(source.load(0).episode)
        loaders: dict[str, Callable[[int], object]] = {
            "ours": lambda place: stream[place],
            "ours_from_original_files": lambda place: raw[place],
            "reference_manner": lambda place: load_sample(
                annotation, video, place % (length - 1), np.random.default_rng(place)
            ),
        }
        for load in loaders.values():
            for place in range(10):
                load(place)
        rounds = [{name: _time(load, options.samples) for name, load in loaders.items()} for _ in range(options.rounds)]
    result = _summary(rounds, origin)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _source(data: Path, folder: Path) -> tuple[Vitra1M, str]:
    if data.is_dir():
        source: EpisodeSource = open_source(data)
        origin = "real example episode"
    else:
        from vitra_training.synthetic.generate import SyntheticOptions, generate

        generate(folder / "synthetic", SyntheticOptions(episodes=1))
        source, origin = open_source(folder / "synthetic"), "synthetic episode"
    if not isinstance(source, Vitra1M):
        raise SystemExit(f"{data} holds no VITRA-1M episode")
    return source, origin


def _time(load: Callable[[int], object], samples: int) -> tuple[float, float]:
    """CPU seconds and wall seconds per sample of one worker."""
    cpu, wall = time.process_time(), time.perf_counter()
    for place in range(samples):
        load(place)
    return (time.process_time() - cpu) / samples, (time.perf_counter() - wall) / samples


def _summary(rounds: list[dict[str, tuple[float, float]]], origin: str) -> dict[str, object]:
    def median(name: str, which: int) -> float:
        return statistics.median(part[name][which] for part in rounds)

    def ratio(which: int) -> float:
        return statistics.median(part["reference_manner"][which] / part["ours"][which] for part in rounds)

    return {
        "data": origin,
        "samples_per_s_per_worker": {name: round(1 / median(name, 1), 1) for name in rounds[0]},
        "samples_per_cpu_s": {name: round(1 / median(name, 0), 1) for name in rounds[0]},
        "share_of_a_core": {name: round(median(name, 0) / median(name, 1), 2) for name in rounds[0]},
        "speedup": round(ratio(1), 2),
        "speedup_cpu_time": round(ratio(0), 2),
        "target_speedup": 4.0,
    }


if __name__ == "__main__":
    main(tyro.cli(Options, prog="python -m vitra_training.benchmarks.bench_data"))
