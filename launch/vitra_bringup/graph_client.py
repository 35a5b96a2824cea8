"""A client of the running graph: wait until it is ready, arm, reset, run the policy; for demos, sessions and tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from std_srvs.srv import Trigger

from vitra_bringup.graph_link import PATIENCE_S, GraphError, GraphLink
from vitra_msgs.action import RunPolicy
from vitra_msgs.msg import EpisodeState, ExecutorState, SafetyState, SimState
from vitra_msgs.srv import Rearm, SetInstruction, SimReset
from vitra_runtime import qos
from vitra_runtime.operating_services import OPERATING_SERVICES

_REFUSED_S = 5.0


class GraphClient(GraphLink):
    """Talks to a running graph from a plain program; use as a context manager.

    Args:
        name: node name.
        domain_id: ROS domain; None takes ROS_DOMAIN_ID.
    """

    def __init__(self, name: str = "graph_client", domain_id: int | None = None) -> None:
        super().__init__(name, domain_id)
        self.safety: SafetyState | None = None
        self.sim: SimState | None = None
        self.executor_state: ExecutorState | None = None
        self.episode: EpisodeState | None = None
        self.stops: list[SafetyState] = []
        self.watch(SafetyState, "safety_state", qos.LATCHED, self._on_safety)
        self.watch(SimState, "sim/state", qos.SENSOR, lambda m: setattr(self, "sim", m))
        self.watch(ExecutorState, "executor_state", qos.SENSOR, lambda m: setattr(self, "executor_state", m))
        self.watch(EpisodeState, "episode_state", qos.LATCHED, lambda m: setattr(self, "episode", m))
        self._run_policy = ActionClient(self.node, RunPolicy, "policy/run_policy")
        self.expect(OPERATING_SERVICES)
        self.begin()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the supervisor would accept a re-arm."""
        self.wait_for(
            lambda: self.safety is not None and not self.safety.not_ready,
            timeout_s,
            lambda: (
                "the graph to be ready; still missing: "
                + ("the safety supervisor" if self.safety is None else "; ".join(self.safety.not_ready))
            ),
        )

    def rearm(self, timeout_s: float = PATIENCE_S) -> int:
        """Arm from the state that was seen last, and wait until every node could have seen it; returns the epoch.

        Raises:
            GraphError: refused, for example since a STOP is newer than what was seen; the message is the supervisor's.
        """
        seen = self.safety
        if seen is None:
            self.wait_for(lambda: self.safety is not None, timeout_s, "the safety supervisor")
            seen = self.safety
        assert seen is not None
        name = "safety_supervisor/rearm_from"
        answer = self.call(Rearm, name, Rearm.Request(epoch=seen.epoch, stops=seen.stops), timeout_s)
        if not answer.success:
            raise GraphError(f"'{name}' refused: {answer.message}")
        self.wait_for(lambda: self.is_armed, timeout_s, "the armed state")
        assert self.safety is not None
        return int(self.safety.epoch)

    def arm_again(self, sides: Iterable[str]) -> None:
        """What an operator does after a stop in simulation: clear the arms' faults, wait until all is ready, re-arm.

        Does nothing while the robot is armed.

        Args:
            sides: Arms in use.

        Raises:
            GraphError: a fault stays, something is missing, or the re-arm is refused.
        """
        if self.is_armed:
            return
        if self.stops:
            for side in sides:
                self.trigger(f"{side}_arm_driver/clear_errors")
        self.wait_ready()
        self.rearm()

    @property
    def is_armed(self) -> bool:
        """Whether motion is allowed as far as this client knows."""
        return self.safety is not None and self.safety.state == SafetyState.ARMED

    def stop(self) -> None:
        """Latch a stop."""
        self.trigger("safety_supervisor/stop", repeats=True)

    def home(self, timeout_s: float = 30.0) -> None:
        """Move to the ready posture and wait until the arms are there.

        Raises:
            GraphError: refused, not reached, or not in time.
        """
        self.wait_for(
            lambda: self.executor_state is not None and self.executor_state.state != ExecutorState.IDLE,
            PATIENCE_S,
            "the executor to take over the joints",
        )
        before = self._homes()
        self._ask_for_home()
        self.wait_for(lambda: self._homes() != before, timeout_s, "the arms to reach the ready posture")
        if self.executor_state is not None and self.executor_state.home_result:
            raise GraphError(f"The arms did not reach the ready posture: {self.executor_state.home_result}")

    def _homes(self) -> int | None:
        return None if self.executor_state is None else int(self.executor_state.homes)

    def _ask_for_home(self) -> None:
        """Ask until the executor has understood.

        It may take over the joints again in the moment after arming and refuses meanwhile; and the answer of one that
        was only just started again may be lost.
        """
        refused_until_s, answered_until_s = time.monotonic() + _REFUSED_S, time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self.call(Trigger, "executor/home", Trigger.Request(), _REFUSED_S)
            except GraphError:
                if time.monotonic() > answered_until_s:
                    raise
                continue
            if answer.success or "already on the way" in answer.message:
                return
            if time.monotonic() > refused_until_s:
                raise GraphError(f"'executor/home' refused: {answer.message}")
            with self.changed:
                self.changed.wait(0.2)

    def reset_sim(self, task: str, seed: int) -> str:
        """New start state of the simulated world; returns the instruction of the task.

        Raises:
            GraphError: refused, or the new world does not come.
        """
        answer = self.call(SimReset, "sim/reset", SimReset.Request(task=task, seed=seed), repeats=True)
        if not answer.success:
            raise GraphError(f"'sim/reset' refused: {answer.message}")
        # The judge's last word on the world before must not count for the new one.
        with self.changed:
            self.sim = None
        self.wait_for(
            lambda: self.sim is not None and not (self.sim.success or self.sim.failed),
            PATIENCE_S,
            "the new world's state",
        )
        return str(answer.instruction)

    def set_instruction(self, instruction: str) -> None:
        """Set what the policy is to do.

        Raises:
            GraphError: refused; the message says why.
        """
        request = SetInstruction.Request(instruction=instruction)
        answer = self.call(SetInstruction, "policy/set_instruction", request, repeats=True)
        if not answer.success:
            raise GraphError(f"'policy/set_instruction' refused: {answer.message}")

    def set_speed(self, share: float) -> None:
        """Use this part of the executor's speed limit from now on, 0.1..1.

        Raises:
            GraphError: refused, as while no executor runs.
        """
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=share)
        request = SetParameters.Request(parameters=[Parameter(name="speed_share", value=value)])
        answer = self.call(SetParameters, "executor/set_parameters", request, repeats=True)
        if not answer.results[0].successful:
            raise GraphError(f"The executor refused the speed: {answer.results[0].reason}")

    def set_sim_faults(self, names: Iterable[str]) -> None:
        """Let exactly these faults of the simulated world be on (parameter `faults` of `sim_world`); none: all off.

        Raises:
            GraphError: refused, as for a fault that there is not.
        """
        value = ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=list(names) or [""])
        request = SetParameters.Request(parameters=[Parameter(name="faults", value=value)])
        answer = self.call(SetParameters, "sim_world/set_parameters", request)
        if not answer.results[0].successful:
            raise GraphError(f"The simulated world refused the faults: {answer.results[0].reason}")

    def start_policy(self, instruction: str, time_limit_s: float, feedback: Callable[[Any], None] | None = None) -> Any:
        """Send the RunPolicy goal; returns the goal handle.

        Args:
            instruction: What the robot is to do; free text is given to the arm in use.
            time_limit_s: The run ends after it; 0: never.
            feedback: Takes the action's feedback messages.

        Raises:
            GraphError: no policy node, or the goal was rejected.
        """
        if not self._run_policy.wait_for_server(timeout_sec=PATIENCE_S):
            raise GraphError("Action 'policy/run_policy' is not there. Is the policy node running?")
        goal = RunPolicy.Goal(instruction=instruction, time_limit_s=time_limit_s)
        callback = (lambda m: feedback(m.feedback)) if feedback else None
        sent = self.when_spinning(lambda: self._run_policy.send_goal_async(goal, callback))
        handle = self.wait_future(sent, PATIENCE_S, "the policy to accept")
        if not handle.accepted:
            raise GraphError("The policy node rejected the goal: it is not active, not armed, or runs another one.")
        return handle

    def result_of(self, handle: Any) -> Any:
        """The future of a goal's result; waiting calls look again when it is there."""
        result = self.when_spinning(handle.get_result_async)
        result.add_done_callback(lambda _: self.notify())
        return result

    def finish_policy(self, handle: Any, timeout_s: float = PATIENCE_S) -> Any:
        """Cancel the goal if it still runs, and return its result."""
        result = self.when_spinning(handle.get_result_async)
        if not result.done():
            self.wait_future(self.when_spinning(handle.cancel_goal_async), timeout_s, "the policy to cancel")
        return self.wait_future(result, timeout_s, "the policy's result").result

    def run_until_success(self, instruction: str, time_limit_s: float) -> tuple[bool, str]:
        """Run the policy until the simulated task is judged, a stop, or the end of time: (success, reason)."""
        stops = len(self.stops)
        handle = self.start_policy(instruction, time_limit_s)
        result = self.result_of(handle)
        judged: list[SimState] = []  # the word that ended it: a ball in the box rolls on, and the judge doubts again

        def is_over() -> bool:
            if self.sim is not None and (self.sim.success or self.sim.failed):
                judged.append(self.sim)
            return bool(judged) or result.done() or len(self.stops) > stops

        try:
            self.wait_for(is_over, time_limit_s + 10.0, "the trial to end")
        finally:
            outcome = self.finish_policy(handle)
        if len(self.stops) > stops:
            last = self.stops[-1]
            return False, f"stopped: {last.stop_cause} ({last.stop_source}) {last.stop_detail}".strip()
        if judged:
            return bool(judged[0].success), "success" if judged[0].success else "object lost"
        why = outcome.detail
        if self.safety is not None and self.safety.state == SafetyState.STOPPED:
            why = (
                f"the robot had stopped: {self.safety.stop_cause} ({self.safety.stop_source}) {self.safety.stop_detail}"
            )
        return False, f"{outcome.termination_reason}: {why}" if why else str(outcome.termination_reason)

    def _on_safety(self, message: SafetyState) -> None:
        before = self.safety
        self.safety = message
        if message.state == SafetyState.STOPPED and (before is None or before.state != SafetyState.STOPPED):
            self.stops.append(message)
