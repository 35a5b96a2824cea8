"""A rendered hand lies where its key points are, and behind what is nearer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.action_space import Side
from vitra_policy.overlay import project
from vitra_training.benchmarks.grasp.hand_image import HandRenderer
from vitra_training.benchmarks.grasp.rows import Case
from vitra_training.benchmarks.grasp.scene import Scene

OFF_CENTRE = CameraIntrinsics(320, 240, 200.0, 220.0, 130.0, 140.0)


@pytest.fixture(scope="module")
def renderer() -> Iterator[HandRenderer]:
    with HandRenderer(Side.RIGHT, OFF_CENTRE) as made:
        yield made


def drawn(renderer: HandRenderer, scene: Scene, case: Case) -> tuple[np.ndarray, np.ndarray]:
    return renderer.draw(replace(scene, camera=OFF_CENTRE), case.start.camera_from_wrist, case.start.fingers_rad)


def test_the_hand_is_drawn_at_its_key_points_also_off_the_middle(
    renderer: HandRenderer, scene: Scene, case: Case
) -> None:
    image, alpha = drawn(renderer, scene, case)
    u, v = project(case.start.keypoints_m, OFF_CENTRE.matrix).astype(int).T
    assert (alpha[v, u] > 0.5).mean() > 0.9
    red, green, blue = image[v, u][alpha[v, u] > 0.9].mean(axis=0)
    assert red > green > blue  # skin
    rows, columns = np.nonzero(alpha > 0.5)
    assert abs(columns.min() - u.min()) < 12  # no larger than a hand; its arm leaves on the other side
    assert abs(rows.min() - v.min()) < 12


def test_where_there_is_no_hand_the_image_stays_as_it_was(renderer: HandRenderer, scene: Scene, case: Case) -> None:
    image, alpha = drawn(renderer, scene, case)
    assert 0.02 < (alpha > 0).mean() < 0.6
    np.testing.assert_array_equal(image[alpha == 0], scene.image[alpha == 0])


def test_what_is_nearer_hides_the_hand(renderer: HandRenderer, scene: Scene, case: Case) -> None:
    depth = scene.depth_mm.copy()
    depth[:, :160] = 100
    _, alpha = drawn(renderer, replace(scene, depth_mm=depth), case)
    _, free = drawn(renderer, scene, case)
    assert free[:, :160].any()
    assert not alpha[:, :159].any()
    np.testing.assert_array_equal(alpha[:, 161:], free[:, 161:])


def test_unknown_depth_hides_nothing(renderer: HandRenderer, scene: Scene, case: Case) -> None:
    _, alpha = drawn(renderer, replace(scene, depth_mm=np.zeros_like(scene.depth_mm)), case)
    _, free = drawn(renderer, scene, case)
    np.testing.assert_array_equal(alpha, free)
