"""Records a full robot's traffic and reports what was lost and what it cost, as JSON.

python ros2_ws/src/vitra_recorder/benchmarks/recorder_load.py --duration-s 600 --out runs/bench/recorder.json
"""

from __future__ import annotations

import array
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from vitra_runtime.scheduling import PRIORITY_VARIABLE


@dataclass(frozen=True)
class Args:
    """What to record."""

    duration_s: float = 20.0
    """How long to publish."""
    depth: bool = False
    """Publish aligned depth too."""
    color_format: str = "compressed"
    """compressed or raw."""
    realtime: bool = True
    """Ask for real-time scheduling of the recorder's receiving side, as the launch files do."""
    out: Path | None = None
    """JSON file; default standard output."""


def publish(name: str, streams: list[tuple[str, str, float]], duration_s: float, counts: dict[str, int]) -> None:
    """Publish streams (topic, kind, Hz) on a fixed grid each, and note how many messages were sent."""
    import rclpy
    from sensor_msgs.msg import Image, JointState

    from vitra_msgs.msg import ArmCommand, HandCommand
    from vitra_runtime import qos

    rclpy.init()
    node = rclpy.create_node(name)
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 640, dtype=np.uint8)[None, :, None] + rng.integers(0, 20, (480, 640, 3), dtype=np.uint8)
    pixels = {"image": ramp, "depth": np.tile(np.arange(640, dtype=np.uint16) + 500, (480, 1))}
    makers = {
        "arm": lambda: JointState(name=[f"j{i}" for i in range(7)], position=[0.1] * 7, velocity=[0.0] * 7),
        "hand": lambda: JointState(name=[f"h{i}" for i in range(12)], position=[0.1] * 12),
        "arm_command": lambda: ArmCommand(position_rad=[0.1] * 7),
        "hand_command": lambda: HandCommand(position_rad=[0.1] * 12),
        "image": lambda: Image(height=480, width=640, encoding="rgb8", step=1920),
        "depth": lambda: Image(height=480, width=640, encoding="16UC1", step=1280),
    }
    jobs = []
    for topic, kind, rate_hz in streams:
        message = makers[kind]()
        if kind in pixels:
            message.data = array.array("B", pixels[kind].tobytes())
        jobs.append([0.0, 1 / rate_hz, topic, node.create_publisher(type(message), topic, qos.SENSOR), message])
    deadline_s = time.monotonic() + 30
    while not all(job[3].get_subscription_count() for job in jobs) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    start_s = time.monotonic()
    for job in jobs:
        job[0] = start_s
    while (now_s := time.monotonic()) < start_s + duration_s:
        for job in jobs:
            if job[0] <= now_s:
                job[4].header.stamp = node.get_clock().now().to_msg()
                job[3].publish(job[4])
                counts[job[2]] = counts.get(job[2], 0) + 1
                job[0] += job[1]
        time.sleep(max(0.0, min(job[0] for job in jobs) - time.monotonic()))
    rclpy.shutdown()


def cpu_s(pid: int) -> float:
    """Processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(args: Args) -> None:
    """Run recorder and publishers, then count."""
    from rosbags.highlevel import AnyReader

    folder = Path(tempfile.mkdtemp(prefix="recorder_load_"))
    command = [sys.executable, "-m", "vitra_recorder.recorder_node", "--ros-args"]
    for value in (f"output:={folder / 'bag'}", "record_at_start:=true", f"color_format:={args.color_format}"):
        command += ["-p", value]
    environment = os.environ | {PRIORITY_VARIABLE: "10" if args.realtime else "0"}
    recorder = subprocess.Popen(command, env=environment)
    with multiprocessing.get_context("spawn").Manager() as manager:
        counts = manager.dict()
        camera = [("head_camera/color/image_raw", "image", 30.0)]
        if args.depth:
            camera.append(("head_camera/aligned_depth_to_color/image_raw", "depth", 30.0))
        sides = ("left", "right")
        states = [(f"{s}_arm/joint_states", "arm", 200.0) for s in sides]
        states += [(f"{s}_hand/joint_states", "hand", 100.0) for s in sides]
        commands = [(f"{s}_arm/command", "arm_command", 200.0) for s in sides]
        commands += [(f"{s}_hand/command", "hand_command", 100.0) for s in sides]
        spawn = multiprocessing.get_context("spawn").Process
        groups = {"camera": camera, "states": states, "commands": commands}
        local = [spawn(target=publish, args=(n, g, args.duration_s, counts)) for n, g in groups.items()]
        started_s, used_s = time.monotonic(), cpu_s(recorder.pid)
        for process in local:
            process.start()
        for process in local:
            process.join()
        used_s, elapsed_s = cpu_s(recorder.pid) - used_s, time.monotonic() - started_s
        sent = dict(counts)
    recorder.send_signal(signal.SIGINT)
    recorder.wait(30)
    with AnyReader([folder / "bag"]) as reader:
        got = {connection.topic: connection.msgcount for connection in reader.connections}
        size = sum(file.stat().st_size for file in (folder / "bag").iterdir())
    shutil.rmtree(folder)
    streams = {}
    for topic, count in sorted(sent.items()):
        written = max((n for name, n in got.items() if name.startswith(f"/{topic}")), default=0)
        streams[topic] = {"sent": count, "recorded": written, "lost": count - written}
    report = {
        "duration_s": args.duration_s,
        "recorder_cpu_percent": round(100 * used_s / elapsed_s, 1),
        "megabytes_per_s": round(size / 1e6 / args.duration_s, 2),
        "streams": streams,
    }
    text = json.dumps(report, indent=2)
    if args.out is None:
        sys.stdout.write(text + "\n")
    else:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


if __name__ == "__main__":
    main(tyro.cli(Args))
