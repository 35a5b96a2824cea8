import threading

import pytest
from rosbags.highlevel import AnyReader

from vitra_policy.errors import VitraError
from vitra_recorder import pipeline as module
from vitra_recorder.bag import BagError, BagWriter
from vitra_recorder.pipeline import ImageFormat, PipelineSettings, RecordingPipeline
from vitra_recorder.topics import Delivery, Kind, Topic

pytestmark = pytest.mark.realtime

TEXT = Topic("instruction", "std_msgs/msg/String", Delivery.LATCHED)
IMAGE = Topic("image", "std_msgs/msg/String", kind=Kind.COLOR)  # bytes are bytes as long as nobody compresses them
RAW = PipelineSettings(color=ImageFormat.RAW, min_free_bytes=0)


class SlowBag:
    """A bag whose disk waits for permission."""

    def __init__(self, bag):
        self.bag, self.go = bag, threading.Event()
        self.writing = threading.Event()
        self.path, self.finish, self.abandon, self.checkpoint = bag.path, bag.finish, bag.abandon, bag.checkpoint

    def write(self, *args):
        self.writing.set()
        self.go.wait(20)
        self.bag.write(*args)


@pytest.fixture
def bag(tmp_path, typestore):
    return BagWriter(tmp_path, "one", typestore, {})


def refuse(reason):
    pytest.fail(f"ended by itself: {reason}")


def test_everything_put_is_in_the_bag_in_order(bag, text):
    pipeline = RecordingPipeline(bag, RAW, refuse)
    for i in range(500):
        pipeline.put(TEXT, "/instruction", 1000 + i, text(str(i)))
    path = pipeline.finish()
    with AnyReader([path]) as reader:
        got = [(stamp, reader.deserialize(raw, TEXT.type).data) for _, stamp, raw in reader.messages()]
    assert got == [(1000 + i, str(i)) for i in range(500)]
    assert pipeline.statistics.written == {"/instruction": 500}
    assert not pipeline.statistics.dropped


def test_when_the_disk_is_slow_images_are_dropped_first_and_counted(bag, text, monkeypatch):
    monkeypatch.setattr(module, "_SMALL_RESERVE_BYTES", 2000)
    slow = SlowBag(bag)
    pipeline = RecordingPipeline(slow, PipelineSettings(ImageFormat.RAW, queue_bytes=3000, min_free_bytes=0), refuse)
    image, small = text("x" * 900), text("y" * 90)
    pipeline.put(TEXT, "/instruction", 0, small)
    slow.writing.wait(20)
    for i in range(10):
        pipeline.put(IMAGE, "/image", i, image)
    for i in range(10):
        pipeline.put(TEXT, "/instruction", i, small)
    slow.go.set()
    pipeline.finish()
    assert pipeline.statistics.dropped == {"/image": 7}
    assert pipeline.statistics.written == {"/image": 3, "/instruction": 11}
    assert pipeline.statistics.deepest_queue_bytes <= 5000


def test_images_can_be_left_out(bag, text):
    pipeline = RecordingPipeline(bag, PipelineSettings(ImageFormat.NONE, min_free_bytes=0), refuse)
    pipeline.put(IMAGE, "/image", 0, text("x"))
    pipeline.put(TEXT, "/instruction", 0, text("x"))
    pipeline.finish()
    assert pipeline.statistics.written == {"/instruction": 1}


def test_a_image_that_cannot_be_compressed_is_counted_and_the_rest_goes_on(bag, text, monkeypatch):
    def refuse_image(*_):
        raise VitraError("no image")

    monkeypatch.setattr(module, "compress", refuse_image)
    pipeline = RecordingPipeline(bag, PipelineSettings(min_free_bytes=0), refuse)
    pipeline.put(IMAGE, "/image", 0, text("x"))
    pipeline.put(TEXT, "/instruction", 0, text("x"))
    pipeline.finish()
    assert pipeline.statistics.dropped == {"/image": 1}
    assert pipeline.statistics.written == {"/instruction": 1}


def test_a_disk_error_ends_the_recording_and_names_the_remains(bag, text, tmp_path):
    reasons, told = [], threading.Event()

    def fail(*_):
        raise BagError("Cannot write: no space left.")

    bag.write = fail
    pipeline = RecordingPipeline(bag, RAW, lambda reason: (reasons.append(reason), told.set()))
    pipeline.put(TEXT, "/instruction", 0, text("x"))
    assert told.wait(20)
    assert "no space left" in reasons[0]
    assert str(tmp_path / "one.partial") in reasons[0]
    pipeline.put(TEXT, "/instruction", 1, text("x"))
    assert pipeline.statistics.dropped == {"/instruction": 1}
    with pytest.raises(VitraError, match="no space left"):
        pipeline.finish()


def test_a_nearly_full_disk_ends_the_recording_with_a_complete_bag(bag, text, monkeypatch):
    monkeypatch.setattr(module, "_CHECKPOINT_S", 0.01)
    free = [1000]
    monkeypatch.setattr(module, "free_bytes", lambda folder: free[0])
    reasons, told = [], threading.Event()
    settings = PipelineSettings(ImageFormat.RAW, min_free_bytes=100)
    pipeline = RecordingPipeline(bag, settings, lambda reason: (reasons.append(reason), told.set()))
    pipeline.put(TEXT, "/instruction", 0, text("kept"))
    free[0] = 10
    assert told.wait(20)
    assert "GB are free" in reasons[0]
    path = pipeline.finish()
    with AnyReader([path]) as reader:
        assert [reader.deserialize(raw, TEXT.type).data for _, _, raw in reader.messages()] == ["kept"]


def test_the_past_that_is_already_in_memory_is_never_dropped(bag, text):
    slow = SlowBag(bag)
    pipeline = RecordingPipeline(slow, PipelineSettings(ImageFormat.RAW, queue_bytes=3000, min_free_bytes=0), refuse)
    for i in range(20):
        pipeline.put(IMAGE, "/image", i, text("x" * 900), held=True)
    for i in range(3):
        pipeline.put(IMAGE, "/image", 20 + i, text("x" * 900))
    slow.go.set()
    pipeline.finish()
    assert pipeline.statistics.written == {"/image": 23}
