"""Inverse kinematics: it converges, keeps every limit, and uses the null space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_description.calibration import default_calibration
from vitra_description.ik import Damping, DifferentialIk, IkSearch, IkSettings, bounded_step, pose_error, solve_ik
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS, ARM_TELEOP_LIMITS
from vitra_description.postures import home
from vitra_policy.transforms import make_pose, matrix_from_rotvec

ARM = ArmModel(side=default_calibration().right)
HOME = home("right")
UNIT = st.lists(st.floats(-1, 1), min_size=7, max_size=7)


def _moved(pose: np.ndarray, translation: list[float], rotvec: list[float]) -> np.ndarray:
    return make_pose(pose[:3, 3] + translation, matrix_from_rotvec(np.array(rotvec)) @ pose[:3, :3])


def test_it_reaches_a_target_and_stays_there() -> None:
    ik, q = DifferentialIk(ARM, HOME), HOME
    target = _moved(ARM.wrist_pose(q), [0.05, -0.04, 0.06], [0.2, -0.1, 0.3])
    for _ in range(200):
        step = ik.step(q, target)
        q = step.position_rad
    assert step.position_error_m < 1e-6
    assert step.rotation_error_rad < 1e-6
    assert not step.capped
    assert not step.limited.any()


def test_the_way_to_a_far_target_is_capped() -> None:
    ik = DifferentialIk(ARM, HOME, settings=IkSettings(max_linear_m_s=0.1), limits=ARM_LIMITS)
    pose = ARM.wrist_pose(HOME)
    step = ik.step(HOME, _moved(pose, [0, 0, 0.2], [0, 0, 0]))
    assert step.capped
    assert np.linalg.norm(ARM.wrist_pose(step.position_rad)[:3, 3] - pose[:3, 3]) == pytest.approx(0.0005, rel=0.02)


@settings(max_examples=150, deadline=None)
@given(start=UNIT, goal=UNIT)
def test_no_step_ever_leaves_the_limits(start: list[float], goal: list[float]) -> None:
    limits = ARM_TELEOP_LIMITS
    ik = DifferentialIk(ARM, HOME)
    q = limits.middle_rad + np.array(start) * (limits.upper_rad - limits.lower_rad) / 2
    target = ARM.wrist_pose(limits.middle_rad + np.array(goal) * (limits.upper_rad - limits.lower_rad) / 2)
    for _ in range(8):
        step = ik.step(q, target)
        assert np.isfinite(step.position_rad).all()
        assert limits.contains(step.position_rad)
        assert np.all(np.abs(step.position_rad - q) <= limits.velocity_rad_s * 0.005 + 1e-12)
        q = step.position_rad


def test_from_outside_the_limits_it_comes_back_at_the_velocity_limit() -> None:
    q = HOME.copy()
    q[3] = ARM_TELEOP_LIMITS.upper_rad[3] + 0.05
    after = DifferentialIk(ARM, HOME).step(q, ARM.wrist_pose(q)).position_rad
    assert q[3] - after[3] == pytest.approx(ARM_TELEOP_LIMITS.velocity_rad_s[3] * 0.005)


def test_a_limit_is_reported_and_the_other_joints_take_over() -> None:
    q = HOME.copy()
    q[6] = ARM_TELEOP_LIMITS.lower_rad[6]
    ik, pose = DifferentialIk(ARM, HOME), ARM.wrist_pose(q)
    steps = [ik.step(q, _moved(pose, [0, 0, 0], list(turn * pose[:3, 0]))) for turn in (0.002, -0.002)]
    assert [bool(step.limited[6]) for step in steps].count(True) == 1
    for step in steps:
        assert step.position_rad[6] >= ARM_TELEOP_LIMITS.lower_rad[6]
        assert np.linalg.norm(np.delete(step.velocity_rad_s, 6)) > 0


def test_the_null_space_moves_to_the_rest_posture_without_moving_the_wrist() -> None:
    rng, ik = np.random.default_rng(0), DifferentialIk(ARM, HOME)
    q = HOME + rng.uniform(-0.3, 0.3, 7)
    target, before = ARM.wrist_pose(q), np.linalg.norm(q - HOME)
    for _ in range(400):
        q = ik.step(q, target).position_rad
        assert np.linalg.norm(pose_error(ARM.wrist_pose(q), target)[:3]) < 1e-4
    assert np.linalg.norm(q - HOME) < before - 0.02


def test_a_target_out_of_reach_stretches_the_arm_without_shaking() -> None:
    ik, q = DifferentialIk(ARM, HOME), HOME
    target = _moved(ARM.wrist_pose(q), [0.5, 0.0, 0.5], [0, 0, 0])
    path = []
    for _ in range(800):
        q = ik.step(q, target).position_rad
        path.append(q)
    last = np.array(path[-50:])
    assert np.ptp(last, axis=0).max() < 0.05


def test_a_step_without_room_does_nothing() -> None:
    J = ARM.wrist_jacobian(HOME)
    dq, limited = bounded_step(J, np.full(6, 0.1), np.zeros(7), (np.zeros(7), np.zeros(7)), Damping(0.04, 0.04))
    np.testing.assert_array_equal(dq, 0)
    assert limited.any()


def test_half_a_turn_is_measured_as_half_a_turn() -> None:
    pose = ARM.wrist_pose(HOME)
    for axis in np.eye(3):
        error = pose_error(pose, _moved(pose, [0, 0, 0], list(axis * np.pi)))
        assert np.linalg.norm(error[3:]) == pytest.approx(np.pi, abs=1e-6)


def test_solve_finds_a_posture_for_almost_every_reachable_pose() -> None:
    rng, found = np.random.default_rng(4), 0
    inner = ARM_LIMITS.with_margin(0.2)
    for q in rng.uniform(inner.lower_rad, inner.upper_rad, (25, 7)):
        target = ARM.wrist_pose(q)
        solution = solve_ik(ARM, target, HOME)
        if solution.converged:
            found += 1
            assert ARM_LIMITS.contains(solution.position_rad)
            assert np.linalg.norm(ARM.wrist_pose(solution.position_rad)[:3, 3] - target[:3, 3]) < 1e-5
    assert found >= 24


def test_solve_is_repeatable_and_says_when_it_fails() -> None:
    target = _moved(ARM.wrist_pose(HOME), [0, 0, 3.0], [0, 0, 0])
    first, second = (solve_ik(ARM, target, HOME, search=IkSearch(restarts=2, iterations=40)) for _ in range(2))
    assert not first.converged
    assert first.position_error_m > 1
    np.testing.assert_array_equal(first.position_rad, second.position_rad)
