"""What is recorded when and why: runs and episodes from start to save or discard, free of ROS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rosbags.serde import SerdeError
from rosbags.typesys.store import Typestore

from vitra_policy.cdr import deserialize
from vitra_recorder.bag import BagError, BagWriter, free_bytes, note_outcome, unused
from vitra_recorder.episodes import MissingStreamError, NoInstructionError, discarded_path, next_episode
from vitra_recorder.latched import LatchedMessages
from vitra_recorder.monitor import StreamMonitor
from vitra_recorder.pipeline import RecordingPipeline
from vitra_recorder.preroll import Kept, PreRoll
from vitra_recorder.settings import Parameters
from vitra_recorder.topics import INSTRUCTION, TOPICS, Delivery, Topic, declared_rates

RECORDER_VERSION = "0.2.0"
_HEADER_BYTES = 12
_PRE_ROLL_SLACK_S = 0.2
SAVED, DISCARDED, UNJUDGED = "saved", "discarded", "unjudged"
"""Outcome of a recording: what an operator decided, or that nobody did."""


@dataclass(frozen=True, slots=True)
class EpisodeRequest:
    """What a recording is of; empty fields take the parameters'."""

    instruction: str = ""
    operator: str = ""
    source: str = ""


@dataclass(slots=True)
class BagRecording:
    """One bag under way, or the last one."""

    path: Path
    request: EpisodeRequest
    pipeline: RecordingPipeline
    started_s: float
    outcome: str = ""
    detail: str = ""
    ended_s: float = 0.0
    destination: Path | None = None
    """Where it goes when it is complete, if not to its path."""
    warned: list[str] = field(default_factory=list)
    """Warnings that were raised while it was recorded, each once."""

    @property
    def duration_s(self) -> float:
        """So far, or in the end."""
        return (self.ended_s or time.monotonic()) - self.started_s

    @property
    def written(self) -> int:
        """Messages in the bag."""
        return sum(self.pipeline.statistics.written.copy().values())

    @property
    def dropped(self) -> int:
        """Messages that had to be dropped."""
        return sum(self.pipeline.statistics.dropped.copy().values())


@dataclass(frozen=True, slots=True)
class RecordingHost:
    """What the session needs of the node it runs in."""

    full_name: Callable[[str], str]
    """Topic as in `TOPICS` to its name in this graph."""
    instruction_message: Callable[[str], bytes]
    """Serialises an instruction as std_msgs/String."""
    on_failure: Callable[[str], None]
    """Told, in the writer thread, that a recording ended by itself."""
    clock_ns: Callable[[], int]
    """ROS time."""


class RecordingSession:
    """At most one recording at a time; all methods from one thread.

    Args:
        params: the recorder's parameters.
        typestore: definitions of every type.
        about: texts for every bag (software, calibration ...).
        host: what the node around it gives.
    """

    def __init__(
        self,
        params: Parameters,
        typestore: Typestore,
        about: Mapping[str, str],
        host: RecordingHost,
    ) -> None:
        self._params, self._typestore, self._about = params, typestore, dict(about)
        self._full_name, self._instruction_message = host.full_name, host.instruction_message
        self._on_failure, self._clock_ns = host.on_failure, host.clock_ns
        self._output = Path(params.output).expanduser() if params.output and not params.episodes else None
        self.folder = self._output.parent if self._output else Path(params.output_dir).expanduser()
        self.monitor = StreamMonitor()
        self._pre_roll = PreRoll(params.pre_roll_s, params.queue_mb * 2**20)
        self._latched = LatchedMessages(params.pre_roll_s, self._content)
        self.current: BagRecording | None = None
        self.last: BagRecording | None = None
        self.heard_instruction = ""
        self.saved = self.discarded = 0

    def take(self, topic: Topic, name: str, raw: bytes, received_ns: int) -> None:
        """A serialised message came at a time.

        Args:
            topic: As in the list of topics.
            name: Resolved name.
            raw: The message, CDR.
            received_ns: When it arrived, ROS time.
        """
        self.monitor.note(topic, received_ns, header_stamp_ns(raw) if topic.has_header else None)
        if topic.delivery is Delivery.LATCHED:
            self._latched.take(topic, name, raw, received_ns)
        if self.current is not None:
            self.current.pipeline.put(topic, name, received_ns, raw)
        else:
            self._pre_roll.add(topic, name, received_ns, raw)

    def start(self, request: EpisodeRequest | None = None) -> BagRecording:
        """Begin a bag.

        Raises:
            BagError: one is under way, no space, no instruction, a required stream is silent, or the disk refuses.
        """
        if self.current is not None:
            raise BagError("A recording is under way; stop it first (recorder/stop).")
        request = self._complete(request or EpisodeRequest())
        self._check(request)
        started = datetime.now(UTC)
        if self._params.episodes:
            path = next_episode(self.folder, request.instruction)
        else:
            path = unused(self._output or self.folder / started.strftime("run_%Y%m%d_%H%M%S"))
        now_ns = self._clock_ns()
        lacks_memory = self._pre_roll.lacks_memory
        past = self._pre_roll.take(now_ns)
        begin_ns = past[0].arrival_ns if past else now_ns
        kept_s = (now_ns - begin_ns) * 1e-9
        about = {
            "recorder_version": RECORDER_VERSION,
            "started_utc": started.isoformat(),
            "expected_topics": " ".join(self._full_name(topic.name) for topic in TOPICS),
            "required_topics": " ".join(self._full_name(name) for name in self._params.required_topics),
            "declared_rates_hz": json.dumps({self._full_name(n): r for n, r in declared_rates().items()}),
            "instruction": request.instruction,
            "operator": request.operator,
            "source": request.source,
            "pre_roll_s": f"{kept_s:.3f}",
            "pre_roll_asked_s": str(self._params.pre_roll_s),
            **self._about,
        }
        bag = BagWriter(path.parent, path.name, self._typestore, about)
        pipeline = RecordingPipeline(bag, self._params.pipeline, self._on_failure)
        self._write_past(pipeline, request, past, begin_ns)
        self.monitor.forget_events()
        self.current = BagRecording(path, request, pipeline, time.monotonic())
        if lacks_memory and kept_s < self._params.pre_roll_s - _PRE_ROLL_SLACK_S:
            self.current.warned.append(
                f"pre-roll: {kept_s:.2f} s of the {self._params.pre_roll_s:g} s asked for fit into memory: "
                "raise queue_mb"
            )
        return self.current

    def save(self) -> BagRecording | None:
        """Complete the recording under way as one that an operator wants; None if there is none.

        A recording that had ended by itself (the disk was full) stays unjudged.

        Raises:
            VitraError: it had failed or cannot be completed.
        """
        return self._finish(SAVED, "")

    def stop(self, reason: str) -> BagRecording | None:
        """Complete the recording under way of which nobody said whether it is good; None if there is none.

        Raises:
            VitraError: it had failed or cannot be completed.
        """
        return self._finish(UNJUDGED, reason)

    def discard(self, reason: str) -> BagRecording | None:
        """Move the recording under way to `discarded/` with a reason; None if there is none.

        Raises:
            VitraError: it had failed or cannot be completed.
        """
        return self._finish(DISCARDED, reason or "no reason given")

    def end(self, outcome: str, detail: str) -> BagRecording | None:
        """Begin to complete the recording under way, without waiting for the disk; None if there is none.

        The next one may start at once. `settle` must be called when its pipeline is done.
        """
        recording, self.current = self.current, None
        if recording is None:
            return None
        self.last = recording
        recording.outcome, recording.detail, recording.ended_s = outcome, detail, time.monotonic()
        texts = {"outcome": outcome, "warnings": "; ".join(recording.warned)}
        if detail:
            texts["discard_reason" if outcome == DISCARDED else "ended"] = detail
        recording.destination = discarded_path(recording.path) if outcome == DISCARDED else None
        recording.pipeline.begin_finish(recording.destination, texts)
        return recording

    def settle(self, recording: BagRecording) -> None:
        """Take note of what became of a recording that was ended; waits for its pipeline.

        Raises:
            VitraError: it had failed or cannot be completed.
        """
        outcome, recording.outcome = recording.outcome, "failed"
        recording.path = recording.pipeline.result()
        ended_by_itself = recording.pipeline.ended_by_itself
        if ended_by_itself and recording.destination is not None:  # it is complete, in another place
            recording.destination.parent.mkdir(exist_ok=True)
            note_outcome(recording.path, outcome, recording.detail)
            recording.path = recording.path.rename(recording.destination)
        elif ended_by_itself:
            outcome, recording.detail = UNJUDGED, ended_by_itself
        recording.outcome = outcome
        self.saved += outcome == SAVED
        self.discarded += outcome == DISCARDED

    def watch(self) -> list[str]:
        """What is wrong with the streams now; new warnings are kept with the recording."""
        recording = self.current
        if recording is not None:
            dropped = recording.pipeline.statistics.dropped.copy()
            for topic in TOPICS:
                if count := dropped.get(self._full_name(topic.name)):
                    self.monitor.set_dropped(topic.name, count)
        warnings = self.monitor.warnings(self._clock_ns())
        if recording is not None:
            known = {without_figures(warning) for warning in recording.warned}
            recording.warned += [warning for warning in warnings if without_figures(warning) not in known]
        return warnings

    def _complete(self, request: EpisodeRequest) -> EpisodeRequest:
        return EpisodeRequest(
            request.instruction or self._params.instruction or self.heard_instruction,
            request.operator or self._params.operator or self._about.get("operator", ""),
            request.source or self._params.source or self._about.get("source", ""),
        )

    def _check(self, request: EpisodeRequest) -> None:
        if self._params.require_instruction and not request.instruction.strip():
            raise NoInstructionError(
                "No instruction: say what the episode shows, in the goal, with the parameter instruction, or on the "
                "topic instruction. An episode without one cannot be learnt from."
            )
        now_ns = self._clock_ns()
        silent = [name for name in self._params.required_topics if not self.monitor.is_alive(name, now_ns)]
        if silent:
            raise MissingStreamError(
                f"Nothing on {', '.join(silent)} in the last second. Start what publishes it, or change the parameter "
                "required."
            )
        free = free_bytes(self.folder)
        if free < self._params.min_free_gb * 1e9:
            raise BagError(
                f"Only {free / 1e9:.2f} GB are free at {self.folder}; {self._params.min_free_gb:g} GB are kept free "
                "(min_free_gb). Make room, or record onto another disk."
            )

    def _write_past(
        self, pipeline: RecordingPipeline, request: EpisodeRequest, past: Sequence[Kept], begin_ns: int
    ) -> None:
        """What was latched when the kept past begins, at that time, then that past; no message before its own stamp."""
        own_words = bool(request.instruction)
        for topic, name, raw in self._latched.at(begin_ns):
            if not (own_words and topic.name == INSTRUCTION):
                pipeline.put(topic, name, begin_ns, raw, held=True)
        if own_words:
            topic = next(topic for topic in TOPICS if topic.name == INSTRUCTION)
            raw = self._instruction_message(request.instruction)
            pipeline.put(topic, self._full_name(topic.name), begin_ns, raw, held=True)
        for item in past:
            if not (own_words and item.topic.name == INSTRUCTION):
                pipeline.put(item.topic, item.name, item.arrival_ns, item.data, held=True)

    def _content(self, topic: Topic, raw: bytes) -> bytes:
        """A message written anew, with zeros between its fields."""
        try:
            return bytes(self._typestore.serialize_cdr(deserialize(self._typestore, raw, topic.type), topic.type))
        except SerdeError:
            return raw

    def _finish(self, outcome: str, detail: str) -> BagRecording | None:
        recording = self.end(outcome, detail)
        if recording is not None:
            self.settle(recording)
        return recording


def without_figures(warning: str) -> str:
    """A warning that is the same for all its figures, so that each kind is kept once."""
    return "".join(c for c in warning if not c.isdigit())


def header_stamp_ns(raw: bytes) -> int | None:
    """Stamp of a serialised message that starts with a std_msgs/Header [ns]; None for one too short."""
    if len(raw) < _HEADER_BYTES:
        return None
    order = "little" if raw[1] & 1 else "big"
    seconds = int.from_bytes(raw[4:8], order, signed=True)  # type: ignore[arg-type]
    return seconds * 1_000_000_000 + int.from_bytes(raw[8:12], order)  # type: ignore[arg-type]
