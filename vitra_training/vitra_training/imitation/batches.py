"""Batches of looks for the two stages of training, and which looks are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vitra_policy.action_space import MODEL_ACTION_DIM, Hands, action_mask, pad_state, state_mask
from vitra_policy.statistics import Statistics
from vitra_training.imitation.table import Looks

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SeeingBatch:
    """What was seen, token ids (B, T), the colour and kind they name (B, 2), places (B, NUMBERS).

    Seen are feature maps (B, channels, h, w), or images (B, H, W, 3) uint8.
    """

    seen: Tensor
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
        device: Where batches are wanted; on a GPU everything is put there at once.
    """

    def __init__(self, looks: Looks, statistics: Statistics, held_out: int, device: str = "cpu") -> None:
        self._looks, self.hand, self.device = looks, looks.hand, torch.device(device)
        held = looks.seed % held_out == 0
        self.train = [np.flatnonzero(~held & looks.still), np.flatnonzero(~held & ~looks.still)]
        self.held_out = [np.flatnonzero(held & looks.still), np.flatnonzero(held & ~looks.still)]
        hands = [Hands(left=True), Hands(right=True)]
        self._state = self._there(pad_state(statistics.normalise_state(looks.state)).astype(np.float32))
        self._actions = self._there(statistics.normalise_action(looks.actions).astype(np.float32))
        self._state_masks = self._there(np.stack([state_mask(h) for h in hands]))
        self._action_masks = self._there(np.stack([action_mask(h, steps=looks.actions.shape[1]) for h in hands]))
        self._geometry = self._there(looks.geometry)
        self._text, self._named = self._there(looks.text), self._there(looks.named)
        self._fov_rad = self._there(looks.fov_rad)
        self._images = self._all_images() if looks.are_images else None
        self.places_mean: NDArray[np.float32] = looks.geometry.mean(axis=0)
        self.places_std: NDArray[np.float32] = np.maximum(looks.geometry.std(axis=0), 2e-3)
        self.words = tuple(int(n) for n in looks.named.max(axis=0) + 1)
        """How many colours and kinds are named."""
        self.thought: Tensor | None = None
        """What the trunk makes of every look (N, width), once seeing is learned."""
        self.said: Tensor | None = None
        """Normalised places (N, NUMBERS) that the keypoints of every look say, once seeing is learned."""

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
        episode = self._there(self._looks.episode[indices])
        text = self._text[episode]
        return SeeingBatch(
            self._seen(indices),
            text[:, : max(int((text != 0).sum(dim=1).max()), 1)],
            self._fov_rad[episode],
            self._named[episode],
            self._places(self._there(indices)),
        )

    def acting(self, indices: Indices) -> ActingBatch:
        """What the second stage needs of these looks."""
        assert self.thought is not None
        assert self.said is not None
        chosen, hands = self._there(indices), self._there(self._looks.hand[indices])
        mask, actions = self._state_masks[hands], self._actions[chosen]
        return ActingBatch(
            thought=self.thought[chosen],
            said=self.said[chosen],
            state=self._state[chosen] * mask,
            state_mask=mask,
            actions=nn.functional.pad(actions, (0, MODEL_ACTION_DIM - actions.shape[-1])),
            action_mask=self._action_masks[hands],
            places=self._places(chosen),
        )

    def __len__(self) -> int:
        """How many looks, held out or not."""
        return len(self._looks)

    def _there(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _places(self, chosen: Tensor) -> Tensor:
        return (self._geometry[chosen] - self._there(self.places_mean)) / self._there(self.places_std)

    def _seen(self, indices: Indices) -> Tensor:
        if self._images is not None:
            return self._images[self._there(indices)]
        return self._there(np.stack([self._looks.map_of(i) for i in indices]).astype(np.float32))

    def _all_images(self) -> Tensor:
        """Every image (N, H, W, 3) uint8: on a GPU that has room for them they need no fetching."""
        looks = self._looks
        images = torch.empty((len(looks), *looks.features[0].shape[1:]), dtype=torch.uint8, device=self.device)
        start = 0
        for some in looks.features:
            images[start : start + len(some)] = torch.from_numpy(np.asarray(some))
            start += len(some)
        return images
