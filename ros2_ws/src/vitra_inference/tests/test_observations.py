import threading

import numpy as np
import pytest

from vitra_inference.observations import BufferSettings, Camera, Decoders, Frame, ObservationBuffer
from vitra_policy.policies.observation import CameraInfoError

pytestmark = pytest.mark.realtime

RIGHT = np.array([False, True])
NEITHER = np.array([False, False])


def frame(stamp_s, raw=b"pixels"):
    return Frame(stamp_s, round(stamp_s * 1e9), "camera", raw)


def make_buffer(fetch=None, **options):
    made = ObservationBuffer(
        ["right"],
        lambda side, joints: np.eye(4),
        np.eye(4),
        Decoders(
            joints=lambda stream, raw: np.full(7 if stream.endswith("arm") else 12, float(raw)),
            image=lambda raw: np.zeros((4, 6, 3), np.uint8),
            extras=lambda raw: {"sim/task": raw.decode()},
        ),
        BufferSettings(**options),
        fetch,
    )
    made.set_camera(Camera(np.diag([5.0, 5.0, 1.0]), 6, 4))
    return made


@pytest.fixture
def buffer():
    return make_buffer()


def add_joints(buffer, *stamps_s):
    for stamp_s in stamps_s:
        for stream in ("right_arm", "right_hand"):
            buffer.add_joints(stream, stamp_s, b"0.1")


def test_a_frame_is_given_once(buffer):
    add_joints(buffer, 9.99, 10.0)
    buffer.add_frame(frame(10.0))
    sighting = buffer.next(None, RIGHT, 0.0)
    assert sighting.frame.stamp_s == 10.0
    assert buffer.next(sighting.frame, RIGHT, 0.0) is None
    assert buffer.problem == "no new camera image"


def test_the_newest_frame_wins(buffer):
    add_joints(buffer, 9.99, 10.04)
    for stamp_s in (10.0, 10.01, 10.02):
        buffer.add_frame(frame(stamp_s))
    assert buffer.next(None, RIGHT, 0.0).frame.stamp_s == 10.02


def test_it_waits_for_joints_that_lag_behind_the_frame(buffer):
    add_joints(buffer, 9.99)
    buffer.add_frame(frame(10.0))
    assert buffer.next(None, RIGHT, 0.0) is None
    assert "waiting" in buffer.problem
    late = threading.Thread(target=add_joints, args=(buffer, 10.001))
    late.start()
    assert buffer.next(None, RIGHT, 20.0).hands.valid.tolist() == [False, True]
    late.join()


def test_it_does_not_wait_where_the_next_joints_must_come_after_the_frame(buffer):
    add_joints(buffer, 9.998)
    buffer.add_frame(frame(10.0))
    assert buffer.next(None, RIGHT, 0.0).hands.valid.tolist() == [False, True]


def test_joints_that_wait_elsewhere_are_fetched_when_it_looks():
    buffer = make_buffer(fetch=lambda buffer: add_joints(buffer, 9.99, 10.01))
    buffer.add_frame(frame(10.0))
    assert buffer.next(None, RIGHT, 0.0).hands.valid.tolist() == [False, True]


def test_a_policy_that_needs_extras_gets_no_observation_without_them():
    buffer = make_buffer(needs_extras=True)
    add_joints(buffer, 9.99, 10.01)
    buffer.add_frame(frame(10.0))
    assert buffer.next(None, RIGHT, 0.0) is None
    assert buffer.problem == "no sim/state"
    buffer.set_extras(b"pick")
    assert buffer.next(None, RIGHT, 0.0) is not None


def test_what_is_missing_is_named(buffer):
    assert buffer.next(None, RIGHT, 0.0) is None
    assert buffer.problem == "no camera image"
    buffer.add_frame(frame(10.0))
    buffer.add_joints("right_arm", 10.0, b"0.1")
    assert buffer.next(None, RIGHT, 0.0) is None
    assert buffer.problem == "right_hand/joint_states: no data"


def test_a_hand_that_stays_idle_is_not_waited_for(buffer):
    buffer.add_frame(frame(10.0))
    assert not buffer.next(None, NEITHER, 0.0).hands.valid.any()


def test_no_camera_info_is_named(buffer):
    buffer._camera = None
    buffer.add_frame(frame(10.0))
    assert buffer.next(None, NEITHER, 0.0) is None
    assert buffer.problem == "no camera_info"


def test_extras_and_pixels_are_decoded_on_demand(buffer):
    buffer.set_extras(b"pick")
    buffer.add_frame(frame(10.0, raw=None))
    observation = buffer.observe(buffer.next(None, NEITHER, 0.0), "prompt", NEITHER, None)
    assert observation.image is None
    assert observation.extras["sim/task"] == "pick"


def test_an_image_that_does_not_fit_camera_info_is_refused(buffer):
    buffer.set_camera(Camera(np.diag([5.0, 5.0, 1.0]), 12, 8))
    buffer.add_frame(frame(10.0))
    with pytest.raises(CameraInfoError, match="6x4 but camera_info speaks of 12x8"):
        buffer.observe(buffer.next(None, NEITHER, 0.0), "prompt", NEITHER, None)
