"""The real recorder process: killed in the middle of an episode, and on a disk that is full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy")
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from vitra_runtime import qos

pytestmark = pytest.mark.graph


class Robot:
    """An arm at 200 Hz, and a recorder in a process of its own."""

    def __init__(self, *parameters):
        rclpy.init()
        self.node = rclpy.create_node("robot")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.joints = self.node.create_publisher(JointState, "right_arm/joint_states", qos.SENSOR)
        self.sent = []
        self.node.create_timer(0.005, self.publish)
        command = [sys.executable, "-m", "vitra_recorder.recorder_node", "--ros-args"]
        command += [word for parameter in parameters for word in ("-p", parameter)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def publish(self):
        message = JointState(name=["right_joint_1"], position=[float(len(self.sent))])
        message.header.stamp = self.node.get_clock().now().to_msg()
        self.sent.append(time.monotonic())
        self.joints.publish(message)

    def until(self, condition, timeout_s=60.0):
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, "waited in vain"
            self.executor.spin_once(timeout_sec=0.02)

    def spin(self, seconds):
        end_s = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end_s)

    def call(self, name):
        client = self.node.create_client(Trigger, name)
        self.until(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        self.until(future.done)
        return future.result()

    def start(self):
        """A recorder that is still coming up says so; asked again until it records."""
        answer = self.call("recorder/start")
        while not answer.success and "not ready" in answer.message:
            self.spin(0.2)
            answer = self.call("recorder/start")
        return answer

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.output = self.process.communicate(timeout=60)[0]
        self.node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def robot(ros_domain):
    made = []

    def make(*parameters):
        made.append(Robot("episodes:=true", "min_free_gb:=0.0", "instruction:=Wave.", *parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


def fill(file):
    while True:
        file.write(b"x" * 4096)


def test_after_kill_9_repair_recovers_all_but_the_last_second(robot, tmp_path):
    from vitra_training.bags.repair import repair_bag
    from vitra_training.bags.streams import read_streams

    r = robot(f"output_dir:={tmp_path / 'set'}")
    first = r.start().message
    r.spin(1.0)
    assert r.call("recorder/save").success
    whole = {p: p.read_bytes() for p in (tmp_path / "set").glob("episode_000001*/*")}
    path = r.start().message
    begin_s = time.monotonic()
    r.spin(4.0)
    os.kill(r.process.pid, signal.SIGKILL)
    killed_s = time.monotonic()
    r.process.wait(10)
    assert first.endswith("episode_000001__wave")
    report = repair_bag(tmp_path / "set" / "episode_000002__wave.partial")
    assert str(report.result) == path
    bag = read_streams(report.result)
    assert bag.about["instruction"] == "Wave."
    recovered = len(bag.streams["right_arm/joint_states"].arrivals_ns)
    due = sum(begin_s + 0.2 < t < killed_s - 1.0 for t in r.sent)
    assert recovered >= due
    assert {p: p.read_bytes() for p in whole} == whole, "no other episode is touched"


def test_a_full_disk_ends_the_episode_in_words_and_keeps_what_there_is(robot, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted as root")
    try:
        r = robot(f"output_dir:={disk / 'set'}")
        r.start()
        r.spin(0.5)
        earlier = r.call("recorder/save").message
        r.start()
        filler = (disk / "filler").open("wb", buffering=0)
        with pytest.raises(OSError, match="No space left"):
            fill(filler)
        r.spin(3.0)
        answer = r.call("recorder/save")
        assert not answer.success
        assert "No space left" in answer.message
        assert ".partial" in answer.message
        filler.close()
        from vitra_training.bags.streams import read_streams

        assert read_streams(type(disk)(earlier)).streams["right_arm/joint_states"].arrivals_ns
        assert (disk / "set" / "episode_000002__wave.partial").is_dir()
        r.close()
    finally:
        shutil.rmtree(disk / "set", ignore_errors=True)
        subprocess.run(["umount", "-l", str(disk)], capture_output=True)
