"""MoveIt's action in the whole graph: the arm moves through executor and guard, and a policy's run holds it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from control_msgs.action import FollowJointTrajectory
from light_graph import light_config
from rclpy.action import ActionClient
from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectoryPoint

from vitra_bringup.graph_link import GraphError
from vitra_bringup.graph_run import GraphRun
from vitra_description.names import arm_joints
from vitra_description.postures import home
from vitra_msgs.msg import DriverState, ExecutorState
from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, SIDES
from vitra_policy.serving.openpi_double import OpenpiDouble
from vitra_runtime import qos

pytestmark = [pytest.mark.graph, pytest.mark.timeout(300)]

INSTRUCTION = "Left hand: None. Right hand: Put the red cube into the box."
GOAL = home("right") + [0.25, -0.15, 0.1, 0.1, 0.2, 0.1, -0.3]
Result = FollowJointTrajectory.Result
_TRIES = 4


@dataclass
class Robot:
    """The running graph, whose policy's server thinks as long as the test wants."""

    run: GraphRun
    client: Any
    joints: np.ndarray
    thought: threading.Event
    guard: DriverState = field(default_factory=DriverState)
    violations_before: int = 0
    policy_runs: bool = False

    def send(self, goal_rad: np.ndarray, seconds: float, points: int = 2) -> Any:
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(arm_joints("right"))
        for share in np.linspace(0.0, 1.0, points):
            position = self.joints + share**2 * (3 - 2 * share) * (goal_rad - self.joints)  # at rest at both ends
            stamp = Duration(seconds=share * seconds).to_msg()
            point = JointTrajectoryPoint(positions=[float(q) for q in position], time_from_start=stamp)
            goal.trajectory.points.append(point)
        client = self.run.client
        sent = client.when_spinning(lambda: self.client.send_goal_async(goal))
        handle = client.wait_future(sent, 20.0, "the executor to take a goal")
        return client.when_spinning(handle.get_result_async)

    def result(self, future: Any) -> Any:
        return self.run.client.wait_future(future, 40.0, "the trajectory's end").result

    def follow(self, goal_rad: np.ndarray, seconds: float, points: int = 2) -> Any:
        return self.result(self.send(goal_rad, seconds, points))

    def begin(self) -> None:
        """Armed, at rest, and no limit violated yet, whatever a pause of the machine has done before."""
        client = self.run.client
        if not client.is_armed:
            client.wait_ready()
            client.rearm()
        client.wait_for(lambda: client.executor_state.state == ExecutorState.HOLDING, 20.0, "the arms to rest")
        self.violations_before = self.guard.limit_violations

    def assert_within_limits(self) -> None:
        """The guard was asked for nothing that it forbids; a command that came late is the machine's doing."""
        assert self.guard.limit_violations == self.violations_before, self.guard.last_refusal


def too_late(result: Any) -> bool:
    """Whether a driver held by itself, on the way or before it, because the machine had no time for it."""
    if any(state in result.error_string for state in ("(seeding)", "(idle)")):
        return True
    late = ("feedback_missing", "command_missing", "permit_missing", "no setpoints for")
    return "broken off" in result.error_string and any(cause in result.error_string for cause in late)


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    folder, domain, thought = tmp_path_factory.mktemp("trajectory"), 30 + os.getpid() % 60, threading.Event()

    def slow(request: dict[str, Any]) -> dict[str, Any]:
        thought.wait(120)
        actions = np.zeros((16, ACTION_DIM), dtype=np.float32)  # hands as they are
        for side in SIDES:
            actions[:, HAND[side]][:, FINGERS] = request["observation/state"][HAND[side]][FINGERS]
        return {"actions": actions}

    with OpenpiDouble(slow) as server:
        arguments = {
            "policy": "remote",
            "policy_options": f"url={server.url},mapping=openpi-generic,infer_timeout_s=60",
            "record": "false",
            "bag": str(folder / "bag"),
            "config": light_config(folder),
        }
        with GraphRun("demo.launch.xml", arguments, Path(folder) / "launch.log", domain) as run:
            graph = run.client
            action = "right_arm_controller/follow_joint_trajectory"
            made = Robot(run, ActionClient(graph.node, FollowJointTrajectory, action), home("right"), thought)

            def see(message: JointState) -> None:
                made.joints = np.array(message.position)

            graph.watch(JointState, "right_arm/joint_states", qos.SENSOR, see)
            graph.watch(Bool, "policy/running", qos.LATCHED, lambda said: setattr(made, "policy_runs", said.data))
            graph.watch(DriverState, "right_arm/driver_state", qos.SETPOINT, lambda said: setattr(made, "guard", said))
            run.wait_ready()
            graph.rearm()
            graph.home()
            assert made.client.wait_for_server(timeout_sec=20.0)
            yield made
            thought.set()


@pytest.mark.parametrize(("goal", "points"), [(GOAL, 2), (home("right"), 500)], ids=["two points", "500 points"])
def test_the_arm_moves_to_the_goal_through_the_guard(robot: Robot, goal: np.ndarray, points: int) -> None:
    for _ in range(_TRIES):
        robot.begin()
        stops = len(robot.run.client.stops)
        result = robot.follow(goal, 4.0, points)
        if not too_late(result):
            break
    else:
        raise GraphError(f"The machine was too busy {_TRIES} times: {result.error_string}")
    assert result.error_code == Result.SUCCESSFUL, result.error_string
    assert np.abs(robot.joints - goal).max() < 0.01
    robot.assert_within_limits()
    assert len(robot.run.client.stops) == stops


def test_a_goal_during_a_run_is_refused_before_the_policy_has_said_anything(robot: Robot) -> None:
    robot.begin()
    graph, before = robot.run.client, robot.joints
    handle = graph.start_policy(INSTRUCTION, 60.0)
    graph.wait_for(lambda: robot.policy_runs, 20.0, "the policy's run")
    refused = robot.follow(home("right"), 3.0)
    assert refused.error_code == Result.INVALID_GOAL
    assert "a policy's run is under way" in refused.error_string
    assert np.abs(robot.joints - before).max() < 0.01
    ended = graph.finish_policy(handle)
    robot.thought.set()
    assert (ended.termination_reason, ended.chunks) == ("canceled", 0)


def test_no_run_begins_while_the_arm_follows_a_trajectory_and_one_may_afterwards(robot: Robot) -> None:
    graph = robot.run.client
    graph.wait_for(lambda: not robot.policy_runs, 20.0, "the run's end")
    for goal in (home("right"), GOAL) * (_TRIES // 2):
        robot.begin()
        stops = len(graph.stops)
        way = robot.send(goal, 6.0)
        graph.wait_for(
            lambda: way.done() or graph.executor_state.state == ExecutorState.TRAJECTORY, 20.0,  # noqa: B023
            "the trajectory to begin",
        )  # fmt: skip
        handle = graph.start_policy(INSTRUCTION, 60.0)
        was_done = way.done()
        outcome = graph.finish_policy(handle)
        result = robot.result(way)
        if not (was_done or too_late(result)):
            break
    else:
        raise GraphError(f"The machine was too busy {_TRIES} times: {result.error_string}")
    assert outcome.termination_reason == "refused"
    assert "an arm follows a joint trajectory" in outcome.detail.lower()
    assert result.error_code == Result.SUCCESSFUL, result.error_string
    assert np.abs(robot.joints - goal).max() < 0.01
    handle = graph.start_policy(INSTRUCTION, 60.0)
    graph.wait_for(lambda: robot.policy_runs, 20.0, "a run after the trajectory")
    graph.finish_policy(handle)
    robot.assert_within_limits()
    assert len(graph.stops) == stops
