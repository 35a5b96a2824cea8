"""Apple Vision Pro through the Tracking Streamer app (`avp_stream`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import transform_points
from vitra_teleop.hands import Action, Array, HandFrame, TeleopError, TrackedHand
from vitra_teleop.landmarks import LandmarkError, in_wrist_frame

_LANDMARKS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24)
"""The app's 25 joints without the metacarpals of the four fingers."""
_PINCH_M = 0.02


class VisionProInput:
    """Hands of the headset, in its own axes (`z_up`).

    Args:
        ip: address that the app shows.
        clock: ROS time, seconds.
        engage: `pinch` follows while the OTHER hand pinches; `always` follows as long as a hand is seen.
    """

    def __init__(self, ip: str, clock: Callable[[], float], engage: str = "pinch") -> None:
        self._ip, self._clock, self._engage = ip, clock, engage
        self._streamer: Any = None
        self._sequence = 0
        self._last: Array | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            TeleopError: no package, no address, or no headset there.
        """
        if not self._ip:
            raise TeleopError("Say where the headset is: input_options:=ip=... (the Tracking Streamer app shows it).")
        try:
            from avp_stream import VisionProStreamer
        except ImportError as error:
            raise TeleopError(
                "Apple Vision Pro needs its client: pip install avp_stream==2.51, and the app Tracking Streamer on the "
                "headset in a matching version."
            ) from error
        try:
            self._streamer = VisionProStreamer(ip=self._ip, record=False)
        except Exception as error:  # grpc has errors of its own
            raise TeleopError(
                f"No headset answers at {self._ip}: {error}. Is the app running, in the same network?"
            ) from error

    def poll(self) -> HandFrame | None:
        """See `TeleopInput`."""
        latest = self._streamer.latest if self._streamer is not None else None
        if not latest:
            return None
        wrists = np.concatenate([np.asarray(latest[f"{side}_wrist"]).ravel() for side in SIDES])
        if self._last is not None and np.array_equal(wrists, self._last):
            return None  # nothing new: a frozen stream must look like silence
        self._last = wrists
        self._sequence += 1
        return HandFrame(self._clock(), self._sequence, hands_of(latest, self._engage))

    def poll_actions(self) -> tuple[Action, ...]:
        """See `TeleopInput`; this device asks for nothing."""
        return ()

    def close(self) -> None:
        """Disconnect."""
        self._streamer = None


def hands_of(latest: Mapping[str, Any], engage: str) -> dict[Side, TrackedHand]:
    """Both hands of one message of the app."""
    hands: dict[Side, TrackedHand] = {}
    for side in SIDES:
        wrist = np.asarray(latest[f"{side}_wrist"], dtype=np.float64).reshape(4, 4)
        joints = np.asarray(latest[f"{side}_fingers"], dtype=np.float64)[list(_LANDMARKS), :3, 3]
        wanted = engage == "always" or float(latest[f"{side.other}_pinch_distance"]) < _PINCH_M
        try:
            pose, landmarks = in_wrist_frame(transform_points(wrist, joints), side)
        except LandmarkError:
            hands[side] = TrackedHand(False, False, np.eye(4))
            continue
        hands[side] = TrackedHand(True, wanted, pose, landmarks_m=landmarks)
    return hands
