"""What a Realman RM75 controller says about itself: identity, limits, units of the wire, forward kinematics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOF = 7
MDEG_PER_RAD = 180_000.0 / math.pi
_MRPM_PER_RAD_S = 60_000.0 / (2.0 * math.pi)
FLANGE_M = {"RM75-B": 0.144, "RM75-6F": 0.1725, "RM75-6FB": 0.1612}
"""Length of the last link of each variant [m] (docs/robot.md: Arm)."""

_ALPHA_MDEG = (0, -90_000, 90_000, -90_000, 90_000, -90_000, 90_000)
_POSITION_MDEG = (178_000, 130_000, 178_000, 135_000, 178_000, 128_000, 360_000)
_SPEED_DEG_S = (180.0, 180.0, 225.0, 225.0, 225.0, 225.0, 225.0)
_ACCELERATION_DEG_S2 = 600.0


class ErrorCode(IntEnum):
    """The system errors that this double can raise by itself or on request."""

    JOINT_COMMUNICATION = 0x1001
    BEYOND_LIMIT = 0x1002
    UNREACHABLE = 0x1003
    JOINT_OVERSPEED = 0x1007
    COLLISION = 0x100D
    JOINT_DISABLED = 0x1010
    SELF_COLLISION = 0x1012
    OVER_TEMPERATURE = 0x5003


CLEARED_BY_MOTION = frozenset({ErrorCode.BEYOND_LIMIT, ErrorCode.UNREACHABLE, ErrorCode.JOINT_OVERSPEED})
"""Errors about one command; the next good command clears them. The others stay until clear_system_err."""


@dataclass(frozen=True, slots=True)
class ArmModel:
    """Identity and limits of one arm.

    Attributes:
        variant: `RM75-B`, `RM75-6F` or `RM75-6FB`.
        generation: controller generation, 3 or 4.
    """

    variant: str = "RM75-6F"
    generation: int = 3

    def __post_init__(self) -> None:
        if self.variant not in FLANGE_M or self.generation not in (3, 4):
            raise ValueError(f"No such arm: {self}; variants {', '.join(FLANGE_M)}, generations 3 and 4.")

    @property
    def flange_m(self) -> float:
        """Distance of the flange from the wrist [m]."""
        return FLANGE_M[self.variant]

    @property
    def link_lengths_m(self) -> tuple[float, ...]:
        """The `d` of the modified DH table [m]."""
        return (0.2405, 0.0, 0.256, 0.0, 0.210, 0.0, self.flange_m)

    def software_info(self) -> dict[str, Any]:
        """The reply from which the SDK takes model, degrees of freedom and generation."""
        info: dict[str, Any] = {
            "command": "arm_software_info",
            "Product_version": f"{self.variant}I" if self.variant == "RM75-B" else self.variant,
            "algorithm_info": {"version": "1.4.6"},
            "ctrl_info": {"build_time": "2024/09/01 12:00:00", "version": "V1.7.0"},
            "dynamic_info": {"model_version": "2"},
            "plan_info": {"build_time": "2024/09/01 12:00:00", "version": "V1.7.0"},
        }
        if self.generation == 4:
            info["robot_controller_version"] = "4.0"
            info["program_info"] = {"build_time": "2025/06/01 12:00:00", "version": "V2.0.0"}
            info["communication_info"] = {"build_time": "2025/06/01 12:00:00", "version": "V2.0.0"}
        return info

    def dh_data(self) -> dict[str, Any]:
        """Modified DH table as [alpha mdeg, a um, d um, offset mdeg] per joint."""
        rows = zip(_ALPHA_MDEG, self.link_lengths_m, strict=True)
        joints = {f"joint_{n}": [alpha, 0, round(d * 1e6), 0] for n, (alpha, d) in enumerate(rows, 1)}
        return {"command": "get_DH_data", **joints}


POSITION_LIMIT_RAD: NDArray[np.float64] = np.array(_POSITION_MDEG) / MDEG_PER_RAD
"""Symmetric position limits, shape (7,)."""
SPEED_LIMIT_RAD_S: NDArray[np.float64] = np.deg2rad(_SPEED_DEG_S)
ACCELERATION_RAD_S2 = math.radians(_ACCELERATION_DEG_S2)


def to_mdeg(position_rad: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """Positions as the integers of the wire (0.001 deg)."""
    return [round(float(q) * MDEG_PER_RAD) for q in position_rad]


def to_mrpm(speed_rad_s: float) -> int:
    """A joint speed as the integer of the wire (0.001 rpm)."""
    return round(speed_rad_s * _MRPM_PER_RAD_S)


def from_mrpm(speed: float) -> float:
    """A joint speed of the wire (0.001 rpm) in rad/s."""
    return speed / _MRPM_PER_RAD_S


def flange_pose(
    position_rad: Sequence[float], link_lengths_m: Sequence[float]
) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float, float]]:
    """Flange in the arm base: position [m], fixed-axis Euler angles x, y, z [rad], quaternion w, x, y, z.

    Columns of the rotation are turned in place: each alpha is 0 or a quarter turn.
    """
    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    px = py = pz = 0.0
    for q, alpha, d in zip(position_rad, _ALPHA_MDEG, link_lengths_m, strict=True):
        if alpha > 0:
            y, z = z, (-y[0], -y[1], -y[2])
        elif alpha < 0:
            y, z = (-z[0], -z[1], -z[2]), y
        c, s = math.cos(q), math.sin(q)
        x, y = (
            (c * x[0] + s * y[0], c * x[1] + s * y[1], c * x[2] + s * y[2]),
            (c * y[0] - s * x[0], c * y[1] - s * x[1], c * y[2] - s * x[2]),
        )
        px, py, pz = px + d * z[0], py + d * z[1], pz + d * z[2]
    euler = (math.atan2(y[2], z[2]), math.asin(max(-1.0, min(1.0, -x[2]))), math.atan2(x[1], x[0]))
    return (px, py, pz), euler, _quaternion(euler)


def _quaternion(euler: tuple[float, float, float]) -> tuple[float, float, float, float]:
    cr, sr = math.cos(euler[0] / 2), math.sin(euler[0] / 2)
    cp, sp = math.cos(euler[1] / 2), math.sin(euler[1] / 2)
    cy, sy = math.cos(euler[2] / 2), math.sin(euler[2] / 2)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )
