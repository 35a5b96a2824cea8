"""The arm driver node: topics, parameters and the serving thread around `ArmDriver`."""

from __future__ import annotations

import sys
import time

from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from realman_driver import frames
from realman_driver.arm_driver import ArmDriver, ArmState
from realman_driver.link import LinkTimes, SdkLink
from realman_driver.parameters import Parameters
from vitra_description.calibration import calibration_path, load_calibration
from vitra_description.hardware import Hardware
from vitra_description.names import ARM_DOF, arm_joints
from vitra_msgs.msg import ArmCommand, DriverState, Permit
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_runtime.commands import judged_by
from vitra_runtime.diagnostics import ERROR, OK, DiagnosticsPublisher
from vitra_runtime.exclusive import DeviceLock
from vitra_runtime.held_memory import HeldMemory, HeldMemoryError
from vitra_runtime.node import StackNode, run
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import stamp_now, stamp_to_s
from vitra_safety.guard import PostureCheck
from vitra_safety.posture_checks import arm_posture_checks
from vitra_safety.setpoint_stream import SetpointStream
from vitra_safety.stream_reports import DriverStatus

_PERIOD_S = 0.005
_STATE_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0
_REST_DEADLINE_S = 0.5
_CONNECT_PATIENCE_S = 1.0


class ArmUnreachableError(VitraError):
    """The arm's controller is not connected (yet)."""


class RealmanDriverNode(StackNode[Parameters]):
    """Drives one RM75."""

    def __init__(self) -> None:
        super().__init__("realman_driver", Parameters)
        device = self.params.device
        self._locks: list[DeviceLock] = []
        self._link: SdkLink | None = None
        self._driver: ArmDriver | None = None
        self._thread: WatchedThread | None = None
        self._serving = False
        self._open = False
        self._joint_state = JointState(name=list(arm_joints(self.params.side)))
        self._driver_state = DriverState(device=device)
        self._joint_publisher = self.stream_publisher(JointState, f"{device}/joint_states", qos.SENSOR)
        self._state_publisher = self.stream_publisher(DriverState, f"{device}/driver_state", qos.SETPOINT)
        self._diagnostics_publisher = DiagnosticsPublisher(self)
        self.create_subscription(ArmCommand, f"{device}/command", self._on_command, qos.SETPOINT)
        self.create_subscription(Permit, "permit", self._on_permit, qos.SETPOINT)
        self.create_service(Trigger, "~/clear_errors", self._on_clear_errors)

    def setup(self) -> None:  # noqa: D102
        params, link = self.params, self.params.link
        checks = self._posture_checks()
        for device in (f"realman-{link.arm_ip}-{link.tcp_port}", f"realman-udp-{link.udp_port}"):
            self._locks.append(DeviceLock(device))
        self._link = SdkLink(link, LinkTimes(retry_s=params.retry_period_s))
        stream = SetpointStream(params.guard, checks, params.freshness, params.rest_error_rad)
        self._driver = ArmDriver(
            self._link,
            stream,
            tracking_limit_rad=params.tracking_error_rad,
            feedback_period_s=params.udp_cycle_ms / 1000.0,
            memory=self._open_memory(f"realman-{link.arm_ip}-{link.tcp_port}"),
        )
        self._serving = True
        self._thread = WatchedThread(
            self._serve, name="arm", should_run=lambda: self._serving, args=(self._link, self._driver)
        )
        self._thread.start()

    def start(self) -> None:  # noqa: D102
        assert self._driver is not None
        patience_end_s = time.monotonic() + _CONNECT_PATIENCE_S
        while self._driver.status is DriverStatus.DISCONNECTED:
            if time.monotonic() > patience_end_s:
                raise ArmUnreachableError(f"{self.params.device}: {self._driver.fault}.")
            time.sleep(_PERIOD_S)
        self._driver.reopen()
        self._open = True

    def halt(self) -> None:  # noqa: D102
        self._open = False
        if self._driver is not None:
            self._driver.close("the driver node was deactivated")

    def teardown(self) -> None:  # noqa: D102
        deadline_s = time.monotonic() + _REST_DEADLINE_S
        while self._driver is not None and not self._driver.at_rest and time.monotonic() < deadline_s:
            time.sleep(_PERIOD_S)
        self._serving = False
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        self._thread = self._driver = self._link = None
        while self._locks:
            self._locks.pop().release()

    def _open_memory(self, device: str) -> HeldMemory | None:
        """The memory, for the holder of the device's lock; without it motions begin where the arm is measured."""
        try:
            return HeldMemory(device, ARM_DOF)
        except HeldMemoryError as error:
            self.get_logger().warning(f"a restart of this driver will not know what the arm holds: {error}")
            return None

    def _posture_checks(self) -> tuple[PostureCheck, ...]:
        params = self.params
        if not params.calibration:
            Hardware(arm_variant=params.variant).check_arm(params.side, params.arm_ip, params.variant, "(none)")
            return ()
        calibration = load_calibration(calibration_path(params.calibration))
        calibration.hardware.check_arm(params.side, params.arm_ip, params.variant, f"'{params.calibration}'")
        return arm_posture_checks(
            params.side,
            calibration,
            box=params.workspace,
            table_height_m=params.table_height_m if params.table_height_m >= 0.0 else None,
            min_distance_m=params.min_distance_m,
            variant=params.variant,
        )

    # Executor thread ------------------------------------------------------------------------------------------------

    def _on_command(self, message: ArmCommand) -> None:
        driver = self._driver
        if driver is not None and self._open:
            driver.on_command(message.position_rad, **judged_by(message))

    def _on_permit(self, message: Permit) -> None:
        if self._driver is not None:
            age_s = time.time() - stamp_to_s(message.header.stamp)
            self._driver.on_permit(message.epoch, message.motion_allowed, time.monotonic(), message.source, age_s)

    def _on_clear_errors(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        driver = self._driver
        response.success = driver is not None and driver.clear_errors()
        response.message = "asked the controller to clear its errors" if response.success else "not connected"
        return response

    # Serving thread -------------------------------------------------------------------------------------------------

    def _serve(self, link: SdkLink, driver: ArmDriver) -> None:
        next_state_s = next_diagnostics_s = time.monotonic()
        last_event, said = "", None
        while self._serving:
            report = link.poll(_PERIOD_S)
            now_s = time.monotonic()
            if isinstance(report, frames.Feedback):
                self._publish_joints(driver.on_feedback(report))
            elif isinstance(report, frames.Event) and report.detail != last_event:
                last_event = report.detail
                if report.kind is frames.EventKind.CONNECTED:
                    self.get_logger().info(f"connected: {report.detail}")
            driver.tick(now_s)
            if self._open:
                self.set_fault(driver.fault and f"{self.params.device}: {driver.fault}")
            state = (driver.status, driver.epoch, driver.stop_cause)
            if now_s >= next_state_s or state != said:  # the executor must hear of a stop at once
                next_state_s, said = now_s + _STATE_PERIOD_S, state
                self._publish_state(driver, now_s)
            if now_s >= next_diagnostics_s:
                next_diagnostics_s = now_s + _DIAGNOSTICS_PERIOD_S
                self._publish_diagnostics(link, driver)
        link.close()

    def _publish_joints(self, state: ArmState) -> None:
        message = self._joint_state
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(state.stamp_ns, 1_000_000_000)
        message.position = state.position_rad
        message.velocity = state.velocity_rad_s
        message.effort = state.current_a
        self._joint_publisher.publish(message)

    def _publish_state(self, driver: ArmDriver, now_s: float) -> None:
        message = self._driver_state
        stamp_now(message.header.stamp)
        message.state, message.epoch = driver.status.value, driver.epoch
        message.accepted, message.refused, message.last_refusal = driver.accepted, driver.refused, driver.last_refusal
        message.feedback_age_s = driver.feedback_age_s(now_s)
        message.feedback_hz, message.command_hz, message.setpoint_period_error_p99_s = driver.cadence
        message.fault, message.stop_cause = driver.fault, driver.stop_cause
        message.limit_violations, message.held_rad = driver.limit_violations, driver.held_rad
        kinds = driver.refused_by_kind
        message.refusal_kinds, message.refusal_counts = list(kinds), list(kinds.values())
        self._state_publisher.publish(message)

    def _publish_diagnostics(self, link: SdkLink, driver: ArmDriver) -> None:
        feedback_hz, command_hz, error_s = driver.cadence
        values = {
            "state": driver.status.value,
            "arm": link.identity,
            "last stop": driver.stop_cause,
            "accepted": driver.accepted,
            "refused": driver.refused,
            "refused, by kind": ", ".join(f"{kind} {count}" for kind, count in driver.refused_by_kind.items()),
            "last refusal": driver.last_refusal,
            "feedback rate [Hz]": f"{feedback_hz:.1f}",
            "command rate [Hz]": f"{command_hz:.1f}",
            "setpoint period error p99 [ms]": f"{error_s * 1e3:.2f}",
            "connections": link.restarts,
        }
        self._diagnostics_publisher.publish(
            self.params.device,
            driver.fault or driver.status.value,
            values,
            level=ERROR if driver.fault else OK,
            hardware_id=f"{self.params.arm_ip}:{self.params.tcp_port}",
        )


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    sys.exit(run(RealmanDriverNode, args))


if __name__ == "__main__":
    main()
