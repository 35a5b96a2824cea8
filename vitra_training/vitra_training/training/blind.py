"""The blind bound: what a linear denoiser reaches that knows the distribution of actions and sees nothing else.

A policy above it has not even learnt how hands usually move; only below it can image, words or state have helped.
For data of covariance S, the best linear estimate of the noise in x_t = sqrt(a) x_0 + sqrt(1 - a) e is
sqrt(1 - a) (a S + (1 - a) I)^-1 (x_t - sqrt(a) mean).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS, HAND, HAND_DIM, SIDES, WRIST, Side
from vitra_policy.model.diffusion import Diffusion
from vitra_training.training.config import LossConfig

Array = NDArray[np.float64]

_ENOUGH = 20_000
_SHRINKAGES = (0.0, 0.1, 0.5, 1.0)
"""Shares of the diagonal in the covariance: few chunks say little of how dimensions go together."""
_LEVELS = 25
"""Noise levels over which the bound is averaged, evenly spaced among those of training."""


@dataclass(slots=True)
class ActionSpread:
    """Mean and covariance of whole chunks of one hand, over the chunks that training has seen."""

    steps: int
    count: int = 0
    total: Array = field(default_factory=lambda: np.zeros(0))
    products: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def add(self, chunks: Array) -> None:
        """Include normalised chunks (N, steps, 51)."""
        rows = chunks.reshape(len(chunks), self.steps * HAND_DIM).astype(np.float64)
        if not self.count:
            self.total, self.products = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
        self.count += len(rows)
        self.total += rows.sum(axis=0)
        self.products += rows.T @ rows

    @property
    def mean(self) -> Array:
        """(steps * 51,)."""
        return self.total / max(self.count, 1)

    @property
    def covariance(self) -> Array:
        """(steps * 51, steps * 51), of the population."""
        return self.products / max(self.count, 1) - np.outer(self.mean, self.mean)


class BlindBound:
    """Learns the spread of actions from batches of training, and is judged on held-out ones like the network."""

    def __init__(self, steps: int, levels: int, loss: LossConfig) -> None:
        self._spread = {side: ActionSpread(steps) for side in SIDES}
        self._alphas = Diffusion(levels).alphas()[:: max(levels // _LEVELS, 1)]
        self._loss, self._steps = loss, steps
        self._bases: dict[tuple[str, int], list[tuple[Array, Array]]] = {}

    @property
    def learnt(self) -> bool:
        """Whether more batches would change little."""
        return max(spread.count for spread in self._spread.values()) >= _ENOUGH

    def learn(self, actions: NDArray[np.floating], mask: NDArray[np.bool_]) -> None:
        """Include a batch: actions (B, steps, >= 102) normalised, mask of the same shape."""
        for side in SIDES:
            if len(chunks := _whole_chunks(actions, mask, side)):
                self._spread[side].add(np.asarray(chunks, dtype=np.float64))

    def judge(self, actions: NDArray[np.floating], mask: NDArray[np.bool_], robot: bool) -> float | None:
        """Loss on held-out actions, weighted as training weighs them; None where nothing was learnt or is to judge.

        Args:
            actions: Normalised (N, T, action_dim).
            mask: (N, T, action_dim).
            robot: Whether they are a robot's.
        """
        cfg, total, steps = self._loss, 0.0, 0
        weights = (
            (WRIST, cfg.robot_wrist if robot else cfg.human_wrist),
            (FINGERS, cfg.robot_fingers if robot else cfg.human_fingers),
        )
        for side in SIDES:
            spread, chunks = self._spread[side], _whole_chunks(actions, mask, side)
            if spread.count < 2 or not len(chunks):
                continue
            centred = chunks.reshape(len(chunks), -1) - spread.mean
            errors = [_linear_error(base, centred, self._alphas) for base in self._candidates(side)]
            by_step = min(errors, key=lambda error: float(error.mean())).reshape(self._steps, HAND_DIM)
            for part, weight in weights:
                total += weight * float(by_step[:, part].mean()) * len(chunks)
                steps += len(chunks)
        return total / steps if steps else None

    def _candidates(self, side: Side) -> list[tuple[Array, Array]]:
        """Variances and axes of several denoisers that see nothing; the best of them on held-out chunks counts."""
        spread = self._spread[side]
        key = (side, spread.count)
        if key not in self._bases:
            whole = spread.covariance
            own = np.diag(np.diag(whole))
            self._bases = {kept: base for kept, base in self._bases.items() if kept[0] != side}
            self._bases[key] = [np.linalg.eigh((1 - share) * whole + share * own) for share in _SHRINKAGES]
            self._bases[key].append((np.ones(len(whole)), np.eye(len(whole))))
        return self._bases[key]


def _whole_chunks(actions: NDArray[np.floating], mask: NDArray[np.bool_], side: Side) -> NDArray[np.floating]:
    hand = HAND[side]
    whole = mask[..., hand].all(axis=(1, 2))
    return actions[whole][..., hand]


def _linear_error(base: tuple[Array, Array], centred: Array, alphas: NDArray[np.float64]) -> Array:
    """(D,) mean squared error of the estimated noise of held-out rows (N, D), over noise levels."""
    variance, basis = base
    variance = np.maximum(variance, 0.0)
    rows, squares = centred @ basis, basis**2
    error = np.zeros(len(variance))
    for a in alphas:
        shrink = 1 / (a * variance + (1 - a))
        moved = (rows * (np.sqrt(a * (1 - a)) * shrink)) @ basis.T
        error += squares @ (1 - (1 - a) * shrink) ** 2 + (moved**2).mean(axis=0)
    mean: Array = error / len(alphas)
    return mean
