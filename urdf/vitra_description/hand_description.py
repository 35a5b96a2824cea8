"""What a robot hand is, said once: its joints and what they stand for, limits, postures, shapes.

Retargeting, guard, executor, kinematics, collision model and simulator read it from here. The folder of a hand holds
an instance, `hand.xacro` with a macro `hand(side)`, and the flat URDF of each side made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_description.joint_limits import JointLimits
from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError
from vitra_policy.hand.hand_map import HandMap

Array = NDArray[np.float64]


class HandDescriptionError(VitraError):
    """A hand description that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Pad:
    """A fingertip as a sphere in the frame of its link.

    Attributes:
        link: Link name without `{side}_hand_`.
        centre_m: Centre (3,) on the right hand; y is mirrored on the left.
        radius_m: Radius.
    """

    link: str
    centre_m: tuple[float, float, float]
    radius_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Pinch:
    """A grasp between thumb and fingers, from open (closure 0) to touching (closure 1); used by the scripted expert.

    Attributes:
        open_rad: Joints at closure 0, shape (dof,).
        closed_rad: Joints at closure 1, shape (dof,).
        thumb: The thumb's pad.
        fingers: The pads that oppose it.
    """

    open_rad: Array
    closed_rad: Array
    thumb: Pad
    fingers: tuple[Pad, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HandDescription:
    """One kind of robot hand; left and right are mirror images.

    Attributes:
        name: What calibrations call it.
        folder: Where `hand.xacro`, `left.urdf` and `right.urdf` are.
        map: Its joints in the driver's order, and the MANO angles they stand for.
        vendor_limits: What the vendor states.
        limits: What commands must stay within.
        max_step_rad: Largest change between two commands, whatever the time between.
        first_command_rad: Largest distance of the first command after a rest from what the controller holds.
        open_rad: The open posture, shape (dof,).
        tips: Fingertip frames, thumb first, without `{side}_hand_`.
        thumb_links: The thumb's links that may touch fingers, without `{side}_hand_`; shapes are `{link}_shape`.
        finger_links: The links of the fingers that it may touch.
        fingers_capsule_m: Ends and radius of a capsule around all fingers in the hand's own frame.
        pinch: How it grasps.

    Raises:
        HandDescriptionError: arrays that do not fit the joints, or an open posture out of limits.
    """

    name: str
    folder: Path
    map: HandMap
    vendor_limits: JointLimits
    limits: JointLimits
    max_step_rad: float
    first_command_rad: float
    open_rad: Array
    tips: tuple[str, ...]
    thumb_links: tuple[str, ...]
    finger_links: tuple[str, ...]
    fingers_capsule_m: tuple[tuple[float, float, float], tuple[float, float, float], float]
    pinch: Pinch

    def __post_init__(self) -> None:
        sizes = {
            "vendor_limits": self.vendor_limits.dof,
            "limits": self.limits.dof,
            "open_rad": len(self.open_rad),
            "pinch.open_rad": len(self.pinch.open_rad),
            "pinch.closed_rad": len(self.pinch.closed_rad),
        }
        for what, size in sizes.items():
            if size != self.dof:
                raise HandDescriptionError(f"Hand '{self.name}': {what} has {size} joints, its map {self.dof}.")
        if not (
            self.vendor_limits.contains(self.limits.lower_rad) and self.vendor_limits.contains(self.limits.upper_rad)
        ):
            raise HandDescriptionError(f"Hand '{self.name}': limits go beyond the vendor's.")
        for what, posture in (("open_rad", self.open_rad), ("pinch.open_rad", self.pinch.open_rad)):
            if not self.limits.contains(posture):
                raise HandDescriptionError(f"Hand '{self.name}': {what} {posture} is out of limits.")

    @property
    def dof(self) -> int:
        """Number of joints."""
        return self.map.dof

    @property
    def xacro(self) -> Path:
        """The file with its macro `hand(side)`."""
        return self.folder / "hand.xacro"

    def urdf(self, side: str) -> Path:
        """Flat URDF of one hand alone (root `{side}_hand_link`)."""
        return self.folder / f"{Side(side)}.urdf"

    def joint_names(self, side: str) -> tuple[str, ...]:
        """Joints in the driver's order: `{side}_hand_...`."""
        return tuple(f"{side}_hand_{name}" for name in self.map.names)

    def fingertips(self, side: str) -> tuple[str, ...]:
        """Fingertip frames, thumb first."""
        return tuple(f"{side}_hand_{tip}" for tip in self.tips)
