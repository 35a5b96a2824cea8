"""Pinch grasps of a hand: how far to close for a width, and where the wrist has to be for that."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_description.hand_description import HandDescription, Pad
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.kinematics import HandModel
from vitra_description.names import hand_base
from vitra_policy.action_space import Side
from vitra_policy.transforms import make_pose
from vitra_sim.scene.objects import SIDE_HANDLES, UPRIGHT_HANDLES, Kind

Array = NDArray[np.float64]

MAX_CLOSURE = 1.1


@dataclass(frozen=True, slots=True)
class PinchAt:
    """Geometry of the hand at one closure, in the hand's base frame.

    Attributes:
        gap_m: Free width between the pads.
        centre_m: Point midway between the pads, (3,).
        axis: Unit vector from thumb to fingers, (3,).
    """

    gap_m: float
    centre_m: Array
    axis: Array


def posture(closure: float | Array, hand: HandDescription = XHAND1) -> Array:
    """Hand joints (..., dof) [rad] for closures (...) in 0..MAX_CLOSURE: 0 open, 1 pads together, beyond: pressing."""
    a = np.clip(np.asarray(closure, dtype=np.float64), 0.0, MAX_CLOSURE)[..., None]
    return np.asarray(hand.pinch.open_rad + (hand.pinch.closed_rad - hand.pinch.open_rad) * a)


class PinchTable:
    """Pinch geometry against closure for one hand.

    Args:
        side: which hand.
        hand: what kind.
    """

    def __init__(self, side: Side, hand: HandDescription) -> None:
        model = HandModel(side, hand)
        self._closures = np.linspace(0.0, 1.0, 41)
        self._pinches = [_pinch(model, posture(a, hand)) for a in self._closures]
        self._gaps_m = np.array([p.gap_m for p in self._pinches])

    def closure(self, gap_m: float) -> float:
        """Closure at which the pads are `gap_m` apart, within 0..1."""
        return float(np.interp(-gap_m, -self._gaps_m, self._closures))

    def at(self, closure: float) -> PinchAt:
        """Geometry at the nearest tabulated closure."""
        return self._pinches[int(np.argmin(np.abs(self._closures - closure)))]


@functools.cache
def pinch_table(side: Side, hand: HandDescription = XHAND1) -> PinchTable:
    """The table of a hand, computed once."""
    return PinchTable(side, hand)


def _pinch(model: HandModel, q_rad: Array) -> PinchAt:
    mirror = np.array([1.0, 1.0 if model.side is Side.RIGHT else -1.0, 1.0])
    prefix, pinch = hand_base(model.side).removesuffix("link"), model.hand.pinch

    def centre(pad: Pad) -> Array:
        pose = model.link_pose(q_rad, prefix + pad.link)
        return np.asarray(pose[:3, 3] + pose[:3, :3] @ (mirror * pad.centre_m))

    thumb = centre(pinch.thumb)
    fingers = np.mean([centre(pad) for pad in pinch.fingers], axis=0)
    axis = fingers - thumb
    distance = float(np.linalg.norm(axis))
    return PinchAt(distance - pinch.thumb.radius_m - pinch.fingers[0].radius_m, (thumb + fingers) / 2, axis / distance)


@dataclass(frozen=True, slots=True)
class Grasp:
    """How to take one object: everything a wrist path needs.

    Attributes:
        side: Which hand.
        point_m: Where the pads meet the object, relative to its centre (3,), base axes.
        yaw_rad: Direction from thumb to fingers in the table plane.
        width_m: Object's width along that direction.
        hand: What kind of hand.
    """

    side: Side
    point_m: Array
    yaw_rad: float
    width_m: float
    hand: HandDescription = XHAND1

    @property
    def closure(self) -> float:
        """Closure at which both pads just touch."""
        return self.closure_for(self.width_m)

    def closure_for(self, gap_m: float) -> float:
        """Closure at which the pads are so far apart."""
        return pinch_table(self.side, self.hand).closure(gap_m)

    def posture(self, closure: float) -> Array:
        """Hand joints (dof,) [rad] at a closure."""
        return posture(closure, self.hand)


CLEARANCE_M = 0.045
"""How much wider than the object the hand opens."""
SQUEEZE = 0.25
"""Closure commanded beyond touch: the drives' give turns it into force."""
_HEIGHTS = {Kind.BOTTLE: 0.12}
"""Where the pads go, above the centre, in half heights."""
_HANDLE_KEEPOUT_RAD = np.deg2rad(45.0)


def preferred_yaw_rad(side: Side, y_m: float) -> float:
    """Thumb-to-finger direction that suits the arm best at a place on the table: the further out, the more inwards.

    In the middle of the 90 degrees that the arm reaches everywhere in its task zone (a test).
    """
    outwards = np.deg2rad(10.0) + np.deg2rad(60.0) * max(abs(y_m) - 0.20, 0.0)
    return float(-outwards if side is Side.RIGHT else outwards)


def plan_grasp(
    side: Side, kind: Kind, base_from_object: Array, half_extents_m: Array, hand: HandDescription = XHAND1
) -> Grasp:
    """The grasp of an upright object that turns the hand least from its preferred direction.

    Args:
        side: Which hand.
        kind: Of the object.
        base_from_object: Pose (4, 4) of the object.
        half_extents_m: Half of its size (3,).
        hand: Description of the hand.
    """
    yaw = float(np.arctan2(base_from_object[1, 0], base_from_object[0, 0]))
    preferred = preferred_yaw_rad(side, float(base_from_object[1, 3]))
    if kind in (Kind.CUBE, Kind.CARTON):
        direction = _nearest(yaw, np.pi / 2, preferred)
        quarter_turned = bool(abs(np.sin(direction - yaw)) > 0.5)
        width = 2 * float(half_extents_m[1 if quarter_turned else 0])
    elif kind in UPRIGHT_HANDLES:
        direction, width = _nearest(yaw, np.pi, preferred), 2 * float(half_extents_m[0])
    elif kind in SIDE_HANDLES:
        direction, width = _nearest(yaw + np.pi / 2, np.pi, preferred), 2 * float(half_extents_m[1])
    elif kind is Kind.MUG:
        direction, width = _beside_handle(yaw, preferred), 2 * float(half_extents_m[0])
    else:
        direction, width = preferred, 2 * float(half_extents_m[0])
    height = _HEIGHTS.get(kind, 0.0) * float(half_extents_m[2])
    return Grasp(side, np.array([0.0, 0.0, height]), direction, width, hand)


def _nearest(angle_rad: float, period_rad: float, wanted_rad: float) -> float:
    return angle_rad + period_rad * round((wanted_rad - angle_rad) / period_rad)


def _beside_handle(handle_rad: float, wanted_rad: float) -> float:
    """Direction nearest to the wanted one that keeps thumb and fingers off the handle."""
    axis = _nearest(handle_rad, np.pi, wanted_rad)
    offset = wanted_rad - axis
    if abs(offset) >= _HANDLE_KEEPOUT_RAD:
        return wanted_rad
    return axis + float(np.copysign(_HANDLE_KEEPOUT_RAD, offset))


def base_from_wrist(calibration: Calibration, grasp: Grasp, centre_m: Array, yaw_rad: float) -> Array:
    """Wrist pose (4, 4) of `hand_mount` that puts the closed pads around the object.

    The hand is pitched until the closing axis is level: palm down and back, fingers ahead and down.

    Args:
        calibration: for the mount on the hand.
        grasp: the grasp.
        centre_m: where the object's centre is (to be), in base_link.
        yaw_rad: thumb-to-finger direction in the table plane.
    """
    pinch = pinch_table(grasp.side, grasp.hand).at(grasp.closure)
    pitch = float(np.arctan2(-pinch.axis[0], pinch.axis[2]))
    ahead, up = np.array([np.cos(yaw_rad), np.sin(yaw_rad), 0.0]), np.array([0.0, 0.0, 1.0])
    fingers = np.cos(pitch) * ahead - np.sin(pitch) * up
    palm = -np.sin(pitch) * ahead - np.cos(pitch) * up
    rotation = np.stack([palm, np.cross(fingers, palm), fingers], axis=1)
    base_from_hand = make_pose(centre_m + grasp.point_m - rotation @ pinch.centre_m, rotation)
    return base_from_hand @ calibration.side(grasp.side).hand_base_from_hand_mount
