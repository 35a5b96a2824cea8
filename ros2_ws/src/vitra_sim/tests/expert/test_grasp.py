import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import HandModel
from vitra_description.limits import HAND_LIMITS
from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import invert_pose
from vitra_sim.expert.grasp import (
    MAX_CLOSURE,
    Grasp,
    base_from_wrist,
    pinch_table,
    plan_grasp,
    posture,
    preferred_yaw_rad,
)
from vitra_sim.scene.objects import Kind, yaw_pose

HALF = np.array([0.03, 0.03, 0.05])


@pytest.mark.parametrize("side", SIDES)
def test_closing_narrows_the_gap_steadily(side):
    gaps = [pinch_table(side).at(a).gap_m for a in np.linspace(0, 1, 41)]
    assert np.all(np.diff(gaps) < 0)
    assert gaps[0] > 0.11
    assert gaps[-1] < 0.005


def test_postures_stay_within_the_hands_limits():
    for closure in np.linspace(0, MAX_CLOSURE, 20):
        assert HAND_LIMITS.contains(posture(closure))
    assert np.array_equal(posture(5.0), posture(MAX_CLOSURE))


def test_the_hands_mirror_each_other():
    left, right = pinch_table(Side.LEFT).at(0.5), pinch_table(Side.RIGHT).at(0.5)
    assert left.gap_m == pytest.approx(right.gap_m, abs=5e-4)
    np.testing.assert_allclose(left.centre_m * [1, -1, 1], right.centre_m, atol=5e-4)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("yaw", [-0.7, 0.0, 0.5])
def test_the_pads_meet_around_the_object_on_a_level_axis(side, yaw):
    calibration = default_calibration()
    grasp, centre = Grasp(side, np.zeros(3), yaw, 0.06), np.array([0.45, -0.2, 0.8])
    base_from_mount = base_from_wrist(calibration, grasp, centre, yaw)
    base_from_hand = base_from_mount @ invert_pose(calibration.side(side).hand_base_from_hand_mount)
    hand, q, prefix = HandModel(side), posture(grasp.closure), f"{side}_hand_"
    thumb = base_from_hand @ hand.link_pose(q, prefix + "thumb_rota_tip")
    index = base_from_hand @ hand.link_pose(q, prefix + "index_rota_tip")
    middle = base_from_hand @ hand.link_pose(q, prefix + "mid_tip")
    axis = (index[:3, 3] + middle[:3, 3]) / 2 - thumb[:3, 3]
    assert abs(axis[2]) < 0.015
    assert np.arctan2(axis[1], axis[0]) == pytest.approx(yaw, abs=0.1)
    assert base_from_hand[2, 3] > centre[2] + 0.1  # the palm stays above


def test_a_cube_is_taken_by_the_faces_nearest_to_the_preferred_direction():
    for yaw in np.linspace(-3, 3, 25):
        grasp = plan_grasp(Side.RIGHT, Kind.CUBE, yaw_pose((0.45, -0.25, 0.78), yaw), np.array([0.02, 0.03, 0.03]))
        turn = grasp.yaw_rad - yaw
        assert abs(grasp.yaw_rad - preferred_yaw_rad(Side.RIGHT, -0.25)) <= np.pi / 4 + 1e-9
        assert abs(np.sin(2 * turn)) < 1e-9
        assert grasp.width_m == pytest.approx(0.06 if abs(np.sin(turn)) > 0.5 else 0.04)


def test_a_mugs_handle_is_kept_from_thumb_and_fingers():
    for yaw in np.linspace(-3, 3, 61):
        grasp = plan_grasp(Side.LEFT, Kind.MUG, yaw_pose((0.45, 0.25, 0.79), yaw), HALF)
        off = np.abs((grasp.yaw_rad - yaw + np.pi / 2) % np.pi - np.pi / 2)
        assert off >= np.deg2rad(45) - 1e-9
        assert abs(grasp.yaw_rad - preferred_yaw_rad(Side.LEFT, 0.25)) <= np.deg2rad(45) + 1e-9


def test_round_things_are_taken_in_the_preferred_direction():
    for kind in (Kind.CAN, Kind.BALL, Kind.BOTTLE):
        grasp = plan_grasp(Side.RIGHT, kind, yaw_pose((0.45, -0.25, 0.8), 1.0), HALF)
        assert grasp.yaw_rad == preferred_yaw_rad(Side.RIGHT, -0.25)
