"""Pieces of a state or an action vector: which numbers they are, in which units, and what they mean to the robot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, FINGERS_DIM, HAND, SIDES, Side
from vitra_policy.errors import VitraError
from vitra_policy.hand.xhand_map import mano_from_xhand, xhand_from_mano
from vitra_policy.mappings.document import MappingError, Section
from vitra_policy.policies.policy import ARM_RAD, BASE_FROM_CAMERA, Observation
from vitra_policy.policies.robot import RobotKinematics
from vitra_policy.policies.rtc import wrist_pose
from vitra_policy.transforms import (
    euler_xyz_from_matrix,
    invert_pose,
    make_pose,
    matrix_from_euler_xyz,
    matrix_from_quaternion,
    matrix_from_rotvec,
    quaternion_from_matrix,
    rotation_angle,
    rotvec_from_matrix,
)

Array = NDArray[np.float64]
Meaning = Literal["absolute", "from_observation", "per_step"]

OPEN_RAD = np.array([1.2, *[0.0] * 11])
"""XHand joints of an open gripper: straight fingers, thumb opposed."""
CLOSED_RAD = np.array([1.2, 0.5, 0.5, 0.0, 1.1, 0.9, 1.1, 0.9, 1.1, 0.9, 1.1, 0.9])
"""And of a closed one."""

_JOINT_RAD_S = 6.0
_WRIST_M_S, _WRIST_RAD_S = 2.5, 12.0
_FINGER_RAD_S = 20.0
_BEHIND_RAD, _BEHIND_M = 0.15, 0.05
"""How far what is measured may be behind what was commanded: the first step may make up for it."""
_TURN_RAD = 2 * np.pi
_FAR_M = 3.0
_UNITS = {"rad": 1.0, "deg": np.pi / 180, "m": 1.0, "mm": 1e-3}
_MEANINGS = ("absolute", "from_observation", "per_step")
_ROTATIONS = {"rotvec": 3, "euler_xyz": 3, "quaternion_xyzw": 4, "quaternion_wxyz": 4, "rot6d": 6}


class AnswerRefusedError(VitraError):
    """An answer that does not mean what the mapping says; nothing of it reaches the robot."""


class LackingInputError(VitraError):
    """The observation lacks something that the mapping sends."""


@dataclass(slots=True)
class Situation:
    """What an answer refers to."""

    observation: Observation
    step_s: float
    robot: RobotKinematics | None = None

    def kinematics(self, where: str) -> RobotKinematics:
        """The robot's, if there are any."""
        if self.robot is None:
            raise MappingError(f"{where}: this needs the robot's kinematics, and there are none here.")
        return self.robot

    def arm_rad(self, side: Side, where: str) -> Array:
        """Measured arm joints (7,)."""
        value = self.observation.extras.get(ARM_RAD[side])
        if value is None:
            raise LackingInputError(f"{where}: the observation has no joints of the {side} arm ({ARM_RAD[side]}).")
        return np.asarray(value, dtype=np.float64)

    def xhand_rad(self, side: Side) -> Array:
        """Measured hand joints (12,)."""
        return xhand_from_mano(self.observation.state[HAND[side]][FINGERS])

    def wrist(self, side: Side) -> Array:
        """Measured camera_from_wrist (4, 4)."""
        return wrist_pose(self.observation.state, side)


@dataclass(slots=True)
class Plan:
    """What an answer asks for, side by side."""

    wrists: dict[Side, Array] = field(default_factory=dict)
    """camera_from_wrist (n, 4, 4)."""
    fingers: dict[Side, Array] = field(default_factory=dict)
    """(n, 45)."""
    own: Array | None = None
    """(n, 102) actions in our own convention."""


@dataclass(frozen=True, slots=True)
class Part(ABC):
    """Some neighbouring numbers of a vector."""

    section: Section
    width: int

    @property
    def sides(self) -> tuple[Side, ...]:
        """Hands that it is about."""
        return ()

    @abstractmethod
    def measure(self, now: Situation) -> Array:
        """The numbers (width,) of what is measured, for a request."""

    @abstractmethod
    def decode(self, values: Array, now: Situation, plan: Plan) -> None:
        """Take numbers (n, width) of an answer.

        Raises:
            AnswerRefusedError: they cannot mean what the mapping says.
        """

    @abstractmethod
    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:
        """The numbers (steps, width) of a plan: what a server of this mapping answers."""

    @abstractmethod
    def believe(self, values: Array, now: dict[str, Array]) -> None:
        """The state that the numbers (width,) of a request speak of: what a server of this mapping reads."""


@dataclass(frozen=True, slots=True)
class Ignored(Part):
    """Numbers that mean nothing to us; zeros in a request."""

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return np.zeros(self.width)

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        pass

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        return np.zeros((steps, self.width))

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        pass


@dataclass(frozen=True, slots=True)
class OwnHands(Part):
    """Our own 102 numbers: states absolute, actions as `vitra_policy.action_space` says."""

    @property
    def sides(self) -> tuple[Side, ...]:  # noqa: D102
        return SIDES

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return now.observation.state

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        for side in SIDES:
            steps = np.linalg.norm(values[:, HAND[side]][:, :3], axis=1)
            if steps.max() > _WRIST_M_S * now.step_s:
                raise AnswerRefusedError(
                    f"{self.section.where('what')}: the {side} wrist is to move by {steps.max():.3g} m in a step of "
                    f"{now.step_s:.3g} s. Translations are steps in metres, not places or millimetres."
                )
            fingers = np.abs(values[:, HAND[side]][:, FINGERS]).max()
            if fingers > _TURN_RAD:
                raise AnswerRefusedError(
                    f"{self.section.where('what')}: a finger of the {side} hand is to turn to {fingers:.3g} rad. "
                    "Are these degrees?"
                )
        plan.own = values

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        assert plan.own is not None
        return plan.own[:steps]

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        for side in SIDES:
            if values[HAND[side]].any():
                now[f"{side}_state"] = values[HAND[side]]


@dataclass(frozen=True, slots=True)
class _OfSide(Part):
    side: Side
    scale: float
    meaning: Meaning

    @property
    def sides(self) -> tuple[Side, ...]:  # noqa: D102
        return (self.side,)

    def _absolute(self, values: Array, observed: Array, meaning: str | None = None) -> Array:
        match meaning or self.meaning:
            case "absolute":
                return values
            case "from_observation":
                return observed + values
            case _:
                return np.asarray(observed + np.cumsum(values, axis=0))

    def _relative(self, values: Array, observed: Array) -> Array:
        """Inverse of `_absolute`."""
        match self.meaning:
            case "absolute":
                return values
            case "from_observation":
                return values - observed
            case _:
                return np.diff(values, axis=0, prepend=observed[None])

    def _believable(self, values: Array, observed: Array, now: Situation, most_s: float) -> Array:
        """Absolute radians of an answer's numbers, if joints can do that."""
        wanted = self._absolute(values * self.scale, observed)
        fault = _too_fast(wanted, observed, most_s * now.step_s)
        if not fault:
            return wanted
        unit, other = ("deg", "rad") if self.scale == _UNITS["deg"] else ("rad", "deg")
        hints = [
            (self.section.where("unit"), f"they would fit if they were {other}", other, self.meaning),
            *((self.section.where("meaning"), f"they would fit as {meaning}", unit, meaning) for meaning in _MEANINGS),
        ]
        for where, hint, as_unit, meaning in hints:
            scale = self.scale * _UNITS[as_unit] / _UNITS[unit]
            if not _too_fast(self._absolute(values * scale, observed, meaning), observed, most_s * now.step_s):
                raise AnswerRefusedError(f"{where}: {self._name} {fault} as {unit}, {self.meaning}; {hint}.")
        raise AnswerRefusedError(f"{self.section.where('what')}: {self._name} {fault} as {unit}, {self.meaning}.")

    @property
    def _name(self) -> str:
        return f"the {self.side} {type(self).__name__}"


@dataclass(frozen=True, slots=True)
class ArmJoints(_OfSide):
    """The 7 joints of an arm."""

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return now.arm_rad(self.side, self.section.where()) / self.scale

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        robot, observed = now.kinematics(self.section.where()), now.arm_rad(self.side, self.section.where())
        joints = self._believable(values, observed, now, _JOINT_RAD_S)
        plan.wrists[self.side] = np.stack([robot.camera_from_wrist(self.side, row) for row in joints])

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        robot, seed = now.kinematics(self.section.where()), now.arm_rad(self.side, self.section.where())
        rows, observed, most = [], seed, 0.8 * _JOINT_RAD_S * now.step_s
        for pose in plan.wrists[self.side][:steps]:  # near a singularity late, not at once
            seed = seed + np.clip(robot.arm_for_wrist(self.side, pose, seed) - seed, -most, most)
            rows.append(seed)
        return self._relative(np.stack(rows), observed) / self.scale

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        now[f"{self.side}_arm"] = values * self.scale


@dataclass(frozen=True, slots=True)
class XHandJoints(_OfSide):
    """The 12 joints of an XHand, in the vendor's order."""

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return now.xhand_rad(self.side) / self.scale

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        joints = self._believable(values, now.xhand_rad(self.side), now, _FINGER_RAD_S)
        plan.fingers[self.side] = mano_from_xhand(joints)

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        joints = xhand_from_mano(plan.fingers[self.side][:steps])
        return self._relative(joints, now.xhand_rad(self.side)) / self.scale

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        now[f"{self.side}_fingers"] = mano_from_xhand(values * self.scale)


@dataclass(frozen=True, slots=True)
class ManoFingers(_OfSide):
    """The 45 finger angles of a hand in MANO's order, right-hand convention for both."""

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return np.asarray(now.observation.state[HAND[self.side]][FINGERS] / self.scale)

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        observed = now.observation.state[HAND[self.side]][FINGERS]
        plan.fingers[self.side] = self._believable(values, observed, now, 2 * _FINGER_RAD_S)

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        observed = now.observation.state[HAND[self.side]][FINGERS]
        return self._relative(plan.fingers[self.side][:steps], observed) / self.scale

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        now[f"{self.side}_fingers"] = values * self.scale


@dataclass(frozen=True, slots=True)
class Gripper(_OfSide):
    """One number between open and closed, which becomes a closing of the whole hand."""

    open: float
    closed: float

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return np.array([self._number(now.xhand_rad(self.side))])

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        numbers = self._absolute(values * self.scale, self.measure(now))
        share = (numbers - self.open) / (self.closed - self.open)
        if share.min() < -0.25 or share.max() > 1.25:
            raise AnswerRefusedError(
                f"{self.section.where('open')}: the {self.side} gripper is to go to {numbers.min():.3g} .. "
                f"{numbers.max():.3g}, open is {self.open:g} and closed {self.closed:g}."
            )
        joints = OPEN_RAD + np.clip(share, 0, 1) * (CLOSED_RAD - OPEN_RAD)
        plan.fingers[self.side] = mano_from_xhand(joints)

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        rows = [[self._number(joints)] for joints in xhand_from_mano(plan.fingers[self.side][:steps])]
        return self._relative(np.array(rows), self.measure(now)) / self.scale

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        share = np.clip((values - self.open) / (self.closed - self.open), 0, 1)
        now[f"{self.side}_fingers"] = mano_from_xhand(OPEN_RAD + share * (CLOSED_RAD - OPEN_RAD))

    def _number(self, xhand_rad: Array) -> float:
        way = CLOSED_RAD - OPEN_RAD
        share = float(np.clip((xhand_rad - OPEN_RAD) @ way / (way @ way), 0, 1))
        return self.open + share * (self.closed - self.open)


@dataclass(frozen=True, slots=True)
class Wrist(_OfSide):
    """Pose of a wrist or of a tool fixed to it: place, then rotation."""

    frame: str
    rotation: str
    tool_from_wrist: Array

    def measure(self, now: Situation) -> Array:  # noqa: D102
        numbers: Array = self._numbers(self._tool(now.wrist(self.side), now)[None])[0]
        return numbers

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        observed = self._tool(now.wrist(self.side), now)
        poses = self._poses(values, observed, self.scale, self.meaning)
        if fault := _pose_fault(poses, observed, now.step_s):
            unit, other = ("mm", "m") if self.scale == _UNITS["mm"] else ("m", "mm")
            for where, hint, scale, meaning in (
                (self.section.where("unit"), f"they would fit if they were {other}", _UNITS[other], self.meaning),
                *((self.section.where("meaning"), f"they would fit as {m}", self.scale, m) for m in _MEANINGS),
            ):
                if not _pose_fault(self._poses(values, observed, scale, meaning), observed, now.step_s):
                    raise AnswerRefusedError(
                        f"{where}: the {self.side} wrist {fault} as {unit}, {self.meaning}; {hint}."
                    )
            raise AnswerRefusedError(
                f"{self.section.where('what')}: the {self.side} wrist {fault} as {unit}, {self.meaning}, in the "
                f"{self.frame} frame, rotations as {self.rotation}."
            )
        plan.wrists[self.side] = self._camera_from_frame(now) @ poses @ self.tool_from_wrist

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        poses = self._tool(plan.wrists[self.side][:steps], now)
        before = self._tool(now.wrist(self.side), now)
        match self.meaning:
            case "absolute":
                return self._numbers(poses)
            case "from_observation":
                return self._numbers(invert_pose(before) @ poses)
            case _:
                return self._numbers(invert_pose(np.concatenate([before[None], poses[:-1]])) @ poses)

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        pose: Array = self._poses(values[None], np.eye(4), self.scale, "absolute")[0]
        now[f"{self.side}_wrist_in_{self.frame}"] = pose @ self.tool_from_wrist

    def _camera_from_frame(self, now: Situation) -> Array:
        match self.frame:
            case "camera":
                return np.eye(4)
            case "base":
                return invert_pose(np.asarray(now.observation.extras[BASE_FROM_CAMERA], dtype=np.float64))
            case _:
                return now.kinematics(self.section.where("frame")).camera_from_arm_base(self.side)

    def _tool(self, camera_from_wrist: Array, now: Situation) -> Array:
        """frame_from_tool."""
        frame_from_camera = invert_pose(self._camera_from_frame(now))
        return np.asarray(frame_from_camera @ camera_from_wrist @ invert_pose(self.tool_from_wrist))

    def _poses(self, values: Array, observed: Array, scale: float, meaning: str) -> Array:
        poses = make_pose(values[:, :3] * scale, _matrices(values[:, 3:], self.rotation))
        if meaning == "absolute":
            return poses
        if meaning == "from_observation":
            return np.asarray(observed @ poses)
        rows, pose = [], observed
        for step in poses:
            pose = pose @ step
            rows.append(pose)
        return np.stack(rows)

    def _numbers(self, poses: Array) -> Array:
        return np.concatenate([poses[..., :3, 3] / self.scale, _rotations(poses[..., :3, :3], self.rotation)], axis=-1)


def parse_part(section: Section) -> Part:
    """A part of its entry in a mapping.

    Raises:
        MappingError: names the line.
    """
    what = section.choice("what", ("arm_joints", "wrist", "xhand", "mano", "gripper", "hands", "ignored"))
    if what == "ignored":
        part: Part = Ignored(section, section.take("width", int))
        section.done()
        return part
    if what == "hands":
        section.done()
        return OwnHands(section, ACTION_DIM)
    side: Side = section.choice("side", SIDES)  # type: ignore[assignment]
    meaning: Meaning = section.choice("meaning", _MEANINGS, "absolute")  # type: ignore[assignment]
    scale = section.take("scale", float, 1.0)
    if what == "gripper":
        low, high = section.take("open", float, 0.0), section.take("closed", float, 1.0)
        if low == high:
            raise MappingError(f"{section.where('open')}: open and closed are both {low:g}.")
        part = Gripper(section, 1, side, scale, meaning, low, high)
    elif what == "wrist":
        scale *= _UNITS[section.choice("unit", ("m", "mm"), "m")]
        frame = section.choice("frame", ("camera", "base", "arm_base"), "camera")
        rotation = section.choice("rotation", tuple(_ROTATIONS), "rotvec")
        tool = section.take("tool_from_wrist", _six, [0.0] * 6)
        pose = make_pose(tool[:3], matrix_from_rotvec(tool[3:]))
        part = Wrist(section, 3 + _ROTATIONS[rotation], side, scale, meaning, frame, rotation, pose)
    else:
        kinds = {"arm_joints": (ArmJoints, 7), "xhand": (XHandJoints, 12), "mano": (ManoFingers, FINGERS_DIM)}
        kind, width = kinds[what]
        scale *= _UNITS[section.choice("unit", ("rad", "deg"), "rad")]
        part = kind(section, width, side, scale, meaning)
    section.done()
    return part


def _six(value: Any) -> list[float]:
    numbers = [float(number) for number in value]
    if len(numbers) != 6:
        raise ValueError("it must be x y z in metres and a rotation vector in radians")
    return numbers


def _too_fast(wanted: Array, observed: Array, most: float) -> str:
    if np.abs(wanted).max() > _TURN_RAD:
        return f"would go to {np.abs(wanted).max():.3g} rad"
    steps = np.abs(np.diff(wanted, axis=0, prepend=observed[None])).max(axis=1)
    steps[0] = max(steps[0] - _BEHIND_RAD, 0.0)
    if steps.max() > most:
        return f"would move by {steps.max():.3g} rad in step {int(steps.argmax())}"
    return ""


def _pose_fault(poses: Array, observed: Array, step_s: float) -> str:
    before = np.concatenate([observed[None], poses[:-1]])
    steps_m = np.linalg.norm(poses[:, :3, 3] - before[:, :3, 3], axis=1)
    steps_m[0] = max(steps_m[0] - _BEHIND_M, 0.0)
    if steps_m.max() > _WRIST_M_S * step_s:
        return f"would move by {steps_m.max():.3g} m in step {int(steps_m.argmax())}"
    turns = rotation_angle(np.swapaxes(before[:, :3, :3], 1, 2) @ poses[:, :3, :3])
    turns[0] = max(turns[0] - _BEHIND_RAD, 0.0)
    if turns.max() > _WRIST_RAD_S * step_s:
        return f"would turn by {turns.max():.3g} rad in step {int(turns.argmax())}"
    if np.abs(poses[:, :3, 3]).max() > _FAR_M:
        return f"would be {np.abs(poses[:, :3, 3]).max():.3g} m away"
    return ""


def _matrices(values: Array, rotation: str) -> Array:
    match rotation:
        case "rotvec":
            return matrix_from_rotvec(values)
        case "euler_xyz":
            return matrix_from_euler_xyz(values)
        case "quaternion_xyzw":
            return matrix_from_quaternion(values)
        case "quaternion_wxyz":
            return matrix_from_quaternion(values[..., [1, 2, 3, 0]])
        case _:
            return matrix_from_rot6d(values)


def _rotations(matrices: Array, rotation: str) -> Array:
    match rotation:
        case "rotvec":
            return rotvec_from_matrix(matrices)
        case "euler_xyz":
            return euler_xyz_from_matrix(matrices)
        case "quaternion_xyzw":
            return quaternion_from_matrix(matrices)
        case "quaternion_wxyz":
            return quaternion_from_matrix(matrices)[..., [3, 0, 1, 2]]
        case _:
            return rot6d_from_matrix(matrices)


def matrix_from_rot6d(values: Array) -> Array:
    """Rotations (..., 3, 3) of their first two columns one after the other (..., 6), made orthonormal."""
    first, second = values[..., :3], values[..., 3:]
    x = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-9)
    y = second - (x * second).sum(axis=-1, keepdims=True) * x
    y = y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def rot6d_from_matrix(matrices: Array) -> Array:
    """First two columns (..., 6) of rotations (..., 3, 3)."""
    return np.concatenate([matrices[..., :, 0], matrices[..., :, 1]], axis=-1)
