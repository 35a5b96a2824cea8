"""Capture times of the camera in the clock of the graph."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from vitra_runtime.clock_steps import StepDetector

_HOST_CLOCKS = ("global_time", "system_time")
_PLAUSIBLE_AGE_S = (-0.005, 0.5)


class CaptureClock:
    """Maps device capture times to ROS time.

    A time that librealsense already gives in the host's clock is taken as it is, if it is a believable age before the
    arrival. Any other clock (free-running hardware, an old recording, ROS time that is not the host's) is shifted by
    the smallest (arrival - device time) of the last frames: the frame that was delayed least shows the offset best.
    When ROS time is set (chrony, a person), the offset moves with it at once.

    Args:
        window: Frames the offset is learnt from; short enough to follow the drift of the device's clock.
        monotonic: Seconds of a clock that nobody sets.
    """

    def __init__(self, window: int = 300, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._offsets: deque[float] = deque(maxlen=window)
        self._step = StepDetector(monotonic)
        self._last_device_s = float("-inf")

    def stamp_s(self, device_time_s: float, domain: str, arrival_s: float) -> float:
        """ROS time of capture [s], never after the arrival.

        Args:
            device_time_s: Capture time in the device's clock.
            domain: librealsense name of that clock.
            arrival_s: ROS time at which the frame was received, just now.
        """
        if step_s := self._step(arrival_s):
            self._offsets = deque((offset + step_s for offset in self._offsets), self._offsets.maxlen)
        age_s = arrival_s - device_time_s
        if domain in _HOST_CLOCKS and _PLAUSIBLE_AGE_S[0] <= age_s <= _PLAUSIBLE_AGE_S[1]:
            return min(device_time_s, arrival_s)
        if device_time_s < self._last_device_s:  # the device's clock started anew
            self._offsets.clear()
        self._last_device_s = device_time_s
        self._offsets.append(age_s)
        return min(device_time_s + min(self._offsets), arrival_s)
