import array

import numpy as np
import pytest

pytest.importorskip("rclpy")
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Image

from vitra_policy.camera_messages.video import ImageDecoder, VideoDecoder, is_key_frame
from vitra_policy.errors import UnknownNameError
from vitra_recorder.bag import BagWriter
from vitra_recorder.images import compress_video
from vitra_recorder.pipeline import ImageFormat, PipelineSettings, RecordingPipeline
from vitra_recorder.topics import CAMERA, Kind, Topic
from vitra_recorder.video import KEY_FRAME_EVERY, VIDEO_TYPE, VideoEncoder
from vitra_training.bags.content import images as images_of

TOPIC = Topic(CAMERA, "sensor_msgs/msg/Image", kind=Kind.COLOR, rate_hz=30.0)


def scene(number, height=120, width=160):
    """A bright square that moves over a slope of colours."""
    y, x = np.mgrid[0:height, 0:width]
    an_image = np.stack([x, y, 255 - x], axis=-1).astype(np.uint8)
    an_image[40:60, 3 * number : 3 * number + 20] = (250, 30, 60)
    return an_image


def image(pixels, stamp=(7, 250), encoding="rgb8"):
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=pixels[0].nbytes)
    message.data = array.array("B", pixels.tobytes())
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    message.header.frame_id = "camera"
    return serialize_message(message)


@pytest.fixture
def encoded(typestore):
    """Images -> CompressedVideo messages."""

    def encode(some_images, encoding="rgb8"):
        encoder = VideoEncoder()
        messages = [compress_video(encoder, image(p, encoding=encoding)).data for p in some_images]
        return [typestore.deserialize_cdr(message, VIDEO_TYPE) for message in messages]

    return encode


def likeness_db(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


def test_every_image_is_one_message_with_its_stamp(encoded):
    messages = encoded([scene(n) for n in range(4)])
    first = messages[0]
    assert (first.timestamp.sec, first.timestamp.nanosec) == (7, 250)
    assert (first.frame_id, first.format) == ("camera", "h264")
    assert all(len(message.data) for message in messages)


def decoded(messages):
    """(key, image) of (key, message) in order, without those that cannot be decoded."""
    decode = ImageDecoder()
    some_images = ((key, decode(message)) for key, message in messages)
    return [(key, an_image) for key, an_image in some_images if an_image is not None]


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_what_is_read_is_what_was_seen(encoded, encoding):
    some_images = [scene(n) for n in range(40)]
    messages = encoded([p if encoding == "rgb8" else p[..., ::-1] for p in some_images], encoding)
    again = list(decoded(enumerate(messages)))
    assert [time_s for time_s, _ in again] == list(range(40))
    assert min(likeness_db(a, b) for a, (_, b) in zip(some_images, again, strict=True)) > 30
    assert likeness_db(some_images[5], again[6][1]) < likeness_db(some_images[5], again[5][1]), "no image is late"


@pytest.mark.parametrize("size", [(121, 161), (120, 161)])
def test_odd_sizes_keep_every_row_and_column(encoded, size):
    (_, an_image), *_ = decoded([(0.0, encoded([scene(0, *size)])[0])])
    assert an_image.shape == (*size, 3)


def test_key_frames_come_regularly_and_can_be_told(encoded):
    keys = [is_key_frame(message.data) for message in encoded([scene(n) for n in range(2 * KEY_FRAME_EVERY + 1)])]
    assert [n for n, key in enumerate(keys) if key] == [0, KEY_FRAME_EVERY, 2 * KEY_FRAME_EVERY]


def test_a_lost_message_costs_the_images_up_to_the_next_key_frame_and_shows_none_wrongly(encoded):
    some_images = [scene(n) for n in range(2 * KEY_FRAME_EVERY)]
    messages = list(enumerate(encoded(some_images)))
    got = dict(decoded(messages[:5] + messages[6:]))
    assert sorted(got) == [*range(5), *range(KEY_FRAME_EVERY, 2 * KEY_FRAME_EVERY)]
    assert min(likeness_db(some_images[n], an_image) for n, an_image in got.items()) > 30


def test_rubbish_is_no_image_and_the_next_key_frame_is_one(encoded):
    decoder, message = VideoDecoder(), encoded([scene(0)])[0]
    assert decoder(b"") is None
    assert decoder(bytes(range(200))) is None
    assert decoder(message.data) is not None


def test_another_size_begins_anew(typestore):
    encoder = VideoEncoder()
    sizes = [(120, 160), (60, 80)]
    messages = [typestore.deserialize_cdr(compress_video(encoder, image(scene(0, *s))).data, VIDEO_TYPE) for s in sizes]
    assert [an_image.shape[:2] for _, an_image in decoded(enumerate(messages))] == sizes


def test_an_encoding_that_is_no_colour_is_named():
    with pytest.raises(UnknownNameError, match="colour encoding '16UC1'"):
        compress_video(VideoEncoder(), image(np.zeros((2, 2), np.uint16), encoding="16UC1"))


def test_a_recorded_bag_holds_the_video_and_our_reader_reads_it(tmp_path, typestore):
    def refuse(reason):
        pytest.fail(f"ended by itself: {reason}")

    settings = PipelineSettings(color=ImageFormat.H264, min_free_bytes=0)
    pipeline = RecordingPipeline(BagWriter(tmp_path, "one", typestore, {}), settings, refuse)
    for n in range(20):
        pipeline.put(TOPIC, f"/{CAMERA}", 1_000_000_000 + n * 33_000_000, image(scene(n), (1, n * 33_000_000)))
    path = pipeline.finish()
    with AnyReader([path]) as reader:
        assert [(c.topic, c.msgtype) for c in reader.connections] == [(f"/{CAMERA}/video", VIDEO_TYPE)]
    found = list(images_of(path))
    assert [time_s for time_s, _ in found] == pytest.approx([1 + n * 0.033 for n in range(20)])
    assert all(an_image is not None for _, an_image in found)
