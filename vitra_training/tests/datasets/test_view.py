from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_policy.action_space import Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import make_pose, matrix_from_rotvec, rotate_delta_wrist
from vitra_training.datasets.camera import Camera, camera_for_video
from vitra_training.datasets.errors import WrongShapeError
from vitra_training.datasets.samples.pixels import IMAGE_PX, warp_frame
from vitra_training.datasets.samples.view import View, full_view
from vitra_training.datasets.samples.view_sampler import ViewOptions, sample_view
from vitra_training.datasets.video import Image

SOURCE = Camera(np.array([[218.0, 0, 240], [0, 223.0, 184], [0, 0, 1]]), 480, 368)
SKELETON = default_skeleton()
seeds = st.integers(0, 2**32 - 1)


def random_path(rng: np.random.Generator, points: int = 20) -> np.ndarray:
    """A smooth walk in front of the camera, mostly in the image."""
    start = np.array([*rng.uniform(-0.25, 0.25, 2), rng.uniform(0.35, 0.8)])
    return start + np.cumsum(rng.normal(0, 0.01, (points, 3)), axis=0)


def random_view(rng: np.random.Generator, flipped: bool) -> View:
    view = None
    while view is None:
        view = sample_view(SOURCE, random_path(rng), rng, ViewOptions(), flipped)
    return view


def other(side: Side) -> Side:
    return "left" if side == "right" else "right"


def map_pixels(H: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    moved = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) @ H.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


@settings(max_examples=60, deadline=None)
@given(seed=seeds, flipped=st.booleans(), right=st.booleans())
def test_hands_projected_after_warping_the_image_are_hands_warped_in_3d(seed: int, flipped: bool, right: bool) -> None:
    rng = np.random.default_rng(seed)
    side: Side = "right" if right else "left"
    view = random_view(rng, flipped)
    pose = make_pose([*rng.uniform(-0.1, 0.1, 2), 0.5], matrix_from_rotvec(rng.normal(0, 1.5, 3)))
    fingers = rng.normal(0, 0.4, 45)
    before = SKELETON.posed_keypoints(pose, fingers, side)
    in_image = map_pixels(view.homography(SOURCE, IMAGE_PX), SOURCE.project(before))
    shown = other(side) if flipped else side
    after = SKELETON.posed_keypoints(view.wrists(pose), fingers, shown)
    in_3d = view.camera(IMAGE_PX).project(after)
    assert np.abs(in_image - in_3d).max() < 0.5


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("reduce", [1, 4])
def test_marks_drawn_in_the_image_land_where_3d_says(flipped: bool, reduce: int) -> None:
    """The same with real pixels: decoded planes, remap, chroma and all."""
    import av

    rng = np.random.default_rng(5)
    large = Camera(np.diag([reduce, reduce, 1.0]) @ SOURCE.intrinsics, 480 * reduce, 368 * reduce)
    for _ in range(6):
        path = random_path(rng)
        view = sample_view(large, path, rng, ViewOptions(), flipped)
        shown = path[large.sees(path)]
        if view is None or not len(shown):
            continue
        point = shown[0]
        image = np.zeros((large.height_px, large.width_px, 3), dtype=np.uint8)
        x, y = np.round((large.project(point) - 0.5) * 16).astype(int)
        cv2.circle(image, (int(x), int(y)), 6 * reduce * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
        warped = warp_frame(av.VideoFrame.from_ndarray(image, format="rgb24"), large, view)
        weights = warped.astype(np.float64).mean(axis=2) * (warped.mean(axis=2) > 60)
        rows, columns = np.mgrid[:IMAGE_PX, :IMAGE_PX] + 0.5
        expected = view.camera(IMAGE_PX).project(view.points(point))
        if not ((expected > 15) & (expected < IMAGE_PX - 15)).all():
            continue
        found = [(weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()]
        assert found == pytest.approx(expected.tolist(), abs=0.5)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, flipped=st.booleans())
def test_a_view_keeps_the_path_and_stays_in_the_image(seed: int, flipped: bool) -> None:
    rng = np.random.default_rng(seed)
    path = random_path(rng)
    view = sample_view(SOURCE, path, rng, ViewOptions(), flipped)
    if view is None:
        return
    shown = path[SOURCE.sees(path)]
    pixels = view.camera(IMAGE_PX).project(view.points(shown))
    assert ((pixels >= -1e-6) & (pixels <= IMAGE_PX + 1e-6)).all()
    corners = np.array([[0, 0], [IMAGE_PX, 0], [IMAGE_PX, IMAGE_PX], [0, IMAGE_PX]], dtype=np.float64)
    source = map_pixels(np.linalg.inv(view.homography(SOURCE, IMAGE_PX)), corners)
    assert (source >= -1e-3).all()
    assert (source <= np.array([480, 368]) + 1e-3).all()
    fov = np.degrees(view.fov_rad)
    assert 44.9 < fov[0] <= np.degrees(SOURCE.fov_rad[0]) + 1e-6
    aspect = np.tan(view.fov_rad[0] / 2) / np.tan(view.fov_rad[1] / 2)
    assert 1 - 1e-9 <= aspect <= 2 + 1e-9


def test_views_are_found_for_nearly_every_path() -> None:
    rng = np.random.default_rng(0)
    found = [sample_view(SOURCE, random_path(rng), rng, ViewOptions()) is not None for _ in range(200)]
    assert np.mean(found) > 0.97


def test_a_path_that_fills_the_image_gets_no_view() -> None:
    path = np.array([[-0.54, -0.4, 0.5], [0.54, 0.4, 0.5]])
    assert sample_view(SOURCE, path, np.random.default_rng(0), ViewOptions()) is None


def test_a_path_out_of_sight_does_not_bind_the_view() -> None:
    path = np.array([[0.0, 0.0, -1.0], [5.0, 0.0, 0.2]])
    assert sample_view(SOURCE, path, np.random.default_rng(0), ViewOptions()) is not None


def test_the_same_seed_gives_the_same_view() -> None:
    path = random_path(np.random.default_rng(1))
    a, b = (sample_view(SOURCE, path, np.random.default_rng(2), ViewOptions()) for _ in range(2))
    assert a is not None
    assert b is not None
    assert np.array_equal(a.rotation, b.rotation)
    assert np.array_equal(a.fov_rad, b.fov_rad)


@pytest.mark.parametrize("flipped", [False, True])
def test_deltas_of_moved_wrists_are_moved_deltas(flipped: bool) -> None:
    from vitra_policy.transforms import delta_wrist

    rng = np.random.default_rng(3)
    view = random_view(rng, flipped)
    poses = make_pose(rng.normal(0, 0.1, (5, 3)), matrix_from_rotvec(rng.normal(0, 0.5, (5, 3))))
    assert delta_wrist(view.wrists(poses)) == pytest.approx(rotate_delta_wrist(view.reflection, delta_wrist(poses)))


def test_flipping_twice_changes_nothing() -> None:
    view = full_view(SOURCE, flipped=True)
    pose = make_pose([0.1, 0.2, 0.5], matrix_from_rotvec([0.3, -0.2, 0.9]))
    assert view.wrists(view.wrists(pose)) == pytest.approx(pose)


def test_the_full_view_is_the_squashed_image() -> None:
    H = full_view(SOURCE).homography(SOURCE, IMAGE_PX)
    assert map_pixels(H, np.array([[0.0, 0], [480, 368]])) == pytest.approx(np.array([[0.0, 0], [224, 224]]))
    assert full_view(SOURCE).fov_rad == pytest.approx(2 * np.arctan([240 / 218, 184 / 223]))


def test_intrinsics_follow_a_stretched_video() -> None:
    camera = camera_for_video(np.array([[655.0, 0, 720], [0, 655, 540], [0, 0, 1]]), 480, 368)
    assert camera.intrinsics[0, 0] == pytest.approx(655 / 3)
    assert camera.intrinsics[1, 1] == pytest.approx(655 * 368 / 1080)
    assert camera.intrinsics[:2, 2] == pytest.approx([240, 184])


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(4), -np.eye(3)])
def test_impossible_intrinsics_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(WrongShapeError, match="intrinsics"):
        camera_for_video(bad, 480, 368)


def test_warping_planes_equals_warping_rgb() -> None:
    import av

    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.integers(0, 255, (24, 30, 3), dtype=np.uint8), (480, 368), interpolation=cv2.INTER_CUBIC)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(smooth), format="rgb24").reformat(format="yuv420p")
    rgb: Image = frame.to_ndarray(format="rgb24")
    view = random_view(rng, False)
    half = np.array([[1.0, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    M = half @ view.homography(SOURCE, IMAGE_PX) @ np.linalg.inv(half)
    expected = cv2.warpPerspective(rgb, M, (IMAGE_PX, IMAGE_PX), flags=cv2.INTER_LINEAR)
    difference = np.abs(warp_frame(frame, SOURCE, view).astype(int) - expected.astype(int))
    assert difference.mean() < 2.5
