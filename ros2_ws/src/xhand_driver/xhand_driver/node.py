"""The hand driver node: topics, parameters and watchdog around the hand's thread."""

from __future__ import annotations

import sys
import time

from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray, MultiArrayDimension

from vitra_description.names import FINGERS, hand_joints
from vitra_msgs.msg import DriverState, HandCommand, Permit
from vitra_runtime import qos
from vitra_runtime.commands import judged_by
from vitra_runtime.diagnostics import ERROR, OK, DiagnosticsPublisher
from vitra_runtime.node import StackNode, run
from vitra_runtime.timing import stamp_now, stamp_to_s
from xhand_driver.device import HandSample
from xhand_driver.driver import HandDriver
from xhand_driver.errors import HandHungError
from xhand_driver.parameters import Parameters
from xhand_driver.sdk import load_sdk
from xhand_driver.worker import HandWorker, WorkerCycle

_STATE_PERIOD_S = 0.1
_WATCH_PERIOD_S = 0.02
_DIAGNOSTICS_PERIOD_S = 1.0


class XHandDriverNode(StackNode[Parameters]):
    """Drives one XHand1.

    The SDK is called in a thread of its own; should a call never return, the node goes on answering, reports the
    fault, and ends the process after `exit_after_hang_s` so that the launcher starts a fresh one.
    """

    def __init__(self) -> None:
        super().__init__("xhand_driver", Parameters)
        device = self.params.device
        self._driver = HandDriver(self.params.guard, self.params.freshness)
        self._worker: HandWorker | None = None
        self._said: tuple[object, ...] = ()
        self._next_state_s = 0.0
        self._joint_state = JointState(name=list(hand_joints(self.params.side)))
        self._tactile = Float32MultiArray()
        self._tactile.layout.dim = [
            MultiArrayDimension(label=",".join(FINGERS), size=5, stride=15),
            MultiArrayDimension(label="fx,fy,fz", size=3, stride=3),
        ]
        self._joint_publisher = self.stream_publisher(JointState, f"{device}/joint_states", qos.SENSOR)
        self._tactile_publisher = (
            self.stream_publisher(Float32MultiArray, f"{device}/fingertip_forces", qos.SENSOR)
            if self.params.publish_tactile
            else None
        )
        self._state_publisher = self.stream_publisher(DriverState, f"{device}/driver_state", qos.SETPOINT)
        self._diagnostics_publisher = DiagnosticsPublisher(self)
        self.create_subscription(HandCommand, f"{device}/command", self._on_command, qos.SETPOINT)
        self.create_subscription(Permit, "permit", self._on_permit, qos.SETPOINT)
        self.create_timer(_WATCH_PERIOD_S, self._watch_state)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._report_diagnostics)

    def setup(self) -> None:
        """Load the SDK and start the hand's thread; it connects by itself and reports states from then on."""
        p = self.params
        sdk = load_sdk(p.sdk_module)
        self._worker = HandWorker(
            sdk,
            self._driver,
            p.ports,
            p.gains,
            self._on_sample,
            cycle=WorkerCycle(
                period_s=1.0 / p.update_rate_hz,
                retry_period_s=p.retry_period_s,
                link_timeout_s=p.link_timeout_s,
                force_update=p.force_update,
            ),
        )
        self._worker.start()

    def start(self) -> None:
        """Obey commands."""
        self._driver.open()

    def halt(self) -> None:
        """Obey no more commands."""
        self._driver.close()

    def teardown(self) -> None:
        """End the hand's thread; the hand keeps its last setpoint."""
        worker, self._worker = self._worker, None
        if worker is not None and not worker.stop():
            self.get_logger().error("the XHand SDK does not return; its thread is left behind")

    # Executor thread ------------------------------------------------------------------------------------------------

    def _on_command(self, message: HandCommand) -> None:
        self._driver.on_command(message.position_rad, **judged_by(message))

    def _on_permit(self, message: Permit) -> None:
        age_s = time.time() - stamp_to_s(message.header.stamp)
        self._driver.on_permit(message.epoch, message.motion_allowed, time.monotonic(), message.source, age_s)

    def _watch_state(self) -> None:
        """The executor must hear of a stop at once."""
        driver, now_s = self._driver, time.monotonic()
        state = (driver.status, driver.epoch, driver.stop_cause)
        if state != self._said or now_s >= self._next_state_s:
            self._said, self._next_state_s = state, now_s + _STATE_PERIOD_S
            self._report_state()

    def _report_state(self) -> None:
        driver, now_s = self._driver, time.monotonic()
        self._check_for_hang()
        fault = driver.fault
        if self._worker is not None and not driver.closed:
            self.set_fault(fault and f"{self.params.device}: {fault}")
        message = DriverState(device=self.params.device, state=driver.status.value, epoch=driver.epoch)
        stamp_now(message.header.stamp)
        message.accepted, message.refused, message.last_refusal = driver.accepted, driver.refused, driver.last_refusal
        message.feedback_age_s = driver.feedback_age_s(now_s)
        message.feedback_hz, message.command_hz = driver.feedback.rate_hz, driver.commands.rate_hz
        message.setpoint_period_error_p99_s = driver.setpoints.period_error_s()
        message.fault, message.stop_cause = fault, driver.stop_cause
        message.limit_violations, message.held_rad = driver.limit_violations, driver.held_rad
        kinds = driver.refused_by_kind
        message.refusal_kinds, message.refusal_counts = list(kinds), list(kinds.values())
        self._state_publisher.publish(message)

    def _check_for_hang(self) -> None:
        overdue = self._worker.watch.overdue(self.params.call_deadline_s) if self._worker is not None else None
        if overdue is None:
            return
        call, age_s = overdue
        self._driver.on_hang(f"the SDK call {call} has not returned within {self.params.call_deadline_s:g} s")
        if 0.0 < self.params.exit_after_hang_s < age_s:
            raise HandHungError(
                f"{self.params.device}: the SDK call {call} has not returned for {age_s:.1f} s; ending this process, "
                "since only a new one can open the hand again."
            )

    def _report_diagnostics(self) -> None:
        driver, worker, sample = self._driver, self._worker, self._driver.sample
        values = {
            "state": driver.status.value,
            "hand": worker.identity if worker else "",
            "last stop": driver.stop_cause,
            "accepted": driver.accepted,
            "refused": driver.refused,
            "last refusal": driver.last_refusal,
            "feedback rate [Hz]": f"{driver.feedback.rate_hz:.1f}",
            "command rate [Hz]": f"{driver.commands.rate_hz:.1f}",
            "connections": worker.connections if worker else 0,
            "failed exchanges": worker.failed_exchanges if worker else 0,
            "every read forced": worker.forces_reads if worker else False,
            "contact": sample.contact if sample else False,
            "notes": "; ".join(sample.notes) if sample else "",
            "hottest joint [C]": f"{sample.temperature_c.max():.0f}" if sample else "",
            "largest current [mA]": f"{abs(sample.current_ma).max():.0f}" if sample else "",
        }
        self._diagnostics_publisher.publish(
            self.params.device,
            driver.fault or driver.status.value,
            values,
            level=ERROR if driver.fault else OK,
            hardware_id=worker.identity if worker else "",
        )

    # Hand thread ----------------------------------------------------------------------------------------------------

    def _on_sample(self, sample: HandSample) -> None:
        message = self._joint_state
        stamp_now(message.header.stamp)
        message.position = sample.position_rad.tolist()
        message.velocity = sample.velocity_rad_s.tolist()
        message.effort = sample.current_ma.tolist()  # milliamperes: the hand measures no torque
        self._joint_publisher.publish(message)
        if self._tactile_publisher is not None:
            self._tactile.data = sample.fingertip.ravel().tolist()
            self._tactile_publisher.publish(self._tactile)


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    sys.exit(run(XHandDriverNode, args))


if __name__ == "__main__":
    main()
