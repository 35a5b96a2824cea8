"""Drift of executed chunks: now and then the hand is carried off its path, so that demonstrations show the way back.

After DART (Laskey et al., arXiv 1703.09327): noise goes into the execution, the expert's answer stays the label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vitra_policy.action_space import HAND, ROTATION, SIDES, TRANSLATION
from vitra_policy.policies.policy import ActionChunk


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """How often and how far the hand drifts.

    Attributes:
        every_s: Mean time between drifts.
        lasts_s: Shortest and longest drift.
        speed_m_s: Deviation of the drift's speed along each axis.
        turn_rad_s: Deviation of its rate of turn about each axis.
    """

    every_s: float = 1.6
    lasts_s: tuple[float, float] = (0.25, 0.7)
    speed_m_s: float = 0.035
    turn_rad_s: float = 0.12


class Drift:
    """Carries chunks off, one executed piece after another.

    Args:
        rng: where randomness comes from.
        settings: how often and how far.
    """

    def __init__(self, rng: np.random.Generator, settings: DriftSettings | None = None) -> None:
        self._rng, self._settings = rng, settings or DriftSettings()
        self._left_s = 0.0
        self._velocity = np.zeros(6)

    def carry_off(self, chunk: ActionChunk, executed_s: float) -> ActionChunk:
        """The chunk with the present drift, if there is one; time goes on by `executed_s`."""
        cfg, rng = self._settings, self._rng
        if self._left_s <= 0 and rng.uniform() < executed_s / cfg.every_s:
            self._left_s = float(rng.uniform(*cfg.lasts_s))
            self._velocity = np.r_[rng.normal(0, cfg.speed_m_s, 3), rng.normal(0, cfg.turn_rad_s, 3)]
        if self._left_s <= 0:
            return chunk
        self._left_s -= executed_s
        actions = np.array(chunk.actions, dtype=np.float64)
        for side, valid in zip(SIDES, chunk.valid, strict=True):
            if valid:
                hand = actions[:, HAND[side]]
                hand[:, TRANSLATION] += self._velocity[:3] * chunk.step_s
                hand[:, ROTATION] += self._velocity[3:] * chunk.step_s
        return replace(chunk, actions=actions)
