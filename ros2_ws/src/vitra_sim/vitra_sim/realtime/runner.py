"""The world in real time: a physics thread on the monotonic clock, and ports through which other threads reach it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller

import mujoco
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import VitraError
from vitra_runtime.threads import WatchedThread
from vitra_sim.doubles.ports import JointState
from vitra_sim.realtime.shared_state import StateWriter
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import Joints, World

Array = NDArray[np.float64]

LEAP_M = 0.05
_MAX_BURST_TICKS = 20  # a pause of up to 100 ms is caught up; of a longer one the time is given up
_RESET_TIMEOUT_S = 5.0


class ResetTimeoutError(VitraError):
    """The physics thread did not take a new world."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State after a control tick; never changed afterwards.

    `leaps` counts how often the objects have leapt (`SceneFaults`).
    """

    world: World
    sim_time_s: float
    stamp_ns: int
    qpos: Array
    qvel: Array
    force: Array
    leaps: int = 0


class SceneFaults:
    """What can be made to go wrong with the scene; may be changed at any time from any thread.

    Attributes:
        objects_leap: When it becomes true every object is lifted by `LEAP_M` between two ticks, and falls.
    """

    def __init__(self) -> None:
        self.objects_leap = False


class Port:
    """One arm or hand of the running world: `ArmPort` and `HandPort` of `doubles.ports`.

    Args:
        physics: the running world.
        side: left or right.
        joints: finds the device's joints in a world.
    """

    def __init__(self, physics: RealTimePhysics, side: Side, joints: Callable[[World], Joints]) -> None:
        self._physics, self._side, self._joints = physics, side, joints
        self._target: Array = joints(physics.snapshot.world).q_in(physics.snapshot.qpos)
        self._applied: Array = self._target
        self.last_command_s = 0.0

    @property
    def side(self) -> str:
        """`left` or `right`."""
        return self._side.value

    def joint_state(self) -> JointState:
        """The joints as of the last control tick."""
        now = self._physics.snapshot
        joints = self._joints(now.world)
        return JointState(joints.q_in(now.qpos), joints.qd_in(now.qvel), joints.effort_in(now.force), now.sim_time_s)

    def set_target(self, position_rad: Array) -> None:
        """Ask the drives for positions from the next control tick on.

        Raises:
            ValueError: wrong shape or not finite.
        """
        target = np.array(position_rad, dtype=np.float64)
        if target.shape != self._target.shape or not np.isfinite(target).all():
            raise ValueError(f"Joint targets must be {len(self._target)} finite numbers, got {position_rad!r}.")
        self._target, self.last_command_s = target, self._physics.snapshot.sim_time_s

    def target(self) -> Array:
        """The target in force (dof,)."""
        return self._target.copy()

    def apply(self, world: World) -> None:
        """Hand a new target to the drives; called by the physics thread before each tick."""
        target = self._target
        if target is not self._applied:
            self._joints(world).set_target(world.data, target)
            self._applied = target


class RealTimePhysics:
    """Steps a world at 200 Hz of wall clock time in a thread of its own.

    When the machine cannot keep up, simulated time falls behind and `real_time_factor` says so: only short pauses are
    caught up, since a long burst of ticks would make everything else late in turn.

    Args:
        world: the first world.
        writer: shared memory for the camera, or None.
        on_tick: called in the physics thread after every tick; must be quick.
        clock: monotonic clock [s].
        sleep: how to wait [s].
    """

    def __init__(
        self,
        world: World,
        writer: StateWriter | None = None,
        on_tick: Callable[[Snapshot], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._world, self._writer, self._on_tick = world, writer, on_tick
        self._clock, self._sleep = clock, sleep
        self.scene_faults = SceneFaults()
        self._leapt, self._leaps = False, 0
        self.snapshot = self._take_snapshot()
        self.arms = {side: Port(self, side, methodcaller("arm", side)) for side in SIDES}
        self.hands = {side: Port(self, side, methodcaller("hand", side)) for side in SIDES}
        self._pace: deque[tuple[float, float]] = deque(maxlen=200)
        self._next_world: World | None = None
        self._reset_error: Exception | None = None
        self._reset_done = threading.Event()
        self._reset_lock = threading.Lock()
        self._running = threading.Event()
        self._thread = WatchedThread(self._run, name="physics", should_run=self._running.is_set)
        self._announce(world)

    def start(self) -> None:
        """Let time run."""
        self._running.set()
        self._thread.start()

    def stop(self) -> None:
        """Stop time for good and remove the shared block."""
        if self._running.is_set():
            self._running.clear()
            self._thread.join(timeout=2.0)
        if self._writer:
            self._writer.close()

    @property
    def real_time_factor(self) -> float:
        """Simulated over wall clock time during about the last second."""
        pace = list(self._pace)
        if len(pace) < 2:
            return 1.0
        (wall_a, sim_a), (wall_b, sim_b) = pace[0], pace[-1]
        return (sim_b - sim_a) / max(wall_b - wall_a, 1e-9)

    def reset(self, task: str | None, seed: int) -> World:
        """Put new objects on the table; the robot stays as it is, and time goes on.

        Called from any thread; the new world is built here and taken over between two ticks.

        Raises:
            UnknownNameError: no such task.
            StartContactError: the robot stands where an object should be.
            ResetTimeoutError: the physics thread is not running.
        """
        with self._reset_lock:
            present = self._world
            world = World(task or present.task.name, seed, present.calibration)
            self._reset_done.clear()
            self._next_world = world
            if not self._reset_done.wait(_RESET_TIMEOUT_S):
                raise ResetTimeoutError(f"The physics did not take the new world within {_RESET_TIMEOUT_S:g} s.")
            if self._reset_error:
                raise self._reset_error
            return world

    def _run(self) -> None:
        next_s = self._clock()
        while self._running.is_set():
            if self._next_world is not None:
                self._swap(self._next_world)
            self.tick()
            next_s += TICK_S
            now_s = self._clock()
            self._pace.append((now_s, self.snapshot.sim_time_s))
            if next_s > now_s:
                self._sleep(next_s - now_s)
            elif now_s - next_s > _MAX_BURST_TICKS * TICK_S:
                next_s = now_s

    def tick(self) -> None:
        """One control tick: apply targets, step, publish."""
        world = self._world
        for port in (*self.arms.values(), *self.hands.values()):
            port.apply(world)
        self._leap_if_told(world)
        world.step()
        self.snapshot = snapshot = self._take_snapshot()
        if self._writer:
            self._writer.write(snapshot.stamp_ns, snapshot.sim_time_s, snapshot.qpos)
        if self._on_tick:
            self._on_tick(snapshot)

    def _leap_if_told(self, world: World) -> None:
        told = self.scene_faults.objects_leap
        if told and not self._leapt:
            world.lift_objects(LEAP_M)
            self._leaps += 1
        self._leapt = told

    def _take_snapshot(self) -> Snapshot:
        world, data = self._world, self._world.data
        stamp_ns, force = time.time_ns(), data.actuator_force.copy()
        return Snapshot(world, data.time, stamp_ns, data.qpos.copy(), data.qvel.copy(), force, self._leaps)

    def _swap(self, world: World) -> None:
        self._next_world, self._reset_error = None, None
        try:
            world.take_robot_from(self._world)
            self._announce(world)
            self._world = world
        except VitraError as error:
            self._reset_error = error
        self._reset_done.set()

    def _announce(self, world: World) -> None:
        if self._writer is None:
            return
        generation = self._writer.generation + 1
        path = self._writer.model_path(generation)
        mujoco.mj_saveModel(world.model, str(path), None)
        self._writer.set_model(generation, world.model.nq, path)
        self._writer.model_path(generation - 2).unlink(missing_ok=True)  # a reader may still be loading the last one
