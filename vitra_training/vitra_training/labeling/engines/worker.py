"""A child process that runs jobs one at a time, and dies alone when one crashes, hangs or eats the memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

import psutil

from vitra_policy.child_processes import end_with_parent
from vitra_training.labeling.engines.job import Job, Outcome, perform
from vitra_training.labeling.engines.ledger import Reason

_STARTED = "started"
_MIB = 1 << 20


class Worker:
    """One child process; it is started on first use and again after it had to be killed.

    Args:
        threads: that numeric libraries in the child may use.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._process: Any = None
        self._pipe: Connection | None = None
        self._job: Job | None = None
        self._since_s = 0.0
        self._peak_mib = 0.0

    @property
    def job(self) -> Job | None:
        """What it works on."""
        return self._job

    @property
    def pid(self) -> int | None:
        """Of the child."""
        return self._process.pid if self._process else None

    def waitables(self) -> list[Any]:
        """What becomes ready when there is something to `poll`."""
        return [self._pipe, self._process.sentinel] if self._job and self._process else []

    def give(self, job: Job) -> None:
        """Start a job; the worker must be idle."""
        assert self._job is None
        if self._process is None or not self._process.is_alive():
            self._start()
        self._job, self._since_s, self._peak_mib = job, time.monotonic(), 0.0
        assert self._pipe is not None
        self._pipe.send(job)

    def poll(self) -> Outcome | None:
        """The outcome of the present job, if it ended or had to be ended."""
        if self._job is None:
            return None
        assert self._pipe is not None
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if message == _STARTED:
                    self._since_s = time.monotonic()  # starting the interpreter is not the job's time
                    continue
                return self._finish(message)
        except (EOFError, OSError):
            return self._lost()
        if not self._process.is_alive():
            return self._lost()
        return self._over_limits()

    def close(self) -> None:
        """End the child, politely if it is idle."""
        if self._process is None:
            return
        if self._job is None and self._pipe is not None and self._process.is_alive():
            try:
                self._pipe.send(None)
                self._process.join(5.0)
            except OSError:
                pass
        self._kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Not a daemon: a stage may start processes of its own; the child ends when its pipe closes.
        self._process = context.Process(target=_serve, args=(theirs, self._threads), name="vitra-label worker")
        self._process.start()
        theirs.close()

    def _finish(self, outcome: Outcome) -> Outcome:
        self._job = None
        if outcome.reason is Reason.MEMORY:  # a heap that was refused once may be in any state
            self._kill()
        return outcome

    def _lost(self) -> Outcome:
        self._process.join(5.0)
        code = self._process.exitcode
        killed = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return self._end(Reason.CRASH, f"the process died ({killed})")

    def _over_limits(self) -> Outcome | None:
        assert self._job is not None
        stage, elapsed = self._job.stage, time.monotonic() - self._since_s
        if elapsed > stage.timeout_s:
            return self._end(Reason.TIMEOUT, f"no result after {stage.timeout_s:g} s")
        used = _resident_mib(self._process.pid)
        self._peak_mib = max(self._peak_mib, used)
        if used > stage.memory_mib:
            return self._end(Reason.MEMORY, f"{used:.0f} MiB in use, {stage.memory_mib} allowed")
        return None

    def _end(self, reason: Reason, detail: str) -> Outcome:
        assert self._job is not None
        outcome = Outcome(self._job, time.monotonic() - self._since_s, reason, detail, peak_mib=self._peak_mib)
        self._kill()
        self._job = None
        return outcome

    def _kill(self) -> None:
        if self._process is not None:
            for process in _family(self._process.pid):
                process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _serve(pipe: Connection, threads: int) -> None:
    """The child's loop."""
    end_with_parent(signal.SIGKILL)  # a stage that hangs must not outlive a killed run
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # writing a core takes longer than dying
    os.nice(5)  # the parent stays quick to answer
    import cv2

    cv2.setNumThreads(threads)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if job is None:
            return
        _limit(job.stage.memory_mib)
        pipe.send(_STARTED)
        outcome = perform(job)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send(Outcome(outcome.job, outcome.seconds, outcome.reason, outcome.detail, outcome.disk_full, peak))


def _limit(memory_mib: int) -> None:
    """Let an allocation far beyond the limit fail at once, before the parent can look."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = int(1.25 * memory_mib) * _MIB
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return []


def _resident_mib(pid: int) -> float:
    total = 0
    for process in _family(pid):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / _MIB
