"""What is recorded: every topic of docs/interfaces.md, with the rate it should have."""

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
    rate_hz: float | None = None
    """How often it should come while it comes; None: when something happens."""
    has_header: bool = True
    """Whether the message starts with a std_msgs/Header, whose stamp is the time of capture."""


CAMERA = "head_camera/color/image_raw"
INSTRUCTION = "instruction"


def _of_sides(name: str, message_type: str, rate_hz: float) -> tuple[Topic, ...]:
    return tuple(Topic(f"{side}_{name}", message_type, rate_hz=rate_hz) for side in ("left", "right"))


TOPICS: tuple[Topic, ...] = (
    Topic(CAMERA, "sensor_msgs/msg/Image", kind=Kind.COLOR, rate_hz=30.0),
    Topic("head_camera/color/camera_info", "sensor_msgs/msg/CameraInfo", rate_hz=30.0),
    Topic("head_camera/aligned_depth_to_color/image_raw", "sensor_msgs/msg/Image", kind=Kind.DEPTH, rate_hz=30.0),
    Topic("head_camera/aligned_depth_to_color/camera_info", "sensor_msgs/msg/CameraInfo", rate_hz=30.0),
    *_of_sides("arm/joint_states", "sensor_msgs/msg/JointState", 200.0),
    *_of_sides("hand/joint_states", "sensor_msgs/msg/JointState", 100.0),
    *(
        Topic(f"{side}_hand/fingertip_forces", "std_msgs/msg/Float32MultiArray", has_header=False)
        for side in ("left", "right")
    ),
    *_of_sides("arm/command", "vitra_msgs/msg/ArmCommand", 200.0),
    *_of_sides("hand/command", "vitra_msgs/msg/HandCommand", 100.0),
    *_of_sides("arm/driver_state", "vitra_msgs/msg/DriverState", 10.0),
    *_of_sides("hand/driver_state", "vitra_msgs/msg/DriverState", 10.0),
    Topic("hand_action_chunk", "vitra_msgs/msg/HandActionChunk", Delivery.RELIABLE),
    Topic("robot_chunk", "vitra_msgs/msg/RobotChunk", Delivery.RELIABLE),
    Topic("permit", "vitra_msgs/msg/Permit", rate_hz=50.0),
    Topic("heartbeat", "vitra_msgs/msg/Heartbeat"),
    Topic("executor_state", "vitra_msgs/msg/ExecutorState"),
    Topic("safety_state", "vitra_msgs/msg/SafetyState", Delivery.LATCHED),
    Topic("episode_state", "vitra_msgs/msg/EpisodeState", Delivery.LATCHED),
    Topic(INSTRUCTION, "std_msgs/msg/String", Delivery.LATCHED, has_header=False),
    Topic("policy/running", "std_msgs/msg/Bool", Delivery.LATCHED, has_header=False),
    Topic("sim/state", "vitra_msgs/msg/SimState", rate_hz=30.0),
    Topic("/tf_static", "tf2_msgs/msg/TFMessage", Delivery.LATCHED, has_header=False),
    Topic("/tf", "tf2_msgs/msg/TFMessage", Delivery.RELIABLE, has_header=False),
    Topic("joint_states", "sensor_msgs/msg/JointState", Delivery.RELIABLE),
    Topic("robot_description", "std_msgs/msg/String", Delivery.LATCHED, has_header=False),
    Topic("doctor/report", "std_msgs/msg/String", Delivery.LATCHED, has_header=False),
    Topic("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", Delivery.RELIABLE),
)


def declared_rates() -> dict[str, float]:
    """Topic as written here -> declared rate [Hz]; kept inside every bag, so that its check needs nothing else."""
    return {topic.name: topic.rate_hz for topic in TOPICS if topic.rate_hz is not None}
