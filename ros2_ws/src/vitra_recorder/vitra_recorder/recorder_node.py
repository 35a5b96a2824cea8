"""The `recorder` node: subscriptions, services and the episode action; what is recorded when is in `session`.

recorder --ros-args -p output:=runs/demo/bag -p record_at_start:=true
recorder --ros-args -p episodes:=true -p output_dir:=runs/episodes -p pre_roll:=1.0
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from dataclasses import dataclass
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
from vitra_recorder.bag import BagError, leftovers
from vitra_recorder.episodes import lock_folder
from vitra_recorder.session import (
    DISCARDED,
    SAVED,
    UNJUDGED,
    EpisodeRequest,
    Recording,
    RecordingSession,
    without_figures,
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
_NOTHING = "No recording is under way."


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody who ended a recording and waits for its bag."""

    recording: Recording
    outcome: str
    answer: LateAnswer
    again: EpisodeRequest | None
    """What to record next."""


class RecorderNode(StackNode[Parameters]):
    """Wiring of the recorder."""

    def __init__(self) -> None:
        super().__init__("recorder", Parameters)
        self._session: RecordingSession | None = None
        self._lock: DeviceLock | None = None
        self._goal: tuple[ServerGoalHandle, Recording] | None = None
        self._warned: set[str] = set()
        self._ending: list[Recording] = []
        self._waiting: list[_Waiting] = []
        self._polled: PolledTopics | None = None
        self._sources: list[tuple[Topic, str, PolledTopic]] = []
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
            self, RecordEpisode, "~/record_episode", self._on_goal, lambda: self._session is not None
        )
        self.create_timer(_TAKE_PERIOD_S, self._take_if_recording)
        self.create_timer(_REPORT_PERIOD_S, self._report)
        self.create_timer(_WATCH_PERIOD_S, self._watch)

    @property
    def recording(self) -> Recording | None:
        """The recording under way."""
        return self._session.current if self._session else None

    def setup(self) -> None:
        """Read the message definitions, hold the folder, and subscribe to everything."""
        calibration = calibration_texts(self.params.calibration)
        about = {**software_versions(), **calibration, **parse_options(self.params.about)}
        session = RecordingSession(
            self.params, stack_typestore([Path(get_package_share_directory("vitra_msgs"))]), self.resolve_topic_name,
            about, lambda text: serialize_message(String(data=text)), self.set_fault,
            lambda: self.get_clock().now().nanoseconds,
        )  # fmt: skip
        self._lock = lock_folder(session.folder)
        for path in leftovers(session.folder):
            self.get_logger().warning(f"{path} was cut off earlier; it is left as it is (vitra-bag repair {path})")
        self._session, self._polled = session, PolledTopics(self, "topics")
        for topic in TOPICS:
            package, _, name = topic.type.split("/")
            message_type = getattr(importlib.import_module(f"{package}.msg"), name)
            source = self._polled.subscribe(message_type, topic.name, _profile(topic), raw=True)
            self._sources.append((topic, self.resolve_topic_name(topic.name), source))

    def start(self) -> None:
        """Begin to record, if told to do so at start."""
        if self.params.record_at_start and self.recording is None:
            self._begin(EpisodeRequest())

    def halt(self) -> None:
        """Complete the recording under way, which no operator has judged, and those that are being completed."""
        self._end(UNJUDGED, "the recorder was stopped")
        self._answer_waiting()
        for one in tuple(self._ending):
            with contextlib.suppress(VitraError):  # it has been said
                self._settle(one)

    def teardown(self) -> None:
        """Drop the subscriptions and the folder."""
        self._sources.clear()
        self._session = None
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
        session = self._session
        if session is None:
            return
        came = [(ns, number, raw) for number, (_, _, source) in enumerate(self._sources) for raw, ns in source.take()]
        for received_ns, number, raw in sorted(came, key=itemgetter(0)):
            topic, full_name, _ = self._sources[number]
            if topic.name == "instruction":
                session.heard_instruction = deserialize_message(raw, String).data
            session.take(topic, full_name, raw, received_ns)

    def _begin(self, request: EpisodeRequest) -> Recording:
        self._take()
        if self._session is None:
            raise BagError(f"The recorder is not ready: {self._detail}.")
        recording = self._session.start(request)
        self.set_fault("")
        self._warned.clear()
        self.get_logger().info(f"recording into {recording.path}")
        self._publish_state([])
        return recording

    def _end(self, outcome: str, reason: str) -> Recording | None:
        """Begin to complete the recording under way; the disk may take many seconds for it."""
        self._take()
        session = self._session
        recording = session.end(outcome, reason) if session is not None else None
        if recording is not None:
            self.set_fault("")
            self._ending.append(recording)
            self._publish_state([])
        return recording

    def _settle(self, recording: Recording) -> None:
        """Say what became of a recording; raises VitraError when nothing did."""
        if recording not in self._ending:
            return
        self._ending.remove(recording)
        assert self._session is not None
        try:
            self._session.settle(recording)
        except VitraError as error:
            recording.detail = str(error)
            self.get_logger().error(str(error))
            raise
        finally:
            self._publish_state([])
        if dropped := recording.pipeline.statistics.dropped:
            self.get_logger().warning("dropped: " + ", ".join(f"{count} of {name}" for name, count in dropped.items()))
        words = recording.outcome + (f" ({recording.detail})" if recording.detail else "")
        self.get_logger().info(
            f"{words}: {recording.written} messages in {recording.duration_s:.1f} s: {recording.path}"
        )

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.success, response.message = True, str(self._begin(EpisodeRequest()).path)
        except VitraError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_end(self, outcome: str, reason: str, _: Any, answer: LateAnswer) -> None:
        self._answer_when_done(outcome, reason, answer)

    def _on_rerecord(self, _: Trigger.Request, answer: LateAnswer) -> None:
        """Discard the episode under way and begin it again with the same words."""
        current = self.recording
        self._answer_when_done(DISCARDED, "recorded again", answer, current.request if current else None)

    def _answer_when_done(
        self, outcome: str, reason: str, answer: LateAnswer, again: EpisodeRequest | None = None
    ) -> None:
        """End the recording; the answer follows when its bag is complete, which the node does not wait for."""
        recording = self._end(outcome, reason)
        if recording is None:
            answer.response.success, answer.response.message = False, _NOTHING
            answer.give()
            return
        self._waiting.append(_Waiting(recording, outcome, answer, again))

    def _answer_waiting(self) -> None:
        """Answer those whose recording is complete."""
        for one in [one for one in self._waiting if one.recording.pipeline.is_done]:
            self._waiting.remove(one)
            recording, response = one.recording, one.answer.response
            try:
                self._settle(recording)
                response.success, response.message = recording.outcome == one.outcome, str(recording.path)
                if not response.success:
                    response.message = f"{recording.detail} It is {recording.outcome}: {recording.path}"
                elif one.again is not None:
                    response.message = str(self._begin(one.again).path)
            except VitraError as error:
                response.success, response.message = False, str(error)
            one.answer.give()

    def _on_goal(self, goal: ServerGoalHandle) -> None:
        request = goal.request
        try:
            recording = self._begin(EpisodeRequest(request.instruction, request.operator_name, request.source))
        except VitraError as error:
            refusal = RecordEpisode.Result(outcome="refused", detail=str(error))
            goal.execute(lambda handle: handle.abort() or refusal)
            return
        self._goal = (goal, recording)

    def _end_goal(self, goal: ServerGoalHandle, recording: Recording) -> RecordEpisode.Result:
        if goal.is_cancel_requested:
            goal.canceled()
        elif recording.outcome == "failed":
            goal.abort()
        else:
            goal.succeed()
        return RecordEpisode.Result(
            outcome=recording.outcome, path=str(recording.path), detail=recording.detail,
            duration_s=recording.duration_s, messages=recording.written, dropped=recording.dropped,
        )  # fmt: skip

    def _watch(self) -> None:
        """Recordings that are being completed, and the time limit and cancel requests of an action goal."""
        self._answer_waiting()
        if self._goal is None:
            return
        goal, recording = self._goal
        limit_s = goal.request.time_limit_s
        if self.recording is recording:
            if goal.is_cancel_requested:
                self._end(DISCARDED, "the goal was canceled")
            elif limit_s > 0 and recording.duration_s >= limit_s:
                self._end(UNJUDGED, "its time was over")
        if self.recording is recording or not recording.pipeline.is_done:
            return
        with contextlib.suppress(VitraError):  # its words are in the recording
            self._settle(recording)
        self._goal = None
        goal.execute(partial(self._end_goal, recording=recording))

    def _report(self) -> None:
        """Rates, gaps and drops for people, once a second; each new warning is also spoken on the terminal."""
        self._take()
        session = self._session
        if session is None:
            return
        warnings = session.watch()
        recording = session.current
        if recording is not None:
            for warning in warnings:
                key = without_figures(warning)
                if key not in self._warned:
                    self._warned.add(key)
                    self.get_logger().warning(f"while recording: {warning}")
            if self._goal is not None:
                self._goal[0].publish_feedback(
                    RecordEpisode.Feedback(
                        elapsed_s=recording.duration_s,
                        messages=recording.written,
                        dropped=recording.dropped,
                        warnings=warnings,
                    )  # fmt: skip
                )
        self._publish_state(warnings)
        self._publish_diagnostics(session, warnings)

    def _publish_state(self, warnings: list[str]) -> None:
        session = self._session
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

    def _publish_diagnostics(self, session: RecordingSession, warnings: list[str]) -> None:
        recording = session.current
        values: dict[str, str] = {}
        said, level = "idle", OK
        if recording is not None:
            level = WARN if warnings or recording.dropped else OK
            said = "; ".join(warnings[:3]) or f"recording, {recording.dropped} dropped"
            statistics = recording.pipeline.statistics
            values["MB"] = f"{statistics.bytes_written / 1e6:.1f}"
            values["deepest queue MB"] = f"{statistics.deepest_queue_bytes / 1e6:.1f}"
        for name, report in session.monitor.report(self.get_clock().now().nanoseconds).items():
            gap_ms, delay_ms = report.gap_s * 1e3, report.delay_s * 1e3
            words = [f"{report.rate_hz:.1f} Hz", f"gap {gap_ms:.0f} ms", f"delay {delay_ms:.0f} ms"]
            values[name] = ", ".join([*words, *report.warnings])
        self._diagnostics.publish("recording", said, values, level=level, hardware_id="recorder")


def _profile(topic: Topic) -> QoSProfile:
    """As it is offered, and deep enough that a machine that is busy for a while costs nothing."""
    depth = max(_LEAST_QUEUED, int(_QUEUED_S * (topic.rate_hz or 0.0)))
    return qos.recorded(
        depth, reliable=topic.delivery is not Delivery.SENSOR, latched=topic.delivery is Delivery.LATCHED
    )


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(RecorderNode, args)


if __name__ == "__main__":
    sys.exit(main())
