import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, SIDES, WRIST
from vitra_policy.policies.policy import ActionChunk
from vitra_policy.policies.rtc import (
    MAX_LAG_M,
    MAX_LAG_RAD,
    AnchoredChunk,
    Delay,
    DelayMeter,
    committed_prefix,
    continue_chunk,
    wrist_pose,
)
from vitra_policy.transforms import euler_xyz_from_matrix, integrate_wrist, make_pose, matrix_from_rotvec

STEP_S = 1 / 30
BOTH = np.array([True, True])
seeds = st.integers(0, 2**32 - 1)


def random_chunk(seed, valid=BOTH):
    rng = np.random.default_rng(seed)
    actions = rng.normal(0, 0.3, (16, ACTION_DIM))
    state = rng.normal(0, 0.3, ACTION_DIM)
    for hand in HAND.values():
        actions[:, hand][:, WRIST] *= 0.1
    return AnchoredChunk(ActionChunk(actions, valid, STEP_S, "p"), 100.0, state)


def planned_state(anchored, step):
    """The state the robot has if it followed the plan exactly for whole steps."""
    state = anchored.state.copy()
    for side in SIDES:
        pose = anchored.wrist_poses(side)[step]
        hand = state[HAND[side]]
        hand[:3], hand[3:6], hand[FINGERS] = (
            pose[:3, 3],
            euler_xyz_from_matrix(pose[:3, :3]),
            anchored.fingers(side)[step],
        )
    return state


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(0, 15), st.integers(1, 8))
def test_on_the_plan_the_prefix_repeats_the_previous_actions(seed, shift, delay):
    previous = random_chunk(seed)
    prefix = committed_prefix(previous, 100.0 + shift * STEP_S, planned_state(previous, shift), BOTH, Delay(delay))
    steps = min(delay, 16 - shift)
    assert prefix.steps == steps
    expected = previous.chunk.actions[shift : shift + steps]
    for side in SIDES:
        np.testing.assert_allclose(prefix.actions[:, HAND[side]], expected[:, HAND[side]], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0, 10), st.integers(1, 6))
def test_integrating_the_prefix_visits_the_previous_plan_whatever_was_observed(seed, elapsed_steps, delay):
    previous = random_chunk(seed)
    observed = np.random.default_rng(seed + 1).normal(0, 0.3, ACTION_DIM)
    actions = continue_chunk(previous, 100.0 + elapsed_steps * STEP_S, observed, delay)
    for side in SIDES:
        poses = integrate_wrist(wrist_pose(observed, side), actions[:, HAND[side]][:, WRIST])
        plan = previous.wrist_poses(side)
        for k, pose in enumerate(poses):
            position = elapsed_steps + k + 1
            below = int(position)
            if abs(position - round(position)) < 1e-9:
                np.testing.assert_allclose(pose, plan[round(position)], atol=1e-6)
            else:
                between = plan[below, :3, 3] + (plan[below + 1, :3, 3] - plan[below, :3, 3]) * (position - below)
                np.testing.assert_allclose(pose[:3, 3], between, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_moved_camera_sees_the_same_plan_from_its_own_frame(seed):
    rng = np.random.default_rng(seed)
    previous = random_chunk(seed)
    new_from_old = make_pose(rng.normal(0, 0.2, 3), matrix_from_rotvec(rng.normal(0, 0.5, 3)))
    observed = rng.normal(0, 0.3, ACTION_DIM)
    actions = continue_chunk(previous, 100.0 + 3 * STEP_S, observed, 4, new_from_old)
    for side in SIDES:
        poses = integrate_wrist(wrist_pose(observed, side), actions[:, HAND[side]][:, WRIST])
        np.testing.assert_allclose(poses, new_from_old @ previous.wrist_poses(side)[4:8], atol=1e-6)


def test_a_hand_that_did_not_move_is_zeros_and_not_committed():
    previous = random_chunk(1, valid=np.array([False, True]))
    prefix = committed_prefix(previous, 100.0, previous.state, BOTH, Delay(2))
    assert prefix.valid.tolist() == [False, True]
    assert not prefix.actions[:, HAND["left"]].any()


def test_nothing_is_committed_without_a_plan_that_reaches_the_new_steps():
    previous = random_chunk(2)
    state = previous.state
    assert committed_prefix(None, 100.0, state, BOTH, Delay(2)) is None
    assert committed_prefix(previous, 100.0, state, BOTH, Delay(0)) is None
    assert committed_prefix(previous, 99.9, state, BOTH, Delay(2)) is None, "an observation older than the plan"
    assert committed_prefix(previous, 100.0 + 16 * STEP_S, state, BOTH, Delay(2)) is None, "the plan has run out"
    assert committed_prefix(previous, 100.0, state, np.array([False, False]), Delay(2)) is None
    assert committed_prefix(previous, 100.0 + 14.5 * STEP_S, planned_state(previous, 14), BOTH, Delay(8)).steps == 1


def test_a_hand_that_does_not_follow_its_plan_is_not_held_to_it():
    previous = random_chunk(3)
    state = planned_state(previous, 5)
    stamp_s = 100.0 + 5 * STEP_S
    state[HAND["left"]][0] += MAX_LAG_M + 0.01
    prefix = committed_prefix(previous, stamp_s, state, BOTH, Delay(3))
    assert prefix.valid.tolist() == [False, True]
    assert not prefix.actions[:, HAND["left"]].any()
    right = state[HAND["right"]]
    turned = wrist_pose(state, "right")[:3, :3] @ matrix_from_rotvec([0, 0, MAX_LAG_RAD + 0.05])
    right[3:6] = euler_xyz_from_matrix(turned)
    assert committed_prefix(previous, stamp_s, state, BOTH, Delay(3)) is None


def test_whether_a_hand_follows_its_plan_does_not_depend_on_where_the_camera_went():
    previous = random_chunk(4)
    new_from_old = make_pose([0.5, 0, 0], matrix_from_rotvec([0, 0, 0.4]))
    moved = planned_state(previous, 5)
    for side in SIDES:
        pose = new_from_old @ wrist_pose(moved, side)
        moved[HAND[side]][:3], moved[HAND[side]][3:6] = pose[:3, 3], euler_xyz_from_matrix(pose[:3, :3])
    stamp_s = 100.0 + 5 * STEP_S
    assert committed_prefix(previous, stamp_s, moved, BOTH, Delay(3), new_from_old).valid.all()
    assert committed_prefix(previous, stamp_s, moved, BOTH, Delay(3)) is None


def test_the_delay_is_what_was_measured_and_one_hiccup_does_not_stay():
    meter = DelayMeter(window=3, limit=8)
    assert meter.steps == 0
    meter.report(1, 2)
    meter.report(1, 2)
    assert meter.steps == 2
    meter.report(2, 7)
    meter.report(3, 2)
    assert meter.steps == 2
    meter.report(4, 1)
    meter.report(5, 1)
    assert meter.steps == 1
    meter.clear()
    assert meter.steps == 0


def test_the_delay_is_limited():
    meter = DelayMeter(limit=4)
    meter.report(1, 14)
    assert meter.steps == 4


def test_a_robot_that_is_late_on_its_plan_continues_it_from_where_it_is():
    previous = random_chunk(6)
    stamp_s, late_s = 100.0 + 8 * STEP_S, 3 * STEP_S
    prefix = committed_prefix(previous, stamp_s, planned_state(previous, 5), BOTH, Delay(3, late_s))
    on_time = committed_prefix(previous, stamp_s - late_s, planned_state(previous, 5), BOTH, Delay(3))
    np.testing.assert_allclose(prefix.actions, on_time.actions, atol=1e-12)
    ahead = committed_prefix(previous, stamp_s, planned_state(previous, 5), BOTH, Delay(3))
    assert ahead is None or np.abs(ahead.actions - prefix.actions).max() > 1e-3, "by the clock it would leap ahead"


def test_how_late_a_robot_is_counts_for_the_chunk_it_is_on_only():
    meter = DelayMeter()
    meter.report(4, 2, 0.07)
    assert meter.late_s(4) == 0.07
    assert meter.late_s(5) == 0.0
    meter.report(5, 2, -0.003)
    assert meter.late_s(5) == 0.0, "never early"
    meter.report(5, 2, 0.1)
    meter.clear()
    assert meter.late_s(5) == 0.0
