"""What a bag of a run says in figures: rates, drops, latencies, stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitra_bringup.errors import LaunchError
from vitra_policy import bag_storage
from vitra_policy.camera_messages.video import base_topic


@dataclass
class Streams:
    """The messages of a bag that a report needs, by topic, in order."""

    stamps_s: dict[str, list[float]] = field(default_factory=dict)
    sequences: dict[str, list[int]] = field(default_factory=dict)
    messages: dict[str, list[Any]] = field(default_factory=dict)


_KEEP = ("executor_state", "hand_action_chunk", "robot_chunk", "safety_state", "sim/state", "driver_state")


def open_bag(path: Path) -> Any:
    """A reader of a rosbag2 folder, to be used in `with`.

    Raises:
        LaunchError: no bag there.
    """
    if not (path / "metadata.yaml").is_file():
        raise LaunchError(f"{path} is not a rosbag2 (no metadata.yaml). Was the recorder stopped cleanly?")
    return bag_storage.open_bag(path)


def messages(reader: Any, suffixes: tuple[str, ...]) -> Iterator[tuple[str, int, Any]]:
    """(topic without the leading slash, receive time ns, message) of every topic that ends in one of the suffixes.

    What a topic's name says of how its images are compressed does not count.
    """
    connections = [c for c in reader.connections if base_topic(c.topic).endswith(suffixes)]
    for connection, time_ns, raw in reader.messages(connections=connections) if connections else ():
        yield connection.topic.lstrip("/"), time_ns, reader.deserialize(raw, connection.msgtype)


def read(path: Path) -> Streams:
    """Read what `summarize` needs."""
    streams = Streams()
    with open_bag(path) as reader:
        suffixes = (*_KEEP, "command", "joint_states", "color/camera_info")
        for topic, _, message in messages(reader, suffixes):
            stamp = message.header.stamp
            streams.stamps_s.setdefault(topic, []).append(stamp.sec + stamp.nanosec * 1e-9)
            if hasattr(message, "sequence"):
                streams.sequences.setdefault(topic, []).append(int(message.sequence))
            if topic.endswith(_KEEP):
                streams.messages.setdefault(topic, []).append(message)
    return streams


def topics(path: Path) -> dict[str, int]:
    """Every topic of the bag and how many messages it holds."""
    with open_bag(path) as reader:
        return {name: topic.msgcount for name, topic in sorted(reader.topics.items())}


def cadence(stamps_s: list[float], nominal_hz: float, pause_s: float = 0.25) -> tuple[float, float]:
    """(mean rate [Hz], p99 of |period - nominal| [s]); longer pauses than `pause_s` split the stream, uncounted.

    Args:
        stamps_s: When each message came, increasing.
        nominal_hz: Rate that the stream should have.
        pause_s: A longer gap is a pause, not a period.
    """
    periods = np.diff(np.asarray(stamps_s))
    periods = periods[(periods > 0) & (periods < pause_s)]
    if len(periods) == 0:
        return 0.0, 0.0
    return float(1.0 / periods.mean()), float(np.quantile(np.abs(periods - 1.0 / nominal_hz), 0.99))


def setpoint_rate(stamps_s: list[float], sequences: list[int], pause_s: float = 0.25) -> float:
    """Rate at which setpoints were sent [Hz]: by their numbers, so that one missing in the bag is not one unsent.

    Args:
        stamps_s: When each setpoint came, increasing.
        sequences: Its number, as the sender counts.
        pause_s: A longer gap is a pause of the sender and not counted.
    """
    stamps, numbers = np.asarray(stamps_s), np.asarray(sequences)
    steps, periods = np.diff(numbers), np.diff(stamps)
    sent = (steps > 0) & (periods > 0) & (periods / np.maximum(steps, 1) < pause_s)
    return float(steps[sent].sum() / periods[sent].sum()) if sent.any() else 0.0


def unrecorded(sequences: list[int]) -> int:
    """Numbered messages that are not in the bag, between its first and its last."""
    steps = np.diff(np.asarray(sequences))
    return int(np.maximum(steps[steps > 0] - 1, 0).sum())


def dropped(stamps_s: list[float], nominal_hz: float) -> int:
    """Frames missing between the first and the last, from gaps in the capture stamps."""
    periods = np.diff(np.asarray(stamps_s))
    return int(np.sum(np.maximum(np.round(periods * nominal_hz) - 1, 0)))


def summarize(path: Path) -> dict[str, Any]:
    """Figures of one recorded run."""
    return figures(read(path))


def figures(streams: Streams) -> dict[str, Any]:
    """Figures of a run (rates in Hz, latencies in ms)."""
    arms = [topic for topic, stamps in streams.stamps_s.items() if topic.endswith("arm/command") and len(stamps) > 1]
    rates = [setpoint_rate(streams.stamps_s[arm], streams.sequences[arm]) for arm in arms]
    errors_s = [cadence(streams.stamps_s[arm], 200.0)[1] for arm in arms]
    camera = next((s for t, s in streams.stamps_s.items() if t.endswith("color/camera_info")), [])
    latency_ms = first_setpoint_latencies_ms(streams.messages.get("executor_state", []))
    chunks = streams.messages.get("hand_action_chunk", [])
    sim = streams.messages.get("sim/state", [])
    states = [m.state for m in streams.messages.get("safety_state", [])]
    stops = sum(1 for a, b in zip([0, *states], states, strict=False) if b == 2 and a != 2)
    summary: dict[str, Any] = {
        "arm_setpoint_hz": round(min(rates, default=0.0), 2),
        "arm_setpoint_period_error_ms_p99": round(1e3 * max(errors_s, default=0.0), 3),
        "arm_setpoints_not_in_bag": sum(unrecorded(streams.sequences[arm]) for arm in arms),
        "camera_hz": round(cadence(camera, 30.0)[0], 2),
        "images_dropped": dropped(camera, 30.0),
        "observation_to_setpoint_ms_p50": _quantile(latency_ms, 0.5),
        "observation_to_setpoint_ms_p99": _quantile(latency_ms, 0.99),
        "policy_inference_ms_p50": _quantile([1e3 * m.inference_s for m in chunks], 0.5),
        "chunks": len(chunks),
        "stops": stops,
    }
    if len(sim) > 1:
        wall_s = streams.stamps_s["sim/state"][-1] - streams.stamps_s["sim/state"][0]
        summary["real_time_factor"] = round((sim[-1].sim_time_s - sim[0].sim_time_s) / max(wall_s, 1e-9), 4)
    return summary


def first_setpoint_latencies_ms(states: list[Any]) -> list[float]:
    """Age of each chunk's observation at the first setpoint computed from it [ms], one value per chunk."""
    seen: dict[int, float] = {}
    for state in states:
        if state.chunk_sequence:
            seen.setdefault(int(state.chunk_sequence), 1e3 * float(state.observation_to_setpoint_s))
    return list(seen.values())


def _quantile(values: list[float], q: float) -> float | None:
    return round(float(np.quantile(values, q)), 2) if values else None
