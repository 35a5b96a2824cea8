"""What goes into the setpoint generator and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_description.names import Side

Array = NDArray[np.float64]


class Mode(StrEnum):
    """What the generator does."""

    IDLE = "idle"
    """No permit: nothing is sent."""
    SEEDING = "seeding"
    """Permitted, waiting until the joints are measured at rest."""
    FOLLOWING = "following"
    """Setpoints from chunks, or holding."""
    HOMING = "homing"
    """On the way to the ready posture; chunks are ignored."""


@dataclass(frozen=True, slots=True)
class PermitSample:
    """The newest permit and when it arrived (monotonic)."""

    epoch: int
    allowed: bool
    received_s: float


@dataclass(frozen=True, slots=True)
class Feedback:
    """Measured joints of one side and the age of the older of the two measurements."""

    arm_rad: Array
    hand_rad: Array
    age_s: float


@dataclass(frozen=True, slots=True)
class Setpoints:
    """What to send now; hands come every second tick."""

    epoch: int
    arms: dict[Side, Array]
    hands: dict[Side, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HomeResult:
    """How a move to the ready posture ended."""

    success: bool
    message: str
