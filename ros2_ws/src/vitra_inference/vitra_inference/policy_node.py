"""The `policy` node: owns the subscriptions, the run and its services; the worker thread owns the policy.

policy_node --ros-args -p policy:=remote -p policy_options:="['port=8000']" -p arms:=right
then: call ~/set_instruction, arm the robot, call ~/start (or send a ~/run_policy goal)
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.action.server import ServerGoalHandle
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from vitra_description.calibration import calibration_path, load_calibration
from vitra_description.names import CAMERA_FRAME
from vitra_description.observed_wrist import ObservedWrist
from vitra_inference import messages
from vitra_inference.goals import Ending, RunGoals, RunOutcome, RunProgress
from vitra_inference.instructions import complete_instruction
from vitra_inference.loader import PolicyLoader
from vitra_inference.observations import BufferSettings, Decoders, ObservationBuffer
from vitra_inference.session import Run, RunRefusedError, RunSession, TerminationReason
from vitra_inference.settings import Parameters
from vitra_inference.worker import Answer, PolicyWorker, WorkerListener, WorkerSettings
from vitra_msgs.action import RunPolicy
from vitra_msgs.msg import ExecutorState, HandActionChunk, SafetyState, SimState
from vitra_msgs.srv import SetInstruction
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.policies.policy import Policy, hands_array
from vitra_policy.policies.registry import create_policy, parse_options, policy_names
from vitra_policy.policies.rtc import DelayMeter
from vitra_runtime import qos
from vitra_runtime.actions import long_action_server
from vitra_runtime.identity import new_identity
from vitra_runtime.node import StackNode, run
from vitra_runtime.polling import PolledTopic, PolledTopics
from vitra_runtime.timing import stamp_to_s

_LOAD_PATIENCE_S = 2.0
_WATCH_PERIOD_S = 0.1
_HOMING = "the arms go to the ready posture"
_HOMING_STATES = 3
"""So many states of the executor in a row, so that the last word of a homing that is over ends nothing."""
_BUSY = "an arm follows a joint trajectory of another program"


class _ActionGoal:
    """A goal of the action server."""

    def __init__(self, handle: ServerGoalHandle) -> None:
        self._handle = handle
        self.instruction, self.time_limit_s = str(handle.request.instruction), float(handle.request.time_limit_s)

    @property
    def is_cancel_requested(self) -> bool:
        return bool(self._handle.is_cancel_requested)

    def report(self, progress: RunProgress) -> None:
        self._handle.publish_feedback(RunPolicy.Feedback(**asdict(progress)))

    def finish(self, outcome: RunOutcome) -> None:
        self._handle.execute(partial(_end, outcome))


def _end(outcome: RunOutcome, handle: ServerGoalHandle) -> RunPolicy.Result:
    {Ending.SUCCEEDED: handle.succeed, Ending.CANCELED: handle.canceled, Ending.ABORTED: handle.abort}[outcome.ending]()
    return RunPolicy.Result(
        termination_reason=outcome.reason,
        detail=outcome.detail,
        chunks=outcome.chunks,
        duration_s=outcome.duration_s,
    )


class PolicyNode(StackNode[Parameters]):
    """Wiring of the policy; the logic is in the modules it imports."""

    def __init__(self) -> None:
        self._identity = new_identity()
        super().__init__("policy", Parameters)
        if self.params.policy not in policy_names():
            raise UnknownNameError("policy", self.params.policy, policy_names())
        options = parse_options(self.params.policy_options)
        robot = {"calibration": self.params.calibration, "arm_variant": self.params.arm_variant}
        self._loader = PolicyLoader(lambda: create_policy(self.params.policy, options, robot), self.params.policy)
        self._session, self._delay = RunSession(), DelayMeter()
        self._step_s = 0.0
        self._worker: PolicyWorker | None = None
        self._subscriptions_of_run: list[Any] = []
        self._polled: PolledTopics | None = None
        self._joints: dict[str, PolledTopic] = {}
        self._sim_states: PolledTopic | None = None
        self._chunks: Any = None
        self._safety: SafetyState | None = None
        self._instruction, self._hands = "", np.zeros(2, dtype=bool)
        self._goals = RunGoals(self._session, self._begin, lambda: self._may_move and not self._trajectory)
        self._silence = ""
        self._trajectory, self._homing = False, 0
        self._instructions = self.stream_publisher(String, "instruction", qos.LATCHED)
        self._running = self.stream_publisher(Bool, "~/running", qos.LATCHED)
        self._told_running: bool | None = None
        self._tell_running()
        self.create_service(SetInstruction, "~/set_instruction", self._on_set_instruction)
        self.create_service(Trigger, "~/start", self._on_start)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self._action = long_action_server(self, RunPolicy, "~/run_policy", self._on_goal)
        self.create_subscription(SafetyState, "safety_state", self._on_safety, qos.LATCHED)
        self.create_timer(_WATCH_PERIOD_S, self._watch)
        if self.params.instruction:
            self._set_instruction(self.params.instruction)

    def setup(self) -> None:
        """Load the policy and subscribe to what it needs."""
        sides, name = self.params.sides, self.params.calibration
        calibration = load_calibration(calibration_path(name))
        policy = self._loader.get(_LOAD_PATIENCE_S)
        self._step_s = policy.metadata.step_s
        buffer = ObservationBuffer(
            sides,
            ObservedWrist(calibration, sides, self.params.arm_variant),
            calibration.base_from_head_camera,
            Decoders(messages.JointDecoder(calibration.hand), messages.decode_image, messages.decode_sim_state),
            BufferSettings(self.params.max_joint_age_s, policy.metadata.is_privileged, calibration.hand.map),
            self._fetch,
        )
        self._chunks = self.create_publisher(HandActionChunk, "hand_action_chunk", qos.CHUNK)
        self._subscribe(buffer, policy)
        self._worker = PolicyWorker(
            policy, buffer, self._session, self._delay, WorkerListener(self._publish, self.set_fault, self.waits_for),
            WorkerSettings(
                self.params.real_time_chunking, self.params.max_rate_hz, self.params.stall_s, self.params.delay_s
            ),
        )  # fmt: skip
        self.waits_for("no observation yet")
        self._worker.start()
        self.get_logger().info(f"policy '{policy.metadata.policy_id}' is warm; calibration {Path(name).stem}")

    def halt(self) -> None:
        """End the run."""
        self._session.end(TerminationReason.STOPPED, "the policy node was deactivated")
        self._tell_running()

    def teardown(self) -> None:
        """Stop the worker, close the policy, drop the subscriptions."""
        worker, self._worker = self._worker, None
        worker_stopped = worker is None or worker.stop()
        if worker_stopped:
            self._loader.close()
        else:
            self.get_logger().error("the policy does not return; left behind with its thread")
        for subscription in self._subscriptions_of_run:
            self.destroy_subscription(subscription)
        self._subscriptions_of_run.clear()
        if self._polled is not None and worker_stopped:
            self._polled.close()
        self._polled = None
        self._joints.clear()
        if self._chunks is not None:
            self.destroy_publisher(self._chunks)
            self._chunks = None

    def _subscribe(self, buffer: ObservationBuffer, policy: Policy) -> None:
        def listen(message_type: Any, topic: str, callback: Any, profile: Any = qos.SENSOR, raw: bool = True) -> None:
            self._subscriptions_of_run.append(self.create_subscription(message_type, topic, callback, profile, raw=raw))

        looks = policy.metadata.needs_image
        frame_id = CAMERA_FRAME

        def on_info(message: CameraInfo) -> None:
            nonlocal frame_id
            frame_id = message.header.frame_id or CAMERA_FRAME
            buffer.set_camera(messages.camera_of(message))

        def on_frame(raw: bytes) -> None:
            buffer.add_frame(messages.frame_of(raw, frame_id, keep=looks))

        listen(CameraInfo, "head_camera/color/camera_info", on_info, raw=False)
        # A policy that does not look still acts at the camera's pace, without the cost of moving pixels.
        topic = "head_camera/color/image_raw" if looks else "head_camera/color/camera_info"
        listen(Image if looks else CameraInfo, topic, on_frame)
        listen(ExecutorState, "executor_state", self._on_executor, qos.SETPOINT, raw=False)
        self._polled = polled = PolledTopics(self, "observations")
        for stream in [f"{side}_{part}" for side in self.params.sides for part in ("arm", "hand")]:
            self._joints[stream] = polled.subscribe(JointState, f"{stream}/joint_states", qos.RECORD, raw=True)
        privileged = policy.metadata.is_privileged
        self._sim_states = polled.subscribe(SimState, "sim/state", qos.SETPOINT, raw=True) if privileged else None

    def _fetch(self, buffer: ObservationBuffer) -> None:
        """What has come for the buffer; the worker asks when it looks for an observation."""
        for stream, joints in self._joints.items():
            for raw, _ in joints.take():
                buffer.add_joints(stream, messages.stamp_ns_of(raw) * 1e-9, raw)
        for raw, _ in self._sim_states.take() if self._sim_states else ():
            buffer.set_extras(raw)

    def _publish(self, answer: Answer) -> None:
        message = messages.chunk_message(answer)
        message.publisher = self._identity
        self._chunks.publish(message)

    def _tell_running(self) -> None:
        """Say whether a run is under way, if that has changed: its arms are nobody else's, also before it thinks."""
        runs = self._session.run is not None
        if runs != self._told_running:
            self._told_running = runs
            self._running.publish(Bool(data=runs))

    def _on_executor(self, message: ExecutorState) -> None:
        self._trajectory = message.state == ExecutorState.TRAJECTORY
        if self._trajectory:  # it began before the executor heard of the run, which would go on at its end
            self._session.end(TerminationReason.STOPPED, _BUSY)
        runs = self._session.run is not None
        self._homing = self._homing + 1 if runs and message.state == ExecutorState.HOMING else 0
        if self._homing >= _HOMING_STATES:  # somebody called the arms home: the run must not take them from there
            self._session.end(TerminationReason.STOPPED, _HOMING)
        if message.state == ExecutorState.TRACKING:
            passed_s = stamp_to_s(message.header.stamp) - stamp_to_s(message.chunk_stamp)
            late_s = passed_s - message.position_steps * self._step_s
            self._delay.report(message.chunk_sequence, message.first_step, late_s)
        else:
            self._delay.clear()

    def _on_safety(self, message: SafetyState) -> None:
        self._safety = message
        if self.params.require_armed and message.state != SafetyState.ARMED:
            cause = message.stop_cause or "the robot is not armed"
            self._session.end(TerminationReason.STOPPED, f"{cause}: {message.stop_detail}".rstrip(": "))

    @property
    def _may_move(self) -> bool:
        """Without a supervisor nothing moves anyway, so its silence does not count as no."""
        return not self.params.require_armed or self._safety is None or self._safety.state == SafetyState.ARMED

    def _set_instruction(self, text: str) -> None:
        instruction, hands = complete_instruction(text, self.params.sides)
        self._instruction, self._hands = instruction, hands_array(hands)
        self._session.redirect(self._instruction, self._hands)
        self._instructions.publish(String(data=instruction))
        self.get_logger().info(f"instruction: {instruction}")

    def _start_run(self, time_limit_s: float = 0.0) -> Run:
        if not self.is_active:
            raise RunRefusedError(f"The policy node is not active: {self._detail.rstrip('.')}.")
        if not self._instruction:
            raise RunRefusedError("No instruction is set; call ~/set_instruction first.")
        if not self._may_move:
            raise RunRefusedError("The robot is not armed; call safety_supervisor/rearm first.")
        if self._trajectory:
            raise RunRefusedError(f"{_BUSY[0].upper()}{_BUSY[1:]}; wait for its end, or cancel it.")
        run = self._session.start(self._instruction, self._hands, time_limit_s)
        self._tell_running()
        return run

    def _on_set_instruction(
        self, request: SetInstruction.Request, response: SetInstruction.Response
    ) -> SetInstruction.Response:
        try:
            self._set_instruction(request.instruction)
            response.success, response.message = True, self._instruction
        except VitraError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.success, response.message = True, f"running: {self._start_run().instruction}"
        except VitraError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        ended = self._session.end(TerminationReason.STOPPED, "policy/stop was called")
        response.success, response.message = True, "stopped" if ended else "no run was under way"
        return response

    def _on_goal(self, handle: ServerGoalHandle) -> None:
        self._goals.take(_ActionGoal(handle))

    def _begin(self, instruction: str, time_limit_s: float) -> Run:
        self._set_instruction(instruction or self._instruction)
        return self._start_run(time_limit_s)

    def _watch(self) -> None:
        """Time limit, cancel requests, feedback, and a policy that does not answer."""
        self._session.check_time()
        self._goals.watch()
        self._tell_running()
        silent_s = 0.0 if self._worker is None else self._worker.silent_s
        if silent_s > self.params.answer_s and not self._silence:
            self._silence = f"the policy has not answered for {self.params.answer_s:g} s"
            self.set_fault(self._silence)
            self._session.end(TerminationReason.POLICY_ERROR, self._silence)
        elif self._silence and silent_s <= self.params.answer_s:
            self._silence = ""
            self.set_fault("")


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(PolicyNode, args)


if __name__ == "__main__":
    sys.exit(main())
