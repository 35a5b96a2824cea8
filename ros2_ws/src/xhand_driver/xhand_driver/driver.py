"""What the driver decides, without ROS, clock or SDK: which setpoint to send, and whether the hand is well."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_runtime.timing import Cadence
from vitra_safety.guard import HAND_GUARD, GuardSettings
from vitra_safety.motion_gate import FreshnessLimits
from vitra_safety.setpoint_stream import SetpointStream
from vitra_safety.stream_reports import DriverStatus, StreamReports
from xhand_driver.device import HandSample

Array = NDArray[np.float64]


class HandDriver(StreamReports):
    """Guard, gate and health of one hand; thread-safe, no method waits. All times are monotonic seconds.

    The hand is held by repeating the setpoint sent last: a grasp keeps its pressure. Until the first setpoint after a
    connection nothing is sent, so connecting never moves the hand.
    """

    def __init__(self, settings: GuardSettings = HAND_GUARD, freshness: FreshnessLimits | None = None) -> None:
        super().__init__(SetpointStream(settings, freshness=freshness))
        self._mutex = threading.Lock()
        self._open = False
        self._held: Array | None = None
        self._barred_epoch = -1
        self._link_problem, self._hand_fault, self._hang = "not connected yet", "", ""
        self.sample: HandSample | None = None
        self.feedback = Cadence(settings.period_s, window=200)
        self.commands = Cadence(settings.period_s, window=200)
        self.setpoints = Cadence(settings.period_s, window=200)

    def open(self) -> None:
        """Obey commands from now on (the node is active)."""
        self._open = True

    def close(self) -> None:
        """Obey no more commands; what moves decelerates as its commands run out."""
        self._open = False

    @property
    def closed(self) -> bool:
        """Whether commands are ignored."""
        return not self._open

    @property
    def fault(self) -> str:
        """What is wrong with the hand or the way to it, in words; empty when healthy."""
        return self._hang or self._link_problem or self._hand_fault

    @property
    def status(self) -> DriverStatus:
        """State in one word."""
        return self.status_of(connected=not self._link_problem, fault=self.fault)

    def on_permit(self, epoch: int, allowed: bool, now_s: float, source: int = 0, age_s: float = 0.0) -> None:
        """A permit of the safety supervisor; a new epoch ends a latch, but not a fault that is still there.

        Args:
            epoch: Of the arming it belongs to.
            allowed: Whether motion is allowed.
            now_s: Monotonic time of its arrival.
            source: Number of the publisher, to notice a second one.
            age_s: How old it was on arrival.
        """
        with self._mutex:
            self._stream.on_permit(epoch, allowed and self._open, now_s, source, age_s)
            if self.fault and self.sample is not None:
                self._stream.on_fault(self.fault)

    def on_command(
        self, position_rad: ArrayLike, *, sequence: int, epoch: int, age_s: float, now_s: float, source: int = 0
    ) -> None:
        """A command arrived.

        Args:
            position_rad: Setpoint of the joints (12,).
            sequence: Number the sender gave it; older ones than the last are refused.
            epoch: Of the arming it was made in.
            age_s: How old it was on arrival.
            now_s: Monotonic time of its arrival.
            source: Number of the publisher, to notice a second one.
        """
        if not self._open:
            return
        with self._mutex:
            self._stream.on_command(
                position_rad, sequence=sequence, epoch=epoch, age_s=age_s, now_s=now_s, source=source
            )
            self.commands.tick(now_s)

    def next_setpoint(self, now_s: float) -> Array | None:
        """The (12,) positions to send in this cycle; None while there is nothing to hold yet."""
        with self._mutex:
            setpoint = self._stream.tick(now_s)
            if setpoint is not None and self.epoch > self._barred_epoch:
                self._held = setpoint
                self.setpoints.tick(now_s)
            return self._held

    def on_sample(self, sample: HandSample, now_s: float) -> None:
        """A cycle brought a good state."""
        with self._mutex:
            self.sample, self._link_problem, self._hang = sample, "", ""
            self._stream.on_feedback(sample.position_rad, now_s)
            self.feedback.tick(now_s)
            self._hand_fault = sample.fault
            if sample.fault:
                self._stream.on_fault(sample.fault)

    def on_link_lost(self, problem: str) -> None:
        """The connection is gone: the hand may stand anywhere when it is back, so nothing is sent until a re-arm."""
        with self._mutex:
            was_connected = not self._link_problem
            self._link_problem, self._held = problem, None
            self._stream.forget_held()
            if was_connected:
                self._barred_epoch = self.epoch
                self._stream.on_fault(problem)
                self.feedback.clear()

    def on_hang(self, problem: str) -> None:
        """The SDK does not answer; only the next good state clears this."""
        with self._mutex:
            if not self._hang:
                self._stream.on_fault(problem)
            self._hang = problem
