"""What a robot arm is, said once: limits, home posture, shapes; joints `{side}_joint_1..7`, flange `{side}_ee`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_description.joint_limits import JointLimits
from vitra_description.names import ARM_DOF, parse_side
from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError

Array = NDArray[np.float64]


class ArmDescriptionError(VitraError):
    """An arm description that contradicts itself."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmDescription:
    """One kind of arm; the same on the left and on the right.

    Attributes:
        name: What calibrations call it (`hardware: {arm_variant: ...}`).
        xacro: File with a macro `arm(prefix, base, ee, model)`; links `{prefix}link_1..7`, joints `{prefix}joint_1..7`.
        urdf: Flat URDF of the arm alone that is made from it: `base_link`, `link_1..7`, `ee`.
        vendor_limits: What the vendor states.
        limits: What commands must stay within.
        planning_velocity_rad_s: What the executor plans with.
        max_step_rad: Largest change between two commands, whatever the time between.
        home_right_rad: Home posture of the right arm, shape (7,).
        mirror: Signs (7,) that turn a posture into its mirror image on the other arm.

    Raises:
        ArmDescriptionError: not seven joints, limits beyond the vendor's, or a home posture out of limits.
    """

    name: str
    xacro: Path
    urdf: Path
    vendor_limits: JointLimits
    limits: JointLimits
    planning_velocity_rad_s: float
    max_step_rad: float
    home_right_rad: Array
    mirror: Array

    def __post_init__(self) -> None:
        for what, size in (("limits", self.limits.dof), ("home_right_rad", len(self.home_right_rad))):
            if size != ARM_DOF:
                raise ArmDescriptionError(f"Arm '{self.name}': {what} has {size} joints, an arm has {ARM_DOF}.")
        if not (
            self.vendor_limits.contains(self.limits.lower_rad) and self.vendor_limits.contains(self.limits.upper_rad)
        ):
            raise ArmDescriptionError(f"Arm '{self.name}': limits go beyond the vendor's.")
        for side in Side:
            if not self.limits.contains(self.home(side)):
                raise ArmDescriptionError(f"Arm '{self.name}': the {side} home posture is out of limits.")

    @property
    def planning_limits(self) -> JointLimits:
        """The limits with the planning velocity."""
        return self.limits.with_velocity(self.planning_velocity_rad_s)

    def home(self, side: str) -> Array:
        """Home posture, shape (7,)."""
        right = self.home_right_rad
        return right.copy() if parse_side(side) is Side.RIGHT else np.asarray(self.mirror * right)
