"""Outside estimators: what they are given, what is made of their answers, what is said where something is missing."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import make_pose, matrix_from_euler_xyz
from vitra_training.labeling.adapters import tool as tools
from vitra_training.labeling.adapters.bridge import run_program, write_frames
from vitra_training.labeling.adapters.deepcalib import calibrate_with_deepcalib
from vitra_training.labeling.adapters.droidcalib import calibrate_with_droidcalib
from vitra_training.labeling.adapters.hawor import read_hawor, track_with_hawor
from vitra_training.labeling.adapters.mano_hands import Found, tracks_of
from vitra_training.labeling.adapters.megasam import ImageFolder, path_with_megasam
from vitra_training.labeling.adapters.moge import MetricDepth, depth_with_moge
from vitra_training.labeling.adapters.tool import Tool, ToolConfig
from vitra_training.labeling.adapters.wilor import track_with_wilor
from vitra_training.labeling.errors import EstimatorFailedError, MissingModelError
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.in_camera import hands_in_camera
from vitra_training.labeling.hands.sightings import HandSource
from vitra_training.labeling.ingest.lens import LensKind

ALL = (tools.HAWOR, tools.WILOR, tools.MEGASAM, tools.MOGE, tools.DROIDCALIB, tools.DEEPCALIB)
FOCAL = 80.0


@pytest.fixture(scope="module")
def fake() -> ModuleType:
    spec = importlib.util.spec_from_file_location("estimator_stand_ins", Path(__file__).parent / "stand_ins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clip(fake: ModuleType) -> ClipImages:
    return ClipImages([np.full((fake.HEIGHT, fake.WIDTH, 3), 90, np.uint8)] * fake.FRAMES, fake.FRAMES)


@pytest.fixture(scope="module")
def depth(fake: ModuleType) -> MetricDepth:
    metres = np.full((2, fake.HEIGHT, fake.WIDTH), fake.MOGE_M, np.float32)
    metres[:, 0] = np.inf
    return MetricDepth(np.array([0, 4]), metres, np.array([fake.FOCAL_SHARE] * 2))


@pytest.fixture
def frames(fake: ModuleType, clip: ClipImages, tmp_path: Path) -> Path:
    write_frames((clip(n) for n in range(len(clip))), tmp_path / "frames")
    return tmp_path / "frames"


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_without_a_checkout_the_way_to_one_and_the_licence_are_said(tool: Tool) -> None:
    with pytest.raises(MissingModelError) as caught:
        tool.found(ToolConfig())
    said = str(caught.value)
    assert tool.name in said
    assert tool.licence in said
    assert "https://" in said
    assert all(file.path in said for file in tool.files)


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_a_single_missing_weight_is_named_with_its_address_and_the_licence(tool: Tool, tmp_path: Path) -> None:
    for file in tool.files[:-1]:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).touch()
    with pytest.raises(MissingModelError) as caught:
        tool.found(ToolConfig(tmp_path))
    said, last = str(caught.value), tool.files[-1]
    assert last.path in said
    assert last.get in said
    assert tool.licence in said
    assert not any(file.path in said for file in tool.files[:-1])


def test_an_environment_without_the_estimators_package_is_named(fake: ModuleType, tmp_path: Path, frames: Path) -> None:
    config = fake.moge(tmp_path / "moge")
    (tmp_path / "moge/moge/model/v2.py").write_text("import not_there_at_all\n")
    with pytest.raises(MissingModelError, match="not_there_at_all"):
        depth_with_moge(frames, 2, config, tmp_path)


def test_a_crash_is_an_error_with_its_last_words_and_a_hang_ends(tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text("print('working'); raise SystemExit('out of memory on the GPU')")
    (tmp_path / "hang.py").write_text("import threading; threading.Event().wait()")
    config = ToolConfig(tmp_path, sys.executable, timeout_s=2.0)
    with pytest.raises(EstimatorFailedError, match="out of memory on the GPU"):
        run_program(tools.MEGASAM, config, ["crash.py"], tmp_path)
    with pytest.raises(EstimatorFailedError, match="no result after 2 s"):
        run_program(tools.MEGASAM, config, ["hang.py"], tmp_path)


def test_missing_images_are_those_before_them_or_the_first(tmp_path: Path) -> None:
    first, second = (np.full((8, 8, 3), value, np.uint8) for value in (50, 200))
    assert write_frames([None, first, None, second], tmp_path) == (4, 8, 8)
    sizes = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert sizes[0] == sizes[1] == sizes[2] != sizes[3]
    with pytest.raises(EstimatorFailedError, match="not one image"):
        write_frames([None, None], tmp_path / "none")


def test_hawors_hands_keep_pose_fingers_and_what_was_only_interpolated(
    fake: ModuleType, clip: ClipImages, tmp_path: Path
) -> None:
    hands = track_with_hawor(clip, FOCAL, fake.hawor(tmp_path))
    assert hands.tracker == "HaWoR"
    assert hands.source[1].tolist() == [3, 3, 3, 2, 3, 0]  # frame 3 lies between detections
    assert hands.source[0].tolist() == [0, 0, 0, 3, 3, 0]
    assert hands.confidence[1, 3] < hands.confidence[1, 2] == pytest.approx(0.9)
    assert hands.pose is not None
    np.testing.assert_allclose(hands.pose.camera_from_wrist[1, 0], make_pose(fake.RIGHT_AT, fake.TURN), atol=1e-6)
    np.testing.assert_allclose(hands.pose.camera_from_wrist[0, 3], make_pose(fake.LEFT_AT, fake.TURN), atol=1e-6)
    wrist = fake.RIGHT_AT[:2] / fake.RIGHT_AT[2] * FOCAL + [fake.WIDTH / 2, fake.HEIGHT / 2]
    np.testing.assert_allclose(hands.landmarks_px[1, 0, 0], wrist, atol=1e-3)
    first_joint = matrix_from_euler_xyz(hands.pose.fingers_rad[:, 4].reshape(2, 15, 3)[:, 0])
    np.testing.assert_allclose(first_joint[1], fake.TURN, atol=1e-6)
    mirror = np.diag([-1.0, 1, 1])
    np.testing.assert_allclose(first_joint[0], mirror @ fake.TURN @ mirror, atol=1e-6)


def test_what_hawor_left_half_written_is_an_error(fake: ModuleType, tmp_path: Path) -> None:
    fake.broken_json(tmp_path)
    with pytest.raises(EstimatorFailedError, match="HaWoR"):
        read_hawor(tmp_path, 5)


def test_a_pickle_of_hawors_that_names_a_function_is_refused_before_it_runs(fake: ModuleType, tmp_path: Path) -> None:
    fake.write_tracks(tmp_path, {1.0: os.system})
    with pytest.raises(EstimatorFailedError, match="system"):
        read_hawor(tmp_path, 5)


def test_wilors_left_hands_come_out_of_the_mirror_at_the_cameras_own_distance(
    fake: ModuleType, clip: ClipImages, tmp_path: Path
) -> None:
    hands = track_with_wilor(clip, FOCAL, fake.wilor(tmp_path))
    assert (hands.source == HandSource.DETECTED).all()
    assert hands.pose is not None
    mirror = np.diag([-1.0, 1, 1])
    np.testing.assert_allclose(hands.pose.camera_from_wrist[1, 0, :3, :3], fake.TURN, atol=1e-6)
    np.testing.assert_allclose(hands.pose.camera_from_wrist[0, 0, :3, :3], mirror @ fake.TURN @ mirror, atol=1e-6)
    # Both hands bend the first finger as the network says, in the right hand's convention.
    for row in range(2):
        joint = matrix_from_euler_xyz(hands.pose.fingers_rad[row, 0].reshape(15, 3)[0])
        np.testing.assert_allclose(joint, fake.TURN, atol=1e-6)
    # Weak perspective: the size in the image is the network's, whatever the focal length.
    scale = 0.9 * 80 / 2
    assert hands.pose.camera_from_wrist[1, 0, 2, 3] == pytest.approx(FOCAL / scale, rel=1e-4)


def test_distances_follow_the_true_focal_length() -> None:
    fingers = np.linspace(-0.2, 0.5, 45)
    turn = Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix()
    pose = make_pose(np.array([0.03, -0.02, 0.45]), turn)
    joints = default_skeleton().posed_keypoints(pose, fingers, "right")
    one = Found(1, 0, joints, turn, matrix_from_euler_xyz(fingers.reshape(15, 3)), 0.8, True)
    hands = tracks_of([one], 2, 500.0, 640, 480, "x")
    K = np.array([[750.0, 0, 320], [0, 750, 240], [0, 0, 1]])
    found = hands_in_camera(hands, 1, np.array([0]), K, 1.0)
    assert found.camera_from_wrist[0, 2, 3] == pytest.approx(0.45 * 1.5)
    np.testing.assert_allclose(matrix_from_euler_xyz(found.fingers_rad[0].reshape(15, 3)), one.fingers, atol=1e-6)
    told = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    assert hands_in_camera(hands, 1, np.array([0]), told, 1.0).rms_px[0] < 1e-3


def test_moges_depth_is_metric_and_unknown_where_its_mask_says_so(
    fake: ModuleType, frames: Path, tmp_path: Path
) -> None:
    depth = depth_with_moge(frames, 4, fake.moge(tmp_path / "moge"), tmp_path)
    assert depth.frames.tolist() == [0, 4]
    assert np.isinf(depth.depth_m[:, 0]).all()
    assert (depth.depth_m[:, 1:] == fake.MOGE_M).all()
    assert depth.median_focal_px(200) == (pytest.approx(140.0), 0.0)


def test_megasams_path_is_in_metres_of_moge_and_starts_at_the_first_camera(
    fake: ModuleType, frames: Path, depth: MetricDepth, tmp_path: Path
) -> None:
    config, work = fake.megasam(tmp_path / "megasam"), tmp_path / "work"
    work.mkdir()
    found = path_with_megasam(ImageFolder(frames, fake.FRAMES, fake.WIDTH), depth, 60.0, config, work)
    np.testing.assert_allclose(found.camera_from_world[0], np.eye(4), atol=1e-9)
    np.testing.assert_allclose(-found.camera_from_world[:, 0, 3], 0.5 * 0.1 * np.arange(fake.FRAMES), atol=1e-6)
    assert found.focal_px == pytest.approx(60.0)
    assert not (tmp_path / "megasam/outputs").exists()  # the checkout stays as it was


def test_a_path_of_another_length_is_refused(
    fake: ModuleType, frames: Path, depth: MetricDepth, tmp_path: Path
) -> None:
    config, work = fake.megasam(tmp_path / "megasam"), tmp_path / "work"
    work.mkdir()
    script = tmp_path / "megasam/camera_tracking_scripts/test_demo.py"
    script.write_text(script.read_text().replace("cam_c2w=c2w", "cam_c2w=c2w[1:]"))
    with pytest.raises(EstimatorFailedError, match="6 poses expected"):
        path_with_megasam(ImageFolder(frames, fake.FRAMES, fake.WIDTH), depth, 60.0, config, work)


def test_droidcalibs_answer_is_read_not_its_first_guess(fake: ModuleType, frames: Path, tmp_path: Path) -> None:
    config = fake.droidcalib(tmp_path / "droidcalib")
    lens = calibrate_with_droidcalib(frames, fake.WIDTH, fake.HEIGHT, False, 2, config)
    assert lens.kind is LensKind.PINHOLE
    assert lens.parameters == (100.0, 102.0, 47.5, 31.5)
    bent = calibrate_with_droidcalib(frames, fake.WIDTH, fake.HEIGHT, True, 2, config)
    assert bent.kind is LensKind.UNIFIED
    assert bent.parameters[-1] == 0.25
    assert bent.focal_px == (pytest.approx(80.0), pytest.approx(81.6))


def test_a_droidcalib_that_prints_no_answer_is_an_error(fake: ModuleType, frames: Path, tmp_path: Path) -> None:
    with pytest.raises(EstimatorFailedError, match="no intrinsics"):
        calibrate_with_droidcalib(frames, 96, 64, False, 2, fake.droidcalib(tmp_path, printed="nothing"))


def test_deepcalibs_outputs_are_scaled_back_to_the_videos_pixels(
    fake: ModuleType, frames: Path, tmp_path: Path
) -> None:
    lens, spread = calibrate_with_deepcalib(frames, 96, 64, 3, fake.deepcalib(tmp_path / "dc"), tmp_path)
    assert lens.kind is LensKind.UNIFIED
    assert spread == 0.0
    assert lens.parameters[0] == pytest.approx((0.5 * 221 + 80) * 64 / 299)
    assert lens.parameters[-1] == pytest.approx(0.25 * 1.2)
