import json

import pytest
import yaml
from rosbags.highlevel import AnyReader

from vitra_policy.errors import VitraError
from vitra_recorder import session as module
from vitra_recorder.bag import BagError
from vitra_recorder.episodes import (
    FolderNotWritableError,
    MissingStreamError,
    NoInstructionError,
    RecorderBusyError,
    lock_folder,
    next_episode,
    slug,
)
from vitra_recorder.session import EpisodeRequest, header_stamp_ns
from vitra_recorder.topics import TOPICS

pytestmark = pytest.mark.realtime

BY_NAME = {topic.name: topic for topic in TOPICS}
STRING = "std_msgs/msg/String"


@pytest.fixture
def arm(typestore):
    joint_state, header = typestore.types["sensor_msgs/msg/JointState"], typestore.types["std_msgs/msg/Header"]
    time = typestore.types["builtin_interfaces/msg/Time"]
    import numpy as np

    def message(ns):
        head = header(time(ns // 10**9, ns % 10**9), "")
        empty = np.zeros(0)
        return bytes(typestore.serialize_cdr(joint_state(head, [], empty, empty, empty), "sensor_msgs/msg/JointState"))

    return message


def custom_data(path):
    return yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]["custom_data"]


def contents(path):
    with AnyReader([path]) as reader:
        return [(c.topic, t, reader.deserialize(raw, c.msgtype)) for c, t, raw in reader.messages()]


def test_episodes_are_numbered_and_say_what_they_show(make, tmp_path):
    session = make(operator="Ada")
    for n in (1, 2):
        path = session.start(EpisodeRequest("Left hand: None. Right hand: Put the cube into the box.")).path
        assert path == tmp_path / f"set/episode_00000{n}__put-the-cube-into-the-box"
        session.save()
    about = custom_data(path)
    assert (about["operator"], about["outcome"], about["software/git"]) == ("Ada", "saved", "abc")
    assert json.loads(about["declared_rates_hz"])["/right_arm/joint_states"] == 200.0
    assert [m.data for topic, _, m in contents(path) if topic == "/instruction"] == [
        "Left hand: None. Right hand: Put the cube into the box."
    ]


def test_a_discarded_episode_is_kept_apart_with_its_reason_and_its_number_is_not_used_again(make, tmp_path):
    session = make()
    session.start(EpisodeRequest("wave"))
    recording = session.discard("the cube fell")
    assert recording.path == tmp_path / "set/discarded/episode_000001__wave"
    assert custom_data(recording.path)["discard_reason"] == "the cube fell"
    assert session.start(EpisodeRequest("wave")).path.name == "episode_000002__wave"
    session.save()
    assert (session.saved, session.discarded) == (1, 1)


def test_an_episode_starts_with_the_seconds_before_it(make, arm, text):
    session = make(pre_roll_s=1.0)
    topic = BY_NAME["right_arm/joint_states"]
    begin_ns = session.clock["ns"]
    session.take(BY_NAME["/tf_static"], "/tf_static", b"\0\1\0\0\0\0\0\0", session.clock["ns"])
    for _ in range(400):
        session.clock["ns"] += 5_000_000
        session.take(topic, "/right_arm/joint_states", arm(session.clock["ns"]), session.clock["ns"])
    path = session.start(EpisodeRequest("wave")).path
    session.save()
    got = contents(path)
    assert {"/tf_static", "/instruction"} == {topic for topic, _, _ in got[:2]}
    stamps = [t for topic, t, _ in got if topic == "/right_arm/joint_states"]
    assert len(stamps) == 201
    assert stamps[0] == begin_ns + 10**9


def test_an_episode_without_instruction_is_refused_in_words(make):
    session = make(require_instruction=True)
    with pytest.raises(NoInstructionError, match="No instruction"):
        session.start()
    session.heard_instruction = "wave"
    assert session.start().request.instruction == "wave"
    session.discard("test")


def test_a_missing_stream_is_refused_by_name(make, arm):
    session = make(required=("right_arm/joint_states", "head_camera/color/image_raw"))
    session.take(
        BY_NAME["right_arm/joint_states"], "/right_arm/joint_states", arm(session.clock["ns"]), session.clock["ns"]
    )
    with pytest.raises(MissingStreamError, match="Nothing on head_camera/color/image_raw in"):
        session.start()


def test_two_recordings_at_once_are_refused(make):
    session = make()
    session.start()
    with pytest.raises(BagError, match="under way"):
        session.start()
    session.discard("test")


def test_two_recorders_in_one_folder_are_refused(tmp_path):
    first = lock_folder(tmp_path / "set")
    with pytest.raises(RecorderBusyError, match="Another recorder"):
        lock_folder(tmp_path / "set")
    lock_folder(tmp_path / "other").release()
    first.release()
    lock_folder(tmp_path / "set").release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderNotWritableError, match="output_dir"):
        lock_folder(tmp_path / "file" / "set")


def test_a_disk_that_fills_up_while_recording_ends_with_the_bag_complete_and_unjudged(make, monkeypatch, arm):
    from vitra_recorder import pipeline

    reasons = []
    session = make(min_free_gb=1.0)
    session._on_failure = reasons.append
    monkeypatch.setattr(pipeline, "_CHECKPOINT_S", 0.01)
    monkeypatch.setattr(pipeline, "free_bytes", lambda folder: 10)
    recording = session.start(EpisodeRequest("wave"))
    recording.pipeline._thread.join(20)
    assert "GB are free" in reasons[0]
    about = custom_data(recording.path)
    assert about["outcome"] == "unjudged"
    assert "GB are free" in about["ended"]
    discarded = session.discard("disk full").path
    assert discarded.parent.name == "discarded"
    assert custom_data(discarded)["outcome"] == "discarded"
    assert contents(discarded), "still a bag"
    recording = session.start(EpisodeRequest("wave"))
    recording.pipeline._thread.join(20)
    assert session.save().outcome == "unjudged", "an episode that the disk cut off is not saved by a late key"
    monkeypatch.setattr(module, "free_bytes", lambda folder: 10)
    with pytest.raises(BagError, match="Make room"):
        session.start()


def test_what_no_operator_decided_is_unjudged(make):
    session = make()
    session.start(EpisodeRequest("wave"))
    recording = session.stop("the recorder was stopped")
    about = custom_data(recording.path)
    assert (recording.outcome, about["outcome"], about["ended"]) == ("unjudged", "unjudged", "the recorder was stopped")
    assert (session.saved, session.discarded) == (0, 0)


def test_an_episode_ends_without_waiting_for_the_disk_and_the_next_begins_meanwhile(make):
    import threading

    session, go = make(), threading.Event()
    first = session.start(EpisodeRequest("wave"))
    finish = first.pipeline._bag.finish
    first.pipeline._bag.finish = lambda *args: go.wait(20) and finish(*args)
    assert session.end("saved", "") is first
    assert not first.pipeline.is_done
    second = session.start(EpisodeRequest("wave"))
    assert second.path.name == "episode_000002__wave"
    go.set()
    session.settle(first)
    assert (first.outcome, first.path.name) == ("saved", "episode_000001__wave")
    session.discard("test")


def test_latched_messages_lie_between_their_own_stamps_and_what_they_explain(make, typestore, arm):
    types = typestore.types
    session = make(pre_roll_s=1.0)
    begin_ns = session.clock["ns"]

    def state(ns, value):
        header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](ns // 10**9, ns % 10**9), "")
        kind = "vitra_msgs/msg/SafetyState"
        stamp = header.stamp
        message = types[kind](header, value, 0, "", "", "", stamp, [], "", 0)
        return bytes(typestore.serialize_cdr(message, kind))

    for k in range(300):
        session.clock["ns"] = now = begin_ns + k * 10_000_000
        session.take(BY_NAME["right_arm/joint_states"], "/right_arm/joint_states", arm(now), now)
        if k in (100, 250):
            session.take(BY_NAME["safety_state"], "/safety_state", state(now, k // 100), now)
    path = session.start(EpisodeRequest("wave")).path
    session.save()
    states = [(t, m) for topic, t, m in contents(path) if topic == "/safety_state"]
    assert [m.state for _, m in states] == [1, 2]
    for t, message in states:
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec <= t, "nothing is logged before it was said"
    assert states[1][0] == begin_ns + 250 * 10_000_000


def test_the_same_frames_latched_twice_are_kept_once_though_their_padding_differs(make, typestore):
    types = typestore.types
    vector, turn = (
        types["geometry_msgs/msg/Vector3"](1.0, 2.0, 3.0),
        types["geometry_msgs/msg/Quaternion"](0, 0, 0, 1.0),
    )

    def frames(padding, child="b"):
        header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), "base")
        transform = types["geometry_msgs/msg/TransformStamped"](
            header, child, types["geometry_msgs/msg/Transform"](vector, turn)
        )
        kind = "tf2_msgs/msg/TFMessage"
        raw = bytearray(typestore.serialize_cdr(types[kind]([transform]), kind))
        at = raw.index(b"base\0") + 5
        raw[at : at + 3] = padding  # between the end of a text and the next number
        return bytes(raw)

    session = make()
    for raw in (frames(b"abc"), frames(b"xyz"), frames(b"abc", child="c")):
        session.take(BY_NAME["/tf_static"], "/tf_static", raw, session.clock["ns"])
    path = session.start(EpisodeRequest("wave")).path
    session.save()
    children = [m.transforms[0].child_frame_id for topic, _, m in contents(path) if topic == "/tf_static"]
    assert children == ["b", "c"]


def test_a_bag_says_how_much_of_the_past_it_really_holds(make, arm):
    session = make(pre_roll_s=5.0)
    session._pre_roll._limit_bytes = 92 * len(arm(1))
    for _ in range(600):
        session.clock["ns"] += 10_000_000
        now = session.clock["ns"]
        session.take(BY_NAME["right_arm/joint_states"], "/right_arm/joint_states", arm(now), now)
    path = session.start(EpisodeRequest("wave")).path
    session.save()
    about = custom_data(path)
    assert float(about["pre_roll_s"]) == pytest.approx(0.91, abs=0.011)
    assert about["pre_roll_asked_s"] == "5.0"
    assert "pre-roll: 0.91 s of the 5 s asked for" in about["warnings"]


def test_a_failed_bag_is_reported_and_the_next_can_start(make):
    session = make()
    session._on_failure = lambda reason: None
    recording = session.start(EpisodeRequest("wave"))
    recording.pipeline._bag._writer.storage.bio.close()
    with pytest.raises(VitraError, match=r"\.partial"):
        session.save()
    assert (session.current, recording.outcome) == (None, "failed")
    assert session.start(EpisodeRequest("wave")).path.name == "episode_000002__wave"
    session.discard("test")


def test_warnings_are_kept_with_the_episode(make, arm):
    session = make()
    session.start(EpisodeRequest("wave"))
    for _ in range(300):
        session.clock["ns"] += 10_000_000
        session.take(
            BY_NAME["right_arm/joint_states"], "/right_arm/joint_states", arm(session.clock["ns"]), session.clock["ns"]
        )
    session.watch()
    path = session.save().path
    assert "right_arm/joint_states: 100 Hz instead of 200 Hz" in custom_data(path)["warnings"]


def test_names_are_short_and_safe(tmp_path):
    assert slug("Left hand: Hold the bowl. Right hand: None.") == "hold-the-bowl"
    assert slug("../ Käse!") == "k-se"
    assert slug("") == "unnamed"
    (tmp_path / "episode_000007__x.partial").mkdir()
    assert next_episode(tmp_path, "y").name == "episode_000008__y"


def test_the_stamp_is_read_without_deserialising(arm):
    assert header_stamp_ns(arm(1_700_000_000_123_456_789)) == 1_700_000_000_123_456_789
    assert header_stamp_ns(b"") is None
