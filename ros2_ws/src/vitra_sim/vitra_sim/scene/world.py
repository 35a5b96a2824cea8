"""The simulated world: physics, joint targets in, joint states and object poses out; one thread at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.calibration import Calibration
from vitra_description.hands import hand_description
from vitra_description.names import ARM_DOF, arm_joints
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import VitraError
from vitra_sim.scene.families import layout_of
from vitra_sim.scene.layout import Layout
from vitra_sim.scene.robot_model import ROBOT_CLASS, WORLD_CLASS
from vitra_sim.scene.scene import STEPS_PER_TICK, build_scene
from vitra_sim.tasks.judge import Verdict, judge
from vitra_sim.tasks.tasks import DEFAULT_TASK, Task

Array = NDArray[np.float64]


class StartContactError(VitraError):
    """A reset put the robot into something."""


class Joints:
    """The joints of one device: where they are in the model's arrays."""

    def __init__(self, model: mujoco.MjModel, names: tuple[str, ...]) -> None:
        joints = [model.joint(name) for name in names]
        self._qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self._dof = np.array([int(joint.dofadr[0]) for joint in joints])
        self._drive = np.array([model.actuator(name).id for name in names])

    def place(self, data: mujoco.MjData, q_rad: Array) -> None:
        """Put the joints somewhere, at rest, and let the drives hold them there.

        Args:
            data: State of the world, changed in place.
            q_rad: Positions (dof,).
        """
        data.qpos[self._qpos], data.qvel[self._dof], data.ctrl[self._drive] = q_rad, 0.0, q_rad

    def copy(self, data: mujoco.MjData, source: Joints, source_data: mujoco.MjData) -> None:
        """Take over the state and the targets of the same joints elsewhere.

        Args:
            data: State that is changed.
            source: The same joints there.
            source_data: State that is read.
        """
        data.qpos[self._qpos] = source_data.qpos[source._qpos]
        data.qvel[self._dof] = source_data.qvel[source._dof]
        data.ctrl[self._drive] = source_data.ctrl[source._drive]

    def q_in(self, qpos: Array) -> Array:
        """Positions [rad] out of the model's generalised positions.

        Args:
            qpos: (nq,).
        """
        return np.asarray(qpos[self._qpos])

    def qd_in(self, qvel: Array) -> Array:
        """Velocities [rad/s] out of the model's generalised velocities.

        Args:
            qvel: (nv,).
        """
        return np.asarray(qvel[self._dof])

    def effort_in(self, actuator_force: Array) -> Array:
        """Torques of the drives [N m] out of the model's actuator forces.

        Args:
            actuator_force: (nu,).
        """
        return np.asarray(actuator_force[self._drive])

    def target(self, data: mujoco.MjData) -> Array:
        """What the drives are asked for (dof,) [rad]."""
        return np.asarray(data.ctrl[self._drive])

    def set_target(self, data: mujoco.MjData, q_rad: Array) -> None:
        """Ask the drives for positions [rad].

        Args:
            data: State of the world, changed in place.
            q_rad: Positions (dof,).
        """
        data.ctrl[self._drive] = q_rad


class World:
    """MuJoCo world of one episode at a time.

    Args:
        task: name of a task (`vitra_sim.tasks.tasks`).
        seed: of the start state.
        calibration: mounting of the robot; None takes the simulator's.

    Raises:
        UnknownNameError: no such task.
    """

    def __init__(self, task: str = DEFAULT_TASK, seed: int = 0, calibration: Calibration | None = None) -> None:
        self.calibration = calibration
        self.hand_kind = hand_description() if calibration is None else calibration.hand
        self.reset(task, seed)

    def reset(self, task: str | None = None, seed: int = 0) -> None:
        """Put the world into the start state of a task and seed; the model is built anew.

        Args:
            task: name of a task or scene family; None keeps the present one.
            seed: same task and seed, same start.

        Raises:
            UnknownNameError: no such task; the world stays as it is.
            StartContactError: the robot would touch something at the start (a fault of posture or layout).
        """
        name = task or self.layout.name
        layout = layout_of(name, seed)
        self.layout: Layout = layout
        self.model = build_scene(layout, self.calibration)
        self.data = mujoco.MjData(self.model)
        self._arms = {side: Joints(self.model, arm_joints(side)) for side in SIDES}
        self._hands = {side: Joints(self.model, self.hand_kind.joint_names(side)) for side in SIDES}
        self._object_dofs = {o.spec.name: int(self.model.joint(o.spec.name).dofadr[0]) for o in layout.objects}
        self._body_ids = {name: self.model.body(name).id for name in self._object_dofs}
        for side in SIDES:
            self._arms[side].place(self.data, home(side))
            self._hands[side].place(self.data, open_hand(self.hand_kind))
        self._refuse_contact()

    def take_robot_from(self, other: World) -> None:
        """Continue another world's robot (joints, targets, time) among this world's objects.

        Raises:
            StartContactError: the robot touches something here.
        """
        self.data.time = other.data.time
        for mine, theirs in (
            *zip(self._arms.values(), other._arms.values(), strict=True),
            *zip(self._hands.values(), other._hands.values(), strict=True),
        ):
            mine.copy(self.data, theirs, other.data)
        self._refuse_contact()

    def put(self, side: Side, arm_rad: Array, hand_rad: Array, objects: Mapping[str, Array]) -> None:
        """Put an arm and its hand, and objects by name (4, 4), somewhere at rest, whatever they touch there.

        Args:
            side: Which arm.
            arm_rad: Arm joints (7,).
            hand_rad: Hand joints, in its order.
            objects: Poses (4, 4) in base_link, by name.
        """
        self._arms[side].place(self.data, arm_rad)
        self._hands[side].place(self.data, hand_rad)
        for name, pose in objects.items():
            free = self.data.joint(name)
            free.qpos[:3], free.qvel[:] = pose[:3, 3], 0.0
            mujoco.mju_mat2Quat(free.qpos[3:7], pose[:3, :3].ravel())
        mujoco.mj_forward(self.model, self.data)

    def lift_objects(self, height_m: float) -> None:
        """Lift every object that is free to move, at once.

        Args:
            height_m: By how much.
        """
        for name in self._object_dofs:
            self.data.joint(name).qpos[2] += height_m

    def with_own_data(self) -> World:
        """The same world with a state of its own, for another thread to look at."""
        twin = copy.copy(self)
        twin.data = mujoco.MjData(self.model)
        return twin

    def _refuse_contact(self) -> None:
        mujoco.mj_forward(self.model, self.data)
        touched = self.robot_contacts()
        if touched:
            raise StartContactError(
                f"Task '{self.task.name}', seed {self.layout.seed}: the robot would start in contact with "
                f"{', '.join(touched)}. Move it to its home posture first, or take another seed."
            )

    @property
    def task(self) -> Task:
        """The present task."""
        return self.layout.task

    @property
    def time_s(self) -> float:
        """Simulated time since the reset."""
        return float(self.data.time)

    def step(self, ticks: int = 1) -> None:
        """Advance by control ticks of 5 ms; the interpreter is free for other threads meanwhile."""
        mujoco.mj_step(self.model, self.data, nstep=ticks * STEPS_PER_TICK)

    def arm(self, side: Side) -> Joints:
        """Joints of an arm."""
        return self._arms[side]

    def hand(self, side: Side) -> Joints:
        """Joints of a hand."""
        return self._hands[side]

    def set_arm_target(self, side: Side, q_rad: ArrayLike) -> None:
        """Ask an arm for 7 joint positions [rad] from now on.

        Args:
            side: Which arm.
            q_rad: Positions (7,).
        """
        self._arms[side].set_target(self.data, _checked(q_rad, ARM_DOF))

    def set_hand_target(self, side: Side, q_rad: ArrayLike) -> None:
        """Ask a hand for joint positions [rad, in its order] from now on.

        Args:
            side: Which hand.
            q_rad: Positions (dof,).
        """
        self._hands[side].set_target(self.data, _checked(q_rad, self.hand_kind.dof))

    def arm_q(self, side: Side) -> Array:
        """Arm joint positions (7,) [rad]."""
        return self._arms[side].q_in(self.data.qpos)

    def arm_qd(self, side: Side) -> Array:
        """Arm joint velocities (7,) [rad/s]."""
        return self._arms[side].qd_in(self.data.qvel)

    def hand_q(self, side: Side) -> Array:
        """Hand joint positions (dof,) [rad, in its order]."""
        return self._hands[side].q_in(self.data.qpos)

    def object_poses(self) -> dict[str, Array]:
        """`base_from_object` (4, 4) of every object, the task's own first."""
        poses = {}
        for name, body in self._body_ids.items():
            pose = np.eye(4)
            pose[:3, :3] = self.data.xmat[body].reshape(3, 3)
            pose[:3, 3] = self.data.xpos[body]
            poses[name] = pose
        return poses

    def object_sizes(self) -> Mapping[str, tuple[float, float, float]]:
        """Half extents of every object [m]."""
        return {o.spec.name: o.spec.half_extents_m for o in self.layout.objects}

    def robot_contacts(self) -> list[str]:
        """Names of what the robot touches, without repeats."""
        return sorted(self.touched_shapes())

    def touched_shapes(self) -> dict[str, set[str]]:
        """Names of the shapes that the robot touches, by what they belong to."""
        pairs = self.data.contact.geom[: self.data.ncon]
        classes = self.model.geom_contype[pairs]
        touched = pairs[(classes.min(axis=1) == ROBOT_CLASS) & (classes.max(axis=1) == WORLD_CLASS)]
        found: dict[str, set[str]] = {}
        for geom in touched[self.model.geom_contype[touched] == WORLD_CLASS]:
            found.setdefault(self._geom_owner(geom), set()).add(self.model.geom(int(geom)).name)
        return found

    def verdict(self) -> Verdict:
        """How the episode stands."""
        dofs = [self._object_dofs[one.spec.name] for one in self.layout.judged]
        speed = max(float(np.linalg.norm(self.data.qvel[dof : dof + 3])) for dof in dofs)
        return judge(self.layout, self.object_poses(), speed, self.touched_shapes())

    def _geom_owner(self, geom: int) -> str:
        body = self.model.body(int(self.model.geom_bodyid[geom])).name
        return str(self.model.geom(int(geom)).name if body == "world" else body)


def _checked(q_rad: ArrayLike, dof: int) -> Array:
    q = np.asarray(q_rad, dtype=np.float64)
    if q.shape != (dof,) or not np.isfinite(q).all():
        raise ValueError(f"Joint targets must be {dof} finite numbers, got {q_rad!r}.")
    return q
