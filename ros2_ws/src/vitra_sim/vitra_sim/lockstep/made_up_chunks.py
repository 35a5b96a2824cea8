"""Chunks that no policy should send: most lead the hands somewhere, the others leap, dive, lie, or are no numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_description.names import CAMERA_FRAME
from vitra_policy.action_space import ACTION_DIM, HAND, SIDES, STEPS, TRANSLATION, WRIST
from vitra_policy.transforms import invert_pose
from vitra_retarget.retarget import HandChunk

Array = NDArray[np.float64]

KINDS = ("lead", "leap", "oscillate", "spin", "meet", "table", "far", "untimely", "misshapen", "not finite", "noise")
_SHARES = np.array([0.62, 0.04, 0.04, 0.04, 0.08, 0.06, 0.02, 0.03, 0.02, 0.02, 0.03])
_LOWER_M, _UPPER_M = np.array([0.15, -0.35, 0.72]), np.array([0.65, 0.35, 1.35])
_SPECIAL = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 1e9])
_CHANGE = 0.015
"""How often a chunk is of another kind, with other goals, than the one before: the arms are to get somewhere."""


class MadeUpChunks:
    """A source of them.

    Args:
        rng: Decides everything.
        calibration: Mounting of the robot.
    """

    def __init__(self, rng: np.random.Generator, calibration: Calibration) -> None:
        self._rng = rng
        self._camera_from_base = invert_pose(calibration.base_from_head_camera)
        self._goals_m = {side: self._somewhere() for side in SIDES}
        self.kind = "lead"
        self.kinds = KINDS

    def next(self, observed: Array, now_s: float) -> tuple[HandChunk, float]:
        """A chunk and the time that it says its observation was made.

        Args:
            observed: State (102,) of both hands now.
            now_s: The simulation's time.
        """
        if self._rng.random() < _CHANGE:
            self._change()
        rng, kind = self._rng, self.kind
        actions = np.zeros((STEPS, ACTION_DIM))
        step_s, stamp_s = float(rng.uniform(0.02, 0.1)), now_s - float(rng.uniform(0.0, 0.2))
        for side in SIDES:
            self._fill(actions[:, HAND[side]], observed[HAND[side]], self._goals_m[side], step_s)
        if kind == "noise":
            actions += rng.normal(0.0, rng.choice([0.01, 0.1, 1.0]), actions.shape)
        elif kind == "not finite":
            actions[rng.integers(STEPS), rng.integers(ACTION_DIM)] = rng.choice(_SPECIAL)
        elif kind == "untimely":
            stamp_s += float(rng.choice([-30.0, -1.0, 0.5, 30.0, 1e9]))
            step_s = float(rng.choice([-1.0, 0.0, 1e-6, 0.03, 0.9, 5.0, np.nan]))
        elif kind == "misshapen":
            actions = actions[: int(rng.integers(STEPS)), : int(rng.integers(ACTION_DIM))]
        left, right = (bool(rng.random() < 0.95) for _ in SIDES)
        return HandChunk(CAMERA_FRAME, len(actions), step_s, actions.ravel(), observed, left, right), stamp_s

    def _change(self) -> None:
        shares = np.array([_SHARES[KINDS.index(kind)] for kind in self.kinds])
        self.kind, meet_m = str(self._rng.choice(self.kinds, p=shares / shares.sum())), self._somewhere()
        self._goals_m = {side: meet_m if self.kind == "meet" else self._somewhere() for side in SIDES}
        if self.kind == "table":
            self._goals_m = {side: np.array([*goal[:2], 0.4]) for side, goal in self._goals_m.items()}

    def _somewhere(self) -> Array:
        return np.asarray(self._rng.uniform(_LOWER_M, _UPPER_M))

    def _fill(self, hand: Array, observed: Array, goal_m: Array, step_s: float) -> None:
        """Actions (STEPS, 51) of one hand from its observed state (51,) on, in place."""
        rng, kind = self._rng, self.kind
        goal_in_camera_m = self._camera_from_base[:3, :3] @ goal_m + self._camera_from_base[:3, 3]
        way_m = goal_in_camera_m - observed[TRANSLATION]
        distance_m = float(np.linalg.norm(way_m))
        stride_m = min(distance_m / STEPS, float(rng.uniform(0.05, 0.6)) * step_s)
        hand[:, TRANSLATION] = way_m / max(distance_m, 1e-9) * stride_m
        if kind == "leap":
            hand[0, TRANSLATION] = way_m
        elif kind == "oscillate":
            hand[:, TRANSLATION] += 0.15 * (-1.0) ** np.arange(STEPS)[:, None] * rng.normal(0, 1, 3)
        elif kind == "spin":
            hand[:, WRIST][:, 3:] = rng.uniform(-3.0, 3.0, 3)
        elif kind == "far":
            hand[:, TRANSLATION] *= 1e3
        hand[:, WRIST.stop :] = np.clip(observed[WRIST.stop :] + rng.normal(0, 0.2), -2.0, 2.0)
