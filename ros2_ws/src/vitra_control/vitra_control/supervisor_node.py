"""The safety supervisor node: permit at 50 Hz from a plain thread, latched stop, explicit re-arm.

ros2 run vitra_control safety_supervisor --ros-args -p arms:=right -p required_nodes:="[executor, retarget]"
ros2 service call /safety_supervisor/rearm std_srvs/srv/Trigger
Interfaces that may lag behind their operator call rearm_from (vitra_msgs/srv/Rearm) with the state he saw.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from functools import partial

from std_srvs.srv import Trigger

from vitra_control.process_watch import ProcessWatch
from vitra_control.stop_reason import StopCause
from vitra_control.supervisor import OrderState, RearmResult, SafetyPhase, Supervisor
from vitra_control.supervisor_heard import DeviceReport
from vitra_control.supervisor_settings import SupervisorSettings, devices_of
from vitra_msgs.msg import DriverState, Heartbeat, Permit, SafetyState
from vitra_msgs.srv import Rearm
from vitra_policy.action_space import SIDES
from vitra_runtime import qos
from vitra_runtime.departure import DepartureCause, DepartureReason
from vitra_runtime.diagnostics import ERROR, OK, WARN, DiagnosticsPublisher
from vitra_runtime.identity import new_identity
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Ticker, stamp_now

_REPORT_PERIOD_S = 1.0
_PUBLISHERS_PERIOD_S = 0.25
_PHASES = {
    SafetyPhase.DISARMED: SafetyState.DISARMED,
    SafetyPhase.ARMED: SafetyState.ARMED,
    SafetyPhase.STOPPED: SafetyState.STOPPED,
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """Read when the node starts."""

    arms: str = param("right", "Whose drivers are required", choices=("right", "left", "both", "none"))
    hands: bool = param(True, "Whether the hands' drivers are required too")
    required_nodes: tuple[str, ...] = param((), "Nodes that must beat, by name")
    heartbeat_timeout_s: float = param(
        0.5, "Longest silence of a node whose process lives", unit="s", bounds=(0.1, 5.0)
    )
    require_operator: bool = param(False, "Whether a node named 'operator' must beat too")
    operator_timeout_s: float = param(1.0, "Longest silence of the operator", unit="s", bounds=(0.1, 10.0))
    feedback_timeout_s: float = param(0.5, "Oldest joint feedback of a device", unit="s", bounds=(0.05, 2.0))
    max_refusals: int = param(60, "Commands beyond limits within a second that stop the robot", bounds=(1, 1000))

    @property
    def settings(self) -> SupervisorSettings:
        """What the supervisor requires."""
        arms = {"both": SIDES, "none": ()}.get(self.arms, (self.arms,))
        devices = devices_of(arms, self.hands)
        return SupervisorSettings(
            nodes=tuple(name for name in self.required_nodes if name) + tuple(f"{d}_driver" for d in devices),
            devices=devices,
            heartbeat_timeout_s=self.heartbeat_timeout_s,
            require_operator=self.require_operator,
            operator_timeout_s=self.operator_timeout_s,
            feedback_timeout_s=self.feedback_timeout_s,
            refusals=self.max_refusals,
        )


class SafetySupervisorNode(StackNode[Parameters]):
    """Owns topics, services and the permit thread; what they mean is in `supervisor`."""

    def __init__(self) -> None:
        super().__init__("safety_supervisor", Parameters)
        settings = self.params.settings
        self._lock = threading.Lock()
        # A supervisor that replaces a dead one must not hand out an epoch that drivers have already seen.
        self._supervisor = Supervisor(settings, time.monotonic(), first_epoch=int(time.time()) & 0xFFFFFFFF)
        self._processes = ProcessWatch()
        self._running = threading.Event()
        self._thread: WatchedThread | None = None
        self._identity = new_identity()
        commands = [f"{device}/command" for device in settings.devices]
        self._exclusive_topics = [*map(self.resolve_topic_name, ("permit", "robot_chunk", *commands))]
        self._permit_publisher = self.stream_publisher(Permit, "permit", qos.SETPOINT)
        self._state_publisher = self.stream_publisher(SafetyState, "safety_state", qos.LATCHED)
        self._diagnostics = DiagnosticsPublisher(self)
        self.create_subscription(Heartbeat, "heartbeat", self._on_heartbeat, qos.HEARTBEAT)
        for device in settings.devices:
            topic = f"{device}/driver_state"
            self.create_subscription(DriverState, topic, partial(self._on_driver_state, device), qos.SETPOINT)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/rearm", self._on_rearm)
        self.create_service(Rearm, "~/rearm_from", self._on_rearm_from)
        self.create_timer(_REPORT_PERIOD_S, self._report)
        self.create_timer(_PUBLISHERS_PERIOD_S, self._look_at_publishers)

    linger_s = 1.5  # longer than the nodes it judges: what stopped the robot must be known before they fall silent

    def depart(self, reason: DepartureReason) -> None:  # noqa: D102
        lost = reason.cause is DepartureCause.LAUNCHER_LOST
        cause, source = (StopCause.LAUNCHER_LOST, "launcher") if lost else (StopCause.NODE_INACTIVE, self.get_name())
        with self._lock:
            self._supervisor.retire(cause, source, reason.detail, time.monotonic())
        self._publish_permit()
        self._publish_state()

    def start(self) -> None:  # noqa: D102
        self._running.set()
        self._thread = WatchedThread(self._run, name="permit", should_run=self._running.is_set)
        self._thread.start()
        self._publish_state()

    def halt(self) -> None:  # noqa: D102
        with self._lock:
            if self._supervisor.motion_allowed:
                self._supervisor.stop(
                    StopCause.NODE_INACTIVE, self.get_name(), "the supervisor is going down", time.monotonic()
                )
        self._publish_permit()
        self._running.clear()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
            self._thread = None
        self._publish_state()

    # ROS thread -----------------------------------------------------------------------------------------------------

    def _on_heartbeat(self, message: Heartbeat) -> None:
        with self._lock:
            self._supervisor.beat(
                message.node,
                message.state,
                message.detail,
                time.monotonic(),
                cause=message.cause,
                process=(message.pid, message.host),
            )
            self._processes.seen(message.node, message.pid, message.host)

    def _on_driver_state(self, device: str, message: DriverState) -> None:
        report = DeviceReport(
            state=message.state,
            fault=message.fault,
            feedback_age_s=message.feedback_age_s,
            violations=message.limit_violations,
            last_refusal=message.last_refusal,
            epoch=message.epoch,
            stop_cause=message.stop_cause,
        )
        with self._lock:
            self._supervisor.report(device, report, time.monotonic())

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self._lock:
            self._supervisor.stop(StopCause.OPERATOR_STOP, "operator", "stop service called", time.monotonic())
            epoch, reason = self._supervisor.epoch, self._supervisor.reason
        self._publish_permit()
        self._publish_state()
        response.success, response.message = True, f"stopped, epoch {epoch}: {reason}"
        return response

    def _on_rearm(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        result = self._rearm(None)
        response.success, response.message = result.success, result.message
        return response

    def _on_rearm_from(self, request: Rearm.Request, response: Rearm.Response) -> Rearm.Response:
        result = self._rearm(OrderState(request.epoch, request.stops))
        response.success, response.message = result.success, result.message
        return response

    def _rearm(self, given: OrderState | None) -> RearmResult:
        if not self.is_active:
            return RearmResult(False, "the supervisor is not active")
        with self._lock:
            result = self._supervisor.rearm(time.monotonic(), given)
        self.get_logger().info(f"re-arm: {result.message}")
        self._publish_state()
        return result

    def _look_at_publishers(self) -> None:
        topics = {
            topic.lstrip("/"): [
                f"{info.node_namespace.rstrip('/')}/{info.node_name}"
                for info in self.get_publishers_info_by_topic(topic)
            ]
            for topic in self._exclusive_topics
        }
        with self._lock:
            self._supervisor.publishers(topics)

    def _report(self) -> None:
        self._publish_state()
        with self._lock:
            supervisor, now_s = self._supervisor, time.monotonic()
            phase, reason, problems = supervisor.phase, supervisor.reason, supervisor.not_ready(now_s)
        text = str(reason) if reason is not None else phase.value
        level = {SafetyPhase.ARMED: OK, SafetyPhase.STOPPED: ERROR}.get(phase, WARN)
        self._diagnostics.publish("permit", text, [("not ready", problem) for problem in problems], level=level)

    # Either thread --------------------------------------------------------------------------------------------------

    def _publish_permit(self) -> None:
        """Judged and sent under one lock: once a stop is latched, no permit that allows motion leaves any more."""
        with self._lock:
            supervisor = self._supervisor
            permit = Permit(epoch=supervisor.epoch, motion_allowed=supervisor.motion_allowed, source=self._identity)
            stamp_now(permit.header.stamp)
            self._permit_publisher.publish(permit)

    def _publish_state(self) -> None:
        with self._lock:
            supervisor, now_s = self._supervisor, time.monotonic()
            reason = supervisor.reason
            message = SafetyState(
                state=_PHASES[supervisor.phase],
                epoch=supervisor.epoch,
                stop_cause=reason.cause.value if reason else "",
                stop_source=reason.source if reason else "",
                stop_detail=reason.detail if reason else "",
                mend=reason.mend if reason else "",
                stops=supervisor.stops,
                not_ready=supervisor.not_ready(now_s),
            )
            stamp_now(message.header.stamp)
            if reason is not None:
                stopped_s = time.time() - (now_s - reason.time_s)
                message.stopped_at.sec, message.stopped_at.nanosec = int(stopped_s), int(stopped_s % 1 * 1e9)
            self._state_publisher.publish(message)

    # Permit thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        ticker = Ticker(self.params.settings.period_s)
        while self._running.is_set():
            ticker.wait()
            with self._lock:
                before = self._supervisor.phase
                for node in self._processes.ended():
                    self._supervisor.process_ended(node, time.monotonic())
                self._supervisor.tick(time.monotonic())
                after, reason = self._supervisor.phase, self._supervisor.reason
            self._publish_permit()
            if before is not after and reason is not None:
                self.get_logger().error(f"stopped: {str(reason).rstrip('.')}. {reason.mend}")
                self._publish_state()


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    sys.exit(run(SafetySupervisorNode, args))


if __name__ == "__main__":
    main()
