"""The vendor's degrees, and the rounding that its single-precision interface needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitra_policy.errors import VitraError

DOF = 7
DEG_PER_RAD = 180.0 / math.pi
_HALF_UNIT_DEG = 0.0005


class SetpointError(VitraError):
    """Numbers that must never reach the SDK: it would send them to the arm unchecked (docs/robot.md: SDK hazards)."""


def setpoint_deg(position_rad: Sequence[float]) -> list[float]:
    """Joint positions as the SDK wants them, moved half a unit away from zero.

    The SDK casts to single precision and truncates to 0.001 deg: 1.3 deg would go out as 1299. With half a unit added
    truncation becomes rounding.

    Args:
        position_rad: 7 joint positions.

    Raises:
        SetpointError: not 7 finite numbers, or far outside any joint's range.
    """
    if len(position_rad) != DOF:
        raise SetpointError(f"A setpoint has {DOF} joints, this one {len(position_rad)}; the SDK would zero the rest.")
    degrees = []
    for joint, q in enumerate(position_rad, 1):
        if not math.isfinite(q) or abs(q) > 2.0 * math.pi:
            raise SetpointError(f"Joint {joint} of a setpoint is {q} rad; allowed: finite, within one turn.")
        degrees.append(math.copysign(round(abs(q) * DEG_PER_RAD, 3) + _HALF_UNIT_DEG, q))
    return degrees


def radians(position_deg: Sequence[float]) -> tuple[float, ...]:
    """Joint positions of the SDK in radians."""
    return tuple(q / DEG_PER_RAD for q in position_deg)
