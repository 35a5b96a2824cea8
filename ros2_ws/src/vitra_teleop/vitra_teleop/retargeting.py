"""From human fingers to XHand joints: the paper's joint map, or fingertip matching by dex-retargeting."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from vitra_description.calibration import Calibration
from vitra_description.description import hand_urdf
from vitra_description.limits import HAND_LIMITS
from vitra_description.names import fingertips, hand_base, hand_joints
from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_teleop.hands import Array, TeleopError
from vitra_teleop.landmarks import finger_angles

METHODS = ("joint_map", "vector", "dexpilot")
_HUMAN_TIPS = (4, 8, 12, 16, 20)


class FingerRetargeter(Protocol):
    """One method."""

    def __call__(self, side: Side, landmarks_m: Array) -> Array:
        """XHand joints (12,) rad in vendor order, within limits, of landmarks (21, 3) in the wrist frame."""


class JointMap:
    """Angles to angles, as the policy's actions are mapped (paper Fig. 5): posture is kept, fingertips may miss."""

    def __call__(self, side: Side, landmarks_m: Array) -> Array:
        """See `FingerRetargeter`."""
        wanted = xhand_from_mano(finger_angles(landmarks_m, side))
        return np.clip(wanted, HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad)


class DexRetargeting:
    """Fingertip vectors matched by optimisation (`dex-retargeting`): for pinches.

    Args:
        method: `vector` or `dexpilot`.
        calibration: says how the wrist frame lies in the hand's base.
        scaling: XHand size over human hand size.
    """

    def __init__(self, method: str, calibration: Calibration, scaling: float = 1.1) -> None:
        try:
            from dex_retargeting.retargeting_config import RetargetingConfig
        except ImportError as error:
            raise TeleopError(
                f"Retargeting '{method}' needs dex-retargeting ({error}): pip install dex-retargeting==0.5.0 six, or "
                "choose retargeting:=joint_map."
            ) from error
        self._base_from_mount = {
            side: calibration.side(side).hand_base_from_hand_mount[:3, :3] for side in ("left", "right")
        }
        self._config, self._method, self._scaling = RetargetingConfig, method, scaling
        self._solvers: dict[Side, tuple[Any, Any, list[int]]] = {}

    def __call__(self, side: Side, landmarks_m: Array) -> Array:
        """See `FingerRetargeter`."""
        if side not in self._solvers:
            self._solvers[side] = self._build(side)
        solver, human, order = self._solvers[side]
        points = np.asarray(landmarks_m) @ self._base_from_mount[side].T
        reference = points[human[1]] - points[human[0]]
        solved = np.asarray(solver.retarget(reference.astype(np.float32)))[order]
        return np.asarray(np.clip(solved, HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad))

    def _build(self, side: Side) -> tuple[Any, Any, list[int]]:
        names, tips, base = list(hand_joints(side)), list(fingertips(side)), hand_base(side)
        config: dict[str, Any] = {
            "type": self._method, "urdf_path": str(hand_urdf(side)), "target_joint_names": names,
            "scaling_factor": self._scaling, "low_pass_alpha": 0.6,
        }  # fmt: skip
        if self._method == "dexpilot":
            config |= {"wrist_link_name": base, "finger_tip_link_names": tips}
        else:
            config |= {
                "target_origin_link_names": [base] * len(tips), "target_task_link_names": tips,
                "target_link_human_indices": np.array([[0] * len(tips), list(_HUMAN_TIPS)]),
            }  # fmt: skip
        solver = self._config.from_dict(config).build()
        found = list(solver.joint_names)
        return solver, solver.optimizer.target_link_human_indices, [found.index(name) for name in names]


def create_retargeter(method: str, calibration: Calibration) -> FingerRetargeter:
    """A method by name.

    Raises:
        UnknownNameError: no such method.
        TeleopError: its package is not installed.
    """
    if method not in METHODS:
        raise UnknownNameError("retargeting", method, METHODS)
    return JointMap() if method == "joint_map" else DexRetargeting(method, calibration)
