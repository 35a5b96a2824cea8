import dataclasses

import numpy as np
import pytest

from vitra_description.kinematics import ArmModel
from vitra_policy.action_space import HAND, ROTATION, TRANSLATION, WRIST, Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.policies.policy import ActionChunk
from vitra_policy.transforms import delta_wrist, make_pose, matrix_from_euler_xyz
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv


def wrist(observation, side="right"):
    hand = observation.state[HAND[side]]
    return make_pose(hand[TRANSLATION], matrix_from_euler_xyz(hand[ROTATION]))


def chunk_to(observation, goal, fingers, steps=16, step_s=1 / 15):
    poses = [wrist(observation)]
    for k in range(steps):
        pose = goal.copy()
        pose[:3, 3] = poses[0][:3, 3] + (goal[:3, 3] - poses[0][:3, 3]) * (k + 1) / steps
        poses.append(pose)
    actions = np.zeros((steps, 102))
    actions[:, HAND["right"]][:, WRIST] = delta_wrist(np.stack(poses))
    actions[:, HAND["right"]][:, 6:] = fingers
    return ActionChunk(actions, np.array([False, True]), step_s, "test")


def test_reset_is_repeatable():
    a, _ = VitraSimEnv().reset(seed=4)
    b, _ = VitraSimEnv().reset(seed=4)
    assert np.array_equal(a.state, b.state)
    assert np.array_equal(a.extras["sim/base_from_object"], b.extras["sim/base_from_object"])
    assert a.instruction == "Left hand: None. Right hand: Put the red cube into the box."


def test_the_observed_wrist_is_the_arms_forward_kinematics():
    env = VitraSimEnv()
    observation, _ = env.reset(seed=0)
    for side in Side:
        arm = ArmModel("6f", env.calibration.side(side))
        expected = env.calibration.head_camera_from_arm_base(side) @ arm.wrist_pose(env.world.arm_q(side))
        np.testing.assert_allclose(wrist(observation, side.value), expected, atol=1e-9)


def test_the_wrist_goes_where_the_chunk_says():
    env = VitraSimEnv(settings=EnvSettings(executed_steps=16))
    observation, _ = env.reset(seed=0)
    goal = wrist(observation)
    goal[:3, 3] += [0.03, -0.04, 0.02]
    still = observation.state[HAND["right"]][6:]
    observation, *_ = env.step(chunk_to(observation, goal, still), observation)
    observation, *_ = env.step(chunk_to(observation, goal, still), observation)
    np.testing.assert_allclose(wrist(observation)[:3, 3], goal[:3, 3], atol=0.002)


@pytest.mark.parametrize(("metres", "is_late"), [(0.05, False), (0.4, True)])
def test_a_robot_that_cannot_go_as_fast_as_its_plan_says_how_late_it_is(metres, is_late):
    env = VitraSimEnv(settings=EnvSettings(executed_steps=8))
    observation, _ = env.reset(seed=0)
    assert env.late_s == 0.0
    start, goal = wrist(observation), wrist(observation)
    goal[:3, 3] += metres * np.array([0.6, -0.6, 0.5])
    observation, *_ = env.step(chunk_to(observation, goal, observation.state[HAND["right"]][6:]), observation)
    share = np.linalg.norm(wrist(observation)[:3, 3] - start[:3, 3]) / np.linalg.norm(goal[:3, 3] - start[:3, 3])
    assert share * 16 / 15 == pytest.approx(8 / 15 - env.late_s, abs=0.06), "but for the lag of the drives"
    assert (env.late_s > 0.1) == is_late


def test_only_the_leading_steps_are_executed():
    env = VitraSimEnv(settings=EnvSettings(executed_steps=3))
    observation, _ = env.reset(seed=0)
    chunk = chunk_to(observation, wrist(observation), observation.state[HAND["right"]][6:])
    env.step(chunk, observation)
    assert env.world.time_s == pytest.approx(0.2)


def test_an_episode_ends_at_the_time_limit():
    env = VitraSimEnv(settings=EnvSettings(time_limit_s=0.5))
    observation, _ = env.reset(seed=0)
    chunk = chunk_to(observation, wrist(observation), observation.state[HAND["right"]][6:])
    flags = []
    for _ in range(2):
        observation, reward, terminated, truncated, info = env.step(chunk, observation)
        flags.append(truncated)
    assert flags == [False, True]
    assert not terminated
    assert reward == 0.0
    assert not info["success"]


def test_fingers_are_kept_within_their_limits():
    env = VitraSimEnv(settings=EnvSettings(executed_steps=16))
    observation, _ = env.reset(seed=0)
    env.step(chunk_to(observation, wrist(observation), np.full(45, 9.0)), observation)
    target = env.world.hand(Side.RIGHT).target(env.world.data)
    assert target.max() < 1.95


def test_an_invalid_half_moves_nothing():
    env = VitraSimEnv()
    observation, _ = env.reset(seed=0)
    chunk = dataclasses.replace(chunk_to(observation, wrist(observation), np.ones(45)), valid=np.array([False, False]))
    before = env.world.arm(Side.RIGHT).target(env.world.data)
    env.step(chunk, observation)
    np.testing.assert_allclose(env.world.arm(Side.RIGHT).target(env.world.data), before, atol=1e-9)


def test_the_task_can_change_at_a_reset():
    env = VitraSimEnv()
    _, info = env.reset(seed=1, options={"task": "place_mug_in_box_left"})
    assert info == {"task": "place_mug_in_box_left", "seed": 1}
    with pytest.raises(UnknownNameError):
        env.reset(options={"task": "nonsense"})
