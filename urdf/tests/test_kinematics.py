"""Forward kinematics and Jacobians against the vendor's own library and against finite differences."""

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel, HandModel, JointVectorError
from vitra_description.limits import ARM_VENDOR_LIMITS, HAND_LIMITS
from vitra_description.postures import ARM_MIRROR, home, open_hand
from vitra_policy.action_space import SIDES

MIRROR = np.diag([1.0, -1.0, 1.0])


@pytest.mark.parametrize("variant", ["b", "6f"])
def test_the_flange_is_where_the_vendor_sdk_computes_it(variant: str) -> None:
    sdk = pytest.importorskip("Robotic_Arm.rm_robot_interface")
    force = sdk.rm_force_type_e.RM_MODEL_RM_B_E if variant == "b" else sdk.rm_force_type_e.RM_MODEL_RM_SF_E
    vendor = sdk.Algo(sdk.rm_robot_arm_model_e.RM_MODEL_RM_75_E, force)
    arm, rng = ArmModel(variant), np.random.default_rng(0)
    for q in rng.uniform(ARM_VENDOR_LIMITS.lower_rad, ARM_VENDOR_LIMITS.upper_rad, (1000, 7)):
        degrees = np.float32(np.rad2deg(q)).astype(float)  # the SDK takes single precision
        x, y, z, qw, qx, qy, qz = vendor.rm_algo_forward_kinematics(degrees.tolist(), 0)
        pose = arm.fk(np.deg2rad(degrees))
        assert np.linalg.norm(pose[:3, 3] - [x, y, z]) < 10e-6
        v = np.array([qx, qy, qz])
        K = np.array([[0, -qz, qy], [qz, 0, -qx], [-qy, qx, 0]])
        R = np.eye(3) * (qw**2 - v @ v) + 2 * np.outer(v, v) + 2 * qw * K
        assert np.abs(R / (qw**2 + v @ v) - pose[:3, :3]).max() < 1e-4


def test_a_straight_arm_is_as_long_as_its_links() -> None:
    np.testing.assert_allclose(ArmModel("b").fk(np.zeros(7))[:3, 3], [0, 0, 0.2405 + 0.256 + 0.21 + 0.144], atol=1e-5)
    np.testing.assert_allclose(ArmModel("6f").fk(np.zeros(7))[:3, 3], [0, 0, 0.2405 + 0.256 + 0.21 + 0.1725], atol=1e-5)


def test_the_wrist_is_the_flange_times_the_extrinsics() -> None:
    side = default_calibration().left
    arm, q = ArmModel(side=side), home("left")
    np.testing.assert_allclose(
        arm.wrist_pose(q), arm.fk(q) @ side.ee_from_hand_base @ side.hand_base_from_hand_mount, atol=1e-12
    )


@pytest.mark.parametrize("which", ["flange", "wrist"])
def test_the_jacobian_is_the_derivative_of_the_pose(which: str) -> None:
    arm = ArmModel(side=default_calibration().right)
    pose_of, jacobian_of = (arm.fk, arm.jacobian) if which == "flange" else (arm.wrist_pose, arm.wrist_jacobian)
    rng, h = np.random.default_rng(1), 1e-6
    for q in rng.uniform(ARM_VENDOR_LIMITS.lower_rad, ARM_VENDOR_LIMITS.upper_rad, (20, 7)):
        numeric = np.empty((6, 7))
        for i, dq in enumerate(np.eye(7) * h):
            plus, minus = pose_of(q + dq), pose_of(q - dq)
            numeric[:3, i] = (plus[:3, 3] - minus[:3, 3]) / (2 * h)
            W = (plus[:3, :3] - minus[:3, :3]) / (2 * h) @ pose_of(q)[:3, :3].T
            numeric[3:, i] = [W[2, 1], W[0, 2], W[1, 0]]
        np.testing.assert_allclose(jacobian_of(q), numeric, atol=1e-6)


def test_mirrored_postures_give_mirrored_wrists() -> None:
    calibration, rng = default_calibration(), np.random.default_rng(2)
    right, left = (ArmModel(side=calibration.side(side)) for side in ("right", "left"))
    for q in rng.uniform(-1, 1, (10, 7)):
        at_right = calibration.right.base_from_arm_base @ right.wrist_pose(q)
        at_left = calibration.left.base_from_arm_base @ left.wrist_pose(ARM_MIRROR * q)
        np.testing.assert_allclose(at_left[:3, 3], MIRROR @ at_right[:3, 3], atol=2e-5)
        np.testing.assert_allclose(at_left[:3, 1], MIRROR @ at_right[:3, 1], atol=2e-5)  # back of the hand


@pytest.mark.parametrize("length", [0, 6, 8])
def test_a_joint_vector_of_the_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(JointVectorError, match="7 joint positions"):
        ArmModel().fk(np.zeros(length))
    with pytest.raises(JointVectorError, match="12 joint positions"):
        HandModel("left").fingertips(np.zeros(length))


def test_an_open_hand_has_its_fingertips_ahead_and_its_thumb_at_the_side() -> None:
    tips = HandModel("right").fingertips(np.zeros(12))
    np.testing.assert_allclose(tips[1], [0.0065, 0.0265, 0.0899 + 0.0178 + 0.0558 + 0.0422483], atol=1e-9)
    np.testing.assert_allclose(tips[2], [0.0065, 0.0040, 0.1082 + 0.0558 + 0.0422483], atol=1e-9)
    assert np.argmax(tips[:, 1]) == 0  # the thumb is furthest to +y
    np.testing.assert_allclose(HandModel("right").palm_pose()[:3, 3], [0, 0, 0.065])


@pytest.mark.parametrize("joint", range(12))
def test_each_hand_joint_moves_its_own_finger(joint: int) -> None:
    finger = [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4][joint]
    hand, q = HandModel("right"), np.zeros(12)
    q[joint] = 0.1
    moved = np.linalg.norm(hand.fingertips(q) - hand.fingertips(np.zeros(12)), axis=1)
    assert moved[finger] > 1e-3
    np.testing.assert_allclose(np.delete(moved, finger), 0, atol=1e-12)


def test_the_left_hand_mirrors_the_right() -> None:
    rng, left, right = np.random.default_rng(3), HandModel("left"), HandModel("right")
    for q in rng.uniform(HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad, (20, 12)):
        # The vendor's left thumb is 0.24 mm shorter.
        np.testing.assert_allclose(left.fingertips(q), right.fingertips(q) @ MIRROR, atol=3e-4)


def test_bending_closes_the_fingers_over_the_palm() -> None:
    for side in SIDES:
        hand, fist = HandModel(side), np.full(12, 1.2)
        fist[[0, 1, 3]] = 1.2, 0.0, 0.0
        assert np.all(hand.fingertips(fist)[1:, 0] > 0.03)  # the palm faces +x
        assert hand.fingertips(open_hand())[0, 0] > 0.03
