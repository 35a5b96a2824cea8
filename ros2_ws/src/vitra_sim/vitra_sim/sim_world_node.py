"""Node `sim_world`: the simulated robot in real time, behind the vendors' own protocols."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose
from numpy.typing import NDArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from vitra_description.calibration import calibration_path, load_calibration
from vitra_description.names import BASE_FRAME
from vitra_msgs.msg import SimState
from vitra_msgs.srv import SimReset
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import VitraError
from vitra_policy.transforms import quaternion_from_matrix
from vitra_runtime import qos
from vitra_runtime.exclusive import DeviceLock
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Ticker
from vitra_sim.doubles.addresses import HAND_TCP_PORT, arm_address, hand_address
from vitra_sim.doubles.realman import RealmanDouble
from vitra_sim.doubles.xhand_server import XHandServer
from vitra_sim.realtime.faults import FaultSwitches
from vitra_sim.realtime.runner import RealTimePhysics
from vitra_sim.realtime.shared_state import StateWriter, default_name
from vitra_sim.realtime.trace import MotionTrace, StateTrace
from vitra_sim.scene.world import World
from vitra_sim.tasks.ground_truth import GroundTruth
from vitra_sim.tasks.tasks import DEFAULT_TASK

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of the simulated world."""

    task: str = param(DEFAULT_TASK, "Task at the start, see vitra_sim.tasks.tasks")
    seed: int = param(0, "Seed of the start state", bounds=(0, 2**31))
    calibration: str = param("sim", "Calibration file that says how the robot is mounted")
    arms: str = param("both", "Arms and hands that are plugged in", choices=("left", "right", "both"))
    left_arm_ip: str = param("", "Address of the left arm's controller; empty: 127.0.DOMAIN.11")
    right_arm_ip: str = param("", "Address of the right arm's controller; empty: 127.0.DOMAIN.12")
    arm_tcp_port: int = param(8080, "TCP port of the controllers", bounds=(1, 65535))
    hand_tcp_port: int = param(HAND_TCP_PORT, "TCP port of the XHand SDK double, on 127.0.DOMAIN.13", bounds=(1, 65535))
    state_block: str = param("", "Shared memory that sim_camera reads; empty: the one of this ROS domain")
    state_rate_hz: float = param(30.0, "Rate of sim/state", unit="Hz", bounds=(1.0, 200.0))
    trace: str = param("", "Write the states of the run to this npz file at the end; empty: no")
    motion_trace: str = param("", "Write arm motion at 200 Hz to this JSON lines file; empty: no")
    faults: tuple[str, ...] = param(("",), "Faults of the devices, e.g. right_arm.udp_silent; may be set at any time")


class DeviceAddressError(VitraError):
    """A device double could not be given its address."""


class SimWorldNode(StackNode[Parameters]):
    """Hosts physics, device doubles and the judge."""

    def __init__(self) -> None:
        super().__init__("sim_world", Parameters)
        self._publisher = self.stream_publisher(SimState, "sim/state", qos.SENSOR)
        self._reset_service = self.create_service(SimReset, "sim/reset", self._on_reset)
        self._physics: RealTimePhysics | None = None
        self._faults: FaultSwitches | None = None
        self._resources = ExitStack()
        self.add_on_set_parameters_callback(self._on_parameters)

    def setup(self) -> None:
        """Build the world, open the devices' addresses, let time run."""
        p = self.params
        resources = ExitStack()
        self._resources = resources
        block = p.state_block or default_name()
        resources.callback(DeviceLock(f"sim-{block}").release)
        world = World(p.task, p.seed, load_calibration(calibration_path(p.calibration)))
        physics = RealTimePhysics(world, StateWriter(block), self._on_tick)
        resources.callback(physics.stop)
        self._trace = StateTrace(Path(p.trace)) if p.trace else None
        if self._trace:
            resources.callback(self._trace.save)
        self._motion_trace = MotionTrace(Path(p.motion_trace), physics.arms) if p.motion_trace else None
        if self._motion_trace:
            resources.callback(self._motion_trace.close)
        self._faults = FaultSwitches({"scene": physics.scene_faults} | self._open_devices(physics, resources))
        self._faults.set(p.faults)
        self._physics = physics
        physics.start()
        self._publishing = threading.Event()
        self._publishing.set()
        thread = WatchedThread(self._publish, name="sim_state", should_run=self._publishing.is_set)
        thread.start()
        resources.callback(thread.join, 1.0)
        resources.callback(self._publishing.clear)

    def teardown(self) -> None:
        """Close everything in reverse order; traces are written here."""
        self._physics = None
        self._resources.close()

    def _open_devices(self, physics: RealTimePhysics, resources: ExitStack) -> dict[str, Any]:
        p = self.params
        sides = [side for side in SIDES if p.arms in (side.value, "both")]
        addresses = {Side.LEFT: p.left_arm_ip, Side.RIGHT: p.right_arm_ip}
        faults: dict[str, Any] = {}
        try:
            for side in sides:
                double = RealmanDouble(
                    physics.arms[side], ip=addresses[side] or arm_address(side), tcp_port=p.arm_tcp_port
                )
                resources.enter_context(double)
                faults[f"{side}_arm"] = double.faults
            hands = {side.value: physics.hands[side] for side in sides}
            server = XHandServer(hands, ip=hand_address(), tcp_port=p.hand_tcp_port)
            resources.enter_context(server)
        except OSError as error:
            raise DeviceAddressError(
                f"A device of the simulated robot cannot listen ({error}). Is another simulated world running in "
                "this ROS domain? Stop it, or start this one with another ROS_DOMAIN_ID."
            ) from error
        return faults | {f"{side}_hand": server.faults(side.value) for side in sides}

    def _on_tick(self, snapshot: Any) -> None:
        if self._trace:
            self._trace.add(snapshot)
        if self._motion_trace:
            self._motion_trace.add(snapshot)

    def _on_reset(self, request: Any, response: Any) -> Any:
        if self._physics is None:
            response.success, response.message = False, "The simulated world is not running yet; try again."
            return response
        try:
            world = self._physics.reset(request.task or None, int(request.seed))
        except VitraError as error:
            response.success, response.message = False, str(error)
            return response
        response.success, response.instruction = True, world.task.instruction
        response.message = f"{world.task.name}, seed {world.layout.seed}"
        return response

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        for parameter in changed:
            if parameter.name == "faults" and self._faults is not None:
                try:
                    self._faults.set(parameter.value)
                except VitraError as error:
                    return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _publish(self) -> None:
        assert self._physics is not None
        physics, ticker = self._physics, Ticker(1.0 / self.params.state_rate_hz)
        message = SimState()
        message.header.frame_id = BASE_FRAME
        truth = GroundTruth()
        while self._publishing.is_set():
            ticker.wait()
            snapshot = physics.snapshot
            scene = truth.read(snapshot.world, snapshot.qpos, snapshot.qvel)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(snapshot.stamp_ns, 1_000_000_000)
            message.sim_time_s, message.real_time_factor = snapshot.sim_time_s, physics.real_time_factor
            message.task = snapshot.world.task.name
            message.success, message.failed = scene.verdict.success, scene.verdict.failed
            message.object_names = scene.names
            message.object_poses = _pose_messages(scene.poses)
            message.object_sizes = [float(half) for sizes in scene.sizes_m for half in sizes]
            self._publisher.publish(message)
            if self._motion_trace:
                self._motion_trace.flush()


def _pose_messages(poses: Sequence[Array]) -> list[Pose]:
    messages = [Pose() for _ in poses]
    quaternions = quaternion_from_matrix(np.stack(poses)[:, :3, :3]).tolist()
    for message, pose, quaternion in zip(messages, poses, quaternions, strict=True):
        position, orientation = message.position, message.orientation
        position.x, position.y, position.z = pose[:3, 3].tolist()
        orientation.x, orientation.y, orientation.z, orientation.w = quaternion
    return messages


def main() -> int:
    """Entry point."""
    return run(SimWorldNode)


if __name__ == "__main__":
    sys.exit(main())
