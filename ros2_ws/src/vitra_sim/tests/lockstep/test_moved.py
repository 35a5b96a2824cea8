import numpy as np
import pytest

from vitra_sim.expert.motion import Phase
from vitra_sim.expert.plans import make_plan
from vitra_sim.expert.scene import Scene
from vitra_sim.lockstep.env import VitraSimEnv
from vitra_sim.lockstep.moved import moved_objects, target_pose


def moved_at(name, phase, share):
    """World at the start, its plan, and what is moved at a share of a phase's first second."""
    env = VitraSimEnv(name)
    scene = Scene(env.reset(seed=2)[0], env.calibration)
    plan = make_plan(scene)
    time_s = plan.begin_s(phase) + share
    wrist = plan.at(np.array([time_s]))[0][0]
    target = target_pose(scene, plan, time_s, wrist)
    return env.world, moved_objects(env.world, scene, plan, time_s, target, np.random.default_rng(0))


def test_nothing_is_moved_before_the_hand_has_closed():
    assert moved_at("pour@seen", Phase.GRASP, 0.2)[1] == {}


def test_balls_go_with_the_cup_and_lie_in_the_box_afterwards():
    world, carried = moved_at("pour@seen", Phase.CARRY, 0.5)
    cup = carried[world.task.target]
    for ball in world.layout.judged:
        assert np.linalg.norm(carried[ball.spec.name][:3, 3] - cup[:3, 3]) < 0.05
    world, poured = moved_at("pour@seen", Phase.RETURN, 1.0)
    for ball in world.layout.judged:
        offset = poured[ball.spec.name][:2, 3] - np.asarray(world.layout.box.position_m[:2])
        assert np.abs(offset).max() < world.layout.box.inner_half_m[0]


@pytest.mark.parametrize("name", ["sweep@seen", "sweep_left@unseen_category"])
def test_swept_cubes_lie_before_the_brush_and_apart_from_each_other(name):
    world, swept = moved_at(name, Phase.RELEASE, 0.1)
    brush = swept[world.task.target]
    inwards = 1.0 if world.task.side == "right" else -1.0
    places = [swept[cube.spec.name][:2, 3] for cube in world.layout.judged]
    for index, place in enumerate(places):
        assert inwards * (place[1] - brush[1, 3]) > 0.02
        assert all(np.linalg.norm(place - other) > 0.024 for other in places[:index])


def test_a_tool_that_was_let_go_stays_where_it_was_let_go():
    _, first = moved_at("sweep@seen", Phase.RELEASE, 0.1)
    world, later = moved_at("sweep@seen", Phase.RETREAT, 0.5)
    np.testing.assert_allclose(first[world.task.target], later[world.task.target], atol=1e-9)
