"""Figures of one trial from its bag: smoothness, latency, starvation, stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_bringup import bag_report

Array = NDArray[np.float64]
_RATE_HZ = 100.0


def sparc(speed: Array, rate_hz: float, cutoff_hz: float = 10.0, threshold: float = 0.05, padding: int = 4) -> float:
    """Spectral arc length of a speed profile: 0 is smoothest, about -1.4 a single reach, lower is jerkier.

    Source: Balasubramanian et al., "On the analysis of movement smoothness", J. NeuroEng. Rehabil. 12:112 (2015).

    Args:
        speed: samples (T,).
        rate_hz: their rate.
        cutoff_hz: highest frequency that counts.
        threshold: frequencies above the last one with this relative magnitude do not count either.
        padding: zero padding of the spectrum, in powers of two.
    """
    if len(speed) < 8 or float(np.max(speed)) < 1e-6:
        return float("nan")
    n = 2 ** (int(np.ceil(np.log2(len(speed)))) + padding)
    spectrum = np.abs(np.fft.rfft(speed, n))
    spectrum /= spectrum.max()
    frequency_hz = np.fft.rfftfreq(n, 1 / rate_hz)
    keep = frequency_hz <= cutoff_hz
    spectrum, frequency_hz = spectrum[keep], frequency_hz[keep]
    last = int(np.nonzero(spectrum >= threshold)[0][-1]) + 1
    spectrum, frequency_hz = spectrum[:last], frequency_hz[:last]
    if last < 2:
        return 0.0
    span_hz = frequency_hz[-1] - frequency_hz[0]
    return -float(np.sum(np.hypot(np.diff(frequency_hz) / span_hz, np.diff(spectrum))))


def joint_speed(stamps_s: Array, positions_rad: Array) -> Array:
    """Norm of the joint velocities [rad/s] at 100 Hz, from samples (T,) and (T, joints) at any rate."""
    stamps_s, first = np.unique(stamps_s, return_index=True)
    if len(stamps_s) < 3:
        return np.zeros(0)
    times_s = np.arange(stamps_s[0], stamps_s[-1], 1 / _RATE_HZ)
    even = np.stack([np.interp(times_s, stamps_s, column) for column in positions_rad[first].T], axis=1)
    return np.asarray(np.linalg.norm(np.diff(even, axis=0), axis=1) * _RATE_HZ)


def chunk_signatures(bag: Path) -> set[str]:
    """Who signed the answers of a bag: the alias of its trial, and nobody else."""
    with bag_report.open_bag(bag) as reader:
        return {str(m.policy_id) for _, _, m in bag_report.messages(reader, ("hand_action_chunk",))}


def bag_measures(bag: Path) -> dict[str, float | None]:
    """Figures of a trial; None where the bag has nothing to compute one from: not measured is not zero.

    Raises:
        VitraError: there is no bag.
    """
    summary = bag_report.summarize(bag)
    stamps: dict[str, list[float]] = {}
    positions: dict[str, list[Array]] = {}
    starved: list[int] = []
    limited = 0
    with bag_report.open_bag(bag) as reader:
        total, there = reader.message_count, {c.topic.lstrip("/") for c in reader.connections if c.msgcount}
        for topic, _, message in bag_report.messages(reader, ("arm/joint_states", "executor_state")):
            if topic.endswith("executor_state"):
                starved.append(int(message.starved))
                limited += bool(message.in_limit)
            else:
                stamps.setdefault(topic, []).append(message.header.stamp.sec + message.header.stamp.nanosec * 1e-9)
                positions.setdefault(topic, []).append(np.asarray(message.position))

    def if_there(suffix: str, value: float) -> float | None:
        return float(value) if any(topic.endswith(suffix) for topic in there) else None

    speeds = [joint_speed(np.array(stamps[t]), np.array(positions[t])) for t in sorted(stamps)]
    moving = max(speeds, key=lambda s: float(s.sum()), default=np.zeros(0))
    smoothness = sparc(moving, _RATE_HZ)
    path_rad = round(float(moving.sum() / _RATE_HZ), 4)
    return {
        "messages": float(total),
        "sparc": None if np.isnan(smoothness) else round(smoothness, 4),
        "joint_path_rad": path_rad if len(moving) else None,
        "observation_to_setpoint_ms_p50": summary["observation_to_setpoint_ms_p50"],
        "observation_to_setpoint_ms_p99": summary["observation_to_setpoint_ms_p99"],
        # The lockstep simulation has no clock to time answers by, and the robot's chunks always say how long they took.
        "answer_ms_p50": summary["policy_inference_ms_p50"] or None,
        "chunks": if_there("hand_action_chunk", summary["chunks"]),
        # A lockstep bag has no executor: its camera renders an image for each answer, and none can be late or lost.
        "camera_hz": if_there("color/camera_info", summary["camera_hz"]) if starved else None,
        "images_dropped": if_there("color/camera_info", summary["images_dropped"]) if starved else None,
        "starved": float(starved[-1] - starved[0]) if starved else None,
        "in_limit_share": round(limited / len(starved), 4) if starved else None,
        "stops": if_there("safety_state", summary["stops"]),
    }
