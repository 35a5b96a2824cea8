"""From streams to observations: joint histories, alignment to the image, hand state in the camera frame.

One implementation for the live robot and for recorded bags. Alignment is as-of: each stream contributes its newest
sample that is not younger than the image, and a stream counts as complete once no other one can be on its way: a
sample at or after the image was seen, or the image follows the newest one sooner than the next can (`LEAST_GAP_S`). So
the answer does not depend on how late messages arrive, and nothing comes from the future.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import ROTATION, SIDES, TRANSLATION, WRIST, Hands, Side, join_hands
from vitra_policy.errors import VitraError
from vitra_policy.hand.hand_map import HandMap
from vitra_policy.hand.xhand_map import XHAND_MAP
from vitra_policy.transforms import euler_xyz_from_matrix

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
T = TypeVar("T")


LEAST_GAP_S = {"arm": 0.0035, "hand": 0.007}
"""Time between two samples of an arm or a hand [s], at least: 0.7 of the period at 200 and 100 Hz.

A driver that breaks its rhythm (1 of 300 images with a busy machine) costs an observation one sample: it has the one
before, which is at most so much older."""


class CameraInfoError(VitraError):
    """Intrinsics that describe no camera."""


class Missing(StrEnum):
    """Why a hand's state is not known (yet)."""

    NO_DATA = "no data"
    STALE = "stale"
    WAITING = "waiting for a sample at or after the image"


class Timed(Protocol):
    """A stream whose value at a time can be asked for."""

    def as_of(self, stamp_s: float, max_age_s: float) -> FloatArray | Missing:
        """Value of the newest sample at or before a time, or why there is none."""


class SampleHistory(Generic[T]):
    """The newest samples of one stream, found by time; samples are decoded only when they are asked for.

    Args:
        decode: makes the value of a sample, e.g. deserialises a message.
        capacity: samples kept.
        gap_s: no sample follows another sooner; 0 where that is not known.
    """

    def __init__(self, decode: Callable[[T], FloatArray], capacity: int = 256, gap_s: float = 0.0) -> None:
        self._decode, self._capacity, self._gap_s = decode, capacity, gap_s
        self._stamps_s: list[float] = []
        self._samples: list[T] = []

    def add(self, stamp_s: float, sample: T) -> bool:
        """Append a sample; one that is not newer than the last is refused (False)."""
        if self._stamps_s and stamp_s <= self._stamps_s[-1]:
            return False
        if len(self._stamps_s) >= 2 * self._capacity:
            del self._stamps_s[: self._capacity], self._samples[: self._capacity]
        self._samples.append(sample)
        self._stamps_s.append(stamp_s)
        return True

    def clear(self) -> None:
        """Forget everything, e.g. after the clock was set back."""
        self._stamps_s.clear()
        self._samples.clear()

    @property
    def newest_s(self) -> float | None:
        """Time of the newest sample."""
        return self._stamps_s[-1] if self._stamps_s else None

    def as_of(self, stamp_s: float, max_age_s: float) -> FloatArray | Missing:
        """Value of the newest sample at or before a time, or why there is none."""
        if not self._stamps_s:
            return Missing.NO_DATA
        newest_s = self._stamps_s[-1]
        if newest_s < stamp_s and newest_s + self._gap_s <= stamp_s:
            waiting = stamp_s - newest_s <= max_age_s
            return Missing.WAITING if waiting else Missing.STALE
        index = bisect.bisect_right(self._stamps_s, stamp_s) - 1
        if index < 0 or stamp_s - self._stamps_s[index] > max_age_s:
            return Missing.STALE
        return self._decode(self._samples[index])


@dataclass(frozen=True, slots=True, eq=False)
class HandStates:
    """State of both hands at one time."""

    state: FloatArray
    """(102,) absolute in the camera frame; zeros where unknown."""
    valid: BoolArray
    """(2,) hands that are known."""
    missing: Mapping[str, Missing]
    """Stream name (``right_arm``) to why it lacks, for the hands asked for."""
    arms_rad: Mapping[Side, FloatArray] = field(default_factory=dict)
    """Arm joints (7,) where they are known."""

    @property
    def is_waiting(self) -> bool:
        """Nothing is wrong, but a stream has not caught up with the image."""
        return bool(self.missing) and all(why is Missing.WAITING for why in self.missing.values())


class HandStateEstimator:
    """Hands in the camera frame from arm and hand joints at the time of an image.

    Args:
        camera_from_wrist: kinematics and calibration: side and arm joints (7,) rad to the wrist's pose (4, 4) in the
            optical frame.
        arms: joint history per side; the keys say which sides the robot has.
        hands: the same for the joints of the robot hand (dof,) rad.
        max_age_s: oldest joint sample that still counts as measured at the image.
        hand_map: of the robot hand.
    """

    def __init__(
        self,
        camera_from_wrist: Callable[[Side, FloatArray], FloatArray],
        arms: Mapping[Side, Timed],
        hands: Mapping[Side, Timed],
        max_age_s: float = 0.05,
        hand_map: HandMap = XHAND_MAP,
    ) -> None:
        self._camera_from_wrist, self._arms, self._hands, self._max_age_s = camera_from_wrist, arms, hands, max_age_s
        self._map = hand_map

    def at(self, stamp_s: float) -> HandStates:
        """State of every side the robot has."""
        vectors: dict[Side, FloatArray] = {}
        missing: dict[str, Missing] = {}
        arms_rad: dict[Side, FloatArray] = {}
        for side in SIDES:
            if side not in self._arms:
                continue
            arm = self._arms[side].as_of(stamp_s, self._max_age_s)
            hand = self._hands[side].as_of(stamp_s, self._max_age_s)
            missing |= {f"{side}_{part}": v for part, v in (("arm", arm), ("hand", hand)) if isinstance(v, Missing)}
            if not isinstance(arm, Missing):
                arms_rad[side] = arm
            if not isinstance(arm, Missing) and not isinstance(hand, Missing):
                vectors[side] = hand_vector(self._camera_from_wrist(side, arm), hand, self._map)
        state = join_hands(vectors.get(Side.LEFT), vectors.get(Side.RIGHT))
        return HandStates(state, np.array([side in vectors for side in SIDES]), missing, arms_rad)


def hand_vector(camera_from_wrist: ArrayLike, hand_joints_rad: ArrayLike, hand_map: HandMap = XHAND_MAP) -> FloatArray:
    """State of one hand (51,): wrist translation, wrist rotation and finger angles in the camera frame.

    Args:
        camera_from_wrist: Pose (4, 4).
        hand_joints_rad: Of the robot's hand, in its order.
        hand_map: From them to MANO angles.
    """
    pose = np.asarray(camera_from_wrist, dtype=np.float64)
    fingers = hand_map.fingers_from_joints(hand_joints_rad)
    vector = np.concatenate([np.zeros(WRIST.stop), fingers])
    vector[TRANSLATION], vector[ROTATION] = pose[:3, 3], euler_xyz_from_matrix(pose[:3, :3])
    return vector


def fov_from_intrinsics(intrinsics: ArrayLike, width_px: int, height_px: int) -> FloatArray:
    """Horizontal and vertical field of view (2,) rad of an image (docs/model.md: Image).

    Args:
        intrinsics: (3, 3) pixels.
        width_px: Of the image.
        height_px: Of the image.

    Raises:
        CameraInfoError: focal lengths or sizes that are not positive (an uncalibrated camera reports zeros).
    """
    K = np.asarray(intrinsics, dtype=np.float64).reshape(3, 3)
    focal = np.array([K[0, 0], K[1, 1]])
    size = np.array([width_px, height_px], dtype=np.float64)
    if not (np.isfinite(K).all() and (focal > 0).all() and (size > 0).all()):
        raise CameraInfoError(
            f"camera_info has focal lengths {focal.tolist()} and size {width_px}x{height_px}; all must be positive. "
            "Is the camera calibrated?"
        )
    fov: FloatArray = 2 * np.arctan2(size / 2, focal)
    return fov


def active_hands(flags: ArrayLike) -> Hands:
    """`Hands` of (2,) flags."""
    left, right = np.asarray(flags, dtype=bool)
    return Hands(bool(left), bool(right))
