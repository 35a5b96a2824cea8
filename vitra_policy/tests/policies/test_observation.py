import numpy as np
import pytest

from vitra_policy.action_space import HAND
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.policies.observation import (
    CameraInfoError,
    HandStateEstimator,
    Missing,
    SampleHistory,
    fov_from_intrinsics,
    hand_vector,
)
from vitra_policy.transforms import make_pose, matrix_from_euler_xyz


def history(stamps, width=7, **options):
    made = SampleHistory(lambda value: np.full(width, float(value)), **options)
    for stamp in stamps:
        made.add(stamp, stamp)
    return made


def test_a_sample_at_the_time_itself_is_taken():
    assert history([1.0, 2.0, 3.0]).as_of(2.0, 0.1)[0] == 2.0


def test_a_sample_from_the_future_is_never_taken():
    assert history([1.0, 1.9, 2.1]).as_of(2.0, 0.2)[0] == 1.9
    assert history([2.1, 2.2]).as_of(2.0, 0.2) is Missing.STALE


def test_the_answer_does_not_depend_on_when_it_is_asked():
    early, late = history([1.9, 1.995]), history([1.9, 1.995, 2.001, 2.01])
    assert early.as_of(2.0, 0.05) is Missing.WAITING
    assert late.as_of(2.0, 0.05)[0] == 1.995


def test_an_image_that_follows_a_sample_sooner_than_the_next_can_waits_for_no_further_one():
    stamps = [1.0, 1.01, 1.018, 1.026, 1.04]
    for image in np.arange(1.0001, 1.039, 0.0007):
        answers = [history(stamps[:n], gap_s=0.007).as_of(image, 0.05) for n in range(1, len(stamps) + 1)]
        known = {float(answer[0]) for answer in answers if isinstance(answer, np.ndarray)}
        assert known == {max(stamp for stamp in stamps if stamp <= image)}, image
    assert history([1.0], gap_s=0.007).as_of(1.0069, 0.05)[0] == 1.0
    assert history([1.0], gap_s=0.007).as_of(1.0071, 0.05) is Missing.WAITING


def test_an_old_sample_is_stale_and_none_is_no_data():
    assert history([1.0, 3.0]).as_of(2.0, 0.05) is Missing.STALE
    assert history([1.0]).as_of(2.0, 0.05) is Missing.STALE
    assert history([]).as_of(2.0, 0.05) is Missing.NO_DATA


def test_out_of_order_samples_are_refused_and_the_past_is_bounded():
    made = history(np.arange(0, 100.0), capacity=8)
    assert not made.add(50.0, 50.0)
    assert made.newest_s == 99.0
    assert made.as_of(80.0, 0.5) is Missing.STALE, "forgotten"
    assert made.as_of(95.0, 0.5)[0] == 95.0


def test_only_the_sample_asked_for_is_decoded():
    decoded = []
    made = SampleHistory(lambda value: decoded.append(value) or np.zeros(7))
    for stamp in range(200):
        made.add(float(stamp), stamp)
    made.as_of(150.0, 1.0)
    assert decoded == [150]


def wrist_of(side, joints):
    return make_pose([joints[0], 0.1, 0.2], matrix_from_euler_xyz([0.1, 0.2, 0.3]))


def test_the_state_joins_wrist_and_fingers_of_the_same_time():
    arms = {"right": history([1.99, 2.0, 2.01])}
    hands = {"right": history([1.985, 1.995, 2.005], width=12)}
    states = HandStateEstimator(wrist_of, arms, hands).at(2.0)
    assert states.valid.tolist() == [False, True]
    assert not states.missing
    right = states.state[HAND["right"]]
    np.testing.assert_allclose(right[:6], [2.0, 0.1, 0.2, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(right[6:], mano_from_xhand(np.full(12, 1.995)))
    assert not states.state[HAND["left"]].any()


def test_a_stream_that_lags_is_waited_for_and_one_that_died_is_named():
    arms = {"right": history([1.99, 2.0, 2.01]), "left": history([1.99, 2.0, 2.01])}
    waiting = HandStateEstimator(wrist_of, arms, {s: history([1.98], width=12) for s in arms}).at(2.0)
    assert waiting.is_waiting
    assert not waiting.valid.any()
    dead = {"right": history([1.5], width=12), "left": history([1.99, 2.0], width=12)}
    states = HandStateEstimator(wrist_of, arms, dead).at(2.0)
    assert not states.is_waiting
    assert states.missing == {"right_hand": Missing.STALE}
    assert states.valid.tolist() == [True, False]


def test_the_hand_vector_holds_the_pose_it_was_given():
    vector = hand_vector(make_pose([1, 2, 3], matrix_from_euler_xyz([0.4, -0.5, 0.6])), np.zeros(12))
    np.testing.assert_allclose(vector[:6], [1, 2, 3, 0.4, -0.5, 0.6])


def test_the_field_of_view_is_that_of_the_whole_image():
    K = np.array([[320.0, 0, 320], [0, 240, 240], [0, 0, 1]])
    np.testing.assert_allclose(fov_from_intrinsics(K, 640, 480), [np.pi / 2, np.pi / 2])


@pytest.mark.parametrize("K", [np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_an_uncalibrated_camera_is_refused(K):
    with pytest.raises(CameraInfoError, match="calibrated"):
        fov_from_intrinsics(K, 640, 480)
