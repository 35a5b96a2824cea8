"""What the driver does with permits, commands and feedback: the guarded stream to the SDK, stops and faults.

Pure: no ROS, no process, no clock of its own. Thread-safe: commands arrive in one thread, feedback in another.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from realman_driver import codes, frames
from realman_driver.link import LinkState
from realman_driver.progress import ProgressWatch
from realman_driver.units import radians
from realman_driver.velocity import VelocityEstimator
from vitra_runtime.timing import Cadence
from vitra_safety.guard import Refusal
from vitra_safety.motion_gate import MotionState, StopCause
from vitra_safety.setpoint_stream import Beginning, SetpointStream
from vitra_safety.stream_reports import DriverStatus, StreamReports

_ALL_ENABLED = 0b1111111
_TRACKING_TIME_S = 0.3
_REST_SPEED_RAD_S = 0.01
_LATE_PERIODS = 1.9
"""A command later than this is replaced by a setpoint of the driver's own, which decelerates."""
_NEXT_PERIOD = 0.9
_SAG_RAD = float(np.deg2rad(1.5))
"""Load keeps the joints at most so far from what is held; farther away, something has moved the arm."""
_OUR_STATUS = (0, 5, 9, 10, 11)
"""The controller's states in which nothing but our setpoints and stops moves the arm: idle, joint pass-through, stop,
slow stop, pause."""


class ArmLink(Protocol):
    """What the driver needs of the connection."""

    state: LinkState
    problem: str

    @property
    def stalled(self) -> str:
        """Why setpoints do not get through though the connection lives, in words."""

    def stream(self, position_rad: Sequence[float], *, judged_s: float, begins: Beginning = Beginning.NONE) -> bool:
        """Hand over a setpoint.

        Args:
            position_rad: Setpoint of the joints (7,).
            judged_s: When it was judged, on the monotonic clock; what waits too long behind it is dropped.
            begins: Whether a motion begins with it.
        """

    def request(self, operation: frames.Operation) -> bool:
        """Ask for an operation."""


class Memory(Protocol):
    """What the controller holds, beyond the life of this process."""

    def recall(self, now_s: float) -> list[float] | None:
        """What was held shortly before."""

    def keep(self, held_rad: Sequence[float], now_s: float) -> None:
        """This is held."""

    def forget(self) -> None:
        """Nobody knows what is held."""


@dataclass(frozen=True, slots=True)
class ArmState:
    """One reading of the arm: 7 positions [rad], velocities [rad/s], drive currents [A]; ROS time of reception."""

    stamp_ns: int
    position_rad: tuple[float, ...]
    velocity_rad_s: list[float]
    current_a: list[float]


@dataclass(slots=True)
class _Statistics:
    feedback: Cadence
    commands: Cadence
    setpoints: Cadence


@dataclass(slots=True)
class _Tracking:
    """Whether the arm is where it was told to be; more than a moment's error is a fault."""

    moving_limit_rad: float
    rest_limit_rad: float
    since_s: float | None = None

    def fault(self, stream: SetpointStream, measured_rad: Sequence[float], now_s: float) -> str:
        """What is wrong, in words, or an empty text."""
        setpoint_rad = stream.setpoint_rad
        if setpoint_rad is None:
            self.since_s = None
            return ""
        at_rest = stream.state in (MotionState.HOLDING, MotionState.LATCHED)
        limit_rad = self.rest_limit_rad if at_rest else self.moving_limit_rad
        error_rad = float(np.max(np.abs(setpoint_rad - np.array(measured_rad))))
        if error_rad <= limit_rad:
            self.since_s = None
            return ""
        self.since_s = now_s if self.since_s is None else self.since_s
        if now_s - self.since_s <= _TRACKING_TIME_S:
            return ""
        error = f"{np.rad2deg(error_rad):.1f} deg from its setpoint, allowed {np.rad2deg(limit_rad):.1f}"
        if at_rest:
            return f"something holds the arm: it rests {error}; free it, or call clear_errors to begin where it is"
        return f"the arm does not follow: {error}"


class ArmDriver(StreamReports):
    """One arm.

    Args:
        link: connection to the arm.
        stream: guard, gate and stop profile; resting farther than its `rest_error_rad` from the setpoint is a fault.
        tracking_limit_rad: while it moves, a larger distance of measured from commanded positions is a fault.
        feedback_period_s: nominal period of the state push.
        memory: what the controller held when the driver before this one ended, and does now.
    """

    def __init__(
        self,
        link: ArmLink,
        stream: SetpointStream,
        *,
        tracking_limit_rad: float,
        feedback_period_s: float = 0.005,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(stream)
        self._link, self._memory, self._asked_memory = link, memory, False
        period_s = stream.guard.settings.period_s
        self._lock = threading.Lock()
        self._velocity = VelocityEstimator(feedback_period_s)
        self._tracking = _Tracking(tracking_limit_rad, stream.rest_error_rad)
        self._progress = ProgressWatch()
        self._statistics = _Statistics(Cadence(feedback_period_s), Cadence(period_s), Cadence(period_s))
        self._link_fault, self._arm_fault, self._tracking_fault = "no connection", "", ""
        self._gate_state = MotionState.HOLDING
        self._period_s, self._accepted_s = period_s, 0.0
        self._speed_rad_s = 0.0
        self._closing, self._is_ours = False, True

    # Inputs ---------------------------------------------------------------------------------------------------------

    def on_permit(self, epoch: int, allowed: bool, now_s: float, source: int = 0, age_s: float = 0.0) -> None:
        """A permit of the safety supervisor; a new epoch ends a latch.

        Args:
            epoch: Of the arming it belongs to.
            allowed: Whether motion is allowed.
            now_s: Monotonic time of its arrival.
            source: Number of the publisher, to notice a second one.
            age_s: How old it was on arrival.
        """
        with self._lock:
            self._stream.on_permit(epoch, allowed and not self._closing, now_s, source, age_s)

    def on_command(
        self, position_rad: Sequence[float], *, sequence: int, epoch: int, age_s: float, now_s: float, source: int = 0
    ) -> Refusal | None:
        """A setpoint; passed on at once if it may be.

        Args:
            position_rad: Setpoint of the joints (7,).
            sequence: Number the sender gave it; older ones than the last are refused.
            epoch: Of the arming it was made in.
            age_s: How old it was on arrival.
            now_s: Monotonic time of its arrival.
            source: Number of the publisher, to notice a second one.
        """
        with self._lock:
            self._statistics.commands.tick(now_s)
            refusal = self._stream.on_command(
                position_rad, sequence=sequence, epoch=epoch, age_s=age_s, now_s=now_s, source=source
            )
            if refusal is None:
                self._accepted_s = now_s
                self._advance(now_s)
            return refusal

    def on_feedback(self, feedback: frames.Feedback) -> ArmState:
        """A state push of the arm."""
        position_rad = radians(feedback.position_deg)
        velocity_rad_s = self._velocity.update(feedback.time_s, position_rad)
        with self._lock:
            self._stream.on_feedback(position_rad, feedback.time_s)
            self._statistics.feedback.tick(feedback.time_s)
            for sent_s in feedback.sent_s:
                self._statistics.setpoints.tick(sent_s)
            self._speed_rad_s = max(map(abs, velocity_rad_s))
            self._arm_fault, self._is_ours = _arm_fault(feedback), feedback.status in _OUR_STATUS
            if self._arm_fault or not self._is_ours:
                self._stream.forget_held()  # the controller has stopped it, or somebody else moves it
            if not self._is_ours and self._stream.state is MotionState.MOVING:
                self._stream.on_fault(f"somebody else moves the arm (controller status {feedback.status})")
            stuck = self._progress.measured(np.array(position_rad), feedback.time_s)
            if stuck and self._stream.state is MotionState.MOVING:
                self._stream.on_fault(stuck)
            if tracking_fault := self._tracking.fault(self._stream, position_rad, feedback.time_s):
                self._tracking_fault = tracking_fault
            elif self._gate_state is MotionState.LATCHED and self._tracking.since_s is None:
                self._tracking_fault = ""
        return ArmState(feedback.stamp_ns, position_rad, velocity_rad_s, [c / 1000.0 for c in feedback.current_ma])

    def tick(self, now_s: float) -> None:
        """Once per period: streams the stop when inputs are missing, latches faults, stops the arm when latched."""
        with self._lock:
            up = self._link.state is LinkState.UP
            self._link_fault = "" if up else f"no connection: {self._link.problem}"
            fault = self.fault
            armed = self._stream.gate.epoch > 0  # before the first arming there is nothing to latch
            if not up:
                self._stream.forget_held()
            fault = fault or self._link.stalled
            if fault and armed and self._stream.state not in (MotionState.STOPPING, MotionState.LATCHED):
                self._stream.on_fault(fault)
            if self._stream.has_pending or not self._command_is_due(now_s):
                self._advance(now_s)
            if self._memory is not None:
                self._remember(self._memory, now_s, up)

    def _remember(self, memory: Memory, now_s: float, up: bool) -> None:
        """Once, after the first measurement, take over what is held; from then on keep it."""
        if not self._asked_memory and (not up or self._stream.start_rad is None):
            return
        if not self._asked_memory:
            self._asked_memory = True
            held_rad = memory.recall(now_s)
            if held_rad is not None and not self._arm_fault and self._is_ours:
                self._stream.recall(held_rad, _SAG_RAD)
        held = self._stream.held_rad
        if held is None:
            memory.forget()
        else:
            memory.keep(held.tolist(), now_s)

    def close(self, reason: str) -> None:
        """Come to rest and stay there until `reopen`."""
        with self._lock:
            self._closing = True
            self._stream.on_fault(reason)

    def reopen(self) -> None:
        """Permits count again; motion still needs a new epoch."""
        with self._lock:
            self._closing = False

    def clear_errors(self) -> bool:
        """Ask the controller to forget its errors; whether it could be asked.

        An operator's way out for an arm that does not rest where it was told to: the next motion begins where it is.
        """
        with self._lock:
            if self._stream.state in (MotionState.HOLDING, MotionState.LATCHED):
                self._stream.forget_held()
        return self._link.request(frames.Operation.CLEAR_ERRORS)

    # Reports --------------------------------------------------------------------------------------------------------

    @property
    def fault(self) -> str:
        """What is wrong now; empty when healthy (a latch may remain until re-armed)."""
        return self._link_fault or self._arm_fault or self._tracking_fault

    @property
    def status(self) -> DriverStatus:
        """State in one word."""
        return self.status_of(connected=not self._link_fault, fault=self.fault)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is streamed any more and the arm stands still."""
        streaming = self._stream.state in (MotionState.MOVING, MotionState.STOPPING)
        return not streaming and self._speed_rad_s < _REST_SPEED_RAD_S

    @property
    def cadence(self) -> tuple[float, float, float]:
        """Rates of feedback and commands [Hz] and 99th percentile of the setpoints' period error [s]."""
        with self._lock:
            statistics = self._statistics
            error_s = statistics.setpoints.period_error_s()
            return statistics.feedback.rate_hz, statistics.commands.rate_hz, error_s

    def _command_is_due(self, now_s: float) -> bool:
        """Whether the next setpoint is still the commander's to give: setpoints are sent as commands arrive."""
        stream = self._stream
        patience = _LATE_PERIODS if stream.gate.accepts_commands(now_s) else _NEXT_PERIOD
        return stream.state is MotionState.MOVING and now_s - self._accepted_s < patience * self._period_s

    def _advance(self, now_s: float) -> None:
        setpoint_rad = self._stream.tick(now_s)
        if setpoint_rad is not None:
            self._link.stream(setpoint_rad.tolist(), judged_s=now_s, begins=self._stream.begins)
            self._progress.sent(setpoint_rad, now_s)
        state = self._stream.state
        if state is self._gate_state:
            return
        if state is MotionState.MOVING:
            self._statistics.setpoints.clear()
            self._progress.clear()
        elif state is MotionState.LATCHED:
            faulty = self._stream.gate.cause is StopCause.FAULT
            self._link.request(frames.Operation.STOP if faulty else frames.Operation.SLOW_STOP)
        self._gate_state = state


def _arm_fault(feedback: frames.Feedback) -> str:
    words = ""
    if feedback.system_errors or any(feedback.joint_errors):
        words = codes.describe_errors(feedback.system_errors, feedback.joint_errors)
    if feedback.enabled != _ALL_ENABLED:
        off = [str(n + 1) for n in range(7) if not feedback.enabled >> n & 1]
        words = "; ".join(filter(None, [words, f"joints {', '.join(off)} are not enabled"]))
    return words
