"""Orders to a recording session, and who waits for what becomes of them; free of ROS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vitra_policy.errors import VitraError
from vitra_recorder.bag import BagError
from vitra_recorder.session import DISCARDED, UNJUDGED, BagRecording, EpisodeRequest, RecordingSession, without_figures

NOTHING = "No recording is under way."
Answer = Callable[[bool, str], None]
"""Takes whether an order was carried out, and words: a path, or why not."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of the desk; all in its thread."""

    info: Callable[[str], None]
    warning: Callable[[str], None]
    error: Callable[[str], None]
    fault: Callable[[str], None]
    """Takes what is wrong with the recorder; empty when it is over."""
    changed: Callable[[], None]
    """Told that a recording began, ended or was completed."""


class EpisodeGoal(Protocol):
    """A request for an episode that lasts until it is ended, and the way back to its sender."""

    @property
    def request(self) -> EpisodeRequest:
        """What it is of."""

    @property
    def time_limit_s(self) -> float:
        """0 is none."""

    @property
    def is_cancel_requested(self) -> bool:
        """Whether the sender wants it to end; then it is discarded."""

    def report(self, recording: BagRecording, warnings: list[str]) -> None:
        """Tell the sender how far it is."""

    def refuse(self, detail: str) -> None:
        """Tell the sender why nothing is recorded; once."""

    def finish(self, recording: BagRecording) -> None:
        """Tell the sender what became of it; once."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody who ended a recording and waits for its bag."""

    recording: BagRecording
    outcome: str
    answer: Answer
    again: EpisodeRequest | None
    """What to record next."""


class RecordingDesk:
    """Takes orders; answers follow when the bag is complete, which may take the disk many seconds.

    All methods are called from one thread.

    Args:
        ears: who hears of it.
        take: brings in the messages that have come so far.
        lacks: why there is no session, in words.

    Attributes:
        session: What is recorded; None while the recorder is not ready. Those who wait keep waiting without it.
    """

    def __init__(self, ears: Ears, take: Callable[[], None], lacks: Callable[[], str]) -> None:
        self._ears, self._take, self._lacks = ears, take, lacks
        self.session: RecordingSession | None = None
        self._goal: tuple[EpisodeGoal, BagRecording] | None = None
        self._warned: set[str] = set()
        self._ending: list[BagRecording] = []
        self._waiting: list[_Waiting] = []

    @property
    def recording(self) -> BagRecording | None:
        """The recording under way."""
        return self.session.current if self.session else None

    def begin(self, request: EpisodeRequest) -> BagRecording:
        """Start a recording.

        Raises:
            BagError: no session, or it refuses.
        """
        self._take()
        if self.session is None:
            raise BagError(f"The recorder is not ready: {self._lacks()}.")
        recording = self.session.start(request)
        self._ears.fault("")
        self._warned.clear()
        self._ears.info(f"recording into {recording.path}")
        self._ears.changed()
        return recording

    def end(self, outcome: str, reason: str) -> BagRecording | None:
        """Begin to complete the recording under way; None if there is none."""
        self._take()
        recording = self.session.end(outcome, reason) if self.session is not None else None
        if recording is not None:
            self._ears.fault("")
            self._ending.append(recording)
            self._ears.changed()
        return recording

    def end_for(self, answer: Answer, outcome: str, reason: str, again: EpisodeRequest | None = None) -> None:
        """End the recording; the answer follows when its bag is complete.

        Args:
            answer: called once.
            outcome: saved, discarded or unjudged.
            reason: for one that is not saved.
            again: what to record next, once that is done.
        """
        recording = self.end(outcome, reason)
        if recording is None:
            answer(False, NOTHING)
        else:
            self._waiting.append(_Waiting(recording, outcome, answer, again))

    def record_again(self, answer: Answer) -> None:
        """Discard the episode under way and begin it again with the same words."""
        current = self.recording
        self.end_for(answer, DISCARDED, "recorded again", current.request if current else None)

    def take_goal(self, goal: EpisodeGoal) -> None:
        """Begin what a goal asks for, or refuse it."""
        try:
            self._goal = (goal, self.begin(goal.request))
        except VitraError as error:
            goal.refuse(str(error))

    def watch(self) -> None:
        """Look after recordings that are being completed, and after the goal's time and wishes."""
        self._answer_waiting()
        if self._goal is None:
            return
        goal, recording = self._goal
        if self.recording is recording:
            if goal.is_cancel_requested:
                self.end(DISCARDED, "the goal was canceled")
            elif goal.time_limit_s > 0 and recording.duration_s >= goal.time_limit_s:
                self.end(UNJUDGED, "its time was over")
        if self.recording is recording or not recording.pipeline.is_done:
            return
        with contextlib.suppress(VitraError):  # its words are in the recording
            self._settle(recording)
        self._goal = None
        goal.finish(recording)

    def warnings(self) -> list[str]:
        """What is wrong with the streams now; what is new in a recording is said, and its goal hears of all."""
        if self.session is None:
            return []
        warnings = self.session.watch()
        recording = self.session.current
        if recording is not None:
            for warning in warnings:
                key = without_figures(warning)
                if key not in self._warned:
                    self._warned.add(key)
                    self._ears.warning(f"while recording: {warning}")
            if self._goal is not None:
                self._goal[0].report(recording, warnings)
        return warnings

    def halt(self) -> None:
        """Complete the recording under way, which no operator has judged, and wait for all that are being completed."""
        self.end(UNJUDGED, "the recorder was stopped")
        self._answer_waiting()
        for one in tuple(self._ending):
            with contextlib.suppress(VitraError):  # it has been said
                self._settle(one)

    def _answer_waiting(self) -> None:
        """Answer those whose recording is complete."""
        for one in [one for one in self._waiting if one.recording.pipeline.is_done]:
            self._waiting.remove(one)
            recording = one.recording
            try:
                self._settle(recording)
                done, text = recording.outcome == one.outcome, str(recording.path)
                if not done:
                    text = f"{recording.detail} It is {recording.outcome}: {recording.path}"
                elif one.again is not None:
                    text = str(self.begin(one.again).path)
            except VitraError as error:
                done, text = False, str(error)
            one.answer(done, text)

    def _settle(self, recording: BagRecording) -> None:
        """Say what became of a recording; raises VitraError when nothing did."""
        if recording not in self._ending:
            return
        self._ending.remove(recording)
        assert self.session is not None
        try:
            self.session.settle(recording)
        except VitraError as error:
            recording.detail = str(error)
            self._ears.error(str(error))
            raise
        finally:
            self._ears.changed()
        if dropped := recording.pipeline.statistics.dropped:
            self._ears.warning("dropped: " + ", ".join(f"{count} of {name}" for name, count in dropped.items()))
        words = recording.outcome + (f" ({recording.detail})" if recording.detail else "")
        self._ears.info(f"{words}: {recording.written} messages in {recording.duration_s:.1f} s: {recording.path}")
