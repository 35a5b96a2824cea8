"""Batches of looks for the two stages of training, and which looks are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitra_policy.action_space import Hands, action_mask, pad_action, pad_state, state_mask
from vitra_policy.statistics import Statistics
from vitra_training.imitation.table import Looks

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SeeingBatch:
    """Feature maps (B, channels, h, w), token ids (B, T), the colour and kind they name (B, 2), places (B, NUMBERS)."""

    tower: Tensor
    text: Tensor
    fov_rad: Tensor
    named: Tensor
    places: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ActingBatch:
    """What the trunk makes of looks (B, width), places that the keypoints say, true ones, hands, normalised chunks."""

    thought: Tensor
    said: Tensor
    state: Tensor
    state_mask: Tensor
    actions: Tensor
    action_mask: Tensor
    places: Tensor


class Batches:
    """Draws looks: some from stills, the others from episodes.

    Args:
        looks: All of them.
        statistics: What normalises hands and chunks.
        held_out: Every so many-th scene is kept for judging.
    """

    def __init__(self, looks: Looks, statistics: Statistics, held_out: int) -> None:
        self._looks, self.hand = looks, looks.hand
        held = looks.seed % held_out == 0
        self.train = [np.flatnonzero(~held & looks.still), np.flatnonzero(~held & ~looks.still)]
        self.held_out = [np.flatnonzero(held & looks.still), np.flatnonzero(held & ~looks.still)]
        self._state = pad_state(statistics.normalise_state(looks.state)).astype(np.float32)
        self._actions = statistics.normalise_action(looks.actions).astype(np.float32)
        hands = [Hands(left=True), Hands(right=True)]
        self._state_masks = np.stack([state_mask(h) for h in hands])
        self._action_masks = np.stack([action_mask(h, steps=looks.actions.shape[1]) for h in hands])
        self.places_mean: NDArray[np.float32] = looks.geometry.mean(axis=0)
        self.places_std: NDArray[np.float32] = np.maximum(looks.geometry.std(axis=0), 2e-3)
        self.words = tuple(int(n) for n in looks.named.max(axis=0) + 1)
        """How many colours and kinds are named."""
        self.thought: NDArray[np.float32] | None = None
        """What the trunk makes of every look, once seeing is learned."""
        self.said: NDArray[np.float32] | None = None
        """Normalised places that the keypoints of every look say, once seeing is learned."""

    def draw(self, rng: np.random.Generator, count: int, stills: float) -> Indices:
        """Looks to learn from, a share of them stills.

        Args:
            rng: Of the draw.
            count: How many.
            stills: The share, 0..1.
        """
        still, moving = self.train
        if not (len(still) and len(moving)):
            return rng.choice(still if len(still) else moving, count)
        of_still = round(count * stills)
        return np.concatenate([rng.choice(still, of_still), rng.choice(moving, count - of_still)])

    def seeing(self, indices: Indices) -> SeeingBatch:
        """What the first stage needs of these looks."""
        maps = np.stack([self._looks.map_of(i) for i in indices]).astype(np.float32)
        named = torch.from_numpy(self._looks.named[self._looks.episode[indices]])
        fov = torch.from_numpy(self._looks.fov_rad[self._looks.episode[indices]])
        return SeeingBatch(torch.from_numpy(maps), self._text(indices), fov, named, self._places(indices))

    def acting(self, indices: Indices) -> ActingBatch:
        """What the second stage needs of these looks."""
        assert self.thought is not None
        assert self.said is not None
        looks = self._looks
        hands = looks.hand[indices]
        mask = torch.from_numpy(self._state_masks[hands])
        return ActingBatch(
            thought=torch.from_numpy(self.thought[indices]),
            said=torch.from_numpy(self.said[indices]),
            state=torch.from_numpy(self._state[indices]) * mask,
            state_mask=mask,
            actions=torch.from_numpy(pad_action(self._actions[indices]).astype(np.float32)),
            action_mask=torch.from_numpy(self._action_masks[hands]),
            places=self._places(indices),
        )

    def __len__(self) -> int:
        """How many looks, held out or not."""
        return len(self._looks)

    def _text(self, indices: Indices) -> Tensor:
        text = self._looks.text[self._looks.episode[indices]]
        return torch.from_numpy(text[:, : max(int((text != 0).sum(axis=1).max()), 1)])

    def _places(self, indices: Indices) -> Tensor:
        return torch.from_numpy((self._looks.geometry[indices] - self.places_mean) / self.places_std)
