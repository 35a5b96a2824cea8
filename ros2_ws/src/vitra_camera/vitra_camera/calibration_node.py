"""Publishes the calibration file on /tf_static."""

from __future__ import annotations

from dataclasses import dataclass

from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from vitra_camera.calibration_frames import Frame, calibration_frames
from vitra_description.calibration import calibration_path, load_calibration
from vitra_policy.transforms import quaternion_from_matrix
from vitra_runtime import qos
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of `calibration_publisher`."""

    calibration: str = param("sim", "Calibration file: a name in launch/config/calibration, or a path ending in .yaml")


class CalibrationPublisher(StackNode[Parameters]):
    """Latches the frames of one calibration file."""

    def __init__(self) -> None:
        super().__init__("calibration_publisher", Parameters)
        self._publisher = self.stream_publisher(TFMessage, "/tf_static", qos.LATCHED)

    def setup(self) -> None:
        """Read the file and publish it once; the topic keeps it for late joiners."""
        name = self.params.calibration
        path = calibration_path(name)
        calibration = load_calibration(path)
        message = TFMessage(transforms=[self._transform(frame) for frame in calibration_frames(calibration)])
        self._publisher.publish(message)
        self.get_logger().info(f"calibration {calibration.version} of {path}, sha256 {calibration.sha256[:12]}")

    def _transform(self, frame: Frame) -> TransformStamped:
        message = TransformStamped(child_frame_id=frame.child)
        message.header.stamp, message.header.frame_id = self.get_clock().now().to_msg(), frame.parent
        to, pose = message.transform, frame.parent_from_child
        to.translation.x, to.translation.y, to.translation.z = (float(v) for v in pose[:3, 3])
        to.rotation.x, to.rotation.y, to.rotation.z, to.rotation.w = map(float, quaternion_from_matrix(pose[:3, :3]))
        return message


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(CalibrationPublisher, args, own_loop=False)
