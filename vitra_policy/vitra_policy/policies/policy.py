"""The boundary of every policy: one observation in, one chunk of hand actions out.

    policy = create_policy("replay", {"bag": "runs/demo/bag"})
    policy.warm_up()
    chunk = policy.infer(observation)

Vectors follow `vitra_policy.action_space`: ``[left 51 | right 51]``, metres and radians, in the camera frame.
Hands are indexed 0 = left, 1 = right. An absent hand is all zeros and its flag is False; NaN never stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import ACTION_DIM, HAND, HAND_DIM, SIDES, STEPS, Hands, Side
from vitra_policy.errors import VitraError
from vitra_policy.policies.bounds import (
    PREFIX_MAX,
    check_extras,
    check_hands,
    check_image,
    check_numbers,
    check_words,
    checked_array,
)
from vitra_policy.policies.bounds import InvalidObservationError as InvalidObservationError

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
ByteArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]
Extra = NDArray[Any] | str

BASE_FROM_CAMERA = "base_from_camera"
"""Extra, always there on the robot: (4, 4) pose of the head camera's optical frame in base_link."""
ARM_RAD: Mapping[Side, str] = MappingProxyType({Side.LEFT: "robot/left_arm_rad", Side.RIGHT: "robot/right_arm_rad"})
"""Extra (7,), there for every arm whose joints are known: arm joints at the observation."""
SIM_TIME_S = "sim/time_s"
"""Extra (): time of the simulated world [s]."""
SIM_TASK = "sim/task"
"""Extra, str: name of the task."""
SIM_SUCCESS = "sim/success"
"""Extra () bool: the judge calls the task done."""
SIM_OBJECT_NAMES = "sim/object_names"
"""Extra (N,) str array."""
SIM_OBJECT_POSES = "sim/base_from_object"
"""Extra (N, 4, 4): poses of the objects in base_link."""
SIM_OBJECT_SIZES = "sim/object_sizes_m"
"""Extra (N, 3): half extents."""
PRIVILEGED_EXTRAS = (SIM_TIME_S, SIM_TASK, SIM_SUCCESS, SIM_OBJECT_NAMES, SIM_OBJECT_POSES, SIM_OBJECT_SIZES)
"""Ground truth of the simulator; handed only to policies whose metadata asks for it."""


class InvalidChunkError(VitraError):
    """A chunk of actions that must not reach the robot."""


class PolicyError(VitraError):
    """A policy could not answer; the message says what it lacks."""


@dataclass(frozen=True, slots=True, eq=False)
class CommittedPrefix:
    """Leading steps of the next chunk that are already decided, because the robot executes them meanwhile."""

    actions: FloatArray
    """(d, 102) actions as the policy would emit them for THIS observation (see `vitra_policy.policies.rtc`)."""
    valid: BoolArray
    """(2,) hands the prefix holds for."""

    def __post_init__(self) -> None:
        actions = _array(
            self.actions, np.float64, (None, ACTION_DIM), "CommittedPrefix.actions", InvalidObservationError
        )
        valid = _array(self.valid, np.bool_, (2,), "CommittedPrefix.valid", InvalidObservationError)
        if len(actions) > PREFIX_MAX:
            raise InvalidObservationError(f"CommittedPrefix has {len(actions)} steps; at most {PREFIX_MAX}.")
        object.__setattr__(self, "valid", valid)
        object.__setattr__(
            self, "actions", _without_absent(actions, valid, "CommittedPrefix.actions", InvalidObservationError)
        )
        check_hands("CommittedPrefix.actions", self.actions, valid)

    @property
    def steps(self) -> int:
        """Number of committed steps d."""
        return len(self.actions)


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What the robot saw and felt at one moment.

    Raises:
        InvalidObservationError: an array of another shape, or a size or value out of `vitra_policy.policies.bounds`.
    """

    stamp_s: float
    """Capture time of the image, seconds of ROS time."""
    instruction: str
    """Prompt as the policy reads it: ``Left hand: {what}. Right hand: {what}.``"""
    image: ByteArray | None
    """(H, W, 3) RGB; None for policies that do not look."""
    intrinsics: FloatArray
    """(3, 3) pinhole matrix of the image [pixel]."""
    fov_rad: FloatArray
    """(2,) horizontal and vertical field of view of the image."""
    state: FloatArray
    """(102,) hands at the observation, absolute in the camera frame."""
    state_valid: BoolArray
    """(2,) hands whose state is known."""
    hands: BoolArray
    """(2,) hands that are asked to act."""
    committed: CommittedPrefix | None = None
    """Steps to keep (real-time chunking), or None to plan freely."""
    extras: Mapping[str, Extra] = field(default_factory=lambda: MappingProxyType({}))
    """Further inputs by name: see BASE_FROM_CAMERA, PRIVILEGED_EXTRAS."""

    def __post_init__(self) -> None:
        def take(name: str, dtype: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
            array = _array(getattr(self, name), dtype, shape, f"Observation.{name}", InvalidObservationError)
            object.__setattr__(self, name, array)
            return array

        if self.image is not None:
            check_image(self.image)
        check_words(self.instruction)
        check_extras(self.extras)
        intrinsics = take("intrinsics", np.float64, (3, 3))
        check_numbers(self.stamp_s, take("fov_rad", np.float64, (2,)), intrinsics)
        take("hands", np.bool_, (2,))
        valid = take("state_valid", np.bool_, (2,))
        state = take("state", np.float64, (ACTION_DIM,))
        object.__setattr__(self, "state", _without_absent(state, valid, "Observation.state", InvalidObservationError))
        check_hands("Observation.state", self.state, valid)


@dataclass(frozen=True, slots=True, eq=False)
class ActionChunk:
    """Actions for the next steps after the observation; step k (0-based) is reached at stamp_s + (k + 1) * step_s.

    Raises:
        InvalidChunkError: an array of another shape, or a number that is not finite in a hand that counts.
    """

    actions: NDArray[np.floating[Any]]
    """(steps, 102) de-normalised: translation and rotation deltas (left-multiplied), fingers absolute."""
    valid: BoolArray
    """(2,) hands the chunk moves."""
    step_s: float
    """Duration of one step."""
    policy_id: str
    """Who made it."""
    timing: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Seconds per stage of the inference, in order."""
    done: bool = False
    """The policy considers its task finished."""
    committed_steps: int = 0
    """Leading steps that repeat the observation's committed prefix."""

    def __post_init__(self) -> None:
        actions = _array(self.actions, np.float32, (None, ACTION_DIM), "ActionChunk.actions", InvalidChunkError)
        valid = _array(self.valid, np.bool_, (2,), "ActionChunk.valid", InvalidChunkError)
        if not len(actions):
            raise InvalidChunkError(f"ActionChunk of policy '{self.policy_id}' has no steps.")
        if not (np.isfinite(self.step_s) and self.step_s > 0):
            raise InvalidChunkError(f"ActionChunk.step_s must be a positive number of seconds, got {self.step_s}.")
        if not 0 <= self.committed_steps <= len(actions):
            raise InvalidChunkError(f"ActionChunk.committed_steps is {self.committed_steps} of {len(actions)} steps.")
        object.__setattr__(self, "valid", valid)
        object.__setattr__(self, "actions", _without_absent(actions, valid, "ActionChunk.actions", InvalidChunkError))

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.actions)


@dataclass(frozen=True, slots=True)
class PolicyMetadata:
    """What a policy is and what it needs; sent in the handshake when it runs elsewhere."""

    policy_id: str
    """Name that appears in chunks, bags and reports."""
    steps: int = STEPS
    """Steps per chunk."""
    step_s: float = 1 / 30
    """Duration of one step."""
    needs_image: bool = True
    """Whether `Observation.image` must be there."""
    needs_state: bool = False
    """Whether the state of every requested hand must be known."""
    needs_extras: tuple[str, ...] = ()
    """Names of the extras that must be there."""
    uses_committed: bool = False
    """Whether it honours `Observation.committed`."""
    executed_steps: int = 0
    """Steps of a chunk to execute before it is asked again; 0: it may be asked as often as it answers."""

    @property
    def period_s(self) -> float:
        """Shortest time from one question to the next, never longer than a chunk."""
        return min(max(self.executed_steps, 0), self.steps) * self.step_s

    @property
    def is_privileged(self) -> bool:
        """Whether it asks for the simulator's ground truth."""
        return any(name in PRIVILEGED_EXTRAS for name in self.needs_extras)

    def check(self, observation: Observation) -> None:
        """Refuse an observation that lacks what the policy needs.

        Raises:
            InvalidObservationError: names what is missing.
        """
        missing = [name for name in self.needs_extras if name not in observation.extras]
        if self.needs_image and observation.image is None:
            missing.append("image")
        if self.needs_state and bool(np.any(observation.hands & ~observation.state_valid)):
            missing.append("state of every requested hand")
        if missing:
            raise InvalidObservationError(
                f"Policy '{self.policy_id}' needs {', '.join(missing)}, which the observation does not have."
            )


@runtime_checkable
class Policy(Protocol):
    """Anything that turns observations into chunks. One thread at a time calls it."""

    @property
    def metadata(self) -> PolicyMetadata:
        """What it is and needs; constant."""
        ...

    def warm_up(self) -> None:
        """Do everything slow (load, compile, connect), so that the first `infer` is as fast as the others."""
        ...

    def reset(self) -> None:
        """Forget the past: a new run starts."""
        ...

    def infer(self, observation: Observation) -> ActionChunk:
        """Answer one observation.

        Raises:
            VitraError: it cannot; the caller reports it and goes on.
        """
        ...

    def close(self) -> None:
        """Give everything back; may be called twice."""
        ...


def hands_array(hands: Hands) -> BoolArray:
    """(2,) flags of active hands."""
    return np.array([hands.left, hands.right])


def make_example_observation(
    *, height: int = 480, width: int = 640, hands: Hands | None = None, seed: int = 0
) -> Observation:
    """A random but plausible observation, for tests, warm-up and smoke runs; extras of the simulator included.

    Args:
        height: Of the image, pixels.
        width: Of the image, pixels.
        hands: Which act; None: both.
        seed: Of everything random.
    """
    rng = np.random.default_rng(seed)
    active = hands_array(hands or Hands(right=True))
    intrinsics = np.array([[0.6 * width, 0, width / 2], [0, 0.6 * width, height / 2], [0, 0, 1.0]])
    state = np.concatenate(
        [np.r_[x, 0.05, 0.45, rng.uniform(-0.5, 0.5, 3), rng.uniform(0, 0.6, HAND_DIM - 6)] for x in (-0.15, 0.15)]
    )
    objects = np.tile(np.eye(4), (2, 1, 1))
    objects[:, :3, 3] = [[0.45, -0.1, 0.03], [0.5, 0.15, 0.05]]
    base_from_camera = np.eye(4)
    base_from_camera[:3, :3] = [[0, -1, 0], [-1, 0, 0], [0, 0, -1]]
    base_from_camera[:3, 3] = [0.45, 0, 0.6]
    return Observation(
        stamp_s=1000.0,
        instruction="Left hand: None. Right hand: Put the red cube into the box.",
        image=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        intrinsics=intrinsics,
        fov_rad=np.array([2 * np.arctan2(width / 2, 0.6 * width), 2 * np.arctan2(height / 2, 0.6 * width)]),
        state=state,
        state_valid=active,
        hands=active,
        extras={
            BASE_FROM_CAMERA: base_from_camera,
            **{name: np.full(7, 0.3) for name in ARM_RAD.values()},
            SIM_TIME_S: np.array(12.0),
            SIM_TASK: "pick_place",
            SIM_SUCCESS: np.array(False),
            SIM_OBJECT_NAMES: np.array(["cube", "box"]),
            SIM_OBJECT_POSES: objects,
            SIM_OBJECT_SIZES: np.full((2, 3), 0.025),
        },
    )


def _array(
    value: ArrayLike, dtype: Any, shape: tuple[int | None, ...], what: str, error: type[VitraError]
) -> NDArray[Any]:
    array = checked_array(value, dtype, what, error)
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        expected = "(" + ", ".join("n" if n is None else str(n) for n in shape) + ")"
        raise error(f"{what} has shape {array.shape}, expected {expected}.")
    return array


def _without_absent(vectors: NDArray[Any], valid: BoolArray, what: str, error: type[VitraError]) -> NDArray[Any]:
    """Zero the half of an absent hand; a hand that counts must be finite."""
    for side, counts in zip(SIDES, valid, strict=True):
        half = vectors[..., HAND[side]]
        if counts and not np.isfinite(half).all():
            raise error(f"{what} of the {side} hand is not finite although the hand is marked valid.")
        if not counts and half.any():
            vectors = vectors.copy()
            vectors[..., HAND[side]] = 0
    return vectors
