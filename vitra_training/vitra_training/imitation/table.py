"""All looks of collected demonstrations as arrays: small numbers in memory, features mapped from their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, HAND, SIDES, TRANSLATION
from vitra_policy.hand.xhand_map import xhand_vector_from_hand
from vitra_policy.model.config import VitraConfig
from vitra_policy.places import places_of
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
        geometry: (N, 15) see vitra_policy.places.
        fov_rad: (E, 2).
        features: E mapped arrays (looks, channels, h, w).
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
    features: list[NDArray[np.float16]]
    step_s: float

    def __len__(self) -> int:
        """How many looks."""
        return len(self.episode)

    def map_of(self, index: int) -> NDArray[np.float16]:
        """Features (channels, h, w) of a look."""
        return np.asarray(self.features[self.episode[index]][self.frame[index]])


def load_looks(folders: tuple[Path, ...], config: VitraConfig, tail_of_failures: int = 25) -> Looks:
    """Every look of the episodes that have features; of failed episodes without their last looks.

    Args:
        folders: Episodes and their features.
        config: Sizes of the network.
        tail_of_failures: How many looks are left out.

    Raises:
        DemonstrationError: there is nothing to learn from.
    """
    tokenizer = make_tokenizer(config.tokenizer, None)
    rows: list[tuple[int, int, bool, int, int]] = []
    features: list[NDArray[np.float16]] = []
    texts, named, fovs, states, actions, geometry = [], [], [], [], [], []
    step_s = 0.0
    for path in find_demonstrations(folders):
        if path.name.endswith(".features.npy") or not features_path(path).exists():
            continue
        one = read_demonstration(path)
        length = len(one) if one.success or len(one) == 1 else max(len(one) - tail_of_failures, 0)
        if not length:
            continue
        episode = len(features)
        features.append(np.load(features_path(path), mmap_mode="r"))
        texts.append(text_ids(one.instruction, tokenizer, config.tokenizer))
        named.append(one.named)
        fovs.append(one.fov_rad)
        states.append(one.state[:length])
        actions.append(one.actions[:length])
        target = one.target_in_camera[:length, :3, 3]
        wrist = one.state[:length, HAND[SIDES[one.side]]][:, TRANSLATION].astype(np.float64)
        yaw = one.target_yaw_rad[:length]
        geometry.append(places_of(one.named[1], target, yaw, one.box_in_camera, wrist, one.target_half_m))
        rows += [(episode, frame, len(one) == 1, one.side, one.seed) for frame in range(length)]
        step_s = one.step_s
    if not rows:
        raise DemonstrationError("No episode has features: python -m vitra_training.imitation.features FOLDERS")
    longest = max(map(len, texts))
    table = np.array(rows)
    return Looks(
        episode=table[:, 0],
        seed=table[:, 4],
        frame=table[:, 1],
        still=table[:, 2].astype(bool),
        text=np.array([ids + [0] * (longest - len(ids)) for ids in texts]),
        named=np.stack([np.unique(words, return_inverse=True)[1] for words in zip(*named, strict=True)], axis=1),
        state=np.concatenate(states),
        actions=np.concatenate(actions),
        hand=table[:, 3],
        geometry=np.concatenate(geometry).astype(np.float32),
        fov_rad=np.array(fovs, dtype=np.float32),
        features=features,
        step_s=step_s,
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
