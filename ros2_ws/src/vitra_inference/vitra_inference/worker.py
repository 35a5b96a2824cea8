"""The thread that runs the policy on the newest complete observation while a run is under way."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vitra_inference.observations import Frame, ObservationBuffer, Sighting
from vitra_inference.session import Run, RunSession, TerminationReason
from vitra_policy.policies.policy import ActionChunk, Observation, Policy
from vitra_policy.policies.rtc import AnchoredChunk, Delay, DelayMeter, committed_prefix
from vitra_runtime.threads import WatchedThread

_IDLE_POLL_S = 0.2
_RECOVERY_PERIOD_S = 1.0
_FIRST_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A chunk with what it answers."""

    sequence: int
    frame: Frame
    observation: Observation
    chunk: ActionChunk
    inference_s: float
    """From the complete observation to the chunk."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Pace of the worker; see the node's parameters of the same names. A policy may ask for a slower one."""

    real_time_chunking: bool
    max_rate_hz: float
    stall_s: float
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerListener:
    """Who hears of the worker, in the worker's thread."""

    publish: Callable[[Answer], None]
    """Takes every answer."""
    report_fault: Callable[[str], None]
    """Takes what is wrong; empty when it is over."""
    report_lack: Callable[[str], None] = lambda _: None
    """Takes what a first observation still lacks; empty once there is one."""


class PolicyWorker:
    """Owns the only thread that calls the policy.

    A policy that fails ends the run and is reported as a fault until it can be reset again; everything else goes on.

    Args:
        policy: warm policy.
        buffer: where observations come from.
        session: says when to run.
        delay: measured by the executor, read here.
        listener: hears of answers and faults.
        settings: pace.
    """

    def __init__(
        self,
        policy: Policy,
        buffer: ObservationBuffer,
        session: RunSession,
        delay: DelayMeter,
        listener: WorkerListener,
        settings: WorkerSettings,
    ) -> None:
        self._report_lack, self._complete = listener.report_lack, False
        self._policy, self._buffer, self._session, self._delay = policy, buffer, session, delay
        self._publish, self._report_fault, self._settings = listener.publish, listener.report_fault, settings
        self._metadata = policy.metadata
        fastest_s = 1 / settings.max_rate_hz if settings.max_rate_hz > 0 else 0.0
        self._period_s = max(fastest_s, self._metadata.period_s)
        self._commits = settings.real_time_chunking and self._metadata.uses_committed
        self._sequence = 0
        self._broken = False
        self._asked_s: float | None = None
        self._stopping = threading.Event()
        self._thread = WatchedThread(self._work, name="policy", should_run=lambda: not self._stopping.is_set())

    def start(self) -> None:
        """Begin to serve runs."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the thread; False if the policy did not return in time."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def silent_s(self) -> float:
        """How long the policy has been thinking about its current observation; 0 when it is not asked."""
        asked_s = self._asked_s
        return 0.0 if asked_s is None else time.monotonic() - asked_s

    def _work(self) -> None:
        next_recovery_s = 0.0
        while not self._stopping.is_set():
            run = self._session.wait(_IDLE_POLL_S)
            if run is not None and not self._stopping.is_set():
                self._serve(run)
                next_recovery_s = time.monotonic() + _RECOVERY_PERIOD_S
            elif not self._complete:
                self._look_for_first()
            elif self._broken and time.monotonic() >= next_recovery_s:
                self._recover()
                next_recovery_s = time.monotonic() + _RECOVERY_PERIOD_S

    def _look_for_first(self) -> None:
        """Whether every stream comes in; a run that starts before would stop the robot."""
        if self._buffer.next(None, self._buffer.all_hands, _FIRST_LOOK_S) is None:
            self._report_lack(self._buffer.problem)
        else:
            self._have_first()

    def _have_first(self) -> None:
        if not self._complete:
            self._complete = True
            self._report_lack("")

    def _serve(self, run: Run) -> None:
        previous: AnchoredChunk | None = None
        last = self._buffer.newest  # seen before the run began: too old to start from
        stalled = False
        try:
            self._policy.reset()
            self._clear_fault()
            self._delay.clear()
            next_s = complete_s = time.monotonic()
            while run.reason is None and not self._stopping.is_set():
                self._session.check_time()
                if (wait_s := next_s - time.monotonic()) > 0:
                    run.ended.wait(min(wait_s, _IDLE_POLL_S))
                    last = self._buffer.newest  # what came during the pause has aged; the next one is fresh
                    continue
                sighting = self._buffer.next(last, run.hands, 0.05)
                now_s = time.monotonic()
                if sighting is None:
                    if not stalled and now_s - complete_s > self._settings.stall_s and run.reason is None:
                        stalled = True
                        self._report_fault(f"no complete observation: {self._buffer.problem}")
                    continue
                if stalled:
                    stalled = False
                    self._report_fault("")
                self._have_first()
                last, complete_s = sighting.frame, now_s
                next_s = max(next_s + self._period_s, now_s)
                previous = self._answer(run, sighting, previous)
        except Exception as error:
            self._fail(run, error)
        if stalled and not self._broken:
            self._report_fault("")

    def _answer(self, run: Run, sighting: Sighting, previous: AnchoredChunk | None) -> AnchoredChunk | None:
        hands, states = run.hands, sighting.hands
        committed = None
        if self._commits:
            delay = Delay(self._delay.steps, self._delay.late_s(self._sequence))
            committed = committed_prefix(previous, sighting.frame.stamp_s, states.state, states.valid, delay)
        observation = self._buffer.observe(sighting, run.instruction, hands, committed)
        self._metadata.check(observation)
        assembled_s = time.monotonic()
        # Capture of the image to the complete observation; capture is stamped on the wall clock.
        transport_s = time.time() - (assembled_s - sighting.complete_s) - sighting.frame.stamp_s
        self._asked_s = assembled_s
        try:
            chunk = self._policy.infer(observation)
        finally:
            self._asked_s = None
        held_s = assembled_s + self._settings.delay_s - time.monotonic()
        if held_s > 0:
            run.ended.wait(held_s)
        answered_s = time.monotonic()
        chunk = dataclasses.replace(
            chunk,
            valid=chunk.valid & hands & states.valid,
            timing={"transport": transport_s, "assemble": assembled_s - sighting.complete_s, **chunk.timing},
        )
        inference_s = answered_s - sighting.complete_s
        if not self._session.count_chunk(run, inference_s):
            return previous
        self._sequence += 1
        self._publish(Answer(self._sequence, sighting.frame, observation, chunk, inference_s))
        if chunk.done:
            self._session.end(TerminationReason.POLICY_DONE, "the policy says so", run)
        return AnchoredChunk(chunk, sighting.frame.stamp_s, observation.state)

    def _fail(self, run: Run, error: Exception) -> None:
        detail = f"{type(error).__name__}: {error}"
        self._broken = True
        self._report_fault(f"policy '{self._metadata.policy_id}': {detail}")
        self._session.end(TerminationReason.POLICY_ERROR, detail, run)

    def _recover(self) -> None:
        try:
            self._policy.reset()
        except Exception as error:
            self._report_fault(f"policy '{self._metadata.policy_id}': {type(error).__name__}: {error}")
            return
        self._clear_fault()

    def _clear_fault(self) -> None:
        if self._broken:
            self._broken = False
            self._report_fault("")
