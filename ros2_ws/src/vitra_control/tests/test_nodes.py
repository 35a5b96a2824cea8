"""Executor and supervisor over ROS: chunk in, commands out, permit, stop, re-arm, home."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from ros_bench import RosBench, wait_for
from std_msgs.msg import Bool

from vitra_description.postures import home
from vitra_msgs.msg import ExecutorState, RobotChunk, SafetyState


@pytest.fixture
def bench(ros_domain: int) -> Iterator[RosBench]:
    made = RosBench(ros_domain)
    yield made
    made.close()


def test_nothing_is_sent_before_rearm_and_then_setpoints_flow_in_its_epoch(bench: RosBench) -> None:
    peer = bench.peer
    assert wait_for(lambda: len(peer.permits) > 5)
    assert not any(p.motion_allowed for p in peer.permits)
    assert peer.arm_commands == []
    bench.armed()
    epoch = peer.safety[-1].epoch
    assert peer.safety[-1].state == SafetyState.ARMED
    assert {c.epoch for c in peer.arm_commands} == {epoch}
    numbers = [c.sequence for c in peer.arm_commands]
    assert numbers == sorted(set(numbers))
    assert wait_for(lambda: len(peer.hand_commands) > 10)
    np.testing.assert_allclose(peer.arm_commands[-1].position_rad, home("right"), atol=1e-6)


def test_a_chunk_moves_the_arm_and_the_state_says_how_late_it_came(bench: RosBench) -> None:
    peer = bench.armed().peer
    peer.chunks.publish(peer.chunk(0.08, sequence=41))
    assert wait_for(lambda: np.abs(peer.arm - home("right")).max() > 0.02)
    assert wait_for(lambda: peer.executor_states[-1].chunk_sequence == 41)
    state = peer.executor_states[-1]
    assert 0.0 <= state.observation_to_setpoint_s < 16 / 30, "an older chunk would have been dropped as late"
    assert state.first_step <= 15
    assert wait_for(lambda: peer.executor_states[-1].state == ExecutorState.HOLDING)
    assert peer.executor_states[-1].starved == 1
    count = len(peer.arm_commands)
    assert wait_for(lambda: len(peer.arm_commands) > count + 50), "it holds by going on to send"


def test_a_bad_chunk_is_refused_and_moves_nothing(bench: RosBench) -> None:
    peer = bench.armed().peer
    short, bad, empty = peer.chunk(0.2), peer.chunk(0.2), RobotChunk(steps=16, step_s=0.03)
    short.right_wrist = short.right_wrist[:-1]
    bad.right_hand = [float("nan")] * len(bad.right_hand)
    for number, chunk in enumerate((short, bad, empty), start=1):
        peer.chunks.publish(chunk)
        assert wait_for(lambda number=number: bench.executor._refused["malformed"] == number)
    np.testing.assert_allclose(peer.arm, home("right"), atol=1e-6)

    def good_one_works() -> bool:  # a machine that stands still for a while makes the executor drop one
        peer.chunks.publish(peer.chunk(0.08, sequence=5))
        return wait_for(lambda: np.abs(peer.arm - home("right")).max() > 0.02, 2.0)

    assert wait_for(good_one_works)


def test_stop_ends_the_output_and_rearm_starts_a_new_epoch(bench: RosBench) -> None:
    peer = bench.armed().peer
    epoch = peer.safety[-1].epoch
    answer = peer.call("safety_supervisor/stop")
    assert "operator_stop" in answer.message
    assert wait_for(lambda: peer.safety[-1].state == SafetyState.STOPPED)
    assert peer.safety[-1].stop_cause == "operator_stop"
    assert peer.safety[-1].stopped_at.sec > 0
    assert wait_for(lambda: bench.executor._generator.mode == "idle")
    count = len(peer.permits)
    assert wait_for(lambda: len(peer.permits) > count + 10)
    sent = len(peer.arm_commands)
    assert wait_for(lambda: len(peer.permits) > count + 20)
    assert len(peer.arm_commands) == sent
    peer.arm = home("right") + 0.05
    told = peer.joints_told
    assert wait_for(lambda: peer.joints_told > told + 10)
    assert peer.call("safety_supervisor/rearm").success
    assert wait_for(lambda: peer.arm_commands[-1].epoch == epoch + 1)
    first = next(c for c in peer.arm_commands if c.epoch == epoch + 1)
    np.testing.assert_allclose(first.position_rad, home("right") + 0.05, atol=1e-6)


def test_a_node_that_falls_silent_latches_the_stop_until_it_is_back_and_rearmed(bench: RosBench) -> None:
    peer = bench.armed().peer
    peer.beating = False
    assert wait_for(lambda: peer.safety[-1].state == SafetyState.STOPPED)
    assert (peer.safety[-1].stop_cause, peer.safety[-1].stop_source) == ("heartbeat_lost", "policy")
    refused = peer.call("safety_supervisor/rearm")
    assert not refused.success
    assert "policy" in refused.message
    peer.beating = True
    assert wait_for(lambda: peer.call("safety_supervisor/rearm").success)
    assert wait_for(lambda: peer.permits[-1].motion_allowed)


def test_a_driver_fault_is_named(bench: RosBench) -> None:
    peer = bench.armed().peer
    peer.fault = "joint 3: over-current"
    assert wait_for(lambda: peer.safety[-1].state == SafetyState.STOPPED)
    assert (peer.safety[-1].stop_cause, peer.safety[-1].stop_detail) == ("driver_fault", "joint 3: over-current")


def test_home_is_refused_when_disarmed_and_reports_its_end_in_the_state(bench: RosBench) -> None:
    peer = bench.peer
    refused = peer.call("executor/home")
    assert not refused.success
    assert "rearm" in refused.message
    peer.arm = home("right") + np.array([0.2, -0.1, 0.1, 0.1, -0.2, 0.1, 0.2])
    bench.armed()
    assert peer.call("executor/home").success
    assert wait_for(lambda: peer.executor_states[-1].state == ExecutorState.HOMING)
    assert wait_for(lambda: peer.executor_states[-1].homes == 1)
    assert peer.executor_states[-1].home_result == ""
    np.testing.assert_allclose(peer.arm, home("right"), atol=5e-3)


def test_a_broken_off_move_home_says_why(bench: RosBench) -> None:
    peer = bench.peer
    peer.arm = home("right") + 0.4
    bench.armed()
    assert peer.call("executor/home").success
    assert wait_for(lambda: peer.executor_states[-1].state == ExecutorState.HOMING)
    peer.call("safety_supervisor/stop")
    assert wait_for(lambda: peer.executor_states[-1].homes == 1)
    assert "permit" in peer.executor_states[-1].home_result


def test_setpoints_cease_at_the_first_word_of_a_driver_that_stops(bench: RosBench) -> None:
    peer, generator = bench.armed().peer, bench.executor._generator
    peer.driver_state = "moving"
    peer.chunks.publish(peer.chunk(0.05, steps=60))
    assert wait_for(lambda: np.abs(peer.arm - home("right")).max() > 0.005)
    begun_again = generator.reseeds
    peer.driver_state = "stopping"
    assert wait_for(lambda: generator.reseeds > begun_again)
    peer.driver_state = "holding"
    assert wait_for(lambda: generator.mode == "following"), "and begins anew from where the joints are"


def test_an_exception_in_a_solver_neither_ends_the_setpoints_nor_leaves_a_caller_waiting(
    bench: RosBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = bench.peer
    peer.arm = home("right") + 0.3
    bench.armed()
    generator = bench.executor._generator
    with monkeypatch.context() as patch:
        patch.setattr(generator._arms, "approach_ready", lambda: 1 / 0)
        assert peer.call("executor/home").success
        assert wait_for(lambda: peer.executor_states[-1].homes == 1)
    assert "ZeroDivisionError" in peer.executor_states[-1].home_result
    assert bench.executor._thread.is_alive()
    assert bench.executor.is_active
    sent = len(peer.arm_commands)
    assert wait_for(lambda: len(peer.arm_commands) > sent + 20)
    assert peer.call("executor/home").success
    assert wait_for(lambda: peer.executor_states[-1].homes == 2)
    assert peer.executor_states[-1].home_result == ""


def test_a_run_under_way_is_still_known_when_the_executor_is_set_up_anew(bench: RosBench) -> None:
    peer, executor = bench.armed().peer, bench.executor
    peer.policy_running.publish(Bool(data=True))
    assert wait_for(lambda: executor._generator.policy_runs)
    executor.halt()
    executor.teardown()
    executor.setup()
    assert executor._generator.policy_runs
    executor.start()


def test_a_moveit_like_client_moves_the_arm_and_is_refused_while_a_policy_has_it(bench: RosBench) -> None:
    """The action as MoveIt's controller manager uses it: names, points, result code; feedback on the way."""
    from control_msgs.action import FollowJointTrajectory
    from rclpy.action import ActionClient
    from rclpy.duration import Duration
    from trajectory_msgs.msg import JointTrajectoryPoint

    from vitra_description.names import arm_joints

    peer = bench.armed().peer
    client = ActionClient(peer, FollowJointTrajectory, "right_arm_controller/follow_joint_trajectory")
    assert client.wait_for_server(timeout_sec=15.0)
    feedback: list[FollowJointTrajectory.Feedback] = []

    def send(to_rad: np.ndarray, seconds: float) -> FollowJointTrajectory.Result:
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(arm_joints("right"))
        for position, at_s in ((peer.arm, 0.0), (to_rad, seconds)):
            stamp = Duration(seconds=at_s).to_msg()
            goal.trajectory.points.append(JointTrajectoryPoint(positions=position.tolist(), time_from_start=stamp))
        sent = client.send_goal_async(goal, feedback_callback=lambda message: feedback.append(message.feedback))
        assert wait_for(sent.done)
        result = sent.result().get_result_async()
        assert wait_for(result.done)
        return result.result().result

    goal_rad = home("right") + [0.1, -0.1, 0.1, 0.0, 0.1, 0.1, -0.2]
    done = send(goal_rad, 1.5)
    assert done.error_code == FollowJointTrajectory.Result.SUCCESSFUL, done.error_string
    np.testing.assert_allclose(peer.arm, goal_rad, atol=3e-3)
    assert feedback
    assert list(feedback[-1].joint_names) == list(arm_joints("right"))
    assert bench.executor._homes == 0
    assert any(state.state == ExecutorState.TRAJECTORY for state in peer.executor_states)

    peer.policy_running.publish(Bool(data=True))
    assert wait_for(lambda: bench.executor._generator.policy_runs)
    early = send(home("right"), 2.0)
    assert early.error_code == FollowJointTrajectory.Result.INVALID_GOAL
    assert "a policy's run is under way" in early.error_string, "it has sent no chunk yet"
    np.testing.assert_allclose(peer.arm, goal_rad, atol=3e-3)
    peer.policy_running.publish(Bool(data=False))
    assert wait_for(lambda: not bench.executor._generator.policy_runs)

    def a_policy_holds_the_arm() -> bool:
        peer.chunks.publish(peer.chunk(0.02, sequence=7))
        return wait_for(lambda: peer.executor_states[-1].state == ExecutorState.TRACKING, 2.0)

    assert wait_for(a_policy_holds_the_arm)
    refused = send(home("right"), 2.0)
    assert refused.error_code == FollowJointTrajectory.Result.INVALID_GOAL
    assert "a policy or a teleoperator holds the arms" in refused.error_string
    client.destroy()
