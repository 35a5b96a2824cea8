"""The ROS domain of this process and the ports that follow from it: they tell two graphs on one machine apart."""

from __future__ import annotations

import os
from collections.abc import Mapping


def domain_id(environment: Mapping[str, str] = os.environ) -> int:
    """ROS_DOMAIN_ID; 0 where it is not set, or empty."""
    return int(environment.get("ROS_DOMAIN_ID") or 0)


_FIRST_PUSH_PORT = 8091
"""Not the factory's 8089: the SDK also binds the port that it finds configured, and the last to bind gets the data."""


def arm_push_port(side: str, domain: int) -> int:
    """UDP port of this machine where the state of an arm's controller comes in: two per ROS domain."""
    return _FIRST_PUSH_PORT + 2 * domain + (side == "right")
