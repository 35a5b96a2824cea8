"""The `recorder` node: subscriptions, services and the episode action; orders go to the `desk`.

recorder --ros-args -p output:=runs/demo/bag -p record_at_start:=true
recorder --ros-args -p episodes:=true -p output_dir:=runs/episodes -p pre_roll_s:=1.0
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from rclpy.action.server import ServerGoalHandle
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vitra_msgs.action import RecordEpisode
from vitra_msgs.msg import EpisodeState
from vitra_msgs.srv import DiscardEpisode
from vitra_policy.errors import VitraError
from vitra_policy.policies.registry import parse_options
from vitra_recorder.bag import leftovers
from vitra_recorder.condition import condition
from vitra_recorder.desk import Answer, Ears, RecordingDesk
from vitra_recorder.episodes import lock_folder
from vitra_recorder.session import (
    DISCARDED,
    SAVED,
    UNJUDGED,
    BagRecording,
    EpisodeRequest,
    RecordingHost,
    RecordingSession,
)
from vitra_recorder.settings import Parameters
from vitra_recorder.software import calibration_texts, software_versions
from vitra_recorder.topics import TOPICS, Delivery, Topic
from vitra_recorder.typestore import stack_typestore
from vitra_runtime import qos
from vitra_runtime.actions import long_action_server
from vitra_runtime.diagnostics import OK, WARN, DiagnosticsPublisher
from vitra_runtime.exclusive import DeviceLock
from vitra_runtime.node import StackNode, run
from vitra_runtime.polling import PolledTopic, PolledTopics
from vitra_runtime.services import LateAnswer, late_service

_QUEUED_S = 2.0
_LEAST_QUEUED = 100
_TAKE_PERIOD_S = 0.02
_REPORT_PERIOD_S = 1.0
_WATCH_PERIOD_S = 0.05


class _EpisodeGoal:
    """A goal of the action server."""

    def __init__(self, handle: ServerGoalHandle) -> None:
        asked = handle.request
        self._handle, self.time_limit_s = handle, float(asked.time_limit_s)
        self.request = EpisodeRequest(asked.instruction, asked.operator_name, asked.source)

    @property
    def is_cancel_requested(self) -> bool:
        return bool(self._handle.is_cancel_requested)

    def report(self, recording: BagRecording, warnings: list[str]) -> None:
        self._handle.publish_feedback(
            RecordEpisode.Feedback(
                elapsed_s=recording.duration_s,
                messages=recording.written,
                dropped=recording.dropped,
                warnings=warnings,
            )
        )

    def refuse(self, detail: str) -> None:
        refusal = RecordEpisode.Result(outcome="refused", detail=detail)
        self._handle.execute(lambda handle: handle.abort() or refusal)

    def finish(self, recording: BagRecording) -> None:
        self._handle.execute(partial(_end, recording))


def _end(recording: BagRecording, handle: ServerGoalHandle) -> RecordEpisode.Result:
    if handle.is_cancel_requested:
        handle.canceled()
    elif recording.outcome == "failed":
        handle.abort()
    else:
        handle.succeed()
    return RecordEpisode.Result(
        outcome=recording.outcome, path=str(recording.path), detail=recording.detail,
        duration_s=recording.duration_s, messages=recording.written, dropped=recording.dropped,
    )  # fmt: skip


class RecorderNode(StackNode[Parameters]):
    """Wiring of the recorder."""

    def __init__(self) -> None:
        super().__init__("recorder", Parameters)
        self._lock: DeviceLock | None = None
        self._polled: PolledTopics | None = None
        self._sources: list[tuple[Topic, str, PolledTopic]] = []
        logger = self.get_logger()
        ears = Ears(logger.info, logger.warning, logger.error, self.set_fault, lambda: self._publish_state([]))
        self._desk = RecordingDesk(ears, self._take, lambda: self._detail)
        self._diagnostics = DiagnosticsPublisher(self)
        self._episode_states = self.stream_publisher(EpisodeState, "episode_state", qos.LATCHED)
        self.create_service(Trigger, "~/start", self._on_start)
        for name, outcome, reason in (
            ("save", SAVED, ""),
            ("stop", UNJUDGED, "it was stopped"),
            ("discard", DISCARDED, "the operator discarded it"),
        ):
            late_service(self, Trigger, f"~/{name}", partial(self._on_end, outcome, reason))
        late_service(self, Trigger, "~/rerecord", self._on_rerecord)
        late_service(
            self, DiscardEpisode, "~/discard_because",
            lambda request, answer: self._on_end(DISCARDED, request.reason or "no reason given", request, answer),
        )  # fmt: skip
        self._server = long_action_server(
            self, RecordEpisode, "~/record_episode", self._on_goal, lambda: self._desk.session is not None
        )
        self.create_timer(_TAKE_PERIOD_S, self._take_if_recording)
        self.create_timer(_REPORT_PERIOD_S, self._report)
        self.create_timer(_WATCH_PERIOD_S, self._desk.watch)

    @property
    def recording(self) -> BagRecording | None:
        """The recording under way."""
        return self._desk.recording

    def setup(self) -> None:
        """Read the message definitions, hold the folder, and subscribe to everything."""
        calibration = calibration_texts(self.params.calibration)
        about = {**software_versions(), **calibration, **parse_options(self.params.about)}
        typestore = stack_typestore([Path(get_package_share_directory("vitra_msgs"))])
        host = RecordingHost(
            full_name=self.resolve_topic_name,
            instruction_message=lambda text: serialize_message(String(data=text)),
            on_failure=self.set_fault,
            clock_ns=lambda: self.get_clock().now().nanoseconds,
        )
        session = RecordingSession(self.params, typestore, about, host)
        self._lock = lock_folder(session.folder)
        for path in leftovers(session.folder):
            self.get_logger().warning(f"{path} was cut off earlier; it is left as it is (vitra-bag repair {path})")
        self._desk.session, self._polled = session, PolledTopics(self, "topics")
        for topic in TOPICS:
            package, _, name = topic.type.split("/")
            message_type = getattr(importlib.import_module(f"{package}.msg"), name)
            source = self._polled.subscribe(message_type, topic.name, _profile(topic), raw=True)
            self._sources.append((topic, self.resolve_topic_name(topic.name), source))

    def start(self) -> None:
        """Begin to record, if told to do so at start."""
        if self.params.record_at_start and self.recording is None:
            self._desk.begin(EpisodeRequest())

    def halt(self) -> None:
        """Complete the recording under way, which no operator has judged, and those that are being completed."""
        self._desk.halt()

    def teardown(self) -> None:
        """Drop the subscriptions and the folder."""
        self._sources.clear()
        self._desk.session = None
        if self._polled is not None:
            self._polled.close()
            self._polled = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _take_if_recording(self) -> None:
        """Reading costs as much as recording; while idle, the report's turn is often enough for the queues."""
        if self.recording is not None:
            self._take()

    def _take(self) -> None:
        """Everything that has come since the last time, in the order of arrival."""
        session = self._desk.session
        if session is None:
            return
        came = [(ns, number, raw) for number, (_, _, source) in enumerate(self._sources) for raw, ns in source.take()]
        for received_ns, number, raw in sorted(came, key=itemgetter(0)):
            topic, full_name, _ = self._sources[number]
            if topic.name == "instruction":
                session.heard_instruction = deserialize_message(raw, String).data
            session.take(topic, full_name, raw, received_ns)

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.success, response.message = True, str(self._desk.begin(EpisodeRequest()).path)
        except VitraError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_end(self, outcome: str, reason: str, _: Any, answer: LateAnswer) -> None:
        self._desk.end_for(_giving(answer), outcome, reason)

    def _on_rerecord(self, _: Trigger.Request, answer: LateAnswer) -> None:
        self._desk.record_again(_giving(answer))

    def _on_goal(self, handle: ServerGoalHandle) -> None:
        self._desk.take_goal(_EpisodeGoal(handle))

    def _report(self) -> None:
        """Rates, gaps and drops for people, once a second."""
        self._take()
        session = self._desk.session
        if session is None:
            return
        warnings = self._desk.warnings()
        self._publish_state(warnings)
        found = condition(session, warnings, self.get_clock().now().nanoseconds)
        level = WARN if found.is_warning else OK
        self._diagnostics.publish("recording", found.said, found.values, level=level, hardware_id="recorder")

    def _publish_state(self, warnings: list[str]) -> None:
        session = self._desk.session
        if session is None:
            return
        shown = session.current or session.last
        message = EpisodeState(
            state=EpisodeState.RECORDING if session.current else EpisodeState.IDLE,
            saved=session.saved, discarded=session.discarded, warnings=warnings,
        )  # fmt: skip
        if shown is not None:
            message.path, message.instruction = str(shown.path), shown.request.instruction
            message.elapsed_s, message.messages, message.dropped = shown.duration_s, shown.written, shown.dropped
        message.header.stamp = self.get_clock().now().to_msg()
        self._episode_states.publish(message)


def _giving(late: LateAnswer) -> Answer:
    """Fills a service's answer and gives it."""

    def answer(success: bool, text: str) -> None:
        late.response.success, late.response.message = success, text
        late.give()

    return answer


def _profile(topic: Topic) -> QoSProfile:
    """As it is offered, and deep enough that a machine that is busy for a while costs nothing."""
    depth = max(_LEAST_QUEUED, int(_QUEUED_S * (topic.rate_hz or 0.0)))
    return qos.recorded(
        depth, reliable=topic.delivery is not Delivery.SENSOR, latched=topic.delivery is Delivery.LATCHED
    )


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(RecorderNode, args, own_loop=False)


if __name__ == "__main__":
    sys.exit(main())
