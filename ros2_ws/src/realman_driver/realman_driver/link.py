"""The driver's end of the SDK's child process: starts it, gives it deadlines, kills it and tries again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from realman_driver import codes, frames
from realman_driver.units import setpoint_deg
from vitra_safety.setpoint_stream import Beginning


class LinkState(StrEnum):
    """Of the connection to the arm."""

    DOWN = "down"
    CONNECTING = "connecting"
    UP = "up"


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """How long the link waits for what, seconds."""

    retry_s: float = 1.0
    """Pause between two attempts."""
    connect_deadline_s: float = 5.0
    """For the child to start, connect and configure."""
    call_deadline_s: float = 0.7
    """For one setpoint or operation; more means that the SDK hangs."""
    stall_s: float = 0.08
    """Setpoints that wait longer in the child are a fault."""
    silence_s: float = 1.0
    """Without a state push for this long the connection is given up."""


class SdkLink:
    """One arm's connection, for ever: every failure ends the child process, and a new one is started after a while.

    Not thread-safe except `stream`, which may be called from any one other thread.

    Args:
        config: handed to the child.
        times: how long to wait for what.
        spawn: starts the child with its end of the pipe; replaced by tests.
        clock: monotonic clock [s].
    """

    def __init__(
        self,
        config: frames.LinkConfig,
        times: LinkTimes | None = None,
        *,
        spawn: Callable[[socket.socket], subprocess.Popen[bytes]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.state = LinkState.DOWN
        self.problem = "connecting"
        self.identity = ""
        self.restarts = 0
        times = times or LinkTimes()
        self._retry_s, self._connect_deadline_s = times.retry_s, times.connect_deadline_s
        self._call_deadline_s, self._stall_s, self._silence_s = times.call_deadline_s, times.stall_s, times.silence_s
        self._spawn, self._clock = spawn or spawn_child, clock
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: socket.socket | None = None
        self._next_start_s = -float("inf")
        self._deadline_s = float("inf")
        self._heard_s = 0.0
        self._number = 0
        self._unhandled: tuple[int, float] | None = None
        self._request = 0
        self._pending: dict[int, tuple[frames.Operation, float]] = {}

    @property
    def pid(self) -> int | None:
        """Process id of the child, if one runs."""
        return self._child.pid if self._child else None

    @property
    def stalled(self) -> str:
        """Why setpoints do not get through though the connection lives, in words; empty if they do."""
        if self.state is not LinkState.UP or self._unhandled is None:
            return ""
        waiting_s = self._heard_s - self._unhandled[1]
        if waiting_s <= self._stall_s:
            return ""
        return f"the SDK's process has not taken setpoints for {waiting_s * 1e3:.0f} ms"

    def stream(self, position_rad: Sequence[float], *, judged_s: float, begins: Beginning = Beginning.NONE) -> bool:
        """Hand over a setpoint; whether there was a connection to take it.

        Args:
            position_rad: 7 joint positions.
            judged_s: When the guard passed it; too old, it goes no further.
            begins: Whether a motion begins here, and where.

        Raises:
            SetpointError: the setpoint is not 7 sane numbers.
        """
        setpoint_deg(position_rad)
        pipe = self._pipe
        if self.state is not LinkState.UP or pipe is None:
            return False
        self._number += 1
        if self._unhandled is None:
            self._unhandled = (self._number, self._clock())
        return self._send(pipe, frames.pack_setpoint(self._number, judged_s, begins, position_rad))

    def request(self, operation: frames.Operation) -> bool:
        """Ask for an operation, to end within the deadline; whether there was a connection to take it."""
        if self.state is not LinkState.UP or self._pipe is None:
            return False
        self._request += 1
        self._pending[self._request] = (operation, self._clock())
        return self._send(self._pipe, frames.pack_request(self._request, operation))

    def poll(self, timeout_s: float) -> frames.Feedback | frames.Ack | frames.Event | None:
        """Wait for the next report; None when there was none in time.

        Also where the child is started, watched and killed: call it all the time.
        """
        now_s = self._clock()
        if self._pipe is None:
            if now_s < self._next_start_s:
                time.sleep(min(timeout_s, self._next_start_s - now_s))
                return None
            self._start(now_s)
        report = self._receive(timeout_s)
        now_s = self._clock()
        if isinstance(report, frames.Feedback):
            self._heard_s = now_s
            if self._unhandled is not None and report.handled >= self._unhandled[0]:
                self._unhandled = (self._number, now_s) if self._number > report.handled else None
        elif isinstance(report, frames.Ack):
            operation, _ = self._pending.pop(report.request, (None, 0.0))
            if report.return_code < 0 and operation is not None:
                problem = codes.describe_return(operation.name.lower(), report.return_code)
                self._give_up(problem, now_s)
                return frames.Event(frames.EventKind.LOST, problem)
        elif isinstance(report, frames.Event):
            self._on_event(report, now_s)
        overdue = self._overdue(now_s)
        if overdue:
            self._give_up(overdue, now_s)
            return frames.Event(frames.EventKind.LOST, overdue)
        return report

    def close(self) -> None:
        """Let go of the arm; the child stops it and ends, or is killed."""
        if self._child is not None:
            child, self._child = self._child, None
            self._close_pipe()
            try:
                child.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.state = LinkState.DOWN

    def _start(self, now_s: float) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child = self._spawn(theirs)
        self._pipe, self._number, self._unhandled = ours, 0, None
        self._pending.clear()
        self.state, self._deadline_s = LinkState.CONNECTING, now_s + self._connect_deadline_s
        self.restarts += 1
        self._send(ours, frames.pack_config(self.config))

    def _receive(self, timeout_s: float) -> frames.Feedback | frames.Ack | frames.Event | None:
        assert self._pipe is not None
        self._pipe.settimeout(timeout_s)
        try:
            frame = self._pipe.recv(frames.MAX_FRAME_BYTES)
        except (TimeoutError, BlockingIOError):
            return None
        except ConnectionResetError:  # it ended with our frames unread; what it said last is still there
            frame = self._last_words(self._pipe)
        except OSError:
            frame = b""
        if not frame:
            return frames.Event(frames.EventKind.LOST, "the SDK process ended unexpectedly")
        return frames.unpack_report(frame)

    @staticmethod
    def _last_words(pipe: socket.socket) -> bytes:
        try:
            return pipe.recv(frames.MAX_FRAME_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            return b""

    def _on_event(self, event: frames.Event, now_s: float) -> None:
        if event.kind is frames.EventKind.CONNECTED:
            self.state, self.identity, self.problem = LinkState.UP, event.detail, ""
            self._heard_s = now_s
        else:
            self._give_up(event.detail, now_s)

    def _overdue(self, now_s: float) -> str:
        """Why the child must be killed now; empty if it need not."""
        if self.state is LinkState.CONNECTING and now_s > self._deadline_s:
            return f"connecting to {self.config.arm_ip} took more than {self._connect_deadline_s:g} s"
        if self.state is not LinkState.UP:
            return ""
        for operation, since_s in self._pending.values():
            if now_s - since_s > self._call_deadline_s:
                return f"the SDK did not return from {operation.name.lower()} within {self._call_deadline_s:g} s"
        if now_s - self._heard_s > self._silence_s:
            config = self.config
            return (
                f"no state push from {config.arm_ip} on UDP port {config.udp_port} for {self._silence_s:g} s; is the "
                "arm on, does a firewall block the port, does another process (or the other arm) use it?"
            )
        if self._unhandled is not None and self._heard_s - self._unhandled[1] > self._call_deadline_s:
            return f"the SDK did not take a setpoint within {self._call_deadline_s:g} s"
        return ""

    def _give_up(self, problem: str, now_s: float) -> None:
        self.state, self.problem = LinkState.DOWN, problem
        self._next_start_s = now_s + self._retry_s
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            pipe.close()

    def _send(self, pipe: socket.socket, frame: bytes) -> bool:
        try:
            pipe.send(frame, socket.MSG_DONTWAIT)
        except OSError:
            return False  # full or broken: the deadlines notice
        return True


def spawn_child(pipe: socket.socket) -> subprocess.Popen[bytes]:
    """Start the SDK's process; it owns nothing but its end of the pipe."""
    source = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "realman_driver.sdk_process", str(pipe.fileno())],
        pass_fds=(pipe.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the SDK prints there, and logs in its own words on the other
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is the driver's: it stops the arm first
    )
