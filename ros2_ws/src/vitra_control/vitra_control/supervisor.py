"""The safety supervisor's state machine: one permit for the whole robot, latched stop, explicit re-arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vitra_control.stop_reason import StopCause, StopReason
from vitra_control.supervisor_heard import Beat, BeatState, Device, DeviceReport, cause_of_latch, no_word, silence
from vitra_control.supervisor_settings import OPERATOR, SupervisorSettings

_LAST_EPOCH = 0xFFFFFFFF
_DOUBLE_MEMORY_S = 1.0
_OF_THE_DEVICE = "feedback_missing"
"""How a driver's stop begins that others feel later, and then report as their own fault."""


class SafetyPhase(StrEnum):
    """Whether the robot may move."""

    DISARMED = "disarmed"
    ARMED = "armed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class OrderState:
    """What an operator saw when giving an order."""

    epoch: int
    stops: int


@dataclass(frozen=True, slots=True)
class RearmResult:
    """Answer to a request to re-arm."""

    success: bool
    message: str


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
        self.stops = 0
        self._beats: dict[str, Beat] = {}
        self._processes: dict[str, list[tuple[int, str]]] = {}
        self._doubled: dict[str, tuple[float, str]] = {}
        self._publishers: dict[str, tuple[str, ...]] = {}
        self._armed_s = self._stopped_s = self._stall_ended_s = float("-inf")
        self._devices: dict[str, Device] = {}
        self._last_tick_s = now_s
        self._retired = ""

    @property
    def motion_allowed(self) -> bool:
        """What the permit says."""
        return self.phase is SafetyPhase.ARMED

    def beat(
        self, node: str, state: int, detail: str, now_s: float, *, cause: str = "", process: tuple[int, str] = (0, "")
    ) -> None:
        """A heartbeat arrived; `process` is (pid, host) of whoever sent it.

        Args:
            node: Name of the node.
            state: Its state, as in Heartbeat.msg.
            detail: What is wrong, in words.
            now_s: Monotonic time of arrival.
            cause: Name of a `StopCause`, where the node knows it.
            process: Process id and host of whoever sent it; (0, ''): unknown.
        """
        known = BeatState(state) if state in tuple(BeatState) else BeatState.FAULT
        named = StopCause(cause) if cause in tuple(StopCause) else StopCause.NODE_FAULT
        self._beats[_plain(node)] = Beat(now_s, known, detail, named)
        if process[0]:
            self._watch_for_doubles(_plain(node), process, now_s)

    def _watch_for_doubles(self, node: str, process: tuple[int, str], now_s: float) -> None:
        """Whoever beats again after another process of its name did is not its predecessor: both live."""
        seen = self._processes.setdefault(node, [process])
        if seen[-1] == process:
            return
        if process in seen:
            pids = f"processes {seen[-1][0]} and {process[0]}"
            self._doubled[node] = (now_s, f"two nodes of this name beat ({pids}); end one of them")
        self._processes[node] = [*seen, process][-2:] if process not in seen else [seen[-1], process]

    def publishers(self, topics: Mapping[str, Sequence[str]]) -> None:
        """Who publishes what only one node may: node names by topic."""
        self._publishers = {topic: tuple(sorted(set(nodes))) for topic, nodes in topics.items()}

    def process_ended(self, node: str, now_s: float) -> None:
        """The process behind a node's heartbeat is gone; judged at once, not at the heartbeat's timeout."""
        if _plain(node) in self._beats:
            self._beats[_plain(node)].ended = True
            self.tick(now_s)

    def report(self, device: str, report: DeviceReport, now_s: float) -> None:
        """A driver's state arrived.

        Args:
            device: Name of the device.
            report: What its driver says.
            now_s: Monotonic time of arrival.
        """
        known = self._devices.get(device)
        if known is None or report.violations < known.report.violations:
            known = self._devices[device] = Device(now_s, report)
        known.received_s, known.report, known.excused_until_s = now_s, report, None
        known.violations.append((now_s, report.violations))
        while now_s - known.violations[0][0] > self.settings.refusal_window_s:
            known.violations.popleft()

    def stop(self, cause: StopCause, source: str, detail: str, now_s: float) -> bool:
        """Stop and latch; returns whether this is the reason that is kept (the first one is).

        Args:
            cause: What kind of stop.
            source: Node, device or person it comes from.
            detail: In words.
            now_s: Monotonic time.
        """
        first = self.phase is not SafetyPhase.STOPPED
        self.stops = (self.stops + 1) & 0xFFFFFFFF
        self._stopped_s = now_s
        if first:
            self.phase, self.reason = SafetyPhase.STOPPED, StopReason(cause, source, detail, now_s)
        return first

    def retire(self, cause: StopCause, source: str, detail: str, now_s: float) -> None:
        """The supervisor itself is about to end: stop what moves, and let nothing move any more.

        Args:
            cause: What kind of stop.
            source: What ends.
            detail: In words.
            now_s: Monotonic time.
        """
        self._retired = detail
        if self.phase is SafetyPhase.ARMED:
            self.stop(cause, source, detail, now_s)

    def rearm(self, now_s: float, given: OrderState | None = None) -> RearmResult:
        """Allow motion in a new epoch, if all that is required is ready and no STOP is newer than the order.

        Args:
            now_s: Monotonic time.
            given: The state in which the order was given; without it, an order that comes at once after a STOP is
                taken for one that was on its way already.
        """
        if given is not None and given != OrderState(self.epoch, self.stops):
            return RearmResult(False, "refused: a STOP (or another re-arm) is newer than this order; look, then re-arm")
        if self.phase is SafetyPhase.ARMED:
            return RearmResult(True, f"already armed, epoch {self.epoch}")
        problems = self.not_ready(now_s)
        if problems:
            return RearmResult(False, "not ready: " + "; ".join(problems))
        if given is None and now_s - self._stopped_s < self.settings.hesitation_s:
            return RearmResult(False, f"refused: a STOP came {now_s - self._stopped_s:.2f} s ago; look, then re-arm")
        # Above every epoch that a driver has ever obeyed, whatever the clock of this machine says.
        epoch = 1 + max([self.epoch, *(device.report.epoch for device in self._devices.values())])
        if epoch > _LAST_EPOCH:
            return RearmResult(False, f"refused: epochs are used up ({epoch - 1}); restart drivers and supervisor")
        self.epoch = epoch
        self.phase, self.reason, self._armed_s = SafetyPhase.ARMED, None, now_s
        for device in self._devices.values():
            device.violations.clear()
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
            self._stall_ended_s = now_s
        if self.phase is SafetyPhase.ARMED:
            for problem in self._problems(now_s):
                self.stop(problem.cause, problem.source, problem.detail + self._stopped_before(problem), now_s)
                break
        return self.motion_allowed

    def _stopped_before(self, problem: _Problem) -> str:
        """What a device had lost already, where a node's fault may only be what came of it; empty if nothing."""
        if problem.cause is not StopCause.NODE_FAULT:
            return ""
        reports = {name: device.report for name, device in self._devices.items()}
        lost = [
            f"{name} stopped before: {report.stop_cause}"
            for name, report in reports.items()
            if report.epoch == self.epoch and report.state != "moving" and report.stop_cause.startswith(_OF_THE_DEVICE)
        ]
        return "".join(f"; {words}" for words in lost)

    def _problems(self, now_s: float) -> Iterator[_Problem]:
        yield from self._second_sources(now_s)
        for node in self.settings.nodes:
            yield from self._node_problems(_plain(node), now_s)
        for device in self.settings.devices:
            yield from self._device_problems(device, now_s)
        if self.settings.require_operator:
            operator, allowed_s = self._beats.get(OPERATOR), self.settings.operator_timeout_s
            if operator is None or self._overdue(operator, allowed_s, now_s):
                detail = no_word("sign of life of the operator", silence(operator, now_s), allowed_s)
                yield _Problem(StopCause.OPERATOR_LOST, OPERATOR, detail)

    def _second_sources(self, now_s: float) -> Iterator[_Problem]:
        for topic, nodes in self._publishers.items():
            if len(nodes) > 1:
                yield _Problem(StopCause.SECOND_SOURCE, topic, f"published by {', '.join(nodes)}; only one may")
        for node, (seen_s, detail) in self._doubled.items():
            if now_s - seen_s < _DOUBLE_MEMORY_S:
                yield _Problem(StopCause.SECOND_SOURCE, node, detail)

    def _node_problems(self, node: str, now_s: float) -> Iterator[_Problem]:
        beat, allowed_s = self._beats.get(node), self.settings.heartbeat_timeout_s
        if beat is None or self._overdue(beat, allowed_s, now_s):
            yield _Problem(StopCause.HEARTBEAT_LOST, node, no_word("heartbeat", silence(beat, now_s), allowed_s))
        elif beat.ended:
            yield _Problem(StopCause.HEARTBEAT_LOST, node, "its process ended")
        elif beat.state is BeatState.FAULT:
            yield _Problem(beat.cause, node, beat.detail or "reports a fault")
        elif beat.state is not BeatState.ACTIVE:
            yield _Problem(StopCause.NODE_INACTIVE, node, beat.detail or "is not active")

    def _device_problems(self, name: str, now_s: float) -> Iterator[_Problem]:
        device, settings = self._devices.get(name), self.settings
        if device is None or self._overdue(device, settings.device_timeout_s, now_s):
            detail = no_word("driver state", silence(device, now_s), settings.device_timeout_s)
            yield _Problem(StopCause.FEEDBACK_LOST, name, detail)
            return
        report = device.report
        if report.fault or report.state == "fault":
            yield _Problem(StopCause.DRIVER_FAULT, name, report.fault or report.stop_cause or "reports a fault")
        if not 0.0 <= report.feedback_age_s <= settings.feedback_timeout_s:
            detail = f"joint feedback {report.feedback_age_s:.2f} s old, allowed {settings.feedback_timeout_s:g} s"
            yield _Problem(StopCause.FEEDBACK_LOST, name, detail)
        if self.phase is not SafetyPhase.ARMED:
            return
        if report.state == "latched" and report.epoch == self.epoch:
            yield _Problem(cause_of_latch(report.stop_cause), name, report.stop_cause or "stopped by itself")
        if report.epoch != self.epoch and now_s - self._armed_s > settings.arming_s:
            detail = f"obeys epoch {report.epoch}, not {self.epoch}: {report.stop_cause or 'it takes no permit'}"
            yield _Problem(StopCause.PERMIT_NOT_TAKEN, name, detail)
        if device.violated_lately() > settings.refusals:
            detail = f"{device.violated_lately()} commands beyond limits within {settings.refusal_window_s:g} s"
            yield _Problem(StopCause.COMMANDS_REFUSED, name, f"{detail}; last: {report.last_refusal or 'unknown'}")

    def _overdue(self, heard: Beat | Device, allowed_s: float, now_s: float) -> bool:
        """Whether silence has lasted too long.

        What was said while the supervisor itself stood still waits to be read: that gets a moment, once per silence.
        """
        if now_s - heard.received_s <= allowed_s:
            return False
        if heard.excused_until_s is None:
            heard.excused_until_s = self._stall_ended_s + self.settings.excuse_s
        return now_s > heard.excused_until_s


def _plain(node: str) -> str:
    return node.strip("/")
