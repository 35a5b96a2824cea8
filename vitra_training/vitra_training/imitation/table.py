"""All looks of collected demonstrations as arrays: small numbers in memory, features mapped from their files.

With images instead of features everything is read at once, by several processes: that is for a GPU, where the tower
is trained too.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, HAND, SIDES, TRANSLATION
from vitra_policy.child_processes import end_with_parent
from vitra_policy.hand.xhand_map import xhand_vector_from_hand
from vitra_policy.image import resized
from vitra_policy.model.config import VitraConfig
from vitra_policy.places import Target, places_of
from vitra_policy.statistics import HandStatistics, Moments, Statistics
from vitra_policy.tokenizer import make_tokenizer, text_ids
from vitra_training.imitation.episodes import DemonstrationError, find_demonstrations, read_demonstration
from vitra_training.imitation.features import features_path

_STD_FLOOR = np.r_[np.full(3, 5e-4), np.full(3, 2e-3), np.full(12, 5e-3)]
"""Least deviations of an XHand's 18 numbers [m, rad]: what hardly varies is not blown up."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """N looks.

    Attributes:
        episode: (N,) which episode.
        seed: (N,) seed of its scene, so that what is held out stays held out when episodes are added.
        frame: (N,) which of its looks.
        still: (N,) whether that episode is a single look.
        text: (E, T) token ids of each episode's instruction, 0 behind its end.
        named: (E, 2) which colour and which kind each episode's instruction names, out of those in the data.
        state: (N, 102) hands in the camera frame.
        actions: (N, 16, 102) the expert's chunk.
        hand: (N,) the hand that acts, 0 left, 1 right.
        geometry: (N, NUMBERS) see vitra_policy.places.
        fov_rad: (E, 2).
        features: E mapped arrays (looks, channels, h, w); with images (looks, H, W, 3) uint8.
        step_s: Duration of a step.
    """

    episode: NDArray[np.int64]
    seed: NDArray[np.int64]
    frame: NDArray[np.int64]
    still: NDArray[np.bool_]
    text: NDArray[np.int64]
    named: NDArray[np.int64]
    state: NDArray[np.float32]
    actions: NDArray[np.float32]
    hand: NDArray[np.int64]
    geometry: NDArray[np.float32]
    fov_rad: NDArray[np.float32]
    features: list[NDArray[np.float16]] | list[NDArray[np.uint8]]
    step_s: float

    def __len__(self) -> int:
        """How many looks."""
        return len(self.episode)

    def map_of(self, index: int) -> NDArray[np.float16] | NDArray[np.uint8]:
        """Features (channels, h, w) of a look, or its image."""
        return np.asarray(self.features[self.episode[index]][self.frame[index]])

    @property
    def are_images(self) -> bool:
        """Whether images stand in place of features."""
        return self.features[0].dtype == np.uint8


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What one episode gives."""

    text: list[int]
    named: tuple[str, str]
    side: int
    seed: int
    still: bool
    step_s: float
    fov_rad: NDArray[np.float64]
    state: NDArray[np.float32]
    actions: NDArray[np.float32]
    geometry: NDArray[np.float32]
    seen: NDArray[np.float16] | NDArray[np.uint8]


def load_looks(
    folders: tuple[Path, ...],
    config: VitraConfig,
    tail_of_failures: int = 25,
    *,
    images: bool = False,
    workers: int = 1,
) -> Looks:
    """Every look of the episodes that have features, or of all with their images; of failed ones without their last.

    Args:
        folders: Episodes and their features.
        config: Sizes of the network.
        tail_of_failures: How many looks are left out.
        images: The images themselves, of the network's size, instead of features.
        workers: Processes that read.

    Raises:
        DemonstrationError: there is nothing to learn from.
    """
    found = [path for path in find_demonstrations(folders) if images or features_path(path).exists()]
    read = partial(_read, config=config, tail_of_failures=tail_of_failures, images=images)
    parts = [part for part in _mapped(read, found, workers) if part is not None]
    if not parts and not found:
        raise DemonstrationError("No episode has features: python -m vitra_training.imitation.features FOLDERS")
    if not parts:
        raise DemonstrationError(f"All {len(found)} episodes failed before there was anything to learn from.")
    return _looks_of(parts)


def _looks_of(parts: list[_Part]) -> Looks:
    lengths = [len(part.state) for part in parts]
    longest = max(len(part.text) for part in parts)
    words = zip(*(part.named for part in parts), strict=True)
    return Looks(
        episode=np.repeat(np.arange(len(parts)), lengths),
        seed=np.repeat([part.seed for part in parts], lengths),
        frame=np.concatenate([np.arange(length) for length in lengths]),
        still=np.repeat([part.still for part in parts], lengths),
        text=np.array([part.text + [0] * (longest - len(part.text)) for part in parts]),
        named=np.stack([np.unique(some, return_inverse=True)[1] for some in words], axis=1),
        state=np.concatenate([part.state for part in parts]),
        actions=np.concatenate([part.actions for part in parts]),
        hand=np.repeat([part.side for part in parts], lengths),
        geometry=np.concatenate([part.geometry for part in parts]).astype(np.float32),
        fov_rad=np.array([part.fov_rad for part in parts], dtype=np.float32),
        features=[part.seen for part in parts],  # type: ignore[arg-type]
        step_s=parts[-1].step_s,
    )


def _mapped(read: partial[_Part | None], paths: list[Path], workers: int) -> Iterator[_Part | None]:
    if workers == 1:
        yield from map(read, paths)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), end_with_parent) as pool:
        yield from pool.map(read, paths, chunksize=32)


def _read(path: Path, config: VitraConfig, tail_of_failures: int, images: bool) -> _Part | None:
    """One episode; None where nothing of it counts."""
    one = read_demonstration(path)
    length = len(one) if one.success or len(one) == 1 else max(len(one) - tail_of_failures, 0)
    if not length:
        return None
    wrist = one.state[:length, HAND[SIDES[one.side]]][:, TRANSLATION].astype(np.float64)
    pieces = None if one.pieces_in_camera is None else one.pieces_in_camera[:length]
    return _Part(
        text=text_ids(one.instruction, make_tokenizer(config.tokenizer, None), config.tokenizer),
        named=one.named,
        side=one.side,
        seed=one.seed,
        still=len(one) == 1,
        step_s=one.step_s,
        fov_rad=one.fov_rad,
        state=one.state[:length],
        actions=one.actions[:length],
        geometry=places_of(
            Target(
                one.task,
                one.named[1],
                one.target_in_camera[:length, :3, 3],
                one.target_yaw_rad[:length],
                one.target_half_m,
            ),
            one.box_in_camera,
            wrist,
            pieces,
        ),
        seen=np.stack([resized(one.image(i), config.vision.image_shape) for i in range(length)])
        if images
        else np.load(features_path(path), mmap_mode="r"),
    )


def statistics_of(looks: Looks, name: str) -> Statistics:
    """Moments of state and first action of each hand that acts somewhere, over the XHand's own numbers."""
    hands = {}
    for index, side in enumerate(SIDES):
        chosen = looks.hand == index
        if not chosen.any():
            continue
        state = xhand_vector_from_hand(looks.state[chosen][:, HAND[side]].astype(np.float64))
        action = xhand_vector_from_hand(looks.actions[chosen][:, :, HAND[side]].astype(np.float64)).reshape(-1, 18)
        hands[side] = HandStatistics(_floored(Moments.of(state)), _floored(Moments.of(action)))
    assert looks.state.shape[1] == ACTION_DIM
    return Statistics(name, hands, trajectories=len(looks.features))


def _floored(moments: Moments) -> Moments:
    return Moments(moments.mean, np.maximum(moments.std, _STD_FLOOR))
