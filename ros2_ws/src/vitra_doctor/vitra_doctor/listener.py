"""Hears a running graph for a few seconds without waking for every message, and writes down what came."""

from __future__ import annotations

import struct
import time
import zlib
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState

from vitra_doctor import graph
from vitra_msgs.msg import DriverState, Heartbeat, Permit
from vitra_policy.camera_messages.decode import image_of
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_runtime.polling import PolledTopic, PolledTopics

_TAKE_PERIOD_S = 0.2
_KEPT_IMAGES = 4
_STAMP_BYTES = 12


class GraphListener:
    """Listens on behalf of a node; one use.

    Args:
        node: Its names, namespace and context are used; it need not be spun.
        arms: left, right or both.
    """

    def __init__(self, node: Any, arms: str) -> None:
        self._node, self._arms = node, arms
        self._topics = PolledTopics(node, "listener")
        kinds = {graph.COLOUR: Image, graph.COLOUR_INFO: CameraInfo, graph.DEPTH: Image, "permit": Permit}
        for device in graph.devices_of(arms):
            kinds |= {f"{device}/joint_states": JointState, f"{device}/driver_state": DriverState}
        self._kinds = kinds
        self._streams: dict[str, PolledTopic] = {
            topic: self._topics.subscribe(kind, topic, qos.RECORD, raw=True) for topic, kind in kinds.items()
        }
        self._heartbeats = self._topics.subscribe(Heartbeat, "heartbeat", qos.RECORD)
        self._diagnostics = self._topics.subscribe(
            DiagnosticArray, "/diagnostics", qos.recorded(50, reliable=True, latched=False)
        )
        self._stamps: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._last: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=_KEPT_IMAGES))
        self._beats: dict[str, list[Heartbeat]] = defaultdict(list)
        self._devices: dict[str, dict[str, str]] = {}

    def listen(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> graph.Graph:
        """Hear for so long, then give the subscriptions back."""
        try:
            for _ in range(max(1, round(seconds / _TAKE_PERIOD_S))):
                sleep(_TAKE_PERIOD_S)
                self._take()
            return self._graph(seconds)
        finally:
            self._topics.close()

    def _take(self) -> None:
        for topic, stream in self._streams.items():
            for raw, arrived_ns in stream.take():
                self._stamps[topic].append((arrived_ns * 1e-9, _stamp_s(raw)))
                self._last[topic].append(raw)
        for beat, _ in self._heartbeats.take():
            self._beats[beat.node.strip("/")].append(beat)
        for array, _ in self._diagnostics.take():
            for status in array.status:
                device = status.name.rsplit(": ", 1)[-1]
                values = {value.key: value.value for value in status.values}
                self._devices[device] = values | {"hardware_id": status.hardware_id}

    def _graph(self, seconds: float) -> graph.Graph:
        drivers = {device: self._newest(f"{device}/driver_state") for device in graph.devices_of(self._arms)}
        joints = {device: self._newest(f"{device}/joint_states") for device in graph.devices_of(self._arms)}
        return graph.Graph(
            listened_s=seconds,
            streams={
                topic: graph.Stream(tuple(t for t, _ in stamps), tuple(t - stamp for t, stamp in stamps))
                for topic, stamps in self._stamps.items()
            },
            beats={name: _beat(beats) for name, beats in self._beats.items()},
            publishers={topic: self._publishers(topic) for topic in graph.single_source_topics(self._arms)},
            devices=self._devices,
            driver_faults={device: state.fault for device, state in drivers.items() if state is not None},
            joints_rad={device: tuple(state.position) for device, state in joints.items() if state is not None},
            images=self._images(),
        )

    def _newest(self, topic: str) -> Any:
        raw = self._last.get(topic)
        return deserialize_message(raw[-1], self._kinds[topic]) if raw else None

    def _publishers(self, topic: str) -> list[str]:
        infos = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
        return sorted({f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos})

    def _images(self) -> graph.Images:
        colours = [deserialize_message(raw, Image) for raw in self._last.get(graph.COLOUR, ())]
        info, depth = self._newest(graph.COLOUR_INFO), self._newest(graph.DEPTH)
        try:
            newest = np.asarray(image_of(colours[-1])) if colours else None
        except VitraError:
            newest = None
        return graph.Images(
            colour=newest,
            depth_mm=_depth_mm(depth),
            distinct=len({zlib.crc32(memoryview(image.data)) for image in colours}),
            count=len(colours),
            camera_matrix=None if info is None else np.array(info.k, dtype=np.float64).reshape(3, 3),
            size_px=(0, 0) if info is None else (info.width, info.height),
        )


def _stamp_s(raw: bytes) -> float:
    """Stamp of a message that begins with a header, out of its CDR bytes."""
    if len(raw) < _STAMP_BYTES:
        return 0.0
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return float(seconds + nanoseconds * 1e-9)


def _beat(beats: list[Heartbeat]) -> graph.Beat:
    last = beats[-1]
    # A node that was started again has a new process; two that live beat in turns.
    order = [(beat.host, beat.pid) for beat in beats]
    turns = sum(a != b for a, b in zip(order, order[1:], strict=False))
    processes = tuple(sorted(set(order))) if turns > 1 else (order[-1],)
    return graph.Beat(last.state, last.detail, processes)


def _depth_mm(message: Image | None) -> Any:
    if message is None or message.encoding != "16UC1" or message.is_bigendian:
        return None
    rows = np.frombuffer(message.data, np.uint16).reshape(message.height, message.step // 2)
    return rows[:, : message.width]
