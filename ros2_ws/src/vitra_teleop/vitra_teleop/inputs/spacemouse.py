"""A SpaceMouse: its six axes move the wrist, its buttons engage and close the hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vitra_description.names import parse_side
from vitra_teleop.hands import Action, HandFrame, TeleopError, TrackedHand
from vitra_teleop.jog import Jog, Preset

_TURN_RATIO = 4.0  # rad/s per m/s
_DEAD_ZONE = 0.05
_REPORTS_AT_ONCE = 64


class SpaceMouseInput:
    """Integrates the mouse's deflection into a wrist pose; use axes `base`.

    Left button held: engaged. Right button: opens or closes the hand.

    Args:
        side: hand it moves.
        clock: ROS time, seconds.
        speed_m_s: at full deflection.
    """

    def __init__(self, side: str, clock: Callable[[], float], speed_m_s: float) -> None:
        self._side = parse_side(side)
        self._clock, self._speed_m_s, self._jog = clock, speed_m_s, Jog()
        self._device: Any = None
        self._last_s, self._sequence, self._closed, self._was_pressed = 0.0, 0, False, False

    def open(self) -> None:
        """Find the device.

        Raises:
            TeleopError: no driver, or no device.
        """
        try:
            import pyspacemouse
        except ImportError as error:
            raise TeleopError(
                "A SpaceMouse needs its driver: pip install pyspacemouse==2.1.0 (and Debian's libhidapi-hidraw0)."
            ) from error
        try:
            # The driver's default turns are those of no frame; these axes are the robot's (x ahead, y left, z up).
            self._device = pyspacemouse.open(axis_convention=pyspacemouse.AxisConvention.ROS)
        except Exception as error:  # the driver has an error of its own for each way of not reading a device
            raise TeleopError(
                f"No SpaceMouse can be read: {error}. Plug it in; on Linux a udev rule must allow reading it."
            ) from error
        self._last_s = self._clock()

    def poll(self) -> HandFrame | None:
        """See `TeleopInput`."""
        if self._device is None:
            return None
        state, now_s = self._newest(), self._clock()
        elapsed_s, self._last_s = min(now_s - self._last_s, 0.1), now_s
        axes = np.array([state.x, state.y, state.z, state.roll, state.pitch, state.yaw], dtype=np.float64)
        axes[np.abs(axes) < _DEAD_ZONE] = 0.0
        move = axes * self._speed_m_s * elapsed_s
        self._jog.move(move[:3], move[3:] * _TURN_RATIO)
        pressed = bool(state.buttons[-1])
        if pressed and not self._was_pressed:
            self._closed = not self._closed
            self._jog.take(Preset.PINCH if self._closed else Preset.OPEN)
        self._was_pressed = pressed
        self._sequence += 1
        hand = TrackedHand(True, bool(state.buttons[0]), self._jog.pose, joints_rad=self._jog.joints_rad)
        return HandFrame(now_s, self._sequence, {self._side: hand})

    def _newest(self) -> Any:
        """State after all reports that wait: the device sends more of them than there are polls."""
        seen_s = None
        for _ in range(_REPORTS_AT_ONCE):
            state = self._device.read()
            if state.t == seen_s:
                break
            seen_s = state.t
        return state

    def poll_actions(self) -> tuple[Action, ...]:
        """See `TeleopInput`; this device asks for nothing."""
        return ()

    def close(self) -> None:
        """Give the device back."""
        device, self._device = self._device, None
        if device is not None:
            device.close()
