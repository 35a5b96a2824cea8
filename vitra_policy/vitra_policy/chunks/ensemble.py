"""Temporal ensembling: each step becomes the weighted mean of what all recent chunks say about its time."""

from __future__ import annotations

from collections import deque

import numpy as np

from vitra_policy.chunks.curve import Array, Curve, Layout, TimedSteps


class TemporalEnsemble:
    """Averages overlapping chunks with weights ``exp(-decay * i)``, i = 0 for the oldest (ACT, arXiv 2304.13705).

    Smooths a nervous policy at the price of lag, and averages between modes where the policy changes its mind;
    real-time chunking is the better choice where the policy supports it (docs/model.md: Real-time chunking).

    Args:
        layout: meaning of the columns; quaternions are averaged as rotations (Markley et al. 2007).
        decay: larger trusts older chunks more.
        chunks: how many chunks are remembered at most.
    """

    def __init__(self, layout: Layout, *, decay: float = 0.01, chunks: int = 8) -> None:
        self._layout, self._decay = layout, decay
        self._curves: deque[Curve] = deque(maxlen=chunks)

    def flush(self) -> None:
        """Forget all chunks."""
        self._curves.clear()

    def merge(self, steps: TimedSteps) -> TimedSteps:
        """The chunk (same times) with every step averaged over the remembered chunks that reach it.

        Chunks must come in order of their observation; an older or repeated one is returned as it is.

        Raises:
            StepsError: for a chunk no curve can be drawn through.
        """
        curve = Curve(steps, self._layout, stop_s=steps.step_s)
        if self._curves and steps.stamp_s <= self._curves[-1].steps.stamp_s:
            return steps
        self._curves.append(curve)
        rows = [self._mean(steps.stamp_s + (k + 1) * steps.step_s) for k in range(len(steps.values))]
        return TimedSteps(steps.sequence, steps.stamp_s, steps.step_s, np.stack(rows))

    def _mean(self, time_s: float) -> Array:
        newest = self._curves[-1]
        values = [c.value(time_s) for c in self._curves if c is newest or time_s <= c.end_s]
        weights = np.exp(-self._decay * np.arange(len(values)))
        weights /= weights.sum()
        stacked = np.stack(values)
        mean: Array = weights @ stacked
        for column in self._layout.quaternions:
            mean[column : column + 4] = mean_rotation(stacked[:, column : column + 4], weights)
        return mean


def mean_rotation(quaternions_xyzw: Array, weights: Array) -> Array:
    """Weighted mean rotation (4,) of quaternions (n, 4): the dominant eigenvector of the sum of ``w q q^T``."""
    # Halfway between two rotations that are half a turn apart the interpolated quaternion may vanish.
    unit = quaternions_xyzw / np.maximum(np.linalg.norm(quaternions_xyzw, axis=1, keepdims=True), 1e-9)
    _, vectors = np.linalg.eigh((unit * weights[:, None]).T @ unit)
    mean: Array = vectors[:, -1]
    return np.where(np.signbit(mean @ unit[-1]), -mean, mean)
