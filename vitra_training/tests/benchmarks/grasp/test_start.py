"""Hands begin at the distance, in free space, in view, turned to the object."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitra_policy.action_space import HAND, Side
from vitra_policy.hand.skeleton import palm_centre
from vitra_policy.overlay import project
from vitra_policy.transforms import make_pose
from vitra_training.benchmarks.grasp import start as module
from vitra_training.benchmarks.grasp.metric import nearest_m
from vitra_training.benchmarks.grasp.scene import Scene
from vitra_training.benchmarks.grasp.start import Start, StartError, StartOptions, place_hand
from vitra_training.synthetic.hands import fingers, wrist_rotation


@pytest.fixture(params=[(side, seed) for side in Side for seed in range(3)], ids=str)
def placed(request: pytest.FixtureRequest, scene: Scene) -> Start:
    side, seed = request.param
    return place_hand(scene, scene.objects[1], StartOptions(0.12, side, seed))


def test_the_nearest_finger_is_at_the_distance(placed: Start, scene: Scene) -> None:
    assert nearest_m(placed.keypoints_m, scene.objects[1].points_m) == pytest.approx(0.12, abs=1e-6)


def test_the_whole_hand_is_in_view_and_before_what_the_camera_sees(placed: Start, scene: Scene) -> None:
    u, v = project(placed.keypoints_m, scene.camera.matrix).T
    assert (u >= 0).all()
    assert (u < 320).all()
    assert (v >= 0).all()
    assert (v < 240).all()
    surface_m = scene.depth_mm[v.astype(int), u.astype(int)] / 1e3
    assert (placed.keypoints_m[:, 2] < surface_m).all()


def test_the_palm_faces_the_object_and_the_fingers_rest(placed: Start, scene: Scene) -> None:
    to_object = scene.objects[1].centre_m - palm_centre(placed.keypoints_m)
    assert -placed.camera_from_wrist[:3, 1] @ to_object / np.linalg.norm(to_object) >= 0.5
    np.testing.assert_array_equal(placed.fingers_rad, fingers(0.0))


def test_the_state_is_the_hand_that_acts_and_zeros(placed: Start) -> None:
    np.testing.assert_array_equal(placed.state[HAND[placed.side]][:3], placed.camera_from_wrist[:3, 3])
    assert not placed.state[HAND[placed.side.other]].any()


def test_the_same_seed_gives_the_same_place_and_another_another(scene: Scene) -> None:
    one, again = (place_hand(scene, scene.objects[0], StartOptions()).state for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, place_hand(scene, scene.objects[0], StartOptions(seed=1)).state)
    assert not np.allclose(one, place_hand(replace(scene, name="other"), scene.objects[0], StartOptions()).state)


def test_a_wall_before_the_free_space_leaves_no_place(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIES", 300)
    behind = replace(scene, depth_mm=np.full_like(scene.depth_mm, 200))
    with pytest.raises(StartError, match=r"kitchen, object red_box: no place .* hidden or not free: [1-9]"):
        place_hand(behind, scene.objects[0], StartOptions())


def test_unknown_depth_hides_nothing(scene: Scene) -> None:
    unknown = replace(scene, depth_mm=np.zeros_like(scene.depth_mm))
    assert place_hand(unknown, scene.objects[0], StartOptions()).side is Side.RIGHT


def test_a_hand_with_its_back_to_the_object_is_refused(placed: Start, scene: Scene) -> None:
    about = np.diag([1.0, -1.0, -1.0, 1.0])  # turned about the fingers' direction: the back where the palm was
    turned = replace(placed, camera_from_wrist=placed.camera_from_wrist @ about)
    nothing_near = replace(scene, depth_mm=np.zeros_like(scene.depth_mm))
    assert module._refused(placed, nothing_near, scene.objects[1]) is None
    assert module._refused(turned, nothing_near, scene.objects[1]) == "palm turned away"


def test_a_hand_between_camera_and_object_is_refused(scene: Scene) -> None:
    thing = scene.objects[1]
    rotation = wrist_rotation(Side.RIGHT, np.array([-1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0]))
    palm = palm_centre(Start(Side.RIGHT, make_pose(np.zeros(3), rotation), fingers(0.0)).keypoints_m)
    for aside_m, reason in ((0.0, "covers the object"), (0.12, None)):
        place = thing.centre_m * 0.8 - palm - [0, aside_m, 0]
        assert module._refused(Start(Side.RIGHT, make_pose(place, rotation), fingers(0.0)), scene, thing) == reason
