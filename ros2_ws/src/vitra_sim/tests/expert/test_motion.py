import numpy as np
import pytest

from vitra_policy.transforms import make_pose, matrix_from_rotvec, rotation_angle
from vitra_sim.expert.motion import MAX_SPEED_M_S, MAX_TURN_RAD_S, Phase, Plan, Waypoint, minimum_jerk


def pose(x, turn=0.0):
    return make_pose([x, 0.0, 0.0], matrix_from_rotvec([0.0, 0.0, turn]))


def plan():
    return Plan(
        pose(0.0),
        np.zeros(12),
        [
            Waypoint(Phase.APPROACH, pose(0.2), np.full(12, 0.5)),
            Waypoint(Phase.GRASP, pose(0.2), np.ones(12), least_s=1.0),
            Waypoint(Phase.LIFT, pose(0.2, 1.0), np.ones(12)),
        ],
    )


def test_minimum_jerk_rests_at_both_ends():
    s = minimum_jerk(np.array([-1.0, 0.0, 1e-4, 0.5, 1 - 1e-4, 1.0, 2.0]))
    np.testing.assert_allclose(s, [0, 0, 0, 0.5, 1, 1, 1], atol=1e-9)


def test_a_plan_keeps_the_speed_limits():
    p = plan()
    times = np.arange(0, p.duration_s, 0.01)
    poses, _ = p.at(times)
    speed = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) / 0.01
    turn = rotation_angle(poses[1:, :3, :3] @ np.swapaxes(poses[:-1, :3, :3], 1, 2)) / 0.01
    assert 0.9 * MAX_SPEED_M_S < speed.max() <= MAX_SPEED_M_S * 1.001
    assert 0.9 * MAX_TURN_RAD_S < turn.max() <= MAX_TURN_RAD_S * 1.001


def test_a_plan_starts_and_ends_at_its_ends():
    p = plan()
    poses, fingers = p.at(np.array([-1.0, 0.0, p.duration_s, p.duration_s + 5]))
    np.testing.assert_allclose(poses[[0, 1]], [pose(0.0)] * 2, atol=1e-12)
    np.testing.assert_allclose(poses[[2, 3]], [pose(0.2, 1.0)] * 2, atol=1e-12)
    np.testing.assert_allclose(fingers[-1], 1.0)


def test_phases_follow_each_other():
    p = plan()
    phases = [p.phase(t) for t in np.linspace(-0.1, p.duration_s + 0.1, 200)]
    assert [phase for i, phase in enumerate(phases) if i == 0 or phases[i - 1] != phase] == [
        Phase.APPROACH,
        Phase.GRASP,
        Phase.LIFT,
    ]


def test_the_hand_rests_only_where_it_is_to_stop():
    def speed_at_first_waypoint(stops):
        p = Plan(pose(0.0), np.zeros(12), [
            Waypoint(Phase.POUR, pose(0.2), np.zeros(12), stops=stops),
            Waypoint(Phase.RETURN, pose(0.4), np.zeros(12)),
        ])  # fmt: skip
        middle = p.begin_s(Phase.RETURN)
        poses, _ = p.at(np.array([middle - 0.02, middle]))
        return float(np.linalg.norm(poses[1, :3, 3] - poses[0, :3, 3])) / 0.02

    assert speed_at_first_waypoint(True) < 0.01
    assert 0.7 * MAX_SPEED_M_S < speed_at_first_waypoint(False) < MAX_SPEED_M_S


def test_a_phase_begins_where_the_one_before_ends_and_one_that_is_not_there_never():
    p = plan()
    assert p.phase(p.begin_s(Phase.GRASP)) is Phase.GRASP
    assert p.phase(p.begin_s(Phase.GRASP) - 0.03) is Phase.APPROACH
    assert p.begin_s(Phase.POUR) == np.inf


@pytest.mark.parametrize("lag_s", [-0.3, 0.0, 0.4])
def test_progress_is_found_from_the_measured_wrist(lag_s):
    p, expected_s = plan(), 0.8
    measured = p.at(np.array([expected_s - lag_s]))[0][0]
    reached_s, distance_m = p.progress(measured, expected_s)
    assert reached_s == pytest.approx(expected_s - lag_s, abs=0.06)
    assert distance_m < 0.01


def test_a_resting_wrist_is_where_it_is_expected():
    p = plan()
    grasp_s = next(t for t in np.arange(0, p.duration_s, 0.01) if p.phase(t) is Phase.GRASP) + 0.5
    reached_s, _ = p.progress(pose(0.2), grasp_s)
    assert reached_s == pytest.approx(grasp_s, abs=0.051)
