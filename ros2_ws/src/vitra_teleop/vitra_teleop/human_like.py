"""A simulated operator's hands: a robot plan turned into what a tracker would see of a person doing it."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitra_policy.action_space import FINGERS, HAND, SIDES, Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.policies.policy import ActionChunk
from vitra_policy.transforms import (
    integrate_wrist,
    interpolate_pose,
    make_pose,
    matrix_from_euler_xyz,
    matrix_from_rotvec,
)
from vitra_teleop.hands import Array

_HESITATION_S, _TAKE_UP_S = 0.2, 0.6
"""After engaging: how long the hand rests, and how long it takes to be on its plan."""


class HumanLikeHands:
    """Landmarks (in the head camera's axes) of a person whose hands go where a plan wants the robot's to be.

    Between plans the hand goes on along the last one; it trembles, and it stands elsewhere than the robot's. While the
    clutch is open the hand rests where the robot's is, and after engaging it goes over to the plan, as a person does
    who sees the robot.

    Args:
        seed: of tremor and place.
        tremor_m: standard deviation of the wrist's noise.
    """

    def __init__(self, seed: int = 0, tremor_m: float = 0.0003) -> None:
        self._rng, self._tremor_m = np.random.default_rng(seed), tremor_m
        self._offset_m = self._rng.uniform(-0.3, 0.3, 3)
        self._skeleton = default_skeleton().scaled(1.05)
        self._plan: tuple[float, float, dict[Side, tuple[Array, Array]]] | None = None
        self._rest: dict[Side, Array] = {}
        self._seen: dict[Side, Array] = {}
        self._engaged_s: float | None = None

    def follow(self, stamp_s: float, state: Array, chunk: ActionChunk) -> None:
        """Take a plan made from the observation at `stamp_s` with hands `state` (102,).

        Args:
            stamp_s: Of the observation, ROS time.
            state: Of both hands (102,) at that time.
            chunk: The plan.
        """
        plans: dict[Side, tuple[Array, Array]] = {}
        for index, side in enumerate(SIDES):
            if not chunk.valid[index]:
                continue
            hand, actions = state[HAND[side]], np.asarray(chunk.actions, dtype=np.float64)[:, HAND[side]]
            start = make_pose(hand[:3], matrix_from_euler_xyz(hand[3:6]))
            # The hand leads by one step and never starts from the robot's: two that follow each other go nowhere.
            plans[side] = (integrate_wrist(start, actions[:, :6]), actions[:, FINGERS])
            self._seen[side] = start
        self._plan = (stamp_s, chunk.step_s, plans)

    def stay(self) -> None:
        """Forget the plan: the next one begins a new demonstration."""
        self._plan, self._engaged_s = None, None

    def at(self, time_s: float, engage: bool) -> dict[str, dict[str, Any]]:
        """Hands of a wire message; none before the first plan."""
        if self._plan is None:
            return {}
        stamp_s, step_s, plans = self._plan
        if not engage or self._engaged_s is None:
            self._rest = dict(self._seen)
            self._engaged_s = time_s if engage else None
        going_s = 0.0 if self._engaged_s is None else time_s - self._engaged_s - _HESITATION_S
        share = float(np.clip(going_s / _TAKE_UP_S, 0.0, 1.0))
        hands = {}
        for side, (wrists, fingers) in plans.items():
            where = min(max((time_s - stamp_s) / step_s, 0.0), len(wrists) - 1.001)
            row, part = int(where), where - int(where)
            wrist = interpolate_pose(wrists[row], wrists[row + 1], np.asarray(part))
            wrist = interpolate_pose(self._rest.get(side, wrist), wrist, np.asarray(share))
            wrist[:3, 3] += self._offset_m + self._rng.normal(0.0, self._tremor_m, 3)
            wrist[:3, :3] = matrix_from_rotvec(self._rng.normal(0.0, 0.002, 3)) @ wrist[:3, :3]
            angles = fingers[row] + part * (fingers[row + 1] - fingers[row])
            points = self._skeleton.posed_keypoints(wrist, angles, side)
            hands[str(side)] = {"valid": True, "engage": engage, "landmarks_m": points}
        return hands
