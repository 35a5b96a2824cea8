"""Robot arms by name; other packages add theirs with an entry point (docs/how_to/add_a_robot_arm.md)."""

from __future__ import annotations

import functools

from vitra_description.arm_description import ArmDescription
from vitra_policy.extension_point import ExtensionPoint

DEFAULT_ARM = "6f"

ARMS = ExtensionPoint(
    "arm",
    "vitra_description.arms",
    {"6f": "vitra_description.arms.rm75:RM75_6F", "b": "vitra_description.arms.rm75:RM75_B"},
)


@functools.cache
def arm_description(name: str = DEFAULT_ARM) -> ArmDescription:
    """The description of an arm.

    Raises:
        UnknownNameError: no such arm; the message lists them.
        ExtensionError: it cannot be imported.
    """
    description: ArmDescription = ARMS.load(str(name), ArmDescription)
    return description
