"""The measured hands of the robot from joint messages, by the alignment that the policy node uses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitra_description.calibration import Calibration
from vitra_description.names import arm_joints, hand_joints
from vitra_description.observed_wrist import ObservedWrist
from vitra_policy.action_space import Side
from vitra_policy.policies.observation import HandStateEstimator, HandStates, SampleHistory
from vitra_teleop.hands import Array


def _itself(value: Array) -> Array:
    return value


class RobotState:
    """Histories of all joints and the hands they make; one thread.

    Args:
        sides: sides the robot has.
        calibration: where everything is.
        max_age_s: oldest joint sample that counts.
    """

    def __init__(self, sides: Sequence[Side], calibration: Calibration, max_age_s: float = 0.05) -> None:
        self._order: dict[str, tuple[tuple[str, ...], list[int]]] = {}
        self._names = {f"{s}_arm": arm_joints(s) for s in sides} | {f"{s}_hand": hand_joints(s) for s in sides}
        self._histories: dict[str, SampleHistory[Array]] = {name: SampleHistory(_itself) for name in self._names}
        self._estimator = HandStateEstimator(
            ObservedWrist(calibration, sides),
            {side: self._histories[f"{side}_arm"] for side in sides},
            {side: self._histories[f"{side}_hand"] for side in sides},
            max_age_s,
        )

    def add(self, stream: str, stamp_s: float, names: Sequence[str], positions: Sequence[float]) -> None:
        """A joint message of the stream ``right_arm``; one that lacks a joint is passed over.

        Args:
            stream: Such as `right_arm`.
            stamp_s: When the joints were measured, ROS time.
            names: Of the joints, in the message's order.
            positions: Of each [rad].
        """
        key, order = self._order.get(stream, ((), []))
        if key != tuple(names):
            where = {name: i for i, name in enumerate(names)}
            if not set(self._names[stream]) <= set(where):
                return
            order = [where[name] for name in self._names[stream]]
            self._order[stream] = (tuple(names), order)
        self._histories[stream].add(stamp_s, np.asarray(positions, dtype=np.float64)[order])

    @property
    def newest_common_s(self) -> float | None:
        """Time up to which every stream is known; None before all have been heard."""
        newest = [history.newest_s for history in self._histories.values()]
        known = [stamp for stamp in newest if stamp is not None]
        return min(known) if len(known) == len(newest) else None

    def at(self, stamp_s: float) -> HandStates:
        """Hands at a time, not after `newest_common_s`."""
        return self._estimator.at(stamp_s)
