"""Rendered videos: the truth is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_policy.hand.skeleton import default_skeleton
from vitra_training.datasets.video import VideoReader
from vitra_training.labeling.truth.generate import RenderOptions, Truth, read_truth, render_video
from vitra_training.labeling.truth.hand_mesh import make_mesh, right_hand_mesh, surface_nets
from vitra_training.labeling.truth.session import CameraMotion, make_session

OPTIONS = RenderOptions(seconds=0.8, width_px=320, height_px=240, noise=0.0)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("rendered")
    return folder / "a.mp4", render_video(folder, "a", 4, OPTIONS)


def test_the_same_seed_gives_the_same_video_and_truth(rendered: tuple[Path, Truth], tmp_path: Path) -> None:
    again = render_video(tmp_path, "a", 4, OPTIONS)
    np.testing.assert_array_equal(again.camera_from_world, rendered[1].camera_from_world)
    with VideoReader(rendered[0]) as one, VideoReader(tmp_path / "a.mp4") as other:
        assert len(one) == 24
        np.testing.assert_array_equal(one.rgb(10), other.rgb(10))


def test_the_truth_is_read_back(rendered: tuple[Path, Truth]) -> None:
    truth = read_truth(rendered[0])
    np.testing.assert_array_equal(truth.hands["left"].keypoints_m, rendered[1].hands["left"].keypoints_m)
    assert truth.hands["right"].legs == rendered[1].hands["right"].legs


def test_hands_are_painted_where_their_key_points_are(rendered: tuple[Path, Truth], tmp_path: Path) -> None:
    """Without a hand the image differs inside the hand's outline, and hardly elsewhere."""
    path, truth = rendered
    with VideoReader(path) as video:
        for frame in (3, 20):
            image = video.rgb(frame).astype(int)
            for side in ("left", "right"):
                points = truth.hands[side].keypoints_px[frame]
                if not truth.hands[side].visible[frame]:
                    continue
                palm = points[[5, 9, 13, 17]].mean(axis=0) * 0.5 + points[0] * 0.5
                x, y = np.clip(palm, 1, [318, 238]).astype(int)
                r, g, b = image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0)
                assert r > g > b  # every skin colour


def test_the_mesh_is_closed_and_as_large_as_a_hand() -> None:
    mesh = right_hand_mesh()
    v, f = mesh.vertices_m, mesh.faces
    volume = np.einsum("ij,ij->i", v[f[:, 0]], np.cross(v[f[:, 1]], v[f[:, 2]])).sum() / 6
    assert 2.2e-4 < volume < 4.5e-4  # m^3; outward faces, or it would be negative
    np.testing.assert_allclose(mesh.weights.sum(axis=1), 1.0)
    joints = default_skeleton().joints_m
    for joint in range(1, 16):
        assert np.linalg.norm(v - joints[joint], axis=1).min() < 0.02
    larger = make_mesh(default_skeleton().scaled(1.2))
    assert np.ptp(larger.vertices_m[:, 0]) > 1.15 * np.ptp(v[:, 0])


def test_surface_nets_give_a_sphere() -> None:
    axis = np.arange(-1.3, 1.3, 0.1)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    vertices, faces = surface_nets(np.sqrt(x**2 + y**2 + z**2) - 1.0, np.full(3, -1.3), 0.1)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 1).max() < 0.03
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    centre = vertices[faces].mean(axis=1)
    normal = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    assert (np.einsum("ij,ij->i", centre, normal) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_things_stay_where_they_are_put_and_move_only_with_a_hand(seed: int) -> None:
    session = make_session(300, 30.0, ("left", "right"), CameraMotion(), np.random.default_rng(seed))
    moved = np.linalg.norm(np.diff(session.thing_poses[:, :, :3, 3], axis=1), axis=2)
    hands = np.stack([hand.world_from_wrist[:, :3, 3] for hand in session.hands.values()])
    speed = np.linalg.norm(np.diff(hands, axis=1), axis=2).max(axis=0)
    assert (moved.max(axis=0) <= 2.5 * speed + 1e-3).all()
    assert moved.max() > 0.003
    for hand in session.hands.values():
        bounds = [(leg.start, leg.end) for leg in hand.legs]
        assert all(a[1] == b[0] for a, b in zip(bounds[:-1], bounds[1:], strict=True))
