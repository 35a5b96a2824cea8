"""What goes into the setpoint generator and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side

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
    TRAJECTORY = "trajectory"
    """Following joint trajectories of another program; chunks are ignored."""


@dataclass(frozen=True, slots=True)
class PermitSample:
    """The newest permit and when it arrived (monotonic)."""

    epoch: int
    allowed: bool
    received_s: float


@dataclass(frozen=True, slots=True)
class Feedback:
    """Measured joints of one side, the age of the older of the two measurements, and what the controllers hold."""

    arm_rad: Array
    hand_rad: Array
    age_s: float
    arm_held_rad: Array | None = None
    hand_held_rad: Array | None = None

    @property
    def arm_start_rad(self) -> Array:
        """Where a motion begins, shape (7,): load keeps the arm off what is held, and that must not become a leap."""
        return self.arm_rad if self.arm_held_rad is None else self.arm_held_rad

    @property
    def hand_start_rad(self) -> Array:
        """The same for the hand, shape (12,): fingers on an object stand short of what they hold."""
        return self.hand_rad if self.hand_held_rad is None else self.hand_held_rad


@dataclass(frozen=True, slots=True)
class Setpoints:
    """What to send now; hands come every second tick."""

    epoch: int
    arms: dict[Side, Array]
    hands: dict[Side, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HomeResult:
    """How a move to the ready posture, or a joint trajectory, ended."""

    success: bool
    message: str
