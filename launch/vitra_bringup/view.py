"""`vitra-view`: see the robot in Rerun: posture, camera, depth, predicted and executed wrist paths, chunks and safety.

    vitra-view runs/demo/bag                    a recorded bag
    vitra-view                                  the graph that runs in this ROS domain, live
    vitra-view runs/demo/bag --save demo.rrd    a file to share: open it with `rerun demo.rrd`, or at rerun.io/viewer

Without a display a file is written.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from diagnostic_msgs.msg import DiagnosticArray
from rich.console import Console
from rich.progress import Progress
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String

from vitra_bringup.errors import LaunchError
from vitra_bringup.graph_client import GraphClient
from vitra_description.calibration import calibration_path, load_calibration
from vitra_msgs.msg import ExecutorState, HandActionChunk, SafetyState
from vitra_policy.action_space import SIDES
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError
from vitra_runtime import qos

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """See the robot in Rerun."""

    bag: tyro.conf.Positional[Path | None] = None
    """A rosbag2 folder; without one the running graph is shown."""
    save: Path | None = None
    """Write this .rrd file instead of opening the viewer."""
    calibration: str = ""
    """Calibration by name or path; default: the one inside the bag, `sim` for a running graph."""
    seconds: float = 0.0
    """Look at the running graph for so long; 0: until Ctrl-C."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = tyro.cli(Args, prog="vitra-view", description=__doc__, args=argv)
    try:
        return view(args)
    except VitraError as error:
        print_error(console, "vitra-view", error)
        return 2
    except KeyboardInterrupt:
        return 130


def view(args: Args) -> int:
    """Open the viewer or the file, and show what was asked for.

    Raises:
        LaunchError: Rerun is not installed.
    """
    try:
        import rerun as rr

        from vitra_console.view.bag import show_bag
        from vitra_console.view.recording import APPLICATION
    except ImportError as error:
        raise LaunchError(
            f"Rerun is not installed here ({error}). It needs numpy 2: pip install -r requirements/view.txt, or copy "
            "the bag to a machine that has it."
        ) from error
    stream = rr.RecordingStream(APPLICATION)
    out = args.save
    if out is None and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        out = (args.bag.parent / f"{args.bag.name}.rrd") if args.bag else Path("runs/view.rrd")
        console.print("no display here: writing a file")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        stream.save(str(out))
    else:
        rr.spawn(recording=stream)
    try:
        if args.bag is not None:
            with Progress(console=console) as bar:
                task = bar.add_task(str(args.bag))
                show_bag(stream, args.bag, args.calibration, lambda n, of: bar.update(task, completed=n, total=of))
        else:
            live(stream, args)
    finally:
        stream.disconnect()
    if out is not None:
        console.print(f"written: {out} ({out.stat().st_size / 1e6:.1f} MB); open it with: rerun {out}")
    return 0


def live(stream: Any, args: Args) -> None:
    """Show the running graph until Ctrl-C or the end of the time."""
    from vitra_console.view.recording import RobotRecording

    recording = RobotRecording(stream, load_calibration(calibration_path(args.calibration or "sim")))
    with GraphClient("vitra_view", args.domain_id) as client:

        def show(kind: Any, topic: str, profile: Any = qos.SENSOR) -> None:
            def take(message: Any) -> None:
                header = getattr(message, "header", None)
                now_s = client.node.get_clock().now().nanoseconds * 1e-9
                stamp_s = now_s if header is None else header.stamp.sec + header.stamp.nanosec * 1e-9
                recording.take(topic.lstrip("/"), message, stamp_s or now_s)

            client.watch(kind, topic, profile, take)

        show(CameraInfo, "head_camera/color/camera_info")
        show(Image, "head_camera/color/image_raw")
        show(Image, "head_camera/aligned_depth_to_color/image_raw")
        for side in SIDES:
            show(JointState, f"{side}_arm/joint_states")
            show(JointState, f"{side}_hand/joint_states")
        show(HandActionChunk, "hand_action_chunk", qos.CHUNK)
        show(ExecutorState, "executor_state", qos.SETPOINT)
        show(SafetyState, "safety_state", qos.LATCHED)
        show(String, "instruction", qos.LATCHED)
        show(DiagnosticArray, "/diagnostics", 10)
        client.wait_for(lambda: client.safety is not None, 10.0, "a safety supervisor: is a graph running?")
        console.print("showing the running graph; Ctrl-C ends")
        threading.Event().wait(args.seconds or None)


if __name__ == "__main__":
    sys.exit(main())
