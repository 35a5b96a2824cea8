"""Trials through the running robot graph, simulated or real: its policy, drivers, supervisor and recorder."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_link import GraphError
from vitra_console.wrist_paths import FRESH_S, draw_paths, wrist_paths_px
from vitra_evaluation.backends.port import Check, Event
from vitra_evaluation.errors import NotRecordingError
from vitra_evaluation.plan.plan import Plan, Robot
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.trial import Status
from vitra_msgs.msg import DriverState, ExecutorState, HandActionChunk, SafetyState
from vitra_policy.camera_messages.decode import image_of
from vitra_runtime import qos

_CAMERA_HZ = 30.0
_MIN_RATE_SHARE = 0.5
_MIN_FREE_GB = 2.0
_STEP_S = 0.05
_OPERATOR_STOP, _OPERATOR = "operator_stop", "operator"
_NUMBER = re.compile(r"\d+(\.\d+)?")


class GraphPort:
    """Speaks to the graph through a client.

    Args:
        client: in the graph's domain; closed by its owner.
        robot: simulated graphs are reset and judged automatically.
        arms: sides whose drivers are looked at.
        folder: of the session, for the free space of its disk.
    """

    def __init__(self, client: GraphClient, robot: Robot, arms: tuple[str, ...], folder: Path) -> None:
        self._client, self._robot, self._folder = client, robot, folder
        self._lock = threading.Lock()
        self._frame: Any = None
        self._frame_times_s: deque[float] = deque(maxlen=60)
        self._intrinsics = np.eye(3)
        self._chunk: Any = None
        self._drivers: dict[str, DriverState] = {}
        self._handle: Any = None
        self._result: Any = None
        self._stops_seen = self._stops_at_start = len(client.stops)
        self._starved = 0
        self._limits: set[str] = set()
        self._stop_client = client.node.create_client(Trigger, "safety_supervisor/stop")
        client.watch(Image, "head_camera/color/image_raw", qos.SENSOR, self._on_frame)
        client.watch(CameraInfo, "head_camera/color/camera_info", qos.SENSOR, self._on_info)
        client.watch(HandActionChunk, "hand_action_chunk", qos.CHUNK, lambda m: setattr(self, "_chunk", m))
        for side in arms:
            for device in (f"{side}_arm", f"{side}_hand"):
                client.watch(DriverState, f"{device}/driver_state", qos.SETPOINT, self._on_driver(device))
        self._arms, self._devices = arms, [f"{side}_{part}" for side in arms for part in ("arm", "hand")]

    @property
    def automatic(self) -> bool:
        """A simulated world resets and judges itself."""
        return self._robot is Robot.SIM

    @property
    def stops(self) -> int:
        """Stops that the supervisor has reported."""
        return len(self._client.stops)

    @property
    def safety(self) -> SafetyState | None:
        """The supervisor's last word."""
        return self._client.safety

    def checks(self) -> list[Check]:
        """Supervisor, streams, disk, and last the arming."""
        safety = self._client.safety
        missing = "; ".join(safety.not_ready) if safety else "no safety supervisor"
        rate = self._camera_hz()
        free_gb = shutil.disk_usage(self._folder).free / 1e9
        lens = bool(self._intrinsics[0, 0] > 1.0)
        return [
            Check("graph ready, policy warm", not missing, missing),
            Check("head camera", rate >= _MIN_RATE_SHARE * _CAMERA_HZ, "" if rate > 15 else f"{rate:.0f} Hz"),
            Check("camera calibration", lens, "" if lens else "no camera_info"),
            *(self._device_check(device) for device in self._devices),
            Check("disk", free_gb > _MIN_FREE_GB, "" if free_gb > _MIN_FREE_GB else f"{free_gb:.1f} GB are free"),
            Check("armed", self._client.is_armed, "" if self._client.is_armed else "re-arm"),
        ]

    def arm(self) -> None:
        """Re-arm explicitly; in simulation after the arms' faults are cleared, which on a robot a person decides."""
        if self.automatic:
            self._client.arm_again(self._arms)
        else:
            self._client.rearm()

    def stop(self) -> None:
        """Latch a stop without waiting for the answer."""
        self._stop_client.call_async(Trigger.Request())

    def home(self) -> None:
        """Move to the ready posture; the executor checks that the arms are there."""
        self._client.home()

    def reset(self, slot: Slot, plan: Plan) -> None:
        """New start state of the simulated world; on the robot a person sets it up."""
        if not self.automatic:
            return
        task, seed = plan.object(slot.thing).sim_task, slot.seed
        self._client.reset_sim(task, seed)
        asked_s = self._client.node.get_clock().now().nanoseconds * 1e-9
        self._client.wait_for(
            lambda: (
                (sim := self._client.sim) is not None
                and sim.task == task
                and not sim.success
                and sim.header.stamp.sec + sim.header.stamp.nanosec * 1e-9 > asked_s
            ),
            5.0,
            "the simulated world's new state",
        )
        self._wait_for_frame()

    def start(self, slot: Slot, plan: Plan, folder: Path) -> None:
        """Begin to record, then let the policy run.

        Args:
            slot: What is tried.
            plan: Of the session.
            folder: Where the bag goes.

        Raises:
            NotRecordingError: the recorder refused.
        """
        self._stops_at_start = len(self._client.stops)
        self._limits.clear()
        try:
            self._recording = Path(self._client.trigger("recorder/start", 10.0))
        except GraphError as error:
            raise NotRecordingError(str(error)) from error
        self._result = None
        self._handle = self._client.start_policy(plan.instruction(slot.task, slot.thing), plan.time_limit_s + 5.0)
        result = self._client.result_of(self._handle)
        result.add_done_callback(lambda done: setattr(self, "_result", done))

    def status(self) -> Status:
        """The present state, at most 50 ms after the last."""
        with self._client.changed:
            self._client.changed.wait(_STEP_S)
            stops = self._client.stops[self._stops_at_start :]
            sim = self._client.sim
        cause = f"{stops[0].stop_cause} ({stops[0].stop_source}) {stops[0].stop_detail}".strip() if stops else ""
        ended = self._result.result().result if self._result is not None else None
        return Status(
            now_s=self.now_s(),
            stop_cause=cause,
            stopped_by_person=bool(stops) and is_by_a_person(stops[0].stop_cause, stops[0].stop_source),
            policy_ended=f"{ended.termination_reason} {ended.detail}".strip() if ended else "",
            success=bool(sim and sim.success),
            failed=bool(sim and sim.failed),
            reason="object lost" if sim and sim.failed else "",
        )

    def now_s(self) -> float:
        """The monotonic clock."""
        return time.monotonic()

    def events(self) -> list[Event]:
        """Stops, starvation, and limits met for the first time in this trial, since the last call."""
        found = []
        for stop in self._client.stops[self._stops_seen :]:
            found.append(Event("stop", f"{stop.stop_cause} ({stop.stop_source}) {stop.stop_detail}".strip()))
        self._stops_seen = len(self._client.stops)
        state: ExecutorState | None = self._client.executor_state
        if state is not None:
            if self._starved and state.starved > self._starved:
                found.append(Event("starved", f"{state.starved - self._starved} times out of steps"))
            self._starved = int(state.starved)
            kind = _NUMBER.sub("#", state.limit) if state.in_limit else ""
            if kind and kind not in self._limits:  # each kind once a trial; how long is in the bag and its measures
                self._limits.add(kind)
                found.append(Event("limit", state.limit))
        return found

    def finish(self, folder: Path) -> Path | None:
        """End the run and the recording; the bag moves into the trial's folder."""
        if self._handle is not None:
            try:
                self._client.finish_policy(self._handle)
            except GraphError:
                self._client.trigger("policy/stop")  # the node went away with the goal
            self._handle = None
        try:
            recorded = Path(self._client.trigger("recorder/stop", 30.0))
        except GraphError:
            return None
        target = folder / "bag"
        shutil.move(recorded, target)
        return target

    def image(self) -> bytes | None:
        """The newest image with the predicted path, as JPEG."""
        with self._lock:
            frame, chunk, intrinsics = self._frame, self._chunk, self._intrinsics
        if frame is None:
            return None
        image = image_of(frame).copy()
        if chunk is not None and _stamp_s(frame) - _stamp_s(chunk) < FRESH_S:
            draw_paths(image, wrist_paths_px(chunk, intrinsics))
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1])

    def close(self) -> None:
        """The client belongs to who made it."""

    def _camera_hz(self) -> float:
        now_s = time.monotonic()
        with self._lock:
            recent = [t for t in self._frame_times_s if now_s - t < 1.0]
        return float(len(recent))

    def _device_check(self, device: str) -> Check:
        state = self._drivers.get(device)
        if state is None:
            return Check(device, ok=False, detail="silent")
        fresh = state.feedback_age_s < 0.1
        return Check(device, not state.fault and fresh, state.fault or ("" if fresh else "old feedback"))

    def _wait_for_frame(self) -> None:
        seen = self._frame
        self._client.wait_for(lambda: self._frame is not seen, 5.0, "a head camera image")

    def _on_frame(self, message: Image) -> None:
        with self._lock:
            self._frame = message
            self._frame_times_s.append(time.monotonic())

    def _on_info(self, message: CameraInfo) -> None:
        self._intrinsics = np.asarray(message.k, dtype=np.float64).reshape(3, 3)

    def _on_driver(self, device: str) -> Any:
        return lambda message: self._drivers.__setitem__(device, message)


def is_by_a_person(cause: str, source: str) -> bool:
    """Whether a stop is somebody's decision, or the loss of their console, and so says nothing about the policy."""
    return cause == _OPERATOR_STOP or source == _OPERATOR


def _stamp_s(message: Any) -> float:
    return float(message.header.stamp.sec + message.header.stamp.nanosec * 1e-9)
