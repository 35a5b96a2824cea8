"""The safety supervisor's state machine: one permit for the whole robot, latched stop, explicit re-arm."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from vitra_control.stop_reason import StopCause, StopReason

OPERATOR = "operator"
"""Node name under which an operator's interface beats."""


class SafetyPhase(StrEnum):
    """Whether the robot may move."""

    DISARMED = "disarmed"
    ARMED = "armed"
    STOPPED = "stopped"


class BeatState(IntEnum):
    """State of a node in its heartbeat (values of vitra_msgs/Heartbeat)."""

    INACTIVE = 0
    ACTIVE = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """What has to be alive, and for how long it may be silent.

    Attributes:
        nodes: Names of required nodes; a leading slash does not matter.
        devices: Devices whose driver state is required, e.g. "right_arm".
        heartbeat_timeout_s: Longest silence of a required node.
        require_operator: Whether the operator must beat too.
        operator_timeout_s: Longest silence of the operator.
        device_timeout_s: Longest silence of a driver's state.
        feedback_timeout_s: Oldest joint feedback of a device. Its driver holds much earlier by itself.
        refusals: Refused commands within `refusal_window_s` that stop the robot; a few are normal at an epoch's start.
        refusal_window_s: See above.
        period_s: Time between two `tick`s.
    """

    nodes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    heartbeat_timeout_s: float = 0.2
    require_operator: bool = False
    operator_timeout_s: float = 1.0
    device_timeout_s: float = 0.5
    feedback_timeout_s: float = 0.5
    refusals: int = 60
    refusal_window_s: float = 1.0
    period_s: float = 0.02


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What a driver last said about its device."""

    state: str
    fault: str
    feedback_age_s: float
    refused: int
    last_refusal: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class RearmResult:
    """Answer to a request to re-arm."""

    success: bool
    message: str


@dataclass(slots=True)
class _Beat:
    received_s: float
    state: BeatState
    detail: str
    ended: bool = False


@dataclass(slots=True)
class _Device:
    received_s: float
    report: DeviceReport
    refusals: deque[tuple[float, int]] = field(default_factory=deque)

    def refused_lately(self) -> int:
        """Refusals since the oldest report in the window; a driver that restarted counts from zero again."""
        return max(0, self.report.refused - self.refusals[0][1]) if self.refusals else 0


@dataclass(frozen=True, slots=True)
class _Problem:
    cause: StopCause
    source: str
    detail: str

    def __str__(self) -> str:
        return f"{self.source}: {self.detail}"


class Supervisor:
    """Decides whether the robot may move. Every method takes monotonic seconds; not thread-safe.

    Args:
        settings: What is required.
        now_s: The time now.
        first_epoch: Epoch before the first arming. A supervisor that replaces a dead one must not repeat its epochs.
    """

    def __init__(self, settings: SupervisorSettings, now_s: float, first_epoch: int = 0) -> None:
        self.settings = settings
        self.phase = SafetyPhase.DISARMED
        self.epoch = first_epoch
        self.reason: StopReason | None = None
        self._beats: dict[str, _Beat] = {}
        self._devices: dict[str, _Device] = {}
        self._last_tick_s = now_s
        self._retired = ""

    @property
    def motion_allowed(self) -> bool:
        """What the permit says."""
        return self.phase is SafetyPhase.ARMED

    def beat(self, node: str, state: int, detail: str, now_s: float) -> None:
        """A heartbeat arrived."""
        known = BeatState(state) if state in tuple(BeatState) else BeatState.FAULT
        self._beats[_plain(node)] = _Beat(now_s, known, detail)

    def process_ended(self, node: str, now_s: float) -> None:
        """The process behind a node's heartbeat is gone; judged at once, not at the heartbeat's timeout."""
        if _plain(node) in self._beats:
            self._beats[_plain(node)].ended = True
            self.tick(now_s)

    def report(self, device: str, report: DeviceReport, now_s: float) -> None:
        """A driver's state arrived."""
        known = self._devices.get(device)
        if known is None or report.refused < known.report.refused:
            known = self._devices[device] = _Device(now_s, report)
        known.received_s, known.report = now_s, report
        known.refusals.append((now_s, report.refused))
        while now_s - known.refusals[0][0] > self.settings.refusal_window_s:
            known.refusals.popleft()

    def stop(self, cause: StopCause, source: str, detail: str, now_s: float) -> bool:
        """Stop and latch; returns whether this is the reason that is kept (the first one is)."""
        first = self.phase is not SafetyPhase.STOPPED
        if first:
            self.phase, self.reason = SafetyPhase.STOPPED, StopReason(cause, source, detail, now_s)
        return first

    def retire(self, cause: StopCause, source: str, detail: str, now_s: float) -> None:
        """The supervisor itself is about to end: stop what moves, and let nothing move any more."""
        self._retired = detail
        if self.phase is SafetyPhase.ARMED:
            self.stop(cause, source, detail, now_s)

    def rearm(self, now_s: float) -> RearmResult:
        """Allow motion in a new epoch, if all that is required is ready."""
        if self.phase is SafetyPhase.ARMED:
            return RearmResult(True, f"already armed, epoch {self.epoch}")
        problems = self.not_ready(now_s)
        if problems:
            return RearmResult(False, "not ready: " + "; ".join(problems))
        self.epoch += 1
        self.phase, self.reason = SafetyPhase.ARMED, None
        for device in self._devices.values():
            device.refusals.clear()
        return RearmResult(True, f"armed, epoch {self.epoch}")

    def not_ready(self, now_s: float) -> list[str]:
        """What `rearm` would refuse for, in words."""
        going = [f"the supervisor is about to end: {self._retired}"] if self._retired else []
        return going + [str(problem) for problem in self._problems(now_s)]

    def tick(self, now_s: float) -> bool:
        """Look at everything (every `period_s`); returns whether motion is allowed.

        If the supervisor itself was stalled, the permit was missing and the drivers have noticed; the silence of the
        others in that time says nothing about them and is not held against them.
        """
        stalled_s = now_s - self._last_tick_s - self.settings.period_s
        self._last_tick_s = now_s
        if stalled_s > self.settings.period_s:
            self._excuse(stalled_s, now_s)
        if self.phase is SafetyPhase.ARMED:
            for problem in self._problems(now_s):
                self.stop(problem.cause, problem.source, problem.detail, now_s)
                break
        return self.motion_allowed

    def _excuse(self, stalled_s: float, now_s: float) -> None:
        for heard in (*self._beats.values(), *self._devices.values()):
            heard.received_s = min(heard.received_s + stalled_s, now_s)

    def _problems(self, now_s: float) -> Iterator[_Problem]:
        for node in self.settings.nodes:
            yield from self._node_problems(_plain(node), now_s)
        for device in self.settings.devices:
            yield from self._device_problems(device, now_s)
        if self.settings.require_operator:
            silent_s = _silence(self._beats.get(OPERATOR), now_s)
            if silent_s is None or silent_s > self.settings.operator_timeout_s:
                detail = _no_word("sign of life of the operator", silent_s, self.settings.operator_timeout_s)
                yield _Problem(StopCause.OPERATOR_LOST, OPERATOR, detail)

    def _node_problems(self, node: str, now_s: float) -> Iterator[_Problem]:
        beat = self._beats.get(node)
        silent_s, allowed_s = _silence(beat, now_s), self.settings.heartbeat_timeout_s
        if beat is None or silent_s is None or silent_s > allowed_s:
            yield _Problem(StopCause.HEARTBEAT_LOST, node, _no_word("heartbeat", silent_s, allowed_s))
        elif beat.ended:
            yield _Problem(StopCause.HEARTBEAT_LOST, node, "its process ended")
        elif beat.state is BeatState.FAULT:
            yield _Problem(StopCause.NODE_FAULT, node, beat.detail or "reports a fault")
        elif beat.state is not BeatState.ACTIVE:
            yield _Problem(StopCause.NODE_INACTIVE, node, beat.detail or "is not active")

    def _device_problems(self, name: str, now_s: float) -> Iterator[_Problem]:
        device, settings = self._devices.get(name), self.settings
        silent_s = _silence(device, now_s)
        if device is None or silent_s is None or silent_s > settings.device_timeout_s:
            detail = _no_word("driver state", silent_s, settings.device_timeout_s)
            yield _Problem(StopCause.FEEDBACK_LOST, name, detail)
            return
        report = device.report
        if report.fault or report.state == "fault":
            yield _Problem(StopCause.DRIVER_FAULT, name, report.fault or "reports a fault")
        if not report.feedback_age_s <= settings.feedback_timeout_s:
            detail = f"joint feedback {report.feedback_age_s:.2f} s old, allowed {settings.feedback_timeout_s:g} s"
            yield _Problem(StopCause.FEEDBACK_LOST, name, detail)
        if report.state == "latched" and report.epoch == self.epoch and self.phase is SafetyPhase.ARMED:
            yield _Problem(StopCause.DRIVER_LATCHED, name, report.fault or "stopped by itself and stays at rest")
        if self.phase is SafetyPhase.ARMED and device.refused_lately() > settings.refusals:
            detail = f"{device.refused_lately()} commands refused within {settings.refusal_window_s:g} s"
            yield _Problem(StopCause.COMMANDS_REFUSED, name, f"{detail}; last: {report.last_refusal or 'unknown'}")


def devices_of(arms: Sequence[str], hands: bool = True) -> tuple[str, ...]:
    """Device names of these sides, e.g. ("right_arm", "right_hand")."""
    return tuple(f"{side}_{part}" for side in arms for part in (("arm", "hand") if hands else ("arm",)))


def _plain(node: str) -> str:
    return node.strip("/")


def _silence(heard: _Beat | _Device | None, now_s: float) -> float | None:
    return None if heard is None else now_s - heard.received_s


def _no_word(what: str, silent_s: float | None, allowed_s: float) -> str:
    return f"no {what} yet" if silent_s is None else f"no {what} for {silent_s:.2f} s, allowed {allowed_s:g} s"
