"""Pieces of a state or an action vector: which numbers they are, in which units, and what they mean to the robot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS, HAND, SIDES, Side
from vitra_policy.hand.xhand_map import mano_from_xhand, xhand_from_mano
from vitra_policy.mappings.part import AnswerRefusedError, LackingInputError, Part, Plan, Situation
from vitra_policy.mappings.plausible import FINGER_RAD_S, JOINT_RAD_S, TURN_RAD, WRIST_M_S, joint_fault

Array = NDArray[np.float64]
Meaning = Literal["absolute", "from_observation", "per_step"]

OPEN_RAD = np.array([1.2, *[0.0] * 11])
"""XHand joints of an open gripper: straight fingers, thumb opposed."""
CLOSED_RAD = np.array([1.2, 0.5, 0.5, 0.0, 1.1, 0.9, 1.1, 0.9, 1.1, 0.9, 1.1, 0.9])
"""And of a closed one."""

_BEYOND = 0.25
"""How far a gripper may be beyond open or closed, as a share of its way."""

UNITS = {"rad": 1.0, "deg": np.pi / 180, "m": 1.0, "mm": 1e-3}
MEANINGS = ("absolute", "from_observation", "per_step")


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
class OfSide(Part):
    """What is about one side: in its own units, absolute or relative."""

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
        unit, other = ("deg", "rad") if self.scale == UNITS["deg"] else ("rad", "deg")
        hints = [
            (self.section.where("unit"), f"they would fit if they were {other}", other, self.meaning),
            *((self.section.where("meaning"), f"they would fit as {meaning}", unit, meaning) for meaning in MEANINGS),
        ]
        for where, hint, as_unit, meaning in hints:
            scale = self.scale * UNITS[as_unit] / UNITS[unit]
            if not joint_fault(self._absolute(values * scale, observed, meaning), observed, most_s * now.step_s):
                raise AnswerRefusedError(f"{where}: {self._name} {fault} as {unit}, {self.meaning}; {hint}.")
        raise AnswerRefusedError(f"{self.section.where('what')}: {self._name} {fault} as {unit}, {self.meaning}.")

    def _measured(self, values: Array) -> Array:
        """Radians of a request's numbers, if joints can be there."""
        rad = values * self.scale
        if np.abs(rad).max() > TURN_RAD:
            raise LackingInputError(
                f"{self.section.where('unit')}: in the request {self._name} are at {np.abs(rad).max():.3g} rad. "
                "Is the unit another?"
            )
        return rad

    @property
    def _name(self) -> str:
        return f"the {self.side} {type(self).__name__}"


@dataclass(frozen=True, slots=True)
class ArmJoints(OfSide):
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
        now[f"{self.side}_arm"] = self._measured(values)


@dataclass(frozen=True, slots=True)
class XHandJoints(OfSide):
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
        now[f"{self.side}_fingers"] = mano_from_xhand(self._measured(values))


@dataclass(frozen=True, slots=True)
class ManoFingers(OfSide):
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
        now[f"{self.side}_fingers"] = self._measured(values)


@dataclass(frozen=True, slots=True)
class Gripper(OfSide):
    """One number between open and closed, which becomes a closing of the whole hand."""

    open: float
    closed: float

    def measure(self, now: Situation) -> Array:  # noqa: D102
        return np.array([self._number(now.xhand_rad(self.side))]) / self.scale

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        numbers = self._absolute(values, self.measure(now)) * self.scale
        share = (numbers - self.open) / (self.closed - self.open)
        if share.min() < -_BEYOND or share.max() > 1 + _BEYOND:
            raise AnswerRefusedError(
                f"{self.section.where('open')}: the {self.side} gripper is to go to {numbers.min():.3g} .. "
                f"{numbers.max():.3g}, open is {self.open:g} and closed {self.closed:g}."
            )
        joints = OPEN_RAD + np.clip(share, 0, 1) * (CLOSED_RAD - OPEN_RAD)
        plan.fingers[self.side] = mano_from_xhand(joints)

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        rows = [[self._number(joints)] for joints in xhand_from_mano(plan.fingers[self.side][:steps])]
        return self._relative(np.array(rows) / self.scale, self.measure(now))

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        share = (values * self.scale - self.open) / (self.closed - self.open)
        if not -_BEYOND <= share[0] <= 1 + _BEYOND:
            raise LackingInputError(
                f"{self.section.where('open')}: in the request the {self.side} gripper is at {values[0]:.3g}, open is "
                f"{self.open / self.scale:g} and closed {self.closed / self.scale:g}. Is the unit another?"
            )
        now[f"{self.side}_fingers"] = mano_from_xhand(OPEN_RAD + np.clip(share, 0, 1) * (CLOSED_RAD - OPEN_RAD))

    def _number(self, xhand_rad: Array) -> float:
        way = CLOSED_RAD - OPEN_RAD
        share = float(np.clip((xhand_rad - OPEN_RAD) @ way / (way @ way), 0, 1))
        return self.open + share * (self.closed - self.open)
