import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy")
from geometry_msgs.msg import Pose

from vitra_description.calibration import default_calibration
from vitra_description.observed_wrist import ObservedWrist
from vitra_msgs.msg import ExecutorState, Heartbeat, SafetyState, SimState
from vitra_policy.errors import UnknownNameError
from vitra_policy.policies.observation import hand_vector
from vitra_policy.policies.policy import PolicyError, PolicyMetadata

pytestmark = pytest.mark.graph


def test_a_chunk_carries_the_time_the_hands_and_the_prompt_of_its_observation(graph, fake_policy):
    g = graph()
    g.run()
    chunk = g.until(lambda: g.chunks and g.chunks[-1])
    stamp_ns = chunk.header.stamp.sec * 10**9 + chunk.header.stamp.nanosec
    assert stamp_ns in g.frames
    assert chunk.header.frame_id == "head_camera_color_optical_frame"
    wrist = ObservedWrist(default_calibration(), ["right"])("right", g.arm_joints)
    np.testing.assert_allclose(np.asarray(chunk.observed)[51:], hand_vector(wrist, np.full(12, 0.2)))
    assert (chunk.left_valid, chunk.right_valid, chunk.steps, len(chunk.actions)) == (False, True, 16, 16 * 102)
    assert chunk.instruction == "Left hand: None. Right hand: Put the cube into the box."
    assert g.instructions[-1].data == chunk.instruction
    assert list(chunk.stage_names) == ["transport", "assemble", "think"]
    seen = fake_policy.seen[0]
    np.testing.assert_array_equal(seen.image, np.arange(72, dtype=np.uint8).reshape(4, 6, 3))
    np.testing.assert_allclose(seen.fov_rad, [2 * np.arctan(3 / 5), 2 * np.arctan(2 / 5)])
    assert list(seen.extras) == ["base_from_camera", "robot/right_arm_rad"]
    assert (fake_policy.warmed, fake_policy.resets) == (1, 1)
    sequences = [c.sequence for c in g.until(lambda: len(g.chunks) > 2 and g.chunks)]
    assert sequences == sorted(set(sequences)), "a listener that is late hears only the newest"
    assert sequences[-1] <= len(fake_policy.seen), "one number for each answer"


def test_nothing_is_published_before_start_and_after_stop(graph, fake_policy):
    g = graph()
    g.until(lambda: g.node.is_active)
    assert g.call(g.stop).message == "no run was under way"
    assert not fake_policy.seen
    g.run()
    g.until(lambda: g.chunks)
    fake_policy.hold.clear()
    seen = len(fake_policy.seen)
    g.until(lambda: len(fake_policy.seen) > seen)
    published = g.node._worker._sequence
    assert g.call(g.stop).message == "stopped"
    fake_policy.hold.set()
    g.until(lambda: g.node._worker.silent_s == 0)
    assert g.node._worker._sequence == published, "the answer that came after the stop must not go out"


def test_start_says_what_is_missing(graph):
    g = graph()
    g.until(lambda: g.node.is_active)
    assert "No instruction" in g.call(g.start).message
    assert "left arm" in g.say("Left hand: Wave. Right hand: None.").message
    g.safety.publish(SafetyState(state=SafetyState.DISARMED))
    assert g.say("Wave").success
    g.until(lambda: g.node._safety)
    assert "rearm" in g.call(g.start).message
    g.safety.publish(SafetyState(state=SafetyState.ARMED))
    g.until(lambda: g.node._safety.state == SafetyState.ARMED)
    assert g.call(g.start).success
    assert "under way" in g.call(g.start).message


def test_the_instruction_may_change_during_a_run(graph, fake_policy):
    g = graph()
    g.run()
    g.until(lambda: g.chunks)
    g.say("Right hand: Wave. Left hand: None.")
    assert g.say("Wave").message == "Left hand: None. Right hand: Wave."
    g.until(lambda: fake_policy.seen[-1].instruction == "Left hand: None. Right hand: Wave.")


def test_a_failing_policy_is_a_fault_that_ends_the_run_and_heals(graph, fake_policy):
    g = graph()
    handle, result = begin(g)
    g.until(lambda: g.chunks)
    fake_policy.failure = PolicyError("the weights melted")
    g.until(result.done)
    assert result.result().result.termination_reason == "policy_error"
    assert "melted" in result.result().result.detail
    state, detail = g.until(lambda: g.last_beat()[0] == Heartbeat.FAULT and g.last_beat())
    assert "melted" in detail
    fake_policy.failure = None
    g.until(lambda: g.last_beat()[0] == Heartbeat.ACTIVE)
    count = len(g.chunks)
    assert g.call(g.start).success
    g.until(lambda: len(g.chunks) > count)


def test_a_silent_policy_is_a_fault(graph, fake_policy):
    g = graph("answer_s:=0.3")
    fake_policy.hold.clear()
    handle, result = begin(g)
    g.until(result.done)
    assert "not answered for 0.3 s" in result.result().result.detail
    g.until(lambda: "not answered" in g.last_beat()[1])
    fake_policy.hold.set()
    g.until(lambda: g.last_beat()[0] == Heartbeat.ACTIVE)
    assert not g.chunks


@pytest.mark.parametrize("stream", ["right_arm", "right_hand", "camera"])
def test_a_stream_that_stops_is_named_and_the_run_goes_on_when_it_returns(graph, stream):
    g = graph("stall_s:=0.3")
    g.run()
    g.until(lambda: g.chunks)
    g.muted.add(stream)
    g.until(
        lambda: g.last_beat()[0] == Heartbeat.FAULT and ("camera" if stream == "camera" else stream) in g.last_beat()[1]
    )
    count = len(g.chunks)
    g.muted.clear()
    g.until(lambda: len(g.chunks) > count)
    g.until(lambda: g.last_beat()[0] == Heartbeat.ACTIVE)


def test_a_policy_is_not_ready_before_every_stream_has_come_in(graph):
    g = graph()
    g.muted.add("right_hand")
    g.until(lambda: g.last_beat()[0] == Heartbeat.FAULT and "waits: right_hand/joint_states" in g.last_beat()[1])
    g.muted.clear()
    g.until(lambda: g.last_beat()[0] == Heartbeat.ACTIVE)
    g.muted.add("right_hand")
    count = len(g.beats)
    g.until(lambda: len(g.beats) > count + 5)
    assert g.last_beat()[0] == Heartbeat.ACTIVE, "a stream that stops later matters to runs only"


def begin(g, **goal):
    g.until(lambda: g.node.is_active)
    return g.send_goal(**({"instruction": "Put the cube into the box"} | goal))


def test_a_goal_ends_with_its_time(graph):
    g = graph()
    handle, result = begin(g, time_limit_s=0.5)
    g.until(result.done)
    got = result.result().result
    assert got.termination_reason == "time_limit"
    assert got.chunks == g.node._worker._sequence
    assert 0.5 <= got.duration_s < 2
    assert g.feedback[-1].feedback.chunks > 0


def test_a_goal_can_be_canceled(graph):
    g = graph()
    handle, result = begin(g)
    g.until(lambda: g.chunks)
    handle.cancel_goal_async()
    g.until(result.done)
    assert result.result().result.termination_reason == "canceled"
    assert g.call(g.start).success, "the next run may begin"


def test_a_goal_ends_when_the_policy_is_done(graph, fake_policy):
    g = graph()
    fake_policy.done = True
    handle, result = begin(g)
    g.until(result.done)
    assert result.result().result.termination_reason == "policy_done"
    assert len(fake_policy.seen) == 1


def test_a_goal_ends_when_the_robot_is_stopped(graph):
    g = graph()
    g.safety.publish(SafetyState(state=SafetyState.ARMED))
    handle, result = begin(g)
    g.until(lambda: g.chunks)
    g.safety.publish(SafetyState(state=SafetyState.STOPPED, stop_cause="operator_stop", stop_detail="by hand"))
    g.until(result.done)
    got = result.result().result
    assert (got.termination_reason, got.detail) == ("stopped", "operator_stop: by hand")


def test_a_goal_that_overtakes_the_news_of_arming_starts(graph):
    g = graph()
    g.safety.publish(SafetyState(state=SafetyState.DISARMED))
    g.until(lambda: g.node.is_active and g.node._safety)
    handle, result = begin(g)
    g.until(lambda: g.node._goals.waiting)
    g.safety.publish(SafetyState(state=SafetyState.ARMED))
    g.until(lambda: g.chunks)


def test_a_goal_on_a_robot_that_stays_unarmed_is_refused(graph):
    g = graph()
    g.safety.publish(SafetyState(state=SafetyState.STOPPED))
    g.until(lambda: g.node.is_active and g.node._safety)
    handle, result = begin(g)
    g.until(result.done)
    assert "rearm" in result.result().result.detail


def test_a_run_is_told_before_its_first_chunk_and_until_its_end(graph, fake_policy):
    g = graph()
    fake_policy.hold.clear()
    g.run()
    g.until(lambda: g.running and g.running[-1])
    assert not g.chunks, "the policy still thinks"
    g.call(g.stop)
    g.until(lambda: not g.running[-1])
    assert g.call(g.start).success
    g.until(lambda: g.running[-1])
    g.node.end()
    g.until(lambda: not g.running[-1])


def test_a_run_is_told_at_once_so_that_no_trajectory_slips_in(graph):
    g = graph()
    g.until(lambda: g.node.is_active)
    g.say("Wave")
    assert g.node._told_running is False
    g.node._start_run()
    assert g.node._told_running is True, "before anything else of the node has its turn"
    g.until(lambda: g.running and g.running[-1])


def follow_trajectory(g, follows=True):
    state = ExecutorState.TRAJECTORY if follows else ExecutorState.HOLDING

    def heard():
        g.executor_state.publish(ExecutorState(state=state))
        return g.node._trajectory == follows

    g.until(heard)


def test_no_run_begins_while_an_arm_follows_a_joint_trajectory(graph):
    g = graph()
    g.until(lambda: g.node.is_active)
    g.say("Wave")
    follow_trajectory(g)
    refused = g.call(g.start)
    assert (refused.success, refused.message[:44]) == (False, "An arm follows a joint trajectory of another")
    handle, result = begin(g)
    g.until(result.done)
    assert result.result().result.termination_reason == "refused"
    assert "joint trajectory" in result.result().result.detail
    assert not any(g.running)
    follow_trajectory(g, follows=False)
    assert g.call(g.start).success


def test_a_run_that_a_trajectory_has_forestalled_ends_instead_of_going_on_at_its_end(graph):
    g = graph()
    handle, result = begin(g)
    g.until(lambda: g.chunks)
    follow_trajectory(g)
    g.until(result.done)
    got = result.result().result
    assert (got.termination_reason, got.detail) == ("stopped", "an arm follows a joint trajectory of another program")
    g.until(lambda: not g.running[-1])


def test_a_run_ends_when_somebody_calls_the_arms_home(graph):
    g = graph()
    handle, result = begin(g)
    g.until(lambda: g.chunks)
    g.robot.create_timer(0.02, lambda: g.executor_state.publish(ExecutorState(state=ExecutorState.HOMING)))
    g.until(result.done)
    got = result.result().result
    assert (got.termination_reason, got.detail) == ("stopped", "the arms go to the ready posture")


def test_the_last_word_of_a_homing_that_is_over_ends_no_run(graph):
    g = graph()
    handle, result = begin(g)
    g.until(lambda: g.chunks)
    for state in (ExecutorState.HOMING, ExecutorState.HOMING, ExecutorState.HOLDING, ExecutorState.HOMING):
        g.node._on_executor(ExecutorState(state=state))
    count = len(g.chunks)
    g.until(lambda: len(g.chunks) > count + 1)
    assert not result.done()


def test_a_goal_that_cannot_start_says_why(graph):
    g = graph()
    handle, result = begin(g, instruction="Left hand: Wave. Right hand: None.")
    g.until(result.done)
    assert result.result().result.termination_reason == "refused"
    assert "left arm" in result.result().result.detail


def test_the_measured_delay_becomes_a_committed_prefix(graph, fake_policy):
    fake_policy.metadata = PolicyMetadata("fake", uses_committed=True)
    g = graph()
    g.run()
    g.until(lambda: g.chunks)
    g.robot.create_timer(
        0.02,
        lambda: g.executor_state.publish(
            ExecutorState(state=ExecutorState.TRACKING, chunk_sequence=g.chunks[-1].sequence, first_step=2)
        ),
    )
    chunk = g.until(lambda: g.chunks[-1].committed_steps and g.chunks[-1])
    assert chunk.committed_steps == 2
    assert fake_policy.seen[0].committed is None


def test_privileged_data_reaches_only_the_policy_that_asks(graph, fake_policy):
    fake_policy.metadata = PolicyMetadata("fake", needs_image=False, needs_extras=("sim/object_names",))
    g = graph()
    state = SimState(sim_time_s=3.0, task="pick", object_names=["cube"], object_poses=[Pose()], object_sizes=[0.1] * 3)
    state.object_poses[0].position.x = 0.4
    g.robot.create_timer(0.02, lambda: g.sim.publish(state))
    g.until(lambda: g.node.is_active and g.sim.get_subscription_count())
    g.run()
    g.until(lambda: g.chunks)
    seen = fake_policy.seen[-1]
    assert seen.image is None
    assert seen.extras["sim/object_names"].tolist() == ["cube"]
    assert seen.extras["sim/base_from_object"][0, 0, 3] == 0.4


def test_an_unknown_policy_is_refused_at_once(graph):
    with pytest.raises(UnknownNameError, match="Did you mean 'fake'"):
        graph("policy:=fakke")


def test_the_policy_is_closed_with_the_node(graph, fake_policy):
    g = graph()
    g.until(lambda: g.node.is_active)
    g.node.end()
    assert fake_policy.closed == 1


def test_the_executable_refuses_an_unknown_policy_with_a_suggestion(ros_domain):
    command = [sys.executable, "-m", "vitra_inference.policy_node", "--ros-args", "-p", "policy:=reply"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Did you mean 'replay'" in done.stderr
