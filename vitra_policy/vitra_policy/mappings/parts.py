"""Pieces of a state or an action vector: which numbers they are, in which units, and what they mean to the robot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, FINGERS_DIM, HAND, SIDES, Side
from vitra_policy.hand.xhand_map import mano_from_xhand, xhand_from_mano
from vitra_policy.mappings.document import MappingError, Section
from vitra_policy.mappings.part import AnswerRefusedError, Part, Plan, Situation
from vitra_policy.mappings.plausible import FINGER_RAD_S, JOINT_RAD_S, TURN_RAD, WRIST_M_S, joint_fault, pose_fault
from vitra_policy.mappings.rotations import WIDTHS, matrices_of, numbers_of
from vitra_policy.policies.policy import BASE_FROM_CAMERA
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec

Array = NDArray[np.float64]
Meaning = Literal["absolute", "from_observation", "per_step"]

OPEN_RAD = np.array([1.2, *[0.0] * 11])
"""XHand joints of an open gripper: straight fingers, thumb opposed."""
CLOSED_RAD = np.array([1.2, 0.5, 0.5, 0.0, 1.1, 0.9, 1.1, 0.9, 1.1, 0.9, 1.1, 0.9])
"""And of a closed one."""

_UNITS = {"rad": 1.0, "deg": np.pi / 180, "m": 1.0, "mm": 1e-3}
_MEANINGS = ("absolute", "from_observation", "per_step")


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
            if steps.max() > WRIST_M_S * now.step_s:
                raise AnswerRefusedError(
                    f"{self.section.where('what')}: the {side} wrist is to move by {steps.max():.3g} m in a step of "
                    f"{now.step_s:.3g} s. Translations are steps in metres, not places or millimetres."
                )
            fingers = np.abs(values[:, HAND[side]][:, FINGERS]).max()
            if fingers > TURN_RAD:
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
        fault = joint_fault(wanted, observed, most_s * now.step_s)
        if not fault:
            return wanted
        unit, other = ("deg", "rad") if self.scale == _UNITS["deg"] else ("rad", "deg")
        hints = [
            (self.section.where("unit"), f"they would fit if they were {other}", other, self.meaning),
            *((self.section.where("meaning"), f"they would fit as {meaning}", unit, meaning) for meaning in _MEANINGS),
        ]
        for where, hint, as_unit, meaning in hints:
            scale = self.scale * _UNITS[as_unit] / _UNITS[unit]
            if not joint_fault(self._absolute(values * scale, observed, meaning), observed, most_s * now.step_s):
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
        joints = self._believable(values, observed, now, JOINT_RAD_S)
        plan.wrists[self.side] = np.stack([robot.camera_from_wrist(self.side, row) for row in joints])

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        robot, seed = now.kinematics(self.section.where()), now.arm_rad(self.side, self.section.where())
        rows, observed, most = [], seed, 0.8 * JOINT_RAD_S * now.step_s
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
        joints = self._believable(values, now.xhand_rad(self.side), now, FINGER_RAD_S)
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
        plan.fingers[self.side] = self._believable(values, observed, now, 2 * FINGER_RAD_S)

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
        if fault := pose_fault(poses, observed, now.step_s):
            unit, other = ("mm", "m") if self.scale == _UNITS["mm"] else ("m", "mm")
            for where, hint, scale, meaning in (
                (self.section.where("unit"), f"they would fit if they were {other}", _UNITS[other], self.meaning),
                *((self.section.where("meaning"), f"they would fit as {m}", self.scale, m) for m in _MEANINGS),
            ):
                if not pose_fault(self._poses(values, observed, scale, meaning), observed, now.step_s):
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
        poses = make_pose(values[:, :3] * scale, matrices_of(values[:, 3:], self.rotation))
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
        return np.concatenate([poses[..., :3, 3] / self.scale, numbers_of(poses[..., :3, :3], self.rotation)], axis=-1)


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
    side = Side(section.choice("side", SIDES))
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
        rotation = section.choice("rotation", tuple(WIDTHS), "rotvec")
        tool = section.take("tool_from_wrist", _six, [0.0] * 6)
        pose = make_pose(tool[:3], matrix_from_rotvec(tool[3:]))
        part = Wrist(section, 3 + WIDTHS[rotation], side, scale, meaning, frame, rotation, pose)
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
