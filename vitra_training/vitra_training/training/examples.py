"""Samples as network inputs, with the noise of their training loss: all of it a function of seed and place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pil
from torch import Tensor

from vitra_policy.model.config import VitraConfig
from vitra_policy.tokenizer import Tokenizer, make_tokenizer, text_ids
from vitra_training.datasets.samples.sample import Numbers
from vitra_training.datasets.samples.stream import Sample
from vitra_training.training.batch import TrainBatch
from vitra_training.training.config import LossConfig

_TEXT_MULTIPLE = 8
_NOISE_STREAM = 0x6E6F6973  # keeps the noise apart from the augmentation's random numbers of the same place


class Samples(Protocol):
    """A sample per place, the same in every process."""

    @property
    def left_out(self) -> dict[str, dict[str, str]]:
        """Episodes that cannot be used at all, per data set, and why."""

    def __getitem__(self, place: int) -> Sample: ...


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of one sample's loss, R = repeats."""

    noise: NDArray[np.float32]
    """(R, steps, action_dim) standard normal."""
    timesteps: NDArray[np.int64]
    """(R,)."""
    dropped: NDArray[np.bool_]
    """(R,) without the cognition feature."""
    prefix_lengths: NDArray[np.int64]
    """(R,) clean steps."""


def draw(seed: int, place: int, network: VitraConfig, loss: LossConfig) -> Draws:
    """Random numbers that the loss of the sample at a place needs, whichever process computes it.

    Args:
        seed: Of the run.
        place: Number of the sample in the run.
        network: Sizes.
        loss: Which numbers are drawn.
    """
    rng = np.random.default_rng([seed, place, _NOISE_STREAM])
    shape = (loss.repeats, network.expert.steps, network.expert.action_dim)
    return Draws(
        noise=rng.standard_normal(shape, dtype=np.float32),
        timesteps=rng.integers(0, network.diffusion_steps, loss.repeats),
        dropped=rng.random(loss.repeats) < loss.cognition_dropout,
        prefix_lengths=rng.integers(0, loss.max_prefix + 1, loss.repeats),
    )


@dataclass(frozen=True, slots=True)
class Example:
    """One sample as the network reads it."""

    pixels: NDArray[np.uint8]
    """(3, image_size, image_size)."""
    text_ids: list[int]
    numbers: Numbers
    draws: Draws
    sample: Sample


class Examples:
    """Examples by place; picklable, so that loader workers make them.

    Args:
        samples: where images, words and numbers come from.
        network: sizes and tokenizer of the network.
        loss: how noise is drawn.
        seed: of the noise.
        tokenizer_file: tokenizer.json, where the network needs one.
    """

    def __init__(
        self,
        samples: Samples,
        network: VitraConfig,
        loss: LossConfig,
        seed: int,
        tokenizer_file: Path | None = None,
    ) -> None:
        self._samples, self._network, self._loss, self._seed = samples, network, loss, seed
        self.left_out = samples.left_out
        self._tokenizer_file = tokenizer_file
        self._tokenizer: Tokenizer = make_tokenizer(network.tokenizer, tokenizer_file)

    def __getstate__(self) -> dict[str, Any]:
        """The tokenizer is loaded anew in each process."""
        return {key: value for key, value in self.__dict__.items() if key != "_tokenizer"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._tokenizer = make_tokenizer(self._network.tokenizer, self._tokenizer_file)

    def __getitem__(self, place: int) -> Example:
        sample = self._samples[place]
        return Example(
            pixels=square_pixels(sample.image, self._network.vision.image_size),
            text_ids=text_ids(sample.instruction, self._tokenizer, self._network.tokenizer),
            numbers=sample.numbers,
            draws=draw(self._seed, place, self._network, self._loss),
            sample=sample,
        )


def collate_examples(examples: Sequence[Example], pad_id: int = 0) -> TrainBatch:
    """Stack examples; texts are padded behind to the longest, rounded up so that few lengths occur."""

    def stack(values: Sequence[NDArray[Any]], axis: int = 0) -> Tensor:
        return torch.from_numpy(np.stack(values, axis=axis))

    longest = max(len(example.text_ids) for example in examples)
    width = -(-longest // _TEXT_MULTIPLE) * _TEXT_MULTIPLE
    ids = np.full((len(examples), width), pad_id, dtype=np.int64)
    valid = np.zeros((len(examples), width), dtype=bool)
    for row, example in enumerate(examples):
        ids[row, : len(example.text_ids)] = example.text_ids
        valid[row, : len(example.text_ids)] = True
    numbers, draws = [example.numbers for example in examples], [example.draws for example in examples]
    return TrainBatch(
        pixels=stack([example.pixels for example in examples]),
        text_ids=torch.from_numpy(ids),
        text_valid=torch.from_numpy(valid),
        fov_rad=stack([part.fov_rad for part in numbers]),
        state=stack([part.state for part in numbers]),
        state_mask=stack([part.state_mask for part in numbers]),
        actions=stack([part.actions for part in numbers]),
        action_mask=stack([part.action_mask for part in numbers]),
        is_robot=torch.tensor([part.kind == "robot" for part in numbers]),
        noise=stack([part.noise for part in draws], axis=1),
        timesteps=stack([part.timesteps for part in draws], axis=1),
        dropped=stack([part.dropped for part in draws], axis=1),
        prefix_lengths=stack([part.prefix_lengths for part in draws], axis=1),
        keys=tuple(example.sample.key for example in examples),
        framings=tuple(example.sample.framing for example in examples),
        failures=tuple(failure for example in examples for failure in example.sample.failures),
    )


def square_pixels(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(3, size, size) of a square RGB image, by the second resize of the live robot (vitra_policy.image)."""
    if image.shape[0] != size:
        image = np.asarray(Pil.fromarray(image).resize((size, size), Pil.Resampling.BICUBIC))
    return np.ascontiguousarray(image.transpose(2, 0, 1))
