import numpy as np
import pytest

from vitra_teleop.webcam_tracker import SeenHand, message, person_side, place, unmirrored
from vitra_teleop.wire import decode


def project(points, focal_px=500.0, centre_px=(320.0, 240.0)):
    return focal_px * points[:, :2] / points[:, 2:] + np.asarray(centre_px)


@pytest.mark.parametrize("distance_m", [0.3, 0.6, 1.2])
def test_a_hand_is_placed_where_it_was(human, world, distance_m):
    truth = human(np.full(12, 0.3), "right", world.pose(0.05, -0.1, distance_m, (0.3, 0.2, 0.1)))
    shape = truth - truth.mean(axis=0)
    found = place(shape, project(truth), 500.0, (320.0, 240.0))
    np.testing.assert_allclose(found, truth, atol=1e-9)
    noisy = place(shape, project(truth) + np.random.default_rng(0).normal(0, 1.0, (21, 2)), 500.0, (320.0, 240.0))
    np.testing.assert_allclose(noisy, truth, atol=0.06 * distance_m)


def test_a_hand_too_small_or_too_far_has_no_place(human, world):
    truth = human(np.zeros(12), "right", world.pose(0, 0, 5.0))
    assert place(truth - truth.mean(axis=0), project(truth), 500.0, (320.0, 240.0)) is None
    assert place(np.zeros((21, 3)), np.full((21, 2), 100.0), 500.0, (320.0, 240.0)) is None


def test_left_and_right_are_the_persons_in_plain_and_mirrored_images():
    assert (person_side("Left", mirrored=False), person_side("Left", mirrored=True)) == ("right", "left")
    assert (person_side("Right", mirrored=False), person_side("Right", mirrored=True)) == ("left", "right")


def test_a_mirrored_image_gives_the_same_hand(human, world):
    truth = human(np.full(12, 0.3), "left", world.pose(0.1, 0, 0.6))
    plain = SeenHand("left", 0.9, project(truth), truth)
    mirrored = SeenHand("left", 0.9, project(truth) * [-1, 1] + [640, 0], truth * [-1, 1, 1])
    again = unmirrored(mirrored, 640)
    np.testing.assert_allclose(again.landmarks_m, plain.landmarks_m)
    np.testing.assert_allclose(again.landmarks_px, plain.landmarks_px)


def test_what_the_tracker_sends_is_what_teleop_reads(human, world):
    truth = human(np.full(12, 0.3), "left", world.pose(0.1, 0, 0.6))
    frame = decode(message(3, 1.5, [SeenHand("left", 0.9, project(truth), truth)], engage=True))
    assert (frame.sequence, frame.hands["left"].valid, frame.hands["left"].engage) == (3, True, True)
    assert not frame.hands["right"].valid
    lost = decode(message(4, 1.6, [SeenHand("left", 0.9, project(truth), None)], engage=True))
    assert not lost.hands["left"].valid
