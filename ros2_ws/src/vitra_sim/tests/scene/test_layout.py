import dataclasses

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_policy.action_space import SIDES
from vitra_safety.reachability import ReachDemands, check_reachability
from vitra_sim.expert.grasp import Grasp, base_from_wrist, preferred_yaw_rad
from vitra_sim.scene.layout import DISTRACTOR_CLEARANCE_M, TABLE_HEIGHT_M, LayoutError, make_layout, task_zone
from vitra_sim.tasks.tasks import TASKS, get_task

CUBE = get_task("place_cube_in_box")


def test_the_same_seed_gives_the_same_layout():
    assert make_layout(CUBE, 7) == make_layout(CUBE, 7)


def test_seeds_differ_in_poses_sizes_and_colours():
    targets = [make_layout(CUBE, seed).target for seed in range(20)]
    assert len({t.position_m[:2] for t in targets}) == 20
    assert len({t.spec.half_extents_m for t in targets}) == 20
    assert len({t.spec.rgba for t in targets}) == 20


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda t: t.name)
def test_targets_stand_in_the_zone_and_distractors_leave_room(task):
    zone = task_zone(task.side)
    for seed in range(50):
        layout = make_layout(task, seed)
        x, y, _ = layout.target.position_m
        assert zone.x_m[0] <= x <= zone.x_m[1]
        assert zone.y_m[0] <= y <= zone.y_m[1]
        assert len({placed.spec.name for placed in layout.objects}) == 1 + layout.pieces + task.distractors
        for other in layout.objects[1 + layout.pieces :]:
            gap = np.linalg.norm(np.subtract(other.position_m[:2], (x, y)))
            gap -= other.spec.footprint_radius_m + layout.target.spec.footprint_radius_m
            assert gap >= DISTRACTOR_CLEARANCE_M


def test_more_distractors_than_the_table_has_room_for_are_refused():
    crowded = dataclasses.replace(CUBE, distractors=33)
    with pytest.raises(LayoutError, match="use fewer distractors"):
        make_layout(crowded, 0)


@pytest.mark.parametrize("side", SIDES)
def test_every_grasp_of_the_zone_and_the_box_is_reachable(side):
    calibration, zone = default_calibration(), task_zone(side)
    grasp = Grasp(side, np.zeros(3), 0.0, 0.06)
    poses = [
        base_from_wrist(calibration, grasp, np.array([x, y, TABLE_HEIGHT_M + height]), yaw)
        for x in zone.x_m
        for y in zone.y_m
        for height in (0.03, 0.12, 0.22)
        for yaw in preferred_yaw_rad(side, y) + np.deg2rad([-45.0, 0.0, 45.0])
    ]
    poses += [
        base_from_wrist(calibration, grasp, np.array([x, y, TABLE_HEIGHT_M + height]), 0.0)
        for x in (0.49, 0.53)
        for y in (-0.02, 0.02)
        for height in (0.04, 0.20)
    ]
    report = check_reachability(side, calibration, poses, demands=ReachDemands(restarts=5))
    assert report.all_reached, str(report)
    assert min(pose.distance_m for pose in report.poses) > 0.02
    assert min(pose.manipulability for pose in report.poses) > 0.02
