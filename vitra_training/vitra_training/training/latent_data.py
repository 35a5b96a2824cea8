"""Latent actions in the place of hand actions: the same samples, taught what changes until the end of the chunk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitra_policy.action_space import HAND, Side
from vitra_training.baselines.latent_actions import (
    LATENT_DIM,
    LatentActionModel,
    LatentOptions,
    fit,
    load,
    save,
    small,
)
from vitra_training.datasets.samples.pixels import plain_image
from vitra_training.datasets.samples.stream import Sample, SampleKey, SampleStream
from vitra_training.datasets.video import VideoPool
from vitra_training.training.config import TrainConfig
from vitra_training.training.data import TrainingData

_PAIRS = 512
_START = HAND[Side.RIGHT].start


class ImagePairs:
    """Images at a sample's frame and at the end of its chunk."""

    def __init__(self, stream: SampleStream, steps: int) -> None:
        self._sources = {part.name: part.source for part in stream.sets}
        self._numbers = {name: {key: n for n, key in enumerate(s.ids)} for name, s in self._sources.items()}
        self._steps, self._videos = steps, VideoPool()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_videos"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._videos = VideoPool()

    def __call__(self, key: SampleKey) -> tuple[Tensor, Tensor]:
        """Two images (3, 32, 32)."""
        clip = self._sources[key.dataset].load(self._numbers[key.dataset][key.episode]).video
        video = self._videos.get(clip.path)
        last = min(key.frame + self._steps, len(clip.frames) - 1)
        now, later = (plain_image(video.rgb(int(clip.frames[frame]))) for frame in (key.frame, last))
        return small(now), small(later)


class LatentSamples:
    """Samples whose first action holds a latent code in the right wrist's six numbers; nothing else is asked for."""

    def __init__(self, stream: SampleStream, model: LatentActionModel, pairs: ImagePairs) -> None:
        self._stream, self._model, self._pairs = stream, model, pairs
        self.sets, self.schedule, self.frames = stream.sets, stream.schedule, stream.frames
        self.left_out = stream.left_out

    def __getitem__(self, place: int) -> Sample:
        sample = self._stream[place]
        with torch.no_grad():
            now, later = self._pairs(sample.key)
            code = self._model.encode(now[None], later[None])[0].numpy()
        return with_latent(sample, code)


def with_latent(sample: Sample, code: NDArray[np.float32]) -> Sample:
    """The sample with a code (6,) as its only target, and without a state, which would give hands away."""
    numbers = sample.numbers
    actions, mask = np.zeros_like(numbers.actions), np.zeros_like(numbers.action_mask)
    actions[0, _START : _START + LATENT_DIM] = code
    mask[0, _START : _START + LATENT_DIM] = True
    hidden = np.zeros_like(numbers.state), np.zeros_like(numbers.state_mask)
    return replace(
        sample,
        numbers=replace(numbers, actions=actions, action_mask=mask, state=hidden[0], state_mask=hidden[1]),
    )


def with_latents(data: TrainingData, config: TrainConfig, device: torch.device) -> TrainingData:
    """The data with latent actions where the run asks for them; the latent model is trained when it is not there.

    Nothing is held out: errors of hands mean nothing for latents.

    Args:
        data: Images.
        config: Of the run.
        device: Where the latent model is trained.
    """
    path = config.data.latents
    if path is None:
        return data
    pairs = ImagePairs(data.train, data.train.sets[0].options.steps)
    if not path.is_file():
        images = [pairs(data.train[place].key) for place in range(min(_PAIRS, data.train.frames))]
        torch.manual_seed(config.run.seed)
        model = LatentActionModel().to(device)
        now, later = (torch.stack(column).to(device) for column in zip(*images, strict=True))
        fit(model, now, later, LatentOptions(), config.run.seed)
        save(model.cpu(), path)
    samples = LatentSamples(data.train, load(path), pairs)
    return replace(data, train=cast(SampleStream, samples), held_out=None)
