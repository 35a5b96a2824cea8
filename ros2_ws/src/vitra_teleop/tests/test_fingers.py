import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import HandModel
from vitra_description.limits import HAND_LIMITS
from vitra_policy.errors import UnknownNameError
from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_teleop.ergonomics import joints_from_ergonomics
from vitra_teleop.landmarks import LandmarkError, in_wrist_frame, wrist_from_landmarks
from vitra_teleop.retargeting import JointMap, create_retargeter


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_joint_map_gives_back_the_posture_a_hand_was_made_with(human, side):
    rng = np.random.default_rng(0)
    low, high = HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad
    for _ in range(50):
        joints = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low))
        wrist = make_pose(rng.uniform(-1, 1, 3), matrix_from_rotvec(rng.uniform(-2, 2, 3)))
        landmarks = human(joints, side, wrist, size=rng.uniform(0.8, 1.2))
        found, local = in_wrist_frame(landmarks, side)
        np.testing.assert_allclose(found, wrist, atol=1e-6)
        np.testing.assert_allclose(JointMap()(side, local), joints, atol=1e-4)


def test_left_and_right_hands_are_mirror_images(human):
    joints = np.full(12, 0.3)
    mirrored = human(joints, "right") * [-1, 1, 1]
    np.testing.assert_allclose(human(joints, "left"), mirrored, atol=1e-12)
    np.testing.assert_allclose(JointMap()("left", mirrored), JointMap()("right", human(joints)), atol=1e-9)


@pytest.mark.parametrize(
    "broken",
    [np.zeros((20, 3)), np.full((21, 3), np.nan), np.zeros((21, 3)), np.eye(21, 3) * 1e-4],
)
def test_what_is_no_hand_is_refused(broken):
    with pytest.raises(LandmarkError):
        wrist_from_landmarks(broken, "right")


def test_joints_stay_within_limits_whatever_the_landmarks(human):
    noise = np.random.default_rng(0)
    for _ in range(50):
        joints = JointMap()("right", human(np.zeros(12)) + noise.normal(0, 0.03, (21, 3)))
        assert np.all((joints >= HAND_LIMITS.lower_rad) & (joints <= HAND_LIMITS.upper_rad))


def test_an_unknown_method_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'dexpilot'"):
        create_retargeter("dexpilo", default_calibration())


@pytest.mark.parametrize("method", ["vector", "dexpilot"])
def test_fingertip_methods_bring_the_tips_nearer_to_where_they_were_shown(method):
    pytest.importorskip("dex_retargeting")
    calibration, model = default_calibration(), HandModel("right")
    mount = calibration.right.hand_base_from_hand_mount
    retarget = create_retargeter(method, calibration)
    joints = np.deg2rad([70, 30, 10, 0, 50, 30, 50, 30, 50, 30, 50, 30])
    tips = model.fingertips(joints) @ mount[:3, :3] / retarget._scaling
    landmarks = np.zeros((21, 3))
    landmarks[[4, 8, 12, 16, 20]] = tips
    for _ in range(20):
        found = retarget("right", landmarks)
    error_m = np.linalg.norm(model.fingertips(found) - model.fingertips(joints), axis=1)
    assert error_m.max() < 0.03
    assert np.linalg.norm(model.fingertips(np.zeros(12)) - model.fingertips(joints), axis=1).max() > 0.05


def test_a_glove_fist_is_a_fist_and_an_open_glove_is_open():
    fist = np.zeros((5, 4))
    fist[:, 1:] = 90
    joints = joints_from_ergonomics(fist.ravel())
    np.testing.assert_allclose(joints[4:], np.pi / 2, atol=1e-9)
    np.testing.assert_allclose(joints_from_ergonomics(np.zeros(20))[3:], 0.0)
    assert np.all(joints_from_ergonomics(np.full(20, 500.0)) <= HAND_LIMITS.upper_rad)
