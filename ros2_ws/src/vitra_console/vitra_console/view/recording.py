"""Messages of the stack as a Rerun recording; the same for a live graph and for a bag."""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import numpy as np
import rerun as rr
import rerun.blueprint as rrb
from numpy.typing import NDArray

from vitra_console.operate import words
from vitra_console.view.robot_mesh import Posture, link_meshes
from vitra_console.wrist_paths import COLOURS, wrist_positions
from vitra_description.calibration import Calibration
from vitra_description.description import robot_description
from vitra_description.names import arm_joints, hand_mount
from vitra_description.postures import home
from vitra_policy.action_space import SIDES
from vitra_policy.camera_messages.decode import image_of
from vitra_policy.errors import VitraError

TIMELINE = "time"
APPLICATION = "vitra"
_POSTURE_PERIOD_S = 1 / 30
_DEPTH_PERIOD_S = 0.2
_TRAIL_S = 4.0
_CAMERA, _LENS = "world/head_camera", "world/head_camera/lens"
_LEVELS = {b"\x01": rr.TextLogLevel.WARN, b"\x02": rr.TextLogLevel.ERROR}


class RobotRecording:
    """Takes the stack's messages by topic, in order of time.

    Args:
        stream: where it goes (a file, a viewer).
        calibration: mounting of robot and camera.
    """

    def __init__(self, stream: rr.RecordingStream, calibration: Calibration) -> None:
        self._rr, self._calibration = stream, calibration
        urdf = robot_description("both", calibration)
        self._posture, self._meshes = Posture(urdf), link_meshes(urdf)
        for side in SIDES:  # an arm that is not driven stands at its ready posture
            self._posture.set(dict(zip(arm_joints(side), home(side), strict=True)))
        self._moved_s = self._depth_s = float("-inf")
        self._trails: dict[str, deque[tuple[float, NDArray[np.float64]]]] = {str(s): deque() for s in SIDES}
        self._seen: set[str] = set()
        self._counts: dict[str, tuple[float, int]] = {}
        self._states: dict[str, Any] = {}
        self._log_fixed()

    def take(self, topic: str, message: Any, time_s: float) -> None:
        """One message.

        Args:
            topic: without leading slash.
            message: of rclpy, or of rosbags; the fields are the same.
            time_s: when it happened.
        """
        self._rr.set_time(TIMELINE, timestamp=time_s)
        self._rate(topic, time_s)
        if topic.endswith(("arm/joint_states", "hand/joint_states")):
            self._joints(topic, message, time_s)
        elif topic.endswith("color/camera_info"):
            self._lens(message)
        elif "depth_to_color/image_raw" in topic:
            self._depth(message, time_s)
        elif "color/image_raw" in topic:
            self._colour(message)
        elif topic.endswith("hand_action_chunk"):
            self._chunk(message)
        elif topic.endswith("executor_state"):
            self._executor(message)
        elif topic.endswith("safety_state"):
            self._safety(message)
        elif topic.endswith("instruction"):
            self._rr.log("instruction", rr.TextDocument(message.data))
        elif topic == "diagnostics":
            self._diagnostics(message)

    def _log_fixed(self) -> None:
        send = self._rr
        send.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        for link, mesh in self._meshes.items():
            send.log(
                f"world/robot/{link}",
                rr.Mesh3D(
                    vertex_positions=mesh.vertices_m, vertex_normals=mesh.normals,
                    triangle_indices=mesh.triangles, vertex_colors=mesh.colours,
                ),
                static=True,
            )  # fmt: skip
        pose = self._calibration.base_from_head_camera
        send.log(_CAMERA, rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]), static=True)
        send.send_blueprint(blueprint())

    def _joints(self, topic: str, message: Any, time_s: float) -> None:
        side, part = topic.split("/")[-2].split("_")
        self._posture.set(dict(zip(message.name, message.position, strict=True)))
        if part == "arm":
            self._seen.add(side)
        if time_s - self._moved_s < _POSTURE_PERIOD_S:
            return
        self._moved_s = time_s
        self._posture.update()
        for link in self._meshes:
            pose = self._posture.base_from(link)
            self._rr.log(f"world/robot/{link}", rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
        for arm in self._seen:
            trail = self._trails[arm]
            trail.append((time_s, self._posture.base_from(hand_mount(arm))[:3, 3]))
            while trail and time_s - trail[0][0] > _TRAIL_S:
                trail.popleft()
            points = [point for _, point in trail]
            white = tuple((c + 255) // 2 for c in COLOURS[arm])
            self._rr.log(f"world/paths/{arm}_executed", rr.LineStrips3D([points], colors=[white], radii=[0.002]))

    def _lens(self, message: Any) -> None:
        key = (message.width, message.height, *message.k)
        if self._states.get("lens") != key:
            self._states["lens"] = key
            matrix = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
            pinhole = rr.Pinhole(
                image_from_camera=matrix, resolution=[message.width, message.height],
                camera_xyz=rr.ViewCoordinates.RDF, image_plane_distance=0.3,
            )  # fmt: skip
            self._rr.log(_LENS, pinhole)

    def _colour(self, message: Any) -> None:
        data = np.frombuffer(message.data, np.uint8)
        if not hasattr(message, "format"):
            try:
                image = image_of(message)
            except VitraError as error:
                self._event("image", str(error), rr.TextLogLevel.WARN)
            else:
                self._rr.log(f"{_LENS}/colour", rr.Image(image).compress(jpeg_quality=80))
        elif "h264" in message.format:
            self._rr.log(f"{_LENS}/colour", rr.VideoStream(codec=rr.VideoCodec.H264, sample=data.tobytes()))
        else:
            kind = "image/png" if data[:4].tobytes() == b"\x89PNG" else "image/jpeg"
            self._rr.log(f"{_LENS}/colour", rr.EncodedImage(contents=data.tobytes(), media_type=kind))

    def _depth(self, message: Any, time_s: float) -> None:
        """A few images a second: depth is large and changes little."""
        if (
            time_s - self._depth_s < _DEPTH_PERIOD_S
            or not hasattr(message, "height")
            and not hasattr(message, "format")
        ):
            return
        self._depth_s = time_s
        data = np.frombuffer(message.data, np.uint8)
        if hasattr(message, "format"):
            start = data.tobytes().find(b"\x89PNG")
            png = data.tobytes()[start:]
        else:
            rows = data.reshape(message.height, message.step)[:, : 2 * message.width]
            png = cv2.imencode(".png", np.ascontiguousarray(rows).view(np.uint16))[1].tobytes()
        self._rr.log(f"{_LENS}/depth", rr.EncodedDepthImage(blob=png, media_type="image/png", meter=1000.0))

    def _chunk(self, message: Any) -> None:
        pose = self._calibration.base_from_head_camera
        for side, points in wrist_positions(message).items():
            path = points @ pose[:3, :3].T + pose[:3, 3]
            self._rr.log(
                f"world/paths/{side}_predicted", rr.LineStrips3D([path], colors=[COLOURS[side]], radii=[0.004])
            )
        self._rr.log("plots/delay/inference_ms", rr.Scalars(1e3 * message.inference_s))

    def _executor(self, message: Any) -> None:
        if message.observation_to_setpoint_s > 0:
            self._rr.log("plots/delay/observation_to_setpoint_ms", rr.Scalars(1e3 * message.observation_to_setpoint_s))
        state = words.EXECUTOR.get(int(message.state), "unknown")
        self._event("executor", f"executor {state}", rr.TextLogLevel.INFO)
        if message.in_limit:
            limit = message.limit.split(":")[0]
            self._event("limit", f"limit: {limit}", rr.TextLogLevel.WARN)
        self._rr.log("plots/executor/position_in_chunk_steps", rr.Scalars(float(message.position_steps)))

    def _safety(self, message: Any) -> None:
        state = words.SAFETY.get(int(message.state), "unknown")
        cause, mend = words.stop_words(message.stop_cause, message.stop_source, message.stop_detail)
        text = f"{state.upper()}: {cause} {mend}" if state == "stopped" else state
        self._event("safety", text, rr.TextLogLevel.CRITICAL if state == "stopped" else rr.TextLogLevel.INFO)

    def _diagnostics(self, message: Any) -> None:
        for status in message.status:
            raw = status.level
            level = _LEVELS.get(raw if isinstance(raw, bytes) else bytes([int(raw)]))
            if level is not None:
                self._event(f"diagnostics/{status.name}", f"{status.name}: {status.message}", level)

    def _event(self, what: str, text: str, level: rr.TextLogLevel) -> None:
        """Log a line when it changes."""
        if self._states.get(what) != text:
            self._states[what] = text
            self._rr.log("events", rr.TextLog(text, level=level))

    def _rate(self, topic: str, time_s: float) -> None:
        """Messages per second, one value a second."""
        since_s, count = self._counts.get(topic, (time_s, 0))
        if time_s - since_s >= 1.0:
            self._rr.log(f"plots/rates/{topic.replace('/', '_')}", rr.Scalars(count / (time_s - since_s)))
            since_s, count = time_s, 0
        self._counts[topic] = (since_s, count + 1)


def blueprint() -> rrb.Blueprint:
    """How the viewer lays it out."""
    eye = rrb.EyeControls3D(position=(1.6, -1.2, 1.7), look_target=(0.15, 0.0, 1.0), eye_up=(0, 0, 1))
    camera = ["+ $origin/colour", "+ /world/paths/**"]
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Spatial3DView(origin="world", name="Robot", eye_controls=eye),
            rrb.Vertical(
                rrb.Spatial2DView(origin=_LENS, name="Head camera", contents=camera),
                rrb.Tabs(
                    rrb.TextLogView(origin="events", name="Safety and events"),
                    rrb.Spatial2DView(origin=f"{_LENS}/depth", name="Depth"),
                    rrb.TextDocumentView(origin="instruction", name="Instruction"),
                ),
                rrb.Tabs(
                    rrb.TimeSeriesView(origin="plots/delay", name="Delay of chunks"),
                    rrb.TimeSeriesView(origin="plots/executor", name="Executor"),
                    rrb.TimeSeriesView(origin="plots/rates", name="Rates"),
                ),
                row_shares=[3, 2, 2],
            ),
            column_shares=[3, 2],
        ),
        collapse_panels=True,
    )
