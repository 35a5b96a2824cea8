"""Whether a graph runs as it must before a robot is armed: nodes, sources, rates, jitter, clocks, drivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vitra_description.limits import ARM_LIMITS, HAND_LIMITS
from vitra_doctor.finding import Check, Complaint, Level
from vitra_doctor.graph import Graph, expected_rates_hz

ACTIVE, FAULT = 1, 2
_RATE_SHARE, _SLOW_SHARE = 0.5, 0.9
_LONGEST_GAPS_S = {"joint_states": 0.05, "permit": 0.1, "image_raw": 0.15, "camera_info": 0.15, "driver_state": 0.4}
"""By the last part of the topic's name: what drivers, supervisor and policy put up with."""
_OLDEST_S, _FUTURE_S = 0.25, 0.005
_BEYOND_RAD = 0.02


@dataclass(frozen=True, slots=True)
class Listened:
    """A graph, and what it should be."""

    graph: Graph
    arms: str = "right"
    required_nodes: tuple[str, ...] = ()
    camera_hz: float = 30.0

    @property
    def rates_hz(self) -> dict[str, float]:
        """Nominal rates by topic."""
        return expected_rates_hz(self.arms, self.camera_hz)


def _nodes(listened: Listened) -> Iterator[Complaint]:
    beats = listened.graph.beats
    for name in listened.required_nodes:
        beat = beats.get(name)
        if beat is None:
            yield Level.ERROR, f"The node {name} gives no sign of life.", f"read the log for {name}, or launch again"
        elif beat.state == FAULT:
            yield Level.ERROR, f"The node {name} reports: {beat.detail}.", f"mend that, or launch {name} again"
        elif beat.state != ACTIVE:
            what = f"The node {name} is not active: {beat.detail or 'no reason given'}."
            yield Level.ERROR, what, f"ros2 lifecycle set {name} activate, or mend what it says"


def _doubles(listened: Listened) -> Iterator[Complaint]:
    for name, beat in listened.graph.beats.items():
        if len(beat.processes) > 1:
            pids = ", ".join(f"{pid} on {host}" for host, pid in beat.processes)
            what = f"{len(beat.processes)} nodes are called {name}: processes {pids}."
            yield Level.ERROR, what, f"kill {beat.processes[0][1]} (the one that you did not just launch)"


def _second_sources(listened: Listened) -> Iterator[Complaint]:
    for topic, nodes in listened.graph.publishers.items():
        if len(nodes) > 1:
            what = f"{topic} is published by {', '.join(nodes)}; only one node may."
            yield Level.ERROR, what, f"ros2 topic info -v {topic}, and end one of them"


def _silent(listened: Listened) -> Iterator[Complaint]:
    for topic, nominal_hz in listened.rates_hz.items():
        stream = listened.graph.streams.get(topic)
        if stream is None or not stream.times_s:
            what = f"Nothing comes on {topic} (nominal {nominal_hz:g} Hz)."
            yield Level.ERROR, what, f"ros2 topic info -v {topic}, and read the log of the node that should publish it"


def _rates(listened: Listened) -> Iterator[Complaint]:
    for topic, nominal_hz in listened.rates_hz.items():
        stream = listened.graph.streams.get(topic)
        if stream is None or not stream.times_s or stream.rate_hz >= _SLOW_SHARE * nominal_hz:
            continue
        level = Level.ERROR if stream.rate_hz < _RATE_SHARE * nominal_hz else Level.WARNING
        what = f"{topic} comes at {stream.rate_hz:.1f} Hz, nominal {nominal_hz:g}."
        mend = "plug it into a USB 3 port of its own, or lower its size" if "camera" in topic else "top, then the cable"
        yield level, what, mend


def _gaps(listened: Listened) -> Iterator[Complaint]:
    for topic in listened.rates_hz:
        stream = listened.graph.streams.get(topic)
        allowed_s = _LONGEST_GAPS_S[topic.rsplit("/", 1)[-1]]
        if stream is not None and stream.longest_gap_s() > allowed_s:
            gap_ms = stream.longest_gap_s() * 1e3
            what = f"{topic} paused for {gap_ms:.0f} ms, allowed {allowed_s * 1e3:.0f}: motion would stop."
            yield Level.WARNING, what, "vitra-doctor again; if it stays: top, real-time rights, network cable"


def _clocks(listened: Listened) -> Iterator[Complaint]:
    for topic, stream in listened.graph.streams.items():
        age_s = stream.median_age_s()
        if stream.ages_s and (age_s < -_FUTURE_S or age_s > _OLDEST_S):
            how = "in the future" if age_s < 0 else "old"
            what = f"{topic} is stamped {abs(age_s) * 1e3:.0f} ms {how}: the clock of its machine or device is off."
            yield Level.ERROR, what, "sudo chronyc makestep on both machines (chronyc tracking shows the offset)"


def _drivers(listened: Listened) -> Iterator[Complaint]:
    for device, fault in listened.graph.driver_faults.items():
        if fault:
            mend = f"ros2 service call /{device}_driver/clear_errors std_srvs/srv/Trigger, after looking at the arm"
            if device.endswith("hand"):
                mend = "power and cable of the hand; then it comes back by itself"
            yield Level.ERROR, f"{device}: {fault}.", mend


def _joints(listened: Listened) -> Iterator[Complaint]:
    for device, joints_rad in listened.graph.joints_rad.items():
        limits = ARM_LIMITS if device.endswith("arm") else HAND_LIMITS
        q = np.array(joints_rad)
        if q.shape != (limits.dof,) or not np.all(np.isfinite(q)):
            yield Level.ERROR, f"{device} reports {len(joints_rad)} joints, or no numbers.", "restart its driver"
            continue
        beyond = np.maximum(limits.lower_rad - q, q - limits.upper_rad)
        if beyond.max() > _BEYOND_RAD:
            n = int(beyond.argmax()) + 1
            what = f"Joint {n} of {device} is {np.rad2deg(beyond.max()):.1f} deg beyond its limit."
            mend = "move it inside by hand in drag mode" if device.endswith("arm") else "calibrate the hand's joint"
            yield Level.ERROR, what, mend


GRAPH_CHECKS: dict[str, Check[Listened]] = {
    "nodes": _nodes,
    "node_doubles": _doubles,
    "second_sources": _second_sources,
    "streams": _silent,
    "rates": _rates,
    "jitter": _gaps,
    "clock_offsets": _clocks,
    "driver_faults": _drivers,
    "joint_positions": _joints,
}
