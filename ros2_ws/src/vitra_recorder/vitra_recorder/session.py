"""What is recorded when and why: runs and episodes from start to save or discard, free of ROS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rosbags.typesys.store import Typestore

from vitra_recorder.bag import BagError, BagWriter, free_bytes, unused
from vitra_recorder.episodes import MissingStreamError, NoInstructionError, discarded_path, next_episode
from vitra_recorder.monitor import StreamMonitor
from vitra_recorder.pipeline import RecordingPipeline
from vitra_recorder.preroll import PreRoll
from vitra_recorder.settings import Parameters
from vitra_recorder.topics import TOPICS, Delivery, Topic, declared_rates

RECORDER_VERSION = "0.2.0"
_LATCHED_KEPT = 16
_HEADER_BYTES = 12


@dataclass(frozen=True, slots=True)
class EpisodeRequest:
    """What a recording is of; empty fields take the parameters'."""

    instruction: str = ""
    operator: str = ""
    source: str = ""


@dataclass(slots=True)
class Recording:
    """One bag under way, or the last one."""

    path: Path
    request: EpisodeRequest
    pipeline: RecordingPipeline
    started_s: float
    outcome: str = ""
    detail: str = ""
    ended_s: float = 0.0
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


class RecordingSession:
    """At most one recording at a time; all methods from one thread.

    Args:
        params: the recorder's parameters.
        typestore: definitions of every type.
        full_name: topic as in `TOPICS` to its name in this graph.
        about: texts for every bag (software, calibration ...).
        instruction_message: serialises an instruction as std_msgs/String.
        on_failure: told, in the writer thread, that a recording ended by itself.
        clock_ns: ROS time.
    """

    def __init__(
        self,
        params: Parameters,
        typestore: Typestore,
        full_name: Callable[[str], str],
        about: Mapping[str, str],
        instruction_message: Callable[[str], bytes],
        on_failure: Callable[[str], None],
        clock_ns: Callable[[], int],
    ) -> None:
        self._params, self._typestore, self._about = params, typestore, dict(about)
        self._full_name, self._instruction_message = full_name, instruction_message
        self._on_failure, self._clock_ns = on_failure, clock_ns
        self._output = Path(params.output).expanduser() if params.output and not params.episodes else None
        self.folder = self._output.parent if self._output else Path(params.output_dir).expanduser()
        self.monitor = StreamMonitor()
        self._pre_roll = PreRoll(params.pre_roll, params.queue_mb * 2**20)
        self._latched: dict[str, tuple[Topic, dict[bytes, None]]] = {}
        self.current: Recording | None = None
        self.last: Recording | None = None
        self.heard_instruction = ""
        self.saved = self.discarded = 0

    def take(self, topic: Topic, name: str, raw: bytes, received_ns: int) -> None:
        """A serialised message came at a time."""
        self.monitor.note(topic, received_ns, header_stamp_ns(raw) if topic.has_header else None)
        if topic.delivery is Delivery.LATCHED:
            # Several publishers may latch on one topic (/tf_static), so more than the last message is kept.
            kept = self._latched.setdefault(name, (topic, {}))[1]
            kept.pop(raw, None)
            kept[raw] = None
            while len(kept) > (_LATCHED_KEPT if topic.name.startswith("/tf") else 1):
                kept.pop(next(iter(kept)))
        if self.current is not None:
            self.current.pipeline.put(topic, name, received_ns, raw)
        elif topic.delivery is not Delivery.LATCHED:
            self._pre_roll.add(topic, name, received_ns, raw)

    def start(self, request: EpisodeRequest | None = None) -> Recording:
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
        about = {
            "recorder_version": RECORDER_VERSION,
            "started_utc": started.isoformat(),
            "expected_topics": " ".join(self._full_name(topic.name) for topic in TOPICS),
            "required_topics": " ".join(self._full_name(name) for name in self._params.required_topics),
            "declared_rates_hz": json.dumps({self._full_name(n): r for n, r in declared_rates().items()}),
            "instruction": request.instruction,
            "operator": request.operator,
            "source": request.source,
            "pre_roll_s": str(self._params.pre_roll),
            **self._about,
        }
        bag = BagWriter(path.parent, path.name, self._typestore, about)
        pipeline = RecordingPipeline(bag, self._params.pipeline, self._on_failure)
        self._write_past(pipeline, request)
        self.monitor.forget_events()
        self.current = Recording(path, request, pipeline, time.monotonic())
        return self.current

    def save(self) -> Recording | None:
        """Complete the recording under way; None if there is none.

        Raises:
            VitraError: it had failed or cannot be completed.
        """
        return self._finish("saved", "")

    def discard(self, reason: str) -> Recording | None:
        """Move the recording under way to `discarded/` with a reason; None if there is none.

        Raises:
            VitraError: it had failed or cannot be completed.
        """
        return self._finish("discarded", reason or "no reason given")

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

    def _write_past(self, pipeline: RecordingPipeline, request: EpisodeRequest) -> None:
        """Latched messages first, at the time of the first message kept from before the start, then those."""
        now_ns = self._clock_ns()
        past = self._pre_roll.take(now_ns)
        begin_ns = past[0].arrival_ns if past else now_ns
        for name, (topic, kept) in self._latched.items():
            if topic.name == "instruction" and request.instruction:
                continue
            for raw in kept:
                pipeline.put(topic, name, begin_ns, raw)
        if request.instruction:
            topic = next(topic for topic in TOPICS if topic.name == "instruction")
            raw = self._instruction_message(request.instruction)
            pipeline.put(topic, self._full_name(topic.name), begin_ns, raw)
        for item in past:
            pipeline.put(item.topic, item.name, item.arrival_ns, item.data)

    def _finish(self, outcome: str, detail: str) -> Recording | None:
        recording, self.current = self.current, None
        if recording is None:
            return None
        self.last = recording
        recording.outcome, recording.ended_s = "failed", time.monotonic()
        destination = discarded_path(recording.path) if outcome == "discarded" else None
        texts = {"outcome": outcome, "warnings": "; ".join(recording.warned)}
        if detail:
            texts["discard_reason"] = detail
        recording.path = recording.pipeline.finish(destination, texts)
        if destination is not None and recording.path != destination:  # it had been completed by itself: disk full
            destination.parent.mkdir(exist_ok=True)
            recording.path = recording.path.rename(destination)
        recording.outcome, recording.detail = outcome, detail
        if outcome == "saved":
            self.saved += 1
        else:
            self.discarded += 1
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
