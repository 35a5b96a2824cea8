"""The QoS profiles of the graph, one name per purpose."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliable: bool, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


SENSOR = _profile(5, reliable=False)
"""Images and joint states: the newest few, never a stall."""
SETPOINT = _profile(1, reliable=False)
"""Commands and permits: only the newest matters."""
CHUNK = _profile(1, reliable=True)
"""Action chunks: must arrive, only the newest matters."""
LATCHED = _profile(1, reliable=True, latched=True)
"""States that late joiners must see."""
HEARTBEAT = _profile(50, reliable=False)
"""Signs of life of many nodes on one topic."""
RECORD = _profile(100, reliable=False)
"""What wants every message: deep enough for a busy moment."""


def recorded(depth: int, *, reliable: bool, latched: bool) -> QoSProfile:
    """What the recorder asks for: as a topic is offered, with room for `depth` messages.

    Args:
        depth: How many messages may wait.
        reliable: As it is offered.
        latched: Whether late subscribers get the last one.
    """
    return _profile(depth, reliable, latched)
