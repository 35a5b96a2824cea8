import array
import time

import pytest

pytest.importorskip("rclpy")
import rclpy
from rclpy.experimental import EventsExecutor
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vitra_msgs.msg import HandActionChunk, Heartbeat
from vitra_policy.policies.replay import read_recording
from vitra_runtime import qos

pytestmark = pytest.mark.graph


class Graph:
    """The recorder and a robot with a camera, an arm and a policy."""

    def __init__(self, *parameters):
        from vitra_recorder.recorder_node import RecorderNode

        rclpy.init(args=["--ros-args", "-r", "__ns:=/robot", *(a for p in parameters for a in ("-p", p))])
        self.node, self.robot = RecorderNode(), rclpy.create_node("driver")
        self.executor = EventsExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.robot)
        self.image = self.robot.create_publisher(Image, "head_camera/color/image_raw", qos.SENSOR)
        self.joints = self.robot.create_publisher(JointState, "right_arm/joint_states", qos.SENSOR)
        self.chunk = self.robot.create_publisher(HandActionChunk, "hand_action_chunk", qos.CHUNK)
        self.instruction = self.robot.create_publisher(String, "instruction", qos.LATCHED)
        self.start = self.robot.create_client(Trigger, "recorder/start")
        self.stop = self.robot.create_client(Trigger, "recorder/stop")
        self.sent = 0
        self.robot.create_timer(0.01, self.publish)

    def publish(self):
        self.sent += 1
        image = Image(height=4, width=6, encoding="rgb8", step=18, data=array.array("B", range(72)))
        image.header.stamp.sec = self.sent
        self.image.publish(image)
        self.joints.publish(JointState(name=["right_joint_1"], position=[float(self.sent)]))
        chunk = HandActionChunk(sequence=self.sent, step_s=0.1, steps=1, actions=[0.5] * 102, right_valid=True)
        chunk.header.stamp.sec = self.sent
        self.chunk.publish(chunk)

    def until(self, condition, timeout_s=15.0):
        deadline_s = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < deadline_s, "waited in vain"
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def call(self, client):
        self.until(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        self.until(future.done)
        return future.result()

    def written(self):
        return self.node.recording.pipeline.statistics.written if self.node.recording else {}

    def close(self):
        self.node.end()
        self.node.stop_beating()
        self.executor.shutdown()
        self.robot.destroy_node()
        self.node.destroy_node()


@pytest.fixture
def graph(ros_domain, tmp_path):
    made = []

    def make(*parameters):
        made.append(Graph(f"output:={tmp_path / 'bag'}", "min_free_gb:=0.0", *parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()
    rclpy.try_shutdown()


def contents(path):
    with AnyReader([path]) as reader:
        return [(c.topic, reader.deserialize(raw, c.msgtype)) for c, _, raw in reader.messages()]


def test_a_run_is_recorded_with_names_types_and_images(graph, tmp_path):
    g = graph("record_at_start:=true", "about:=['operator=Ada']")
    g.instruction.publish(String(data="wave"))
    streams = {"head_camera/color/image_raw/compressed", "right_arm/joint_states", "hand_action_chunk", "instruction"}
    expected = {f"/robot/{stream}" for stream in streams}
    g.until(lambda: expected <= g.written().keys() and g.written()["/robot/hand_action_chunk"] > 5)
    g.node.end()
    got = contents(tmp_path / "bag")
    assert expected <= {topic for topic, _ in got}
    sequences = [m.sequence for topic, m in got if topic.endswith("chunk")]
    assert sequences == list(range(sequences[0], sequences[-1] + 1)), "nothing lost"
    assert next(m for topic, m in got if topic.endswith("chunk")).actions[0] == 0.5
    assert next(m for topic, m in got if "image" in topic).format.startswith("rgb8; jpeg")


def test_every_bag_starts_with_what_is_latched(graph):
    g = graph()
    g.instruction.publish(String(data="wave"))
    for _ in range(2):
        path = g.call(g.start).message
        g.until(lambda: {"/robot/instruction", "/robot/hand_action_chunk"} <= g.written().keys())
        assert "under way" in g.call(g.start).message
        assert g.call(g.stop).message == path
        assert [m.data for topic, m in contents_of(path) if topic == "/robot/instruction"] == ["wave"]
    assert g.call(g.stop).message == "No recording is under way."


def contents_of(path):
    from pathlib import Path

    return contents(Path(path))


def test_a_recorded_run_can_be_replayed(graph):
    g = graph()
    path = g.call(g.start).message
    g.until(lambda: g.written().get("/robot/hand_action_chunk", 0) > 5)
    g.call(g.stop)
    recording = read_recording(path)
    assert len(recording.chunks) > 5
    assert recording.chunks[0].chunk.actions[0, 51] == 0.5


def test_raw_images_are_kept_bit_for_bit(graph):
    g = graph("color_format:=raw")
    path = g.call(g.start).message
    g.until(lambda: g.written().get("/robot/head_camera/color/image_raw"))
    g.call(g.stop)
    image = next(m for topic, m in contents_of(path) if topic.endswith("image_raw"))
    assert bytes(image.data) == bytes(range(72))


def test_a_recording_that_was_cut_off_is_left_alone(graph, tmp_path):
    (tmp_path / "bag.partial").mkdir()
    g = graph("record_at_start:=true")
    g.until(lambda: g.written())
    assert g.call(g.stop).message == str(tmp_path / "bag_2")
    assert (tmp_path / "bag.partial").is_dir()


def test_a_recording_without_a_name_gets_its_date(graph, tmp_path):
    g = graph("output:=''", f"output_dir:={tmp_path / 'dated'}")
    assert g.call(g.start).message.startswith(str(tmp_path / "dated/run_20"))


def test_too_little_space_is_refused_in_words(graph):
    g = graph("min_free_gb:=1000.0")
    assert "min_free_gb" in g.call(g.start).message


def test_a_write_error_is_a_fault_until_the_recording_is_stopped(graph):
    g = graph()
    assert g.call(g.start).success
    g.until(lambda: g.written())
    g.node.recording.pipeline._bag._writer.storage.bio.close()
    g.until(lambda: g.node._state == Heartbeat.FAULT)
    assert ".partial" in g.node._detail
    answer = g.call(g.stop)
    assert not answer.success
    assert ".partial" in answer.message
    assert g.node.is_active
    assert g.call(g.start).success


def test_an_episode_goes_from_goal_to_saved_bag_and_a_discarded_one_stays_apart(graph, tmp_path):
    from rclpy.action import ActionClient

    from vitra_msgs.action import RecordEpisode

    g = graph("episodes:=true", f"output_dir:={tmp_path / 'set'}", "operator:=Ada", "pre_roll_s:=0.2")
    client = ActionClient(g.robot, RecordEpisode, "recorder/record_episode")
    g.until(client.server_is_ready)

    def record(**goal):
        sent = client.send_goal_async(RecordEpisode.Goal(instruction="Right hand: Wave.", **goal))
        g.until(sent.done)
        handle = sent.result()
        return handle, handle.get_result_async()

    _, result = record(time_limit_s=0.5)
    g.until(result.done)
    assert (result.result().result.outcome, result.result().result.messages > 10) == ("unjudged", True)
    handle, result = record()
    g.until(lambda: sum(g.written().values()) > 10)
    g.until(handle.cancel_goal_async().done)
    g.until(result.done)
    assert result.result().result.outcome == "discarded"
    _, result = record()
    g.until(lambda: sum(g.written().values()) > 10)
    again = g.robot.create_client(Trigger, "recorder/rerecord")
    assert g.call(again).message.endswith("episode_000004__wave")
    g.until(result.done)
    assert g.call(g.stop).message.endswith("episode_000004__wave")
    names = sorted(p.relative_to(tmp_path / "set").as_posix() for p in (tmp_path / "set").rglob("episode_*__wave"))
    assert names == [f"discarded/episode_00000{n}__wave" for n in (2, 3)] + [f"episode_00000{n}__wave" for n in (1, 4)]


def test_saving_onto_a_slow_disk_does_not_keep_the_node_from_the_next_episode(graph, tmp_path):
    import threading

    g = graph("episodes:=true", f"output_dir:={tmp_path / 'set'}", "instruction:=wave")
    g.call(g.start)
    g.until(lambda: sum(g.written().values()) > 10)
    go, bag = threading.Event(), g.node.recording.pipeline._bag
    finish = bag.finish
    bag.finish = lambda *args: go.wait(60) and finish(*args)
    save = g.robot.create_client(Trigger, "recorder/save")
    g.until(save.service_is_ready)
    saved = save.call_async(Trigger.Request())
    g.until(lambda: g.node.recording is None)
    assert g.call(g.start).message.endswith("episode_000002__wave"), "the node still answers"
    assert not saved.done()
    go.set()
    g.until(saved.done)
    assert (saved.result().success, saved.result().message) == (True, str(tmp_path / "set/episode_000001__wave"))
    g.node.end()
    from vitra_training.bags.own_account import outcome_of

    assert outcome_of(tmp_path / "set/episode_000001__wave") == "saved"
    assert outcome_of(tmp_path / "set/episode_000002__wave").startswith("unjudged")
