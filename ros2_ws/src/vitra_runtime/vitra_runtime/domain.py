"""The ROS domain of this process: what two graphs on one machine are told apart by."""

from __future__ import annotations

import os
from collections.abc import Mapping


def domain_id(environment: Mapping[str, str] = os.environ) -> int:
    """ROS_DOMAIN_ID; 0 where it is not set, or empty."""
    return int(environment.get("ROS_DOMAIN_ID") or 0)
