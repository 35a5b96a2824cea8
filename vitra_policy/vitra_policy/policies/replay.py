"""The `replay` policy: follows the hand action chunks recorded in a bag, by time since the run started."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, SIDES
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.policies.policy import ActionChunk, InvalidObservationError, Observation, PolicyMetadata
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.policies.rtc import AnchoredChunk, continue_chunk, wrist_pose

CHUNK_TYPE = "vitra_msgs/msg/HandActionChunk"
CHUNK_TOPIC = "hand_action_chunk"
_CLOCK_S = 1e-3  # step durations travel as float32


class RecordingError(VitraError):
    """A bag that cannot be read, or holds no usable chunks."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedChunks:
    """Chunks of one run in order of their observations."""

    chunks: tuple[AnchoredChunk, ...]
    instruction: str = ""

    def __post_init__(self) -> None:
        if not self.chunks:
            raise RecordingError("A recording needs at least one chunk.")

    @property
    def start_s(self) -> float:
        """Time of the first observation."""
        return self.chunks[0].stamp_s

    @property
    def end_s(self) -> float:
        """Time the last chunk's last step is reached."""
        last = self.chunks[-1]
        return last.stamp_s + last.chunk.steps * last.chunk.step_s

    def at(self, stamp_s: float) -> AnchoredChunk:
        """The newest chunk observed no later than a time."""
        index = bisect.bisect_right(self.chunks, stamp_s + 1e-6, key=lambda chunk: chunk.stamp_s)
        return self.chunks[max(0, index - 1)]


class ReplayPolicy:
    """Replays a recording: the wrists follow the recorded path in the camera frame, the fingers the recorded angles.

    Args:
        recording: what to replay.
        policy_id: how chunks are signed.
        start_tolerance_m: how far a wrist may be from the recorded start when the replay begins.
    """

    def __init__(self, recording: RecordedChunks, policy_id: str = "replay", start_tolerance_m: float = 0.05) -> None:
        self._recording, self._tolerance_m = recording, start_tolerance_m
        self._started_s: float | None = None
        first = recording.chunks[0].chunk
        self._metadata = PolicyMetadata(
            policy_id, steps=first.steps, step_s=first.step_s, needs_image=False, needs_state=True
        )

    @property
    def metadata(self) -> PolicyMetadata:
        """Steps and duration as recorded."""
        return self._metadata

    def warm_up(self) -> None:
        """Nothing to do: the recording is in memory."""

    def reset(self) -> None:
        """The next observation starts the recording from its beginning."""
        self._started_s = None

    def close(self) -> None:
        """Nothing to give back."""

    def infer(self, observation: Observation) -> ActionChunk:
        """The recorded plan from the same time into the run on; `done` after its end.

        Raises:
            InvalidObservationError: a replayed hand is unknown, or too far from the recorded start.
        """
        if self._started_s is None:
            self._check_start(observation)
            self._started_s = observation.stamp_s
        shift_s = self._recording.start_s - self._started_s
        stamp_s = observation.stamp_s + shift_s
        recorded = self._recording.at(stamp_s)
        valid = recorded.chunk.valid & observation.state_valid & observation.hands
        actions = continue_chunk(recorded, stamp_s, observation.state, recorded.chunk.steps)
        return ActionChunk(
            actions=actions.astype(np.float32),
            valid=valid,
            step_s=recorded.chunk.step_s,
            policy_id=self._metadata.policy_id,
            done=stamp_s >= self._recording.end_s - _CLOCK_S,
        )

    def _check_start(self, observation: Observation) -> None:
        first = self._recording.chunks[0]
        for index, side in enumerate(SIDES):
            if not (first.chunk.valid[index] and observation.hands[index]):
                continue
            if not observation.state_valid[index]:
                raise InvalidObservationError(f"Cannot replay the {side} hand: its state is not known.")
            apart = wrist_pose(observation.state, side)[:3, 3] - wrist_pose(first.state, side)[:3, 3]
            distance_m = float(np.linalg.norm(apart))
            if distance_m > self._tolerance_m:
                raise InvalidObservationError(
                    f"The {side} wrist is {distance_m * 100:.1f} cm from where the recording starts; at most "
                    f"{self._tolerance_m * 100:.1f} cm are allowed (start_tolerance_m). Move the arm there first."
                )


def read_recording(bag: str | Path, topic: str = CHUNK_TOPIC) -> RecordedChunks:
    """Chunks of a rosbag2 (MCAP or sqlite3), whatever namespace they were recorded in.

    Raises:
        RecordingError: not a bag, or no valid chunk in it.
        UnknownNameError: it has no such topic.
    """
    from rosbags.highlevel import AnyReaderError

    from vitra_policy.bag_storage import open_bag

    path = Path(bag)
    if not path.exists():
        raise RecordingError(f"No bag at {path}. Give the folder that holds metadata.yaml, e.g. bag=runs/demo/bag.")
    try:
        with open_bag(path) as reader:
            topics = {c.topic for c in reader.connections if c.msgtype == CHUNK_TYPE}
            chosen = [c for c in reader.connections if c.topic in topics and c.topic.endswith(topic)]
            if not chosen:
                raise UnknownNameError("topic of type HandActionChunk", topic, topics, f"Looked in {path}.")
            messages: list[Any] = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(chosen)]
    except (AnyReaderError, OSError, ValueError, KeyError) as error:
        raise RecordingError(f"Cannot read the bag {path}: {error}. A crashed recording may need a repair.") from error
    chunks = [_anchored(message) for message in messages if message.left_valid or message.right_valid]
    if not chunks:
        raise RecordingError(f"The bag {path} holds no valid chunk on '{topic}' ({len(messages)} messages).")
    chunks.sort(key=lambda chunk: chunk.stamp_s)
    return RecordedChunks(tuple(chunks), messages[0].instruction)


def make_replay_policy(
    bag: str, topic: str = CHUNK_TOPIC, *, policy_id: str = "", start_tolerance_m: str = "0.05"
) -> ReplayPolicy:
    """Factory of `replay`.

    Args:
        bag: Folder of the recording.
        topic: Of the chunks in it.
        policy_id: Name in messages; empty: the bag's.
        start_tolerance_m: Farthest a wrist may be from where it was then.

    Raises:
        PolicyOptionError: start_tolerance_m is no number.
        RecordingError: the bag cannot be used.
    """
    try:
        tolerance_m = float(start_tolerance_m)
    except ValueError as error:
        raise PolicyOptionError(f"Policy 'replay': start_tolerance_m must be metres: {error}.") from error
    return ReplayPolicy(read_recording(bag, topic), policy_id or f"replay:{Path(bag).name}", tolerance_m)


def _anchored(message: Any) -> AnchoredChunk:
    if message.steps * ACTION_DIM != len(message.actions):
        raise RecordingError(f"Chunk {message.sequence} has {len(message.actions)} numbers for {message.steps} steps.")
    actions: NDArray[np.float32] = np.asarray(message.actions, np.float32).reshape(message.steps, ACTION_DIM)
    chunk = ActionChunk(
        actions, np.array([message.left_valid, message.right_valid]), float(message.step_s), message.policy_id
    )
    stamp_s = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
    return AnchoredChunk(chunk, stamp_s, np.asarray(message.observed, dtype=np.float64))
