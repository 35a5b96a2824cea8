"""Start the graph from a launch file, talk to it, and stop it; for the demo, benchmarks and tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vitra_bringup.brief_client import over_udp
from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_link import GraphError
from vitra_policy.child_processes import end_with_parent

_STARTED = re.compile(r"^\[INFO\] \[(?P<label>.+)-\d+\]: process started with pid \[(?P<pid>\d+)\]")
STOP_TIMEOUT_S = 10.0
VITRA_LAUNCH = (sys.executable, "-m", "vitra_launch.launcher")


class GraphRun:
    """A running launch file with a client; use as a context manager.

    Args:
        launch_file: a file of vitra_bringup, or a path.
        arguments: launch arguments; an empty value leaves the default, as none can be given.
        log: file for everything the processes print.
        domain_id: ROS domain of this run; None keeps the environment's.
        launcher: the program that takes a launch file and its arguments.
    """

    def __init__(
        self,
        launch_file: str,
        arguments: dict[str, str],
        log: Path,
        domain_id: int | None = None,
        launcher: Sequence[str] = VITRA_LAUNCH,
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ)
        if domain_id is not None:
            environment["ROS_DOMAIN_ID"] = str(domain_id)
        command = [*launcher, launch_file]
        command += [f"{name}:={value}" for name, value in arguments.items() if value]
        self.pids: dict[str, list[int]] = {}
        self._said: list[str] = []
        self._saying = threading.Condition()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment, start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name="launch log", daemon=True)
        self._reader.start()
        with over_udp():  # a node that is killed must not take the hearing of whoever judges it along
            self.client = GraphClient("graph_run", domain_id)

    def __enter__(self) -> GraphRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def launcher_pid(self) -> int:
        """Process id of the launcher."""
        return self._process.pid

    def pid(self, label: str) -> int:
        """Process id of the newest process of that node name.

        Raises:
            GraphError: no such process was started; the message lists those that were.
        """
        if label not in self.pids:
            raise GraphError(f"No process '{label}' was launched. There are: {', '.join(sorted(self.pids))}.")
        return self.pids[label][-1]

    def wait_ready(self, timeout_s: float = 90.0) -> None:
        """Wait until the safety supervisor would accept a re-arm.

        Raises:
            GraphError: not in time, or the launch ended; the message holds the end of the log.
        """
        try:
            self.client.wait_for(
                lambda: (
                    self._process.poll() is not None
                    or (self.client.safety is not None and not self.client.safety.not_ready)
                ),
                timeout_s,
                self._missing,
            )
        except GraphError as error:
            raise GraphError(f"{error} The log is {self.log}.") from None
        if self._process.poll() is not None:
            tail = "\n".join(self.log.read_text().splitlines()[-15:])
            raise GraphError(f"The launch ended with exit code {self._process.returncode}:\n{tail}")

    def wait_said(self, pattern: str, timeout_s: float) -> str:
        """Wait until a process printed something; returns the pattern's first group.

        Raises:
            GraphError: nobody did in time.
        """
        looked, found = 0, None

        def look() -> bool:
            nonlocal looked, found
            while looked < len(self._said) and found is None:
                found, looked = re.search(pattern, self._said[looked]), looked + 1
            return found is not None

        with self._saying:
            if not self._saying.wait_for(look, timeout_s):
                raise GraphError(f"Waited {timeout_s:g} s for '{pattern}' in the log, which is {self.log}.")
        assert found is not None
        return str(found[1])

    def wait(self) -> int:
        """Wait until the launch ends by itself; returns its exit code."""
        return self._process.wait()

    def stop(self) -> int:
        """Ctrl-C the launch and wait for its end; returns its exit code."""
        self.client.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reader.join(timeout=5.0)
        return self._process.wait()

    def _missing(self) -> str:
        safety = self.client.safety
        what = "the safety supervisor" if safety is None else "; ".join(safety.not_ready)
        return f"the graph to be ready; still missing: {what}."

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("w") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                with self._saying:
                    self._said.append(line)
                    self._saying.notify_all()
                if match := _STARTED.match(line):
                    self.pids.setdefault(match["label"], []).append(int(match["pid"]))
