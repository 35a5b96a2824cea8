"""Samples of a mixture by place: decoding, framing, words and numbers, with broken episodes replaced and named."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vitra_policy.statistics import Statistics
from vitra_training.datasets.episode import IntArray
from vitra_training.datasets.errors import DatasetError, EmptyDatasetError, TooManyBadSamplesError
from vitra_training.datasets.samples.captions import names_colour
from vitra_training.datasets.samples.colour import sample_colour
from vitra_training.datasets.samples.mixture import Schedule
from vitra_training.datasets.samples.motion import Motion, checked_motion
from vitra_training.datasets.samples.pixels import plain_image, warp_frame
from vitra_training.datasets.samples.sample import (
    Framing,
    Numbers,
    SampleOptions,
    choose_view,
    choose_words,
    cut_chunk,
    network_numbers,
)
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoPool

_ATTEMPTS = 16
_CACHED_MOTIONS = 128
# What bad data can cause although every reader checks; errors that no data can cause (types, names) stop the run.
_SKIPPED = (DatasetError, OSError, ValueError, LookupError, ArithmeticError, cv2.error)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A data set as training uses it."""

    name: str
    source: EpisodeSource
    statistics: Statistics
    weight: float = 1.0
    options: SampleOptions = field(default_factory=SampleOptions)
    frames: IntArray | None = None
    """(N, 2) episode and frame of each sample; None for every usable frame."""


@dataclass(frozen=True, slots=True)
class SampleKey:
    """Where a sample comes from."""

    dataset: str
    episode: str
    frame: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that could not be made, and why."""

    key: SampleKey
    cause: str
    """Class of the error."""
    message: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample."""

    image: NDArray[np.uint8]
    """(224, 224, 3) RGB."""
    instruction: str
    numbers: Numbers
    key: SampleKey
    framing: Framing
    failures: tuple[Failure, ...]
    """Broken samples that this one stands in for."""


class SampleStream:
    """Sample at any place of an endless run; the same place gives the same sample in any process.

    Args:
        sets: the data sets of the mixture.
        seed: of order and augmentation.

    Raises:
        EmptyDatasetError: a data set without usable frames.
    """

    def __init__(self, sets: Sequence[TrainingSet], seed: int) -> None:
        self.sets, self.seed = list(sets), seed
        self._frames: list[torch.Tensor] = []
        for part in self.sets:
            frames = part.source.frame_index() if part.frames is None else part.frames
            if not len(frames):
                raise EmptyDatasetError(str(part.source.root))
            # Shared, since every worker process would copy what may be 26 million rows.
            self._frames.append(torch.from_numpy(frames.astype(np.int32)).share_memory_())  # type: ignore[no-untyped-call]  # of torch
        sizes = [len(frames) for frames in self._frames]
        self.schedule = Schedule(sizes, [part.weight for part in self.sets], seed)
        self._videos = VideoPool()
        self._motions: OrderedDict[tuple[int, int], tuple[Motion, object, IntArray]] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        """Open videos and cached episodes stay behind when a worker process gets its copy."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_videos", "_motions")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._videos, self._motions = VideoPool(), OrderedDict()

    @property
    def left_out(self) -> dict[str, dict[str, str]]:
        """Per data set: episodes that could not even be indexed, and why."""
        return {part.name: dict(part.source.broken) for part in self.sets if part.source.broken}

    @property
    def frames(self) -> int:
        """Frames of all data sets together."""
        return sum(len(frames) for frames in self._frames)

    def __getitem__(self, place: int) -> Sample:
        """The sample at a place.

        Raises:
            TooManyBadSamplesError: its frame and 15 substitutes are all broken.
        """
        failures: list[Failure] = []
        for attempt in range(_ATTEMPTS):
            number, row = self.schedule.substitute(place, attempt) if attempt else self.schedule[place]
            episode, frame = self._frames[number][row].tolist()
            key = SampleKey(self.sets[number].name, self.sets[number].source.ids[episode], frame)
            rng = np.random.default_rng([self.seed, place, attempt])
            try:
                return self._make(number, episode, frame, key, rng, tuple(failures))
            except _SKIPPED as error:
                failures.append(Failure(key, type(error).__name__, str(error)))
        raise TooManyBadSamplesError(_ATTEMPTS, failures[-1].message)

    def _make(
        self,
        number: int,
        episode: int,
        frame: int,
        key: SampleKey,
        rng: np.random.Generator,
        failures: tuple[Failure, ...],
    ) -> Sample:
        part = self.sets[number]
        motion, path, video_frames = self._motion(number, episode)
        view, framing = choose_view(motion, frame, rng, part.options)
        words = choose_words(motion, frame, view, rng)
        hide_state = part.options.augment and bool(rng.random() < part.options.state_mask_probability)
        chunk = cut_chunk(motion, frame, view, part.options.steps)
        numbers = network_numbers(chunk, view, motion.kind, part.statistics, hide_state)
        video = self._videos.get(path)  # type: ignore[arg-type]
        if framing is Framing.PLAIN:
            image = plain_image(video.rgb(int(video_frames[frame])))
        else:
            named = any(names_colour(caption) for caption in words.captions)
            colour = sample_colour(rng, part.options.colour, named)
            image = warp_frame(video.frame(int(video_frames[frame])), motion.camera, view, colour)
        return Sample(image, words.instruction, numbers, key, framing, failures)

    def _motion(self, number: int, episode: int) -> tuple[Motion, object, IntArray]:
        key = (number, episode)
        if key in self._motions:
            self._motions.move_to_end(key)
            return self._motions[key]
        recording = self.sets[number].source.load(episode)
        path, frames = recording.video.path, recording.video.frames
        motion = checked_motion(recording, self._videos.get(path))
        self._motions[key] = (motion, path, frames)
        if len(self._motions) > _CACHED_MOTIONS:
            self._motions.popitem(last=False)
        return self._motions[key]


def one_thread_per_process() -> None:
    """Keep OpenCV from starting threads in loader workers, which are as many as the cores already."""
    cv2.setNumThreads(0)
