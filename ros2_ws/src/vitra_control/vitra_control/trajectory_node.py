"""FollowJointTrajectory actions of the executor, one per arm: goals in, trajectories to its thread, results out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from control_msgs.action import FollowJointTrajectory
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectoryPoint

from vitra_control.generator import SetpointGenerator
from vitra_control.joint_trajectory import (
    MOST_POINTS,
    JointTrajectory,
    TrajectoryPoints,
    TrajectoryRefusedError,
    read_trajectory,
)
from vitra_control.setpoints import HomeResult
from vitra_description.limits import JointLimits
from vitra_description.names import arm_joints
from vitra_policy.action_space import Side
from vitra_runtime.actions import long_action_server

_Result = FollowJointTrajectory.Result
_PERIOD_S = 0.05


@dataclass(slots=True)
class _Goal:
    handle: ServerGoalHandle
    trajectory: JointTrajectory
    begun_s: float


class TrajectoryActions:
    """Action servers ``{side}_arm_controller/follow_joint_trajectory`` and the goals under way.

    The ROS thread reads and refuses; the setpoint thread begins and cancels (`serve`) and has the last word.

    Args:
        node: Owner.
        sides: Arms.
        generator: The setpoint generator, or None while the executor is not active.
        limits: What trajectories may ask for.
    """

    def __init__(
        self,
        node: Node,
        sides: Collection[Side],
        generator: Callable[[], SetpointGenerator | None],
        limits: JointLimits,
    ) -> None:
        self._node, self._generator, self._limits = node, generator, limits
        self._goals: dict[Side, _Goal] = {}
        self._begin: deque[tuple[Side, JointTrajectory]] = deque()
        self._cancel: deque[Side] = deque()
        self._ended: deque[tuple[Side, HomeResult]] = deque()
        self._servers = [
            long_action_server(
                node,
                FollowJointTrajectory,
                f"{side}_arm_controller/follow_joint_trajectory",
                partial(self._on_goal, side),
            )
            for side in sides
        ]
        node.create_timer(_PERIOD_S, self._watch)

    def serve(self, generator: SetpointGenerator, now_s: float) -> None:
        """Begin and cancel what was asked for, and note what has ended; called by the setpoint thread."""
        while self._begin:
            side, trajectory = self._begin.popleft()
            if refusal := generator.begin_trajectory(side, trajectory, now_s):
                self._ended.append((side, HomeResult(False, refusal)))
        while self._cancel:
            generator.cancel_trajectory(self._cancel.popleft())
        self._ended.extend(generator.take_trajectory_results().items())

    def abandon(self, why: str) -> None:
        """The setpoint thread has ended: so have all goals."""
        self._begin.clear()
        self._ended.extend((side, HomeResult(False, why)) for side in tuple(self._goals))

    def _on_goal(self, side: Side, handle: ServerGoalHandle) -> None:
        generator = self._generator()
        refusal = "the executor is not active" if generator is None else ""
        if side in self._goals:
            refusal = f"the {side} arm follows another trajectory; cancel it first"
        elif generator is not None:
            refusal = generator.trajectory_refusal(side, time.monotonic())
        if refusal or generator is None:
            self._refuse(handle, _Result.INVALID_GOAL, refusal)
            return
        message = handle.request.trajectory
        points = message.points[: MOST_POINTS + 1]
        try:
            given = TrajectoryPoints(
                message.joint_names,
                [point.time_from_start.sec + point.time_from_start.nanosec * 1e-9 for point in points],
                [point.positions for point in points],
                [point.velocities for point in points],
            )
            trajectory = read_trajectory(side, given, generator.arm_rad(side), self._limits)
        except TrajectoryRefusedError as error:
            self._refuse(handle, _Result.INVALID_JOINTS if error.joints else _Result.INVALID_GOAL, str(error))
            return
        self._goals[side] = _Goal(handle, trajectory, time.monotonic())
        self._begin.append((side, trajectory))

    def _watch(self) -> None:
        """Results, cancels and feedback."""
        while self._ended:
            side, result = self._ended.popleft()
            goal = self._goals.pop(side, None)
            if goal is not None:
                goal.handle.execute(partial(_finish, outcome=result))
        generator = self._generator()
        for side, goal in self._goals.items():
            if goal.handle.is_cancel_requested:
                self._cancel.append(side)
            if generator is not None:
                self._feed_back(side, goal, generator)

    def _feed_back(self, side: Side, goal: _Goal, generator: SetpointGenerator) -> None:
        wanted, rate = goal.trajectory.at(time.monotonic() - goal.begun_s)
        actual = generator.arm_rad(side)
        feedback = FollowJointTrajectory.Feedback(joint_names=list(arm_joints(side)))
        feedback.header.stamp = self._node.get_clock().now().to_msg()
        feedback.desired = JointTrajectoryPoint(positions=wanted.tolist(), velocities=rate.tolist())
        feedback.actual = JointTrajectoryPoint(positions=actual.tolist())
        feedback.error = JointTrajectoryPoint(positions=(wanted - actual).tolist())
        goal.handle.publish_feedback(feedback)

    def _refuse(self, handle: ServerGoalHandle, code: int, why: str) -> None:
        self._node.get_logger().warning(f"joint trajectory refused: {why}")
        handle.execute(lambda goal: goal.abort() or _Result(error_code=code, error_string=why))


def _finish(handle: ServerGoalHandle, outcome: HomeResult) -> FollowJointTrajectory.Result:
    if outcome.success:
        handle.succeed()
        return _Result(error_code=_Result.SUCCESSFUL, error_string=outcome.message)
    if handle.is_cancel_requested:
        handle.canceled()
    else:
        handle.abort()
    return _Result(error_code=_Result.PATH_TOLERANCE_VIOLATED, error_string=outcome.message)
