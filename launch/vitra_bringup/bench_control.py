"""Figures of the running graph on this machine: setpoint period, latencies, inverse kinematics, CPU per node; JSON."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tyro

from vitra_bringup import bag_report, demo
from vitra_bringup.benchmark import report
from vitra_bringup.busy_loops import busy_loops
from vitra_bringup.graph_run import GraphRun
from vitra_description.calibration import default_calibration
from vitra_description.ik import DifferentialIk
from vitra_description.kinematics import ArmModel
from vitra_description.names import ArmVariant
from vitra_description.postures import home
from vitra_policy.command_options import check_whole_numbers


@dataclass(frozen=True)
class Args:
    """Benchmark of the control graph."""

    out: Path = Path("runs/bench/control.json")
    """Where the figures go."""
    arms: str = "right"
    """right, left or both."""
    ik_ticks: int = 5000
    """Inverse kinematics steps to time."""
    beside: int = 2
    """Busy loops beside a second run of the same; 0: no second run."""


@dataclass
class CpuMeter:
    """CPU share of every process of a launch (with its children) between `begin` and `end`."""

    pids: dict[str, list[int]]
    _begin: dict[str, float] = field(default_factory=dict)
    _begin_s: float = 0.0

    def begin(self) -> None:
        """Start measuring."""
        self._begin, self._begin_s = self._used_s(), time.monotonic()

    def end(self) -> dict[str, float]:
        """Share of one core per node since `begin`."""
        elapsed_s = time.monotonic() - self._begin_s
        used = self._used_s()
        return {name: round((used[name] - self._begin.get(name, 0.0)) / elapsed_s, 3) for name in sorted(used)}

    def _used_s(self) -> dict[str, float]:
        used = {}
        for name, pids in self.pids.items():
            try:
                process = psutil.Process(pids[-1])
                family = [process, *process.children(recursive=True)]
                used[name] = sum(sum(p.cpu_times()[:2]) for p in family)
            except psutil.NoSuchProcess:
                continue
        return used


def time_ik(ticks: int) -> dict[str, float]:
    """Time of one differential step along a 4 cm circle of the right wrist [us]."""
    arm = ArmModel(ArmVariant.RM75_6F, default_calibration().right)
    q = home("right")
    solver, pose = DifferentialIk(arm, q), arm.wrist_pose(q)
    times_us = np.empty(ticks)
    for i in range(ticks):
        phase = 2 * np.pi * i / 400
        target = pose.copy()
        target[:3, 3] += [0.04 * np.cos(phase) - 0.04, 0.04 * np.sin(phase), 0.0]
        begin_ns = time.perf_counter_ns()
        q = solver.step(q, target).position_rad
        times_us[i] = (time.perf_counter_ns() - begin_ns) * 1e-3
    return {
        "ik_us_p50": round(float(np.median(times_us)), 1),
        "ik_us_p99": round(float(np.quantile(times_us, 0.99)), 1),
    }


def measure_graph(args: Args, name: str = "control_run") -> dict[str, Any]:
    """One recorded episode of the scripted expert.

    Args:
        args: Of the command.
        name: Folder for the bag, beside the figures.
    """
    folder = args.out.parent / name
    run = demo.Args(out=folder, arms=args.arms)
    demo.prepare(folder)
    with GraphRun("demo.launch.xml", demo.launch_arguments(run), folder / "launch.log") as graph:
        graph.wait_ready()
        meter = CpuMeter(graph.pids)
        meter.begin()
        episode = demo.run_episode(graph, run, 0, record=True)
        cpu = meter.end()
        graph.client.trigger("recorder/stop", 20.0)
    streams = bag_report.read(folder / "bag")
    figures = bag_report.figures(streams)
    transport_ms = [1e3 * _transport_s(m) for m in streams.messages.get("hand_action_chunk", [])]
    return {
        "success": episode.success,
        "setpoint_hz": figures["arm_setpoint_hz"],
        "setpoint_period_error_ms_p99": figures["arm_setpoint_period_error_ms_p99"],
        "observation_to_setpoint_ms_p50": figures["observation_to_setpoint_ms_p50"],
        "observation_to_setpoint_ms_p99": figures["observation_to_setpoint_ms_p99"],
        "chunk_to_setpoint_ms": chunk_to_setpoint_ms(streams),
        "camera_to_policy_ms_p50": round(float(np.median(transport_ms)), 2),
        "camera_to_policy_ms_p99": round(float(np.quantile(transport_ms, 0.99)), 2),
        "camera_hz": figures["camera_hz"],
        "images_dropped": figures["images_dropped"],
        "real_time_factor": figures.get("real_time_factor"),
        "cpu_cores_per_node": cpu,
        "cpu_cores_total": round(sum(cpu.values()), 2),
    }


def chunk_to_setpoint_ms(streams: bag_report.Streams) -> dict[str, float | None]:
    """Time from a chunk's publication by the policy to the first setpoint computed from it [ms]."""
    chunks = streams.messages.get("hand_action_chunk", [])
    after = {int(m.sequence): 1e3 * (float(m.inference_s) + _transport_s(m)) for m in chunks}
    latencies: dict[int, float] = {}
    for state in streams.messages.get("executor_state", []):
        if state.chunk_sequence in after:
            age_ms = 1e3 * float(state.observation_to_setpoint_s)
            latencies.setdefault(int(state.chunk_sequence), age_ms - after[state.chunk_sequence])
    values = list(latencies.values())
    if not values:
        return {"p50": None, "p99": None}
    return {"p50": round(float(np.median(values)), 2), "p99": round(float(np.quantile(values, 0.99)), 2)}


def _transport_s(chunk: Any) -> float:
    """From the camera's capture to the policy's process [s]."""
    return float(chunk.stage_s[list(chunk.stage_names).index("transport")])


def measure_beside(args: Args) -> dict[str, Any]:
    """The same beside busy loops."""
    if not args.beside:
        return {}
    with busy_loops(args.beside):
        return {f"beside_{args.beside}_busy_loops": measure_graph(args, "control_run_beside")}


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.bench_control", description=__doc__)
    check_whole_numbers(args, {"ik_ticks": 1, "beside": 0})
    return report(
        "bench_control",
        args.out,
        lambda: {"arms": args.arms, **time_ik(args.ik_ticks), **measure_graph(args), **measure_beside(args)},
    )


if __name__ == "__main__":
    sys.exit(main())
