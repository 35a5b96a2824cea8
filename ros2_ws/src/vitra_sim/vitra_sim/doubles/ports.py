"""What a device double sees of the simulated robot: one port per arm and one per hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JointState:
    """One consistent reading of a device's joints; the arrays belong to the reader.

    Attributes:
        position_rad: (n,) measured positions.
        velocity_rad_s: (n,) measured velocities.
        effort_nm: (n,) torques of the joint drives.
        sim_time_s: Simulated time of the reading; advances in steps of the 5 ms control tick.
    """

    position_rad: Array
    velocity_rad_s: Array
    effort_nm: Array
    sim_time_s: float


class _JointPort(Protocol):
    @property
    def side(self) -> str:
        """`left` or `right`."""

    def joint_state(self) -> JointState:
        """The joints as of the last control tick. Cheap (copies a few numbers), never waits for the physics."""

    def set_target(self, position_rad: Array) -> None:
        """Ask the joint drives for (n,) positions, from the next control tick on; the last call before a tick wins.

        The port applies what it is given: limits, rate limits, enable flags and refusals are the double's business,
        as they are the controller's on the real device. Targets persist until replaced.

        Raises:
            ValueError: for another shape than (n,) or values that are not finite.
        """

    def target(self) -> Array:
        """The (n,) target in force (the start posture at first); where a new stream of setpoints starts."""


class ArmPort(_JointPort, Protocol):
    """One RM75: 7 joints, base to flange. Thread-safe: called from server threads."""


class HandPort(_JointPort, Protocol):
    """One XHand1: 12 joints in the vendor SDK's order. Thread-safe: called from server threads."""
