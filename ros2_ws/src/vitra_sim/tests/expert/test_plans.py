"""What the plans owe a learner without memory: the present state tells what to do next."""

import numpy as np
import pytest

from vitra_policy.transforms import rotation_angle
from vitra_sim.expert.motion import Phase
from vitra_sim.expert.plans import make_plan
from vitra_sim.expert.pour import pour_path
from vitra_sim.expert.scene import Scene
from vitra_sim.lockstep.env import VitraSimEnv

STEP_S, RESTS_S = 0.05, 0.45


def seen(name, seed=0):
    env = VitraSimEnv(name)
    return Scene(env.reset(seed=seed)[0], env.calibration)


def longest_rest_s(plan):
    """Longest time in which neither the wrist (2 mm, 1 deg) nor the fingers (0.02 rad) leave a place."""
    times = np.arange(0.0, plan.duration_s, STEP_S)
    poses, fingers = plan.at(times)
    longest = 0
    for i in range(len(times)):
        near = np.linalg.norm(poses[i:, :3, 3] - poses[i, :3, 3], axis=1) < 0.002
        near &= rotation_angle(poses[i:, :3, :3] @ poses[i, :3, :3].T) < np.deg2rad(1.0)
        near &= np.abs(fingers[i:] - fingers[i]).max(axis=1) < 0.02
        longest = max(longest, int(np.argmin(near)) if not near.all() else 0)
    return longest * STEP_S


@pytest.mark.parametrize("name", ["pour@seen", "pour_left@unseen_category", "sweep@seen", "sweep_left@unseen_object"])
def test_the_hand_hardly_rests_while_it_pours_or_sweeps(name):
    assert longest_rest_s(make_plan(seen(name))) <= RESTS_S


def test_an_empty_cup_goes_back_higher_than_a_full_one_came():
    scene = seen("pour@seen", 3)
    plan = make_plan(scene)
    begin, end = plan.begin_s(Phase.RETURN), plan.begin_s(Phase.RELEASE)
    there, _ = plan.at(np.arange(plan.begin_s(Phase.CARRY), plan.begin_s(Phase.POUR), STEP_S))
    back, _ = plan.at(np.arange(begin, end, STEP_S))
    level = back[np.linalg.norm(back[:, :2, 3] - back[-1, :2, 3], axis=1) > 0.01]
    path = pour_path(scene.side, scene.object_half_m, scene.box_centre_m, scene.box_floor_m + 0.06)
    assert path.back_m[2] - path.over_m[2] == pytest.approx(0.055)
    assert level[-5:, 2, 3].min() > there[:, 2, 3].max() + 0.04


def test_the_cup_is_put_down_in_the_same_place_wherever_it_stood():
    ends = []
    for seed in range(3):
        plan = make_plan(seen("pour_left@unseen_object", seed))
        ends.append(plan.at(np.array([plan.begin_s(Phase.RELEASE)]))[0][0])
    for end in ends[1:]:
        np.testing.assert_allclose(end[:2, 3], ends[0][:2, 3], atol=0.004)
        np.testing.assert_allclose(end[:3, :3], ends[0][:3, :3], atol=0.05)


def test_a_held_tool_is_lifted_and_then_held():
    plan = make_plan(seen("grasp@seen"))
    assert plan.phase(plan.duration_s) is Phase.LIFT
    poses, fingers = plan.at(np.array([plan.duration_s - 1.0, plan.duration_s]))
    np.testing.assert_allclose(poses[0], poses[1], atol=1e-9)
    np.testing.assert_allclose(fingers[0], fingers[1], atol=1e-9)
