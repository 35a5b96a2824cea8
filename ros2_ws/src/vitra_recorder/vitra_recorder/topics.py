"""What is recorded: every topic of docs/interfaces.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Delivery(StrEnum):
    """How a topic is offered, and therefore asked for."""

    SENSOR = "sensor"
    RELIABLE = "reliable"
    LATCHED = "latched"
    """Kept for late joiners; the last message is written at the start of every bag."""


class Kind(StrEnum):
    """What has to be done to a message before it is written."""

    PLAIN = "plain"
    COLOR = "color"
    DEPTH = "depth"


@dataclass(frozen=True, slots=True)
class Topic:
    """One recorded topic."""

    name: str
    """Relative names follow the node's namespace."""
    type: str
    """package/msg/Type."""
    delivery: Delivery = Delivery.SENSOR
    kind: Kind = Kind.PLAIN


def _of_sides(name: str, message_type: str) -> tuple[Topic, ...]:
    return tuple(Topic(f"{side}_{name}", message_type) for side in ("left", "right"))


TOPICS: tuple[Topic, ...] = (
    Topic("head_camera/color/image_raw", "sensor_msgs/msg/Image", kind=Kind.COLOR),
    Topic("head_camera/color/camera_info", "sensor_msgs/msg/CameraInfo"),
    Topic("head_camera/aligned_depth_to_color/image_raw", "sensor_msgs/msg/Image", kind=Kind.DEPTH),
    *_of_sides("arm/joint_states", "sensor_msgs/msg/JointState"),
    *_of_sides("hand/joint_states", "sensor_msgs/msg/JointState"),
    *_of_sides("arm/command", "vitra_msgs/msg/ArmCommand"),
    *_of_sides("hand/command", "vitra_msgs/msg/HandCommand"),
    *_of_sides("arm/driver_state", "vitra_msgs/msg/DriverState"),
    *_of_sides("hand/driver_state", "vitra_msgs/msg/DriverState"),
    Topic("hand_action_chunk", "vitra_msgs/msg/HandActionChunk", Delivery.RELIABLE),
    Topic("robot_chunk", "vitra_msgs/msg/RobotChunk", Delivery.RELIABLE),
    Topic("permit", "vitra_msgs/msg/Permit"),
    Topic("heartbeat", "vitra_msgs/msg/Heartbeat"),
    Topic("executor_state", "vitra_msgs/msg/ExecutorState"),
    Topic("safety_state", "vitra_msgs/msg/SafetyState", Delivery.LATCHED),
    Topic("instruction", "std_msgs/msg/String", Delivery.LATCHED),
    Topic("sim/state", "vitra_msgs/msg/SimState"),
    Topic("/tf_static", "tf2_msgs/msg/TFMessage", Delivery.LATCHED),
    Topic("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", Delivery.RELIABLE),
)
