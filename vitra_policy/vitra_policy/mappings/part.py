"""What every piece of a vector can do, and what it does it with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS, HAND, Side
from vitra_policy.errors import VitraError
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.mappings.document import MappingError, Section
from vitra_policy.policies.policy import ARM_RAD, Observation
from vitra_policy.policies.robot import RobotKinematics
from vitra_policy.policies.rtc import wrist_pose

Array = NDArray[np.float64]


class AnswerRefusedError(VitraError):
    """An answer that does not mean what the mapping says; nothing of it reaches the robot."""


class LackingInputError(VitraError):
    """An observation or a request lacks something that the mapping names, or holds something else there."""


@dataclass(slots=True)
class Situation:
    """What an answer refers to."""

    observation: Observation
    step_s: float
    robot: RobotKinematics | None = None

    def kinematics(self, where: str) -> RobotKinematics:
        """The robot's, if there are any.

        Raises:
            MappingError: there are none.
        """
        if self.robot is None:
            raise MappingError(f"{where}: this needs the robot's kinematics, and there are none here.")
        return self.robot

    def arm_rad(self, side: Side, where: str) -> Array:
        """Measured arm joints (7,).

        Raises:
            LackingInputError: the observation has none.
        """
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

        Args:
            values: Numbers of this part.
            now: What is measured.
            plan: Filled: wrists and fingers.

        Raises:
            AnswerRefusedError: they cannot mean what the mapping says.
        """

    @abstractmethod
    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:
        """The numbers (steps, width) of a plan: what a server of this mapping answers.

        Args:
            plan: Wrists and fingers.
            now: What is measured.
            steps: Rows wanted.
        """

    @abstractmethod
    def believe(self, values: Array, now: dict[str, Array]) -> None:
        """The state that the numbers (width,) of a request speak of: what a server of this mapping reads.

        Raises:
            LackingInputError: nothing is measured like that.
        """
