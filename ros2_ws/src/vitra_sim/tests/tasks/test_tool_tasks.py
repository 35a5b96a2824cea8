"""Pouring, sweeping and picking up by the handle: start states, verdicts, and an expert that does them."""

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_policy.action_space import SIDES, Side
from vitra_policy.policies.registry import create_policy
from vitra_safety.reachability import ReachDemands, check_reachability
from vitra_sim.expert.grasp import base_from_wrist, plan_grasp
from vitra_sim.expert.moves import turned
from vitra_sim.expert.pour import pour_path
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.rollout import run_episode
from vitra_sim.scene.layout import TABLE_HEIGHT_M, make_layout
from vitra_sim.scene.objects import Kind, yaw_pose
from vitra_sim.scene.world import World
from vitra_sim.tasks.judge import judge
from vitra_sim.tasks.tasks import TASKS, Goal, get_task

POUR, SWEEP, HOLD = (get_task(n) for n in ("pour_balls_into_box", "sweep_cubes_onto_mat", "pick_up_hammer"))
TOOLS = [task for task in TASKS.values() if task.goal is not Goal.IN_BOX]


def poses(layout, **moved):
    """Poses of a start state, with some objects elsewhere."""
    return {o.spec.name: yaw_pose(moved.get(o.spec.name, o.position_m), o.yaw_rad) for o in layout.objects}


def over_box(layout, count, height_m=0.02):
    x, y, z = layout.box.position_m
    names = [piece.spec.name for piece in layout.judged[:count]]
    return {name: (x + 0.02 * i - 0.04, y, z + height_m) for i, name in enumerate(names)}


@pytest.mark.parametrize("task", TOOLS, ids=lambda t: t.name)
def test_a_start_state_rests_and_is_neither_done_nor_lost(task):
    world = World(task.name, 0)
    for seed in range(8):
        world.reset(task.name, seed)
        before = world.object_poses()
        world.step(60)
        for name, pose in world.object_poses().items():
            assert np.linalg.norm(pose[:3, 3] - before[name][:3, 3]) < 0.012, (seed, name)
    assert world.verdict() == judge(world.layout, before, 0.0, {})
    assert not world.verdict().success
    assert not world.verdict().failed


def test_the_balls_start_in_the_cup_and_stay_there():
    world = World(POUR.name, 1)
    world.step(400)
    cup = world.layout.target
    for ball in world.layout.judged:
        offset = world.object_poses()[ball.spec.name][:3, 3] - cup.position_m
        assert np.hypot(*offset[:2]) < cup.spec.half_extents_m[0]
        assert abs(offset[2]) < cup.spec.half_extents_m[2]


def test_all_balls_but_one_in_the_box_are_a_success():
    layout = make_layout(POUR, 0)
    assert layout.pieces == 6
    assert judge(layout, poses(layout, **over_box(layout, 5)), 0.0, {}).success
    assert not judge(layout, poses(layout, **over_box(layout, 4)), 0.0, {}).success
    assert not judge(layout, poses(layout, **over_box(layout, 6)), 0.2, {}).success
    assert not judge(layout, poses(layout, **over_box(layout, 6, height_m=0.09)), 0.0, {}).success


def test_one_ball_may_fall_off_the_table_two_may_not():
    layout, floor = make_layout(POUR, 0), (0.6, 0.8, 0.1)
    assert not judge(layout, poses(layout, ball_1=floor), 0.0, {}).failed
    assert judge(layout, poses(layout, **over_box(layout, 6) | {"ball_1": floor}), 0.0, {}).success
    assert judge(layout, poses(layout, ball_1=floor, ball_2=floor), 0.0, {}).failed
    assert judge(layout, poses(layout, purple_cup=floor), 0.0, {}).failed


def test_every_cube_has_to_lie_on_the_mat():
    layout = make_layout(SWEEP, 0)
    swept = over_box(layout, 4, height_m=0.012)
    assert judge(layout, poses(layout, **swept), 0.0, {"blue_brush": {"blue_brush_handle"}}).success
    assert not judge(layout, poses(layout, **over_box(layout, 3, height_m=0.012)), 0.0, {}).success
    assert not judge(layout, poses(layout, **swept), 0.0, {"cube_1": {""}}).success
    stacked = swept | {"cube_1": (*swept["cube_2"][:2], TABLE_HEIGHT_M + 0.036)}
    assert not judge(layout, poses(layout, **stacked), 0.0, {}).success
    assert judge(layout, poses(layout, cube_1=(0.6, 0.8, 0.1)), 0.0, {}).failed


@pytest.mark.parametrize(
    ("lifted_m", "speed", "shapes", "success"),
    [
        (0.12, 0.0, {"orange_hammer_handle"}, True),
        (0.12, 0.0, {"orange_hammer_handle", ""}, False),  # the head is touched as well
        (0.12, 0.0, set(), False),  # thrown
        (0.12, 0.2, {"orange_hammer_handle"}, False),
        (0.03, 0.0, {"orange_hammer_handle"}, False),
    ],
)
def test_a_tool_counts_as_picked_up_only_by_its_handle_and_at_rest(lifted_m, speed, shapes, success):
    layout = make_layout(HOLD, 0)
    x, y, z = layout.target.position_m
    found = judge(layout, poses(layout, orange_hammer=(x, y, z + lifted_m)), speed, {"orange_hammer": shapes})
    assert found.success is success


def test_contacts_name_the_touched_part():
    world = World(HOLD.name, 0)
    geom = world.model.geom("orange_hammer_handle")
    assert geom.bodyid[0] == world.model.body("orange_hammer").id
    assert world.touched_shapes() == {}


def test_the_handle_is_taken_across_and_the_brush_along_its_head():
    for yaw in np.linspace(-3, 3, 13):
        hammer = plan_grasp(Side.RIGHT, Kind.HAMMER, yaw_pose((0.45, -0.25, 0.78), yaw), np.array([0.075, 0.014, 0.03]))
        assert abs(np.cos(hammer.yaw_rad - yaw)) < 1e-9
        brush = plan_grasp(Side.RIGHT, Kind.BRUSH, yaw_pose((0.45, -0.25, 0.78), yaw), np.array([0.014, 0.014, 0.06]))
        assert abs(np.sin(brush.yaw_rad - yaw)) < 1e-9
        assert hammer.width_m == brush.width_m == pytest.approx(0.028)


@pytest.mark.parametrize("side", SIDES)
def test_the_cup_can_be_turned_over_wherever_the_box_stands(side):
    task = POUR if side is Side.RIGHT else get_task("pour_balls_into_box_left")
    calibration, wanted = default_calibration(), []
    for seed in range(6):
        layout = make_layout(task, seed)
        half = np.asarray(layout.target.spec.half_extents_m)
        grasp = plan_grasp(side, Kind.CUP, yaw_pose(layout.target.position_m, layout.target.yaw_rad), half)
        rim_m = layout.box.position_m[2] + layout.box.height_m
        path = pour_path(side, half, np.asarray(layout.box.position_m), rim_m)
        upright = base_from_wrist(calibration, grasp, path.over_m, path.yaw_rad)
        wanted += [turned(upright, path.over_m, path.axis, tilt) for tilt in (0.0, *path.tilts_rad)]
        back = base_from_wrist(calibration, grasp, path.back_m, path.yaw_rad)
        wanted += [turned(back, path.back_m, path.axis, tilt) for tilt in (0.0, *path.tilts_rad)]
    report = check_reachability(side, calibration, wanted, demands=ReachDemands(restarts=3))
    assert report.all_reached, str(report)


@pytest.mark.parametrize(
    ("task", "seed"),
    [("pour_balls_into_box", 1), ("sweep_cubes_onto_mat_left", 2), ("pick_up_hammer", 3), ("pick_up_hammer_left", 4)],
)
def test_the_expert_does_it(task, seed):
    episode = run_episode(VitraSimEnv(task), create_policy("expert"), task, seed)
    assert episode.success, episode.reason


def test_an_expert_that_is_misled_fails():
    """The verdicts are not given away: a hand that closes nine centimetres beside the brush sweeps nothing."""
    from vitra_policy.policies.policy import SIM_OBJECT_POSES

    env, policy = VitraSimEnv(SWEEP.name, settings=EnvSettings(time_limit_s=12.0)), create_policy("expert")
    observation, _ = env.reset(seed=0, options={"task": SWEEP.name})
    done, info = False, {}
    while not done:
        observation.extras[SIM_OBJECT_POSES][0, 1, 3] += 0.09
        observation, _, terminated, truncated, info = env.step(policy.infer(observation), observation)
        done = terminated or truncated
    assert not info["success"]
