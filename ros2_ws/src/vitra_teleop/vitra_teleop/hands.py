"""What every input device delivers: tracked hands of one moment, in the words of the rest of the stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError

Array = NDArray[np.float64]


class TeleopError(VitraError):
    """An input device or its data that cannot be used."""


class Action(StrEnum):
    """What an operator can ask for besides moving, by key, pedal or gesture."""

    START = "start"
    SAVE = "save"
    DISCARD = "discard"
    RERECORD = "rerecord"
    STOP = "stop"


@dataclass(frozen=True, slots=True, eq=False)
class TrackedHand:
    """One hand; whoever tracks it says whether it may be trusted.

    Exactly one of `landmarks_m`, `joints_rad` may say where the fingers are; with neither they stay where they are.
    """

    valid: bool
    """False: seen badly or not at all; everything else is then ignored."""
    engage: bool
    """The operator wants the robot to follow (pedal, pinch, key)."""
    tracker_from_wrist: Array
    """(4, 4) pose of the MANO wrist frame (`hand_mount` on the robot) in the tracker's frame, metres."""
    landmarks_m: Array | None = None
    """(21, 3) in the wrist frame, order of `vitra_policy.hand.skeleton.KEYPOINTS`."""
    joints_rad: Array | None = None
    """(12,) XHand joints in vendor order, for gloves and presets."""


@dataclass(frozen=True, slots=True, eq=False)
class HandFrame:
    """All hands of one moment."""

    stamp_s: float
    """Capture time on the receiver's clock (ROS time)."""
    sequence: int
    hands: Mapping[Side, TrackedHand]
    """A side that is absent is not tracked."""
    actions: tuple[Action, ...] = ()


class TeleopInput(Protocol):
    """A device or a stream."""

    def open(self) -> None:
        """Begin; raises TeleopError with what to do when the device is not there."""

    def poll(self) -> HandFrame | None:
        """The newest frame that has not been polled yet; never blocks."""

    def poll_actions(self) -> tuple[Action, ...]:
        """All that was asked for since the last time, in order; never blocks, never drops."""

    def close(self) -> None:
        """End; must work twice and on a device that was never opened."""
