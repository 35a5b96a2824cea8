"""The `recorder` node: owns the subscriptions and the start and stop of recordings; the pipeline owns the bag.

recorder --ros-args -p output:=runs/demo/bag -p record_at_start:=true
"""

from __future__ import annotations

import importlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_srvs.srv import Trigger

from vitra_policy.errors import VitraError
from vitra_policy.inference.registry import parse_options
from vitra_recorder.bag import BagError, BagWriter, free_bytes, leftovers, unused
from vitra_recorder.pipeline import RecordingPipeline
from vitra_recorder.settings import Parameters
from vitra_recorder.topics import TOPICS, Delivery, Topic
from vitra_recorder.typestore import stack_typestore
from vitra_runtime import qos
from vitra_runtime.node import StackNode, run

_PROFILES = {Delivery.SENSOR: qos.RECORD, Delivery.RELIABLE: qos.RECORD_RELIABLE, Delivery.LATCHED: qos.RECORD_LATCHED}
_REPORT_PERIOD_S = 1.0


class RecorderNode(StackNode[Parameters]):
    """Wiring of the recorder; the logic is in the modules it imports."""

    def __init__(self) -> None:
        super().__init__("recorder", Parameters)
        self._about = parse_options(self.params.about)
        self._output = Path(self.params.output).expanduser() if self.params.output else None
        self._folder = self._output.parent if self._output else Path(self.params.output_dir).expanduser()
        self._pipeline: RecordingPipeline | None = None
        self._started_s = 0.0
        self._topic_subscriptions: list[Any] = []
        self._latched: dict[str, tuple[Topic, dict[bytes, None]]] = {}
        self._diagnostics = self.stream_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(Trigger, "~/start", self._on_start)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_timer(_REPORT_PERIOD_S, self._report)

    def setup(self) -> None:
        """Read the message definitions and subscribe to everything."""
        self._typestore = stack_typestore([Path(get_package_share_directory("vitra_msgs"))])
        for path in leftovers(self._folder):
            self.get_logger().warning(f"{path} was cut off earlier; it is left as it is")
        for topic in TOPICS:
            self._subscribe(topic)

    def start(self) -> None:
        """Begin to record, if told to do so at start."""
        if self.params.record_at_start and self._pipeline is None:
            self._start_recording()

    def halt(self) -> None:
        """Complete the recording under way."""
        try:
            self._stop_recording()
        except VitraError as error:
            self.get_logger().error(str(error))

    def teardown(self) -> None:
        """Drop the subscriptions."""
        for subscription in self._topic_subscriptions:
            self.destroy_subscription(subscription)
        self._topic_subscriptions.clear()

    def _subscribe(self, topic: Topic) -> None:
        package, _, name = topic.type.split("/")
        message_class = getattr(importlib.import_module(f"{package}.msg"), name)
        full_name = self.resolve_topic_name(topic.name)
        clock = self.get_clock()

        def take(raw: bytes) -> None:
            pipeline = self._pipeline
            if pipeline is not None:
                pipeline.put(topic, full_name, clock.now().nanoseconds, raw)

        def take_latched(raw: bytes) -> None:
            # Several publishers may latch on one topic (/tf_static), so more than the last message is kept.
            kept = self._latched.setdefault(full_name, (topic, {}))[1]
            kept.pop(raw, None)
            kept[raw] = None
            while len(kept) > (16 if topic.name.startswith("/tf") else 1):
                kept.pop(next(iter(kept)))
            take(raw)

        callback = take_latched if topic.delivery is Delivery.LATCHED else take
        self._topic_subscriptions.append(
            self.create_subscription(message_class, topic.name, callback, _PROFILES[topic.delivery], raw=True)
        )

    def _start_recording(self) -> Path:
        if self._pipeline is not None:
            raise BagError("A recording is under way; stop it first (recorder/stop).")
        free = free_bytes(self._folder)
        if free < self.params.min_free_gb * 1e9:
            raise BagError(
                f"Only {free / 1e9:.2f} GB are free at {self._folder}; {self.params.min_free_gb:g} GB are kept free "
                "(min_free_gb). Make room, or record onto another disk."
            )
        started = datetime.now(UTC)
        path = unused(self._output or self._folder / started.strftime("run_%Y%m%d_%H%M%S"))
        about = {
            "recorder_version": "0.1.0",
            "started_utc": started.isoformat(),
            "expected_topics": " ".join(self.resolve_topic_name(topic.name) for topic in TOPICS),
            **self._about,
        }
        bag = BagWriter(path.parent, path.name, self._typestore, about)
        pipeline = RecordingPipeline(bag, self.params.pipeline, self.set_fault)
        now_ns = self.get_clock().now().nanoseconds
        for full_name, (topic, kept) in self._latched.items():
            for raw in kept:
                pipeline.put(topic, full_name, now_ns, raw)
        self._pipeline, self._started_s = pipeline, time.monotonic()
        self.set_fault("")
        self.get_logger().info(f"recording into {bag.path}")
        return bag.path

    def _stop_recording(self) -> Path | None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return None
        self.set_fault("")
        path = pipeline.finish()
        dropped = pipeline.statistics.dropped
        if dropped:
            self.get_logger().warning("dropped: " + ", ".join(f"{count} of {name}" for name, count in dropped.items()))
        self.get_logger().info(
            f"recorded {sum(pipeline.statistics.written.values())} messages in "
            f"{time.monotonic() - self._started_s:.1f} s: {path}"
        )
        return path

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            if not self._set_up:
                raise BagError(f"The recorder is not ready: {self._detail}.")
            response.success, response.message = True, str(self._start_recording())
        except VitraError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            path = self._stop_recording()
            response.success = path is not None
            response.message = str(path) if path else "No recording is under way."
        except VitraError as error:
            response.success, response.message = False, str(error)
        return response

    def _report(self) -> None:
        """Rates and drops for people, once a second."""
        pipeline = self._pipeline
        status = DiagnosticStatus(name="recorder: recording", hardware_id="recorder", message="idle")
        if pipeline is not None:
            elapsed_s = max(time.monotonic() - self._started_s, 1e-3)
            statistics = pipeline.statistics
            dropped = sum(statistics.dropped.values())
            status.level = DiagnosticStatus.WARN if dropped else DiagnosticStatus.OK
            status.message = f"recording, {dropped} dropped" if dropped else "recording"
            status.values = [
                KeyValue(key=name, value=f"{count / elapsed_s:.1f} Hz, {statistics.dropped[name]} dropped")
                for name, count in sorted(statistics.written.copy().items())
            ]
            status.values.append(KeyValue(key="MB", value=f"{statistics.bytes_written / 1e6:.1f}"))
            status.values.append(KeyValue(key="deepest queue MB", value=f"{statistics.deepest_queue_bytes / 1e6:.1f}"))
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(RecorderNode, args)


if __name__ == "__main__":
    sys.exit(main())
