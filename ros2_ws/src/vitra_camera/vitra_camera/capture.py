"""A thread that keeps one camera streaming: opens it, reads it, counts what is missing, opens it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from vitra_camera.errors import EndOfRecordingError
from vitra_camera.pipeline import CameraFrame, CameraInfo
from vitra_camera.still_image import StillImage
from vitra_policy.errors import VitraError
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Cadence


class CaptureState(StrEnum):
    """Where the capture thread is."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    LOST = "lost"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """A snapshot for people and for the heartbeat.

    Attributes:
        state: Where the thread is.
        problem: Empty while all is well.
        frames: Colour frames handed out.
        dropped: Colour frames whose numbers never came.
        reconnects: Times the camera came back after a loss.
        rate_hz: Colour rate over the last seconds.
        frozen: The problem is an image that stands still.
    """

    state: CaptureState = CaptureState.CONNECTING
    problem: str = ""
    frames: int = 0
    dropped: int = 0
    reconnects: int = 0
    rate_hz: float = 0.0
    frozen: bool = False


class Camera(Protocol):
    """What the thread needs of a `CameraPipeline`."""

    def open(self) -> CameraInfo:
        """Start streaming."""

    def read(self) -> CameraFrame:
        """The next frame."""

    def close(self) -> None:
        """Stop streaming."""


class FrameCounter:
    """Counts frames that a device numbered but did not deliver."""

    def __init__(self) -> None:
        self.frames = self.dropped = 0
        self._last: int | None = None

    def count(self, number: int) -> None:
        """Note a delivered frame; numbers that go down mean that the device started anew."""
        if self._last is not None and number > self._last + 1:
            self.dropped += number - self._last - 1
        self._last = number
        self.frames += 1

    def restart(self) -> None:
        """The device was opened anew: its next number follows on nothing."""
        self._last = None


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How a camera is read."""

    retry_period_s: float = 1.0
    """Wait between attempts to open."""
    rate_hz: float = 30.0
    """Nominal colour rate."""
    repeat: bool = False
    """Start a recording again at its end."""
    still_limit_s: float = 0.0
    """The same image for longer than this is a problem; 0: never."""


class CaptureLoop:
    """Runs a camera in a thread until `stop`.

    Args:
        camera: What to read.
        on_open: Called in the thread when the camera has been opened.
        on_frame: Called in the thread with every frame.
        settings: Rates and limits.
    """

    def __init__(
        self,
        camera: Camera,
        on_open: Callable[[CameraInfo], None],
        on_frame: Callable[[CameraFrame], None],
        settings: CaptureSettings | None = None,
    ) -> None:
        settings = settings or CaptureSettings()
        rate_hz = max(settings.rate_hz, 1.0)
        self._camera, self._on_open, self._on_frame = camera, on_open, on_frame
        self._retry_period_s, self._repeat = settings.retry_period_s, settings.repeat
        self._counter = FrameCounter()
        self._cadence = Cadence(1.0 / rate_hz, window=int(2 * rate_hz))
        self._stop = threading.Event()
        self._status = CaptureStatus()
        self._still = StillImage(settings.still_limit_s)
        self._thread = WatchedThread(self._run, name="capture", should_run=self._should_run)

    @property
    def status(self) -> CaptureStatus:
        """The state of now."""
        counter = self._counter
        rate = self._cadence.rate_hz if self._status.state == CaptureState.STREAMING else 0.0
        return replace(self._status, frames=counter.frames, dropped=counter.dropped, rate_hz=rate)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End the thread and close the camera; returns when both are done or the time is over."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _should_run(self) -> bool:
        return not self._stop.is_set() and self._status.state != CaptureState.ENDED

    def _run(self) -> None:
        was_lost = False
        while not self._stop.is_set():
            try:
                self._on_open(self._camera.open())
                self._counter.restart()
                self._cadence.clear()
                self._still.restart()
                while not self._stop.is_set():
                    self._deliver(self._camera.read())
                    if self._status.state != CaptureState.STREAMING:
                        reconnects = self._status.reconnects + was_lost
                        self._status = CaptureStatus(CaptureState.STREAMING, reconnects=reconnects)
                        was_lost = False
            except EndOfRecordingError as error:
                if not self._repeat:
                    self._status = replace(self._status, state=CaptureState.ENDED, problem=str(error))
                    break
            except Exception as error:  # the SDK is foreign code: whatever it raises, the camera is opened again
                was_lost = was_lost or self._status.state == CaptureState.STREAMING
                state = CaptureState.LOST if was_lost else CaptureState.CONNECTING
                problem = str(error) if isinstance(error, VitraError) else f"{type(error).__name__}: {error}"
                self._status = replace(self._status, state=state, problem=problem, frozen=False)
                self._close()
                self._stop.wait(self._retry_period_s)
        self._close()

    def _close(self) -> None:
        try:
            self._camera.close()
        except Exception as error:
            self._status = replace(self._status, problem=f"closing failed: {type(error).__name__}: {error}")

    def _deliver(self, frame: CameraFrame) -> None:
        if frame.color is not None:
            self._counter.count(frame.number)
            now_s = time.monotonic()
            self._cadence.tick(now_s)
            problem = self._still.problem(frame.color, now_s)
            if problem or self._status.frozen:
                self._status = replace(self._status, problem=problem, frozen=bool(problem))
        self._on_frame(frame)
