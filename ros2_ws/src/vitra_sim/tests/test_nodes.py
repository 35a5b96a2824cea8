"""The two nodes as processes of their own, as the launch files start them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid

import numpy as np
import pytest

pytest.importorskip("rclpy")

pytestmark = pytest.mark.graph

WAIT_S = 30.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Graph:
    """A probe node and the processes under test."""

    def __init__(self, domain):
        import rclpy
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor

        self._context = Context()
        self._context.init(domain_id=domain)
        self.node = rclpy.create_node("probe", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.changed = threading.Condition()
        self.received = {}
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.processes = []

    def _spin(self):
        from rclpy.executors import ExternalShutdownException

        with contextlib.suppress(ExternalShutdownException, RuntimeError):
            self._executor.spin()

    def listen(self, message_type, topic):
        from vitra_runtime import qos

        def note(message):
            with self.changed:
                self.received.setdefault(topic, []).append(message)
                self.changed.notify_all()

        self.node.create_subscription(message_type, topic, note, qos.SENSOR)

    def wait(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, WAIT_S), f"waited {WAIT_S:g} s for {what}"

    def newest(self, topic):
        return self.received[topic][-1]

    def call(self, service_type, name, request):
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(timeout_sec=WAIT_S)
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(WAIT_S)
        return future.result()

    def start(self, module, **parameters):
        arguments = [f"{name}:={value}" for name, value in parameters.items()]
        command = [sys.executable, "-m", module, "--ros-args"]
        for argument in arguments:
            command += ["-p", argument]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self._executor.shutdown(timeout_sec=2.0)
        self._context.try_shutdown()
        self._thread.join(timeout=5.0)


@pytest.fixture
def graph(ros_domain):
    graph = Graph(ros_domain)
    yield graph
    graph.close()


@pytest.fixture
def addresses():
    number = os.getpid() % 200 + 20
    return {
        "left_arm_ip": f"127.0.{number}.11",
        "right_arm_ip": f"127.0.{number}.12",
        "hand_tcp_port": free_port(),
        "state_block": f"test-{uuid.uuid4().hex[:8]}",
    }


def test_the_world_tells_its_state_takes_a_reset_and_leaves_traces(graph, addresses, tmp_path):
    from vitra_msgs.msg import SimState
    from vitra_msgs.srv import SimReset

    graph.listen(SimState, "sim/state")
    files = {"trace": str(tmp_path / "trace.npz"), "motion_trace": str(tmp_path / "motion.jsonl")}
    world = graph.start("vitra_sim.sim_world_node", seed=3, **addresses, **files)
    graph.wait(lambda: "sim/state" in graph.received, "sim/state")
    state = graph.newest("sim/state")
    assert state.task == "place_cube_in_box"
    assert list(state.object_names)[0] == "red_cube"
    assert list(state.object_names)[-1] == "box"
    assert len(state.object_sizes) == 3 * len(state.object_names) == 3 * len(state.object_poses)

    answer = graph.call(SimReset, "sim/reset", SimReset.Request(task="place_mug_in_box_left", seed=1))
    assert answer.success
    assert answer.instruction == "Left hand: Put the yellow mug into the box. Right hand: None."
    graph.wait(lambda: graph.newest("sim/state").task == "place_mug_in_box_left", "the new task")
    answer = graph.call(SimReset, "sim/reset", SimReset.Request(task="place_mugs_in_box", seed=1))
    assert not answer.success
    assert "Did you mean" in answer.message

    world.send_signal(signal.SIGINT)
    assert world.wait(10) == 0
    from vitra_sim.realtime.trace import load_trace

    assert [s.task for s in load_trace(tmp_path / "trace.npz")] == ["place_cube_in_box", "place_mug_in_box_left"]
    last = json.loads((tmp_path / "motion.jsonl").read_text().splitlines()[-1])
    assert len(last["right"]["q"]) == 7


def test_the_camera_shows_the_world_and_says_when_it_is_gone(graph, addresses):
    from sensor_msgs.msg import CameraInfo, Image

    from vitra_msgs.msg import Heartbeat

    topics = {
        "head_camera/color/image_raw": Image,
        "head_camera/aligned_depth_to_color/image_raw": Image,
        "head_camera/color/camera_info": CameraInfo,
    }
    for topic, message_type in topics.items():
        graph.listen(message_type, topic)
    graph.listen(Heartbeat, "heartbeat")
    graph.start("vitra_sim.sim_camera_node", state_block=addresses["state_block"], width_px=160, height_px=120)
    world = graph.start("vitra_sim.sim_world_node", **addresses)
    graph.wait(lambda: all(len(graph.received.get(topic, [])) > 3 for topic in topics), "three images")
    colour, depth, info = (graph.newest(topic) for topic in topics)
    assert (colour.width, colour.height, colour.encoding, colour.step) == (160, 120, "rgb8", 480)
    assert (depth.encoding, depth.step) == ("16UC1", 320)
    assert colour.header.frame_id == info.header.frame_id == "head_camera_color_optical_frame"
    pixels = np.frombuffer(colour.data, np.uint8).reshape(120, 160, 3)
    assert pixels.std() > 10
    assert (info.width, info.height) == (160, 120)
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in graph.received["head_camera/color/image_raw"]]
    assert sorted(set(stamps)) == stamps

    world.kill()
    graph.wait(
        lambda: any(
            m.node.endswith("sim_camera") and m.state == Heartbeat.FAULT and "sim_world is not running" in m.detail
            for m in graph.received.get("heartbeat", [])
        ),
        "the camera's fault",
    )
    before = len(graph.received["head_camera/color/image_raw"])
    graph.start("vitra_sim.sim_world_node", **addresses)
    graph.wait(lambda: len(graph.received["head_camera/color/image_raw"]) > before + 3, "images of the next world")


def test_a_second_world_on_the_same_addresses_says_so(graph, addresses):
    from vitra_msgs.msg import Heartbeat, SimState

    graph.listen(SimState, "sim/state")
    graph.listen(Heartbeat, "heartbeat")
    graph.start("vitra_sim.sim_world_node", **addresses)
    graph.wait(lambda: "sim/state" in graph.received, "the first world")
    second = graph.start("vitra_sim.sim_world_node", **(addresses | {"state_block": addresses["state_block"] + "b"}))
    graph.wait(
        lambda: any("Is another simulated world running" in m.detail for m in graph.received.get("heartbeat", [])),
        "the second one's complaint",
    )
    second.send_signal(signal.SIGINT)
    assert second.wait(10) == 0
    count = len(graph.received["sim/state"])
    graph.wait(lambda: len(graph.received["sim/state"]) > count + 3, "the first world to go on")


def test_faults_of_the_devices_are_switched_by_parameter(graph, addresses):
    from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
    from rcl_interfaces.srv import SetParameters

    graph.start("vitra_sim.sim_world_node", arm_tcp_port=free_port(), **addresses)

    def set_faults(*names):
        value = ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=list(names))
        request = SetParameters.Request(parameters=[Parameter(name="faults", value=value)])
        return graph.call(SetParameters, "sim_world/set_parameters", request).results[0]

    from vitra_msgs.msg import SimState

    graph.listen(SimState, "sim/state")
    graph.wait(lambda: "sim/state" in graph.received, "the world")
    assert set_faults("right_arm.udp_silent").successful
    refused = set_faults("right_arm.udp_silence")
    assert not refused.successful
    assert "Did you mean 'right_arm.udp_silent'" in refused.reason
    assert set_faults("").successful
