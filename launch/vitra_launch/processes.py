"""Run processes side by side: prefixed logs, respawn, and a clean stop for all of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitra_launch.process import Process
from vitra_policy.child_processes import end_with_parent

_POLL_S = 0.2
_HURRIED_S = 2.0
WRONGLY_CONFIGURED = 2
"""Exit code of a node that refuses its parameters (it interrupts the launcher)."""


@dataclass
class _Child:
    spec: Process
    label: str
    popen: subprocess.Popen[bytes]
    respawns: int = 0
    buffer: bytes = b""
    done: bool = False
    terminated: bool = False
    killed: bool = False
    last_line: str = ""


class ProcessGroup:
    """The processes of one launch.

    Args:
        write: where prefixed lines go.
        on_start: called with (name, pid) at every start, also of a respawned process.
    """

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        on_start: Callable[[str, int], None] = lambda name, pid: None,
    ) -> None:
        self._write = write or self._print
        self._on_start = on_start
        self._selector = selectors.DefaultSelector()
        self._children: list[_Child] = []
        self._pending: list[tuple[float, Process, str, int]] = []
        self._count, self._cause = 0, ""
        self._stopping = False
        self._signal_to_stop: signal.Signals | None = None
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._files = tempfile.TemporaryDirectory(prefix="vitra-launch-")
        self.exit_code = 0

    def request_stop(self, number: int) -> None:
        """Stop with this signal to all (from a signal handler); `run` comes back soon."""
        if self._signal_to_stop is None:
            self._signal_to_stop = signal.Signals(number)
            self._wake.send(b"\0")

    def start(self, spec: Process) -> None:
        """Start one process, at once or when its timer has run out."""
        self._count += 1
        label = f"{spec.label}-{self._count}"
        if spec.start_after_s > 0.0:
            self._pending.append((time.monotonic() + spec.start_after_s, spec, label, 0))
        else:
            self._spawn(spec, label, 0)

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> int:
        """Serve the processes until told to stop, until one with on_exit=shutdown ends, or until none is left.

        Returns:
            0, or the exit code of the first process that failed and was not respawned.
        """
        while not should_stop() and not self._stopping and self._signal_to_stop is None:
            self._serve(_POLL_S)
            if not any(not c.done for c in self._children) and not self._pending:
                break
        self.stop()
        return self.exit_code

    def stop(self) -> None:
        """SIGINT (or the signal asked for) to all, then SIGTERM, then SIGKILL, each after its timeout; drains logs."""
        self._stopping = True
        first = self._signal_to_stop or signal.SIGINT
        # Somebody may be waiting to kill the launcher as well.
        hurried = first is not signal.SIGINT
        self._pending.clear()
        live = [c for c in self._children if not c.done]
        for child in live:
            self._signal(child, first)
        begin_s = time.monotonic()
        while any(not c.done for c in live):
            self._serve(0.05)
            waited_s = time.monotonic() - begin_s
            for child in live:
                if child.done:
                    continue
                term_s, kill_s = child.spec.sigterm_timeout_s, child.spec.sigkill_timeout_s
                if hurried:
                    term_s, kill_s = min(term_s, _HURRIED_S), min(kill_s, _HURRIED_S)
                if waited_s > term_s + kill_s and not child.killed:
                    child.killed = True
                    self._signal(child, signal.SIGKILL)
                    self._signal_group(child, signal.SIGKILL)
                elif waited_s > term_s and not child.terminated:
                    child.terminated = True
                    self._signal(child, signal.SIGTERM)
        if self._cause:
            self._write(f"[ERROR] [launch]: ended because of {self._cause}")
        self._selector.close()
        self._files.cleanup()

    def _spawn(self, spec: Process, label: str, respawns: int) -> None:
        # A session of its own: the terminal's Ctrl-C reaches a node once, through us.
        popen = subprocess.Popen(
            spec.words(Path(self._files.name)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**spec.environment, "PYTHONUNBUFFERED": "1"},
            cwd=spec.cwd,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        assert popen.stdout is not None
        os.set_blocking(popen.stdout.fileno(), False)
        child = _Child(spec, label, popen, respawns)
        self._children.append(child)
        self._selector.register(popen.stdout, selectors.EVENT_READ, child)
        self._write(f"[INFO] [{label}]: process started with pid [{popen.pid}]")
        self._on_start(spec.label, popen.pid)

    def _serve(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._woken.recv(64)
            else:
                self._read(key.data)
        for child in self._children:
            if not child.done and child.popen.poll() is not None:
                self._ended(child)
        now_s = time.monotonic()
        for entry in [p for p in self._pending if p[0] <= now_s]:
            self._pending.remove(entry)
            self._spawn(*entry[1:])

    def _read(self, child: _Child) -> None:
        stream = child.popen.stdout
        assert stream is not None
        data = stream.read()
        if not data:
            if data == b"":
                self._selector.unregister(stream)
            return
        *lines, child.buffer = (child.buffer + data).split(b"\n")
        for line in lines:
            child.last_line = line.decode(errors="replace").rstrip()
            self._write(f"[{child.label}] {child.last_line}")

    def _ended(self, child: _Child) -> None:
        child.done = True
        stream = child.popen.stdout
        assert stream is not None
        if stream.fileno() in self._selector.get_map():
            self._read(child)
            if stream.fileno() in self._selector.get_map():
                self._selector.unregister(stream)
        stream.close()
        code = child.popen.returncode
        if code in (0, -signal.SIGINT, -signal.SIGTERM) and (self._stopping or code == 0):
            self._write(f"[INFO] [{child.label}]: process has finished cleanly [pid {child.popen.pid}]")
        else:
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            if child.killed:
                how += ": it did not stop in time"
            self._write(f"[ERROR] [{child.label}]: process has died [pid {child.popen.pid}, {how}]")
        if code == WRONGLY_CONFIGURED and self.exit_code == 0:
            self.exit_code, self._cause = code, f"[{child.label}] {child.last_line}"
        if self._stopping:
            return
        retries = child.spec.respawn_max_retries
        if child.spec.respawn and (retries < 0 or child.respawns < retries):
            due_s = time.monotonic() + child.spec.respawn_delay_s
            self._pending.append((due_s, child.spec, child.label, child.respawns + 1))
            return
        if code != 0 and self.exit_code == 0:
            self.exit_code = code if code > 0 else 128 - code
        if child.spec.shutdown_on_exit:
            self._stopping = True

    @staticmethod
    def _signal(child: _Child, number: signal.Signals) -> None:
        if child.popen.poll() is None:
            child.popen.send_signal(number)

    @staticmethod
    def _signal_group(child: _Child, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.popen.pid, number)

    @staticmethod
    def _print(line: str) -> None:
        with contextlib.suppress(OSError):  # who read the log is gone; the processes must still be stopped
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
