"""Where the doubles of a graph listen.

Each ROS domain has loopback addresses of its own, so that no driver ends up in another graph's simulator.
"""

from __future__ import annotations

from vitra_policy.action_space import Side
from vitra_runtime.domain import domain_id

HAND_TCP_PORT = 8095
_LAST = {Side.LEFT: 11, Side.RIGHT: 12}


def arm_address(side: Side) -> str:
    """Of an arm's controller; launch files write the same."""
    return f"127.0.{domain_id()}.{_LAST[side]}"


def hand_address() -> str:
    """Of the server behind the XHand SDK double."""
    return f"127.0.{domain_id()}.13"
