"""How long publishers stand still when a killed process comes back: with our Fast DDS profile and its default; JSON.

Whoever sends to the port in shared memory that a killed process left behind makes it anew, and waits until that of the
new process has been seen alive (`healthy_check_timeout_ms`). An arm stops when its setpoints wait for over 100 ms.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
import tyro
from rclpy.executors import ExternalShutdownException
from rclpy.experimental import EventsExecutor
from sensor_msgs.msg import JointState
from tqdm import tqdm

from vitra_bringup.benchmark import report
from vitra_runtime import qos

_PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
_SETTLE_S, _RESTART_S = 6.0, 3.5
_PERIOD_S = 0.02
_STOPS_AN_ARM_MS = 100.0


@dataclass(frozen=True)
class Args:
    """Benchmark of processes that are killed and start again."""

    out: Path = Path("runs/bench/restart.json")
    """Where the figures go."""
    peers: int = 7
    """Processes that are there, each sending to all."""
    restarts: int = 10
    """How often another one is killed and starts again."""
    domain_id: int = 60
    """ROS domain; nothing else may be there."""


def without_our_timeout(profile: str) -> str:
    """The profile with Fast DDS' own check timeout.

    Raises:
        ValueError: the profile does not set one.
    """
    text, count = re.subn(r"\s*<healthy_check_timeout_ms>\d+</healthy_check_timeout_ms>", "", profile)
    if not count:
        raise ValueError("The profile does not set healthy_check_timeout_ms.")
    return text


def figures(waits_ms: Sequence[float]) -> dict[str, Any]:
    """Of the longest `publish` of every process during every restart."""
    ordered = sorted(waits_ms)
    return {
        "publishers_times_restarts": len(ordered),
        "longest_ms": round(ordered[-1], 1),
        "p90_ms": round(ordered[int(0.9 * (len(ordered) - 1))], 1),
        "over_100_ms": sum(wait > _STOPS_AN_ARM_MS for wait in ordered),
    }


def peer(number: int, peers: int) -> None:
    """Send at 50 Hz and listen to all; print the longest `publish` of each period."""
    rclpy.init()
    node = rclpy.create_node(f"peer_{number}")
    publisher = node.create_publisher(JointState, f"peer_{number}", qos.SENSOR)
    for other in range(peers + 1):
        if other != number:
            node.create_subscription(JointState, f"peer_{other}", lambda _: None, qos.SENSOR)
    message = JointState(position=[0.0] * 7)

    def send() -> None:
        began_s = time.monotonic()
        publisher.publish(message)
        wait_ms = 1e3 * (time.monotonic() - began_s)
        if wait_ms > 1.0:
            print(wait_ms, flush=True)

    node.create_timer(_PERIOD_S, send)
    executor = EventsExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.5)
    except (KeyboardInterrupt, ExternalShutdownException):
        return


def measure(profile: Path, args: Args, label: str) -> list[float]:
    """The longest `publish` [ms] of each process during each restart.

    Args:
        profile: Fast DDS profile the processes use.
        args: How many restarts, and how long each is watched.
        label: Name of the profile in the output.
    """
    env = {**os.environ, _PROFILE: str(profile), "ROS_DOMAIN_ID": str(args.domain_id)}
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / f"{number}.txt" for number in range(args.peers + 1)]

        def start(number: int) -> subprocess.Popen[bytes]:
            code = f"from vitra_bringup.bench_restart import peer; peer({number}, {args.peers})"
            with logs[number].open("ab") as log:
                return subprocess.Popen([sys.executable, "-c", code], env=env, stdout=log, stderr=subprocess.DEVNULL)

        running = [start(number) for number in range(args.peers + 1)]
        waits_ms: list[float] = []
        try:
            time.sleep(_SETTLE_S)
            for _ in tqdm(range(args.restarts), desc=label, disable=not sys.stderr.isatty()):
                sizes = [log.stat().st_size for log in logs[: args.peers]]
                running[-1].kill()
                running[-1].wait()
                running[-1] = start(args.peers)
                time.sleep(_RESTART_S)
                for log, size in zip(logs, sizes, strict=False):
                    waits_ms.append(max(map(float, log.read_bytes()[size:].split()), default=0.0))
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()
    return waits_ms


def main(arguments: list[str] | None = None) -> int:
    """Measure both profiles in one run."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.bench_restart", args=arguments, description=__doc__)
    return report("bench_restart", args.out, lambda: _both(args))


def _both(args: Args) -> dict[str, Any]:
    ours = Path(os.environ[_PROFILE])
    with tempfile.TemporaryDirectory() as folder:
        default = Path(folder) / "default.xml"
        default.write_text(without_our_timeout(ours.read_text()))
        return {
            "fast_dds_default": figures(measure(default, args, "default timeout")),
            "ours": figures(measure(ours, args, "our timeout")),
        }


if __name__ == "__main__":
    sys.exit(main())
