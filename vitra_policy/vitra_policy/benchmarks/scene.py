"""One made-up observation in the network's terms, and timing of rivals in turns."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vitra_policy.action_space import Hands, action_mask, state_mask
from vitra_policy.benchmarks.eager_reference import ReferenceInputs
from vitra_policy.engine.image import DeviceResizer
from vitra_policy.model.config import VitraConfig
from vitra_policy.model.request import ChunkRequest
from vitra_policy.tokenizer import ByteTokenizer, text_ids

INSTRUCTION = "Left hand: None. Right hand: Put the red cube into the box."
FOV_RAD = (1.2, 0.75)
CAMERA_SIZE = (480, 640)
"""Rows and columns of the made-up camera image."""


class WordTokenizer:
    """Stands in for a real tokenizer of the published network, which needs a download: one token per word piece."""

    def encode(self, text: str) -> list[int]:
        """About as many ids as PaliGemma's tokenizer gives."""
        pieces = text.replace(":", " :").replace(".", " .").split(" ")
        return [1000 + sum(piece.encode()) % 20_000 for piece in pieces]


def tokenizer_for(config: VitraConfig) -> ByteTokenizer | WordTokenizer:
    """A tokenizer that needs no file."""
    return ByteTokenizer() if config.tokenizer.kind == "bytes" else WordTokenizer()


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Inputs that every engine gets alike."""

    image: NDArray[np.uint8]
    state: NDArray[np.float32]
    state_mask: NDArray[np.bool_]
    action_mask: NDArray[np.bool_]
    noise: NDArray[np.float32]

    @staticmethod
    def of(config: VitraConfig, seed: int = 0, camera_size: tuple[int, int] = CAMERA_SIZE) -> Scene:
        """A random scene: smooth image, one active hand.

        Args:
            config: Sizes of the network.
            seed: Of everything that is random.
            camera_size: Height and width of the image, pixels.
        """
        draw = np.random.default_rng(seed)
        coarse = torch.from_numpy(draw.integers(0, 256, (1, 3, 9, 16)).astype(np.float32))
        image = torch.nn.functional.interpolate(coarse, camera_size, mode="bilinear")[0].permute(1, 2, 0)
        hands, cfg = Hands(right=True), config.expert
        return Scene(
            image=image.round().to(torch.uint8).contiguous().numpy(),
            state=np.where(state_mask(hands), draw.normal(size=cfg.state_dim), 0).astype(np.float32),
            state_mask=state_mask(hands),
            action_mask=action_mask(hands, steps=cfg.steps),
            noise=draw.normal(size=(1, cfg.steps, cfg.action_dim)).astype(np.float32),
        )

    def request(self) -> ChunkRequest:
        """What an engine is asked."""
        return ChunkRequest(
            image=self.image,
            instruction=INSTRUCTION,
            fov=FOV_RAD,
            state=self.state,
            state_mask=self.state_mask,
            action_mask=self.action_mask,
            noise=self.noise,
        )

    def reference_inputs(self, config: VitraConfig) -> ReferenceInputs:
        """What :class:`EagerReference` is asked; preprocesses the image on the CPU."""
        size = config.vision.image_size
        if find_spec("PIL") is None:
            pixels = DeviceResizer(size, torch.device("cpu"))(torch.from_numpy(self.image))[0].numpy()
        else:
            from vitra_policy.image import pixel_values

            pixels = pixel_values(self.image, size)
        return ReferenceInputs(
            pixel_values=pixels,
            text_ids=text_ids(INSTRUCTION, tokenizer_for(config), config.tokenizer),
            fov_rad=FOV_RAD,
            state=self.state,
            state_mask=self.state_mask,
            action_mask=self.action_mask,
            noise=self.noise,
        )


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of every call of one rival."""

    wall_s: list[float]
    cpu_s: list[float]
    """Processor time of the whole process, which a busy machine disturbs less."""

    def summary_ms(self) -> dict[str, float]:
        """Percentiles in milliseconds."""
        wall, cpu = np.array(self.wall_s) * 1e3, np.array(self.cpu_s) * 1e3
        values = {"p50": np.median(wall), "p99": np.percentile(wall, 99), "min": wall.min(), "cpu_p50": np.median(cpu)}
        return {name: round(float(value), 3) for name, value in values.items()}


def time_in_turns(
    rivals: Mapping[str, Callable[[], object]], rounds: int, warm_up: int, limit_s: float = float("inf")
) -> dict[str, Times]:
    """Times of every rival; they take turns, so that a busy machine is unfair to nobody.

    Args:
        rivals: What to run, by name.
        rounds: Turns of everyone.
        warm_up: Turns before, not counted.
        limit_s: No new round begins after so long.
    """
    for run in rivals.values():
        for _ in range(warm_up):
            run()
    times = {name: Times([], []) for name in rivals}
    end_s = time.monotonic() + limit_s
    for turn in range(rounds):
        if turn and time.monotonic() > end_s:
            break
        for name, run in rivals.items():
            started_s, cpu_s = time.perf_counter(), time.process_time()
            run()
            times[name].wall_s.append(time.perf_counter() - started_s)
            times[name].cpu_s.append(time.process_time() - cpu_s)
    return times


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write JSON and show it."""
    machine = {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.processor()}
    text = json.dumps({"machine": machine | {"threads": torch.get_num_threads()}, **report}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    sys.stdout.write(text + "\n")
