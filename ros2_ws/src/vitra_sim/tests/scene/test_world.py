import numpy as np
import pytest

from vitra_description.postures import home
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene import world as world_module
from vitra_sim.scene.world import StartContactError, World
from vitra_sim.tasks.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_no_start_state_has_the_robot_touching_anything(task):
    world = World(task, 0)
    for seed in range(1, 6):
        world.reset(task, seed)  # raises StartContactError itself
        assert world.robot_contacts() == []


def test_a_start_inside_an_object_is_refused(monkeypatch):
    world = World("place_can_in_box", 0)
    target = world.layout.target.position_m
    q = _reach(world, Side.RIGHT, np.array(target))
    monkeypatch.setattr(world_module, "home", lambda side: q if side is Side.RIGHT else home(side))
    with pytest.raises(StartContactError, match="blue_can"):
        world.reset("place_can_in_box", 0)


def _reach(world, side, point):
    """A posture with the palm in a point."""
    from vitra_description.calibration import default_calibration
    from vitra_description.ik import solve_ik
    from vitra_description.kinematics import ArmModel
    from vitra_policy.transforms import invert_pose
    from vitra_sim.expert.grasp import Grasp, base_from_wrist

    calibration = default_calibration()
    pose = base_from_wrist(calibration, Grasp(side, np.zeros(3), 0.0, 0.06), point + [0.04, 0, 0], 0.0)
    arm = ArmModel("6f", calibration.side(side))
    goal = invert_pose(calibration.side(side).base_from_arm_base) @ pose
    return solve_ik(arm, goal, home(side)).position_rad


def test_objects_stay_where_they_were_put():
    world = World("place_ball_in_box", 2)
    before = world.object_poses()
    world.step(200)
    for name, pose in world.object_poses().items():
        assert np.linalg.norm(pose[:3, 3] - before[name][:3, 3]) < 0.002
    assert not world.verdict().failed


def test_the_same_seed_and_targets_give_the_same_motion():
    ends = []
    for _ in range(2):
        world = World("place_cube_in_box", 3)
        for side in SIDES:
            world.set_arm_target(side, home(side) + 0.1)
            world.set_hand_target(side, np.full(12, 0.1))
        world.step(100)
        ends.append(world.data.qpos.copy())
    assert np.array_equal(*ends)


def test_arms_and_hands_reach_their_targets():
    world = World()
    for side in SIDES:
        world.set_arm_target(side, home(side) + 0.05)
        world.set_hand_target(side, np.full(12, 0.15))
    world.step(200)
    for side in SIDES:
        np.testing.assert_allclose(world.arm_q(side), home(side) + 0.05, atol=0.005)
        np.testing.assert_allclose(world.hand_q(side), 0.15, atol=0.02)


@pytest.mark.parametrize("target", [np.zeros(6), np.full(7, np.nan), np.zeros((1, 7))])
def test_malformed_targets_are_refused(target):
    with pytest.raises(ValueError, match="7 finite numbers"):
        World().set_arm_target(Side.LEFT, target)


def test_an_unknown_task_leaves_the_world_as_it_is():
    world = World("place_mug_in_box", 1)
    with pytest.raises(UnknownNameError):
        world.reset("place_moug_in_box", 2)
    assert world.task.name == "place_mug_in_box"
    assert world.layout.seed == 1


def test_new_objects_come_under_a_robot_that_stays():
    old = World("place_cube_in_box", 0)
    for side in SIDES:
        old.set_arm_target(side, home(side) + 0.05)
    old.step(100)
    new = World("place_can_in_box", 5)
    new.take_robot_from(old)
    assert new.time_s == old.time_s
    for side in SIDES:
        np.testing.assert_array_equal(new.arm_q(side), old.arm_q(side))
        np.testing.assert_array_equal(new.arm(side).target(new.data), old.arm(side).target(old.data))
    assert list(new.object_poses())[0] == "blue_can"
