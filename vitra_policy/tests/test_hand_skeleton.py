"""Forward kinematics of the MANO-convention hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_policy.hand.mano import ManoFileError, load_mano_skeleton
from vitra_policy.hand.skeleton import BONES, KEYPOINTS, PARENTS, default_skeleton, palm_centre
from vitra_policy.hand.xhand_map import XHAND_JOINT_NAMES, mano_from_xhand
from vitra_policy.transforms import make_pose, matrix_from_euler_xyz

HAND = default_skeleton()
REST = HAND.keypoints(np.zeros(45))


def keypoint(name: str, fingers: np.ndarray, side: str = "right") -> np.ndarray:
    return HAND.keypoints(fingers, side)[..., KEYPOINTS.index(name), :]  # type: ignore[arg-type]


def closed(**joints: float) -> np.ndarray:
    values = np.zeros(12)
    for name, angle in joints.items():
        values[XHAND_JOINT_NAMES.index(name)] = angle
    return mano_from_xhand(values)


def test_the_resting_hand_is_of_human_size_and_orientation() -> None:
    assert 0.16 < np.linalg.norm(REST[KEYPOINTS.index("middle_4")]) < 0.21
    assert (REST[1:, 0] < 0).all()  # right fingers point along -x
    heights = [REST[KEYPOINTS.index(f"{f}_1"), 2] for f in ("thumb", "index", "middle", "ring", "pinky")]
    assert heights == sorted(heights, reverse=True)  # thumb side is +z


@pytest.mark.parametrize("finger", ["index", "mid", "ring", "pinky"])
def test_positive_flexion_moves_the_tip_towards_the_palm(finger: str) -> None:
    name = {"mid": "middle"}.get(finger, finger)
    moved = keypoint(f"{name}_4", closed(**{f"{finger}_joint1": 1.0})) - keypoint(f"{name}_4", np.zeros(45))
    assert moved[1] < -0.03  # the back of the hand is +y


def test_positive_index_bend_moves_the_index_towards_the_thumb() -> None:
    assert keypoint("index_4", closed(index_bend_joint=0.17))[2] > REST[KEYPOINTS.index("index_4"), 2] + 0.01


def test_bone_lengths_never_change() -> None:
    fingers = np.random.default_rng(0).normal(size=(20, 45))
    points = HAND.keypoints(fingers)
    for a, b in BONES:
        lengths = np.linalg.norm(points[:, a] - points[:, b], axis=-1)
        np.testing.assert_allclose(lengths, np.linalg.norm(REST[a] - REST[b]), atol=1e-12)


def test_the_left_hand_mirrors_the_right_one() -> None:
    fingers = np.random.default_rng(1).normal(size=45)
    np.testing.assert_array_equal(HAND.keypoints(fingers, "left"), HAND.keypoints(fingers) * [-1, 1, 1])


def test_kinematics_agree_with_a_chain_of_homogeneous_matrices() -> None:
    fingers = np.random.default_rng(2).normal(size=45)
    frames = [np.eye(4)]
    for joint in range(1, 16):
        offset = HAND.joints_m[joint] - HAND.joints_m[PARENTS[joint]]
        local = matrix_from_euler_xyz(fingers[3 * joint - 3 : 3 * joint])
        frames.append(frames[PARENTS[joint]] @ make_pose(offset, local))
    points = HAND.keypoints(fingers)
    thumb_tip = frames[15] @ np.r_[HAND.tips_m[4] - HAND.joints_m[15], 1]
    np.testing.assert_allclose(points[KEYPOINTS.index("thumb_4")], thumb_tip[:3], atol=1e-12)
    np.testing.assert_allclose(points[KEYPOINTS.index("pinky_3")], frames[9][:3, 3], atol=1e-12)
    np.testing.assert_allclose(HAND.joint_rotations(fingers)[15], frames[15][:3, :3], atol=1e-12)


def test_posed_key_points_follow_the_wrist() -> None:
    pose = make_pose([0.1, 0.2, 0.5], matrix_from_euler_xyz([0.1, 0.2, 0.3]))
    points = HAND.posed_keypoints(pose, np.zeros(45), "left")
    np.testing.assert_allclose(points[0], [0.1, 0.2, 0.5])
    assert np.linalg.norm(palm_centre(points) - points[0]) < 0.1


def test_a_larger_hand_is_larger() -> None:
    np.testing.assert_allclose(HAND.scaled(1.1).keypoints(np.zeros(45)), REST * 1.1)


def fake_mano_file(path: Path) -> np.ndarray:
    """A file of MANO's form with random content; returns its rest joints."""
    draw = np.random.default_rng(3)
    vertices, regressor = draw.normal(size=(778, 3)), np.zeros((16, 778))
    regressor[np.arange(16), np.arange(16) * 7] = 1
    np.savez(
        path,
        v_template=vertices,
        f=draw.integers(0, 778, (1538, 3)),
        shapedirs=draw.normal(size=(778, 3, 10)) * 0.01,
        posedirs=draw.normal(size=(778, 3, 135)) * 0.01,
        J_regressor=regressor,
        kintree_table=np.array([[2**32 - 1, *PARENTS[1:]], range(16)]),
        weights=np.full((778, 16), 1 / 16),
        hands_components=np.eye(45),
        hands_mean=np.zeros(45),
    )
    return np.asarray(regressor @ vertices)


def test_a_mano_file_becomes_a_skeleton(tmp_path: Path) -> None:
    pytest.importorskip("smplx")
    joints = fake_mano_file(tmp_path / "MANO_RIGHT.npz")
    skeleton = load_mano_skeleton(tmp_path / "MANO_RIGHT.npz")
    np.testing.assert_allclose(skeleton.joints_m, joints - joints[0], atol=1e-5)
    assert skeleton.keypoints(np.zeros(45)).shape == (21, 3)


def test_a_missing_or_broken_mano_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManoFileError, match="MANO_RIGHT.pkl"):
        load_mano_skeleton(tmp_path / "MANO_RIGHT.pkl")
    pytest.importorskip("smplx")
    (tmp_path / "MANO_RIGHT.npz").write_bytes(b"nonsense")
    with pytest.raises(ManoFileError, match="cannot read"):
        load_mano_skeleton(tmp_path / "MANO_RIGHT.npz")
