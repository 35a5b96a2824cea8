import numpy as np
import pytest

from vitra_sim.scene.layout import TABLE_HEIGHT_M, make_layout
from vitra_sim.scene.objects import yaw_pose
from vitra_sim.tasks.judge import judge
from vitra_sim.tasks.tasks import get_task

LAYOUT = make_layout(get_task("place_bottle_in_box"), 0)
HALF = LAYOUT.target.spec.half_extents_m


def poses(target_xyz=None, target_pose=None):
    result = {o.spec.name: yaw_pose(o.position_m, o.yaw_rad) for o in LAYOUT.objects}
    if target_xyz is not None:
        result[LAYOUT.target.spec.name] = yaw_pose(tuple(target_xyz), 0.3)
    if target_pose is not None:
        result[LAYOUT.target.spec.name] = target_pose
    return result


def in_box(dz=0.006):
    return np.array(LAYOUT.box.position_m) + [0, 0, HALF[2] + dz]


def test_the_start_state_is_neither_done_nor_lost():
    verdict = judge(LAYOUT, poses(), 0.0, touched={})
    assert not verdict.success
    assert not verdict.failed


def test_a_tall_object_standing_in_the_box_counts():
    assert judge(LAYOUT, poses(in_box()), 0.0, touched={}).success


def test_an_object_lying_in_the_box_counts():
    lying = np.eye(4)
    lying[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    lying[:3, 3] = np.array(LAYOUT.box.position_m) + [0, 0, HALF[0] + 0.006]
    assert judge(LAYOUT, poses(target_pose=lying), 0.0, touched={}).success


@pytest.mark.parametrize(("speed", "touched"), [(0.2, {}), (0.0, {"green_bottle": {""}})])
def test_moving_or_held_objects_do_not_count_yet(speed, touched):
    assert not judge(LAYOUT, poses(in_box()), speed, touched).success


def test_an_object_on_the_rim_does_not_count():
    assert not judge(LAYOUT, poses(in_box(dz=LAYOUT.box.height_m)), 0.0, touched={}).success


def test_an_object_beside_the_box_does_not_count():
    beside = in_box() + [0, LAYOUT.box.inner_half_m[1] + 0.02, 0]
    assert not judge(LAYOUT, poses(beside), 0.0, touched={}).success


@pytest.mark.parametrize("where", [(0.5, -0.2, TABLE_HEIGHT_M - 0.1), (1.5, 0.0, 0.9)])
def test_an_object_that_left_the_table_is_a_failure(where):
    verdict = judge(LAYOUT, poses(where), 0.0, touched={})
    assert verdict.failed
    assert LAYOUT.target.spec.name in verdict.reason
