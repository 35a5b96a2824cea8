"""Turns one chunk of hand actions into wrist poses in the arm bases and joints of the robot hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.calibration import Calibration
from vitra_description.names import CAMERA_FRAME
from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, ROTATION, SIDES, TRANSLATION, WRIST, Side
from vitra_policy.prompt import InstructionError, hands_of
from vitra_policy.transforms import (
    integrate_wrist,
    make_pose,
    matrix_from_euler_xyz,
    quaternion_from_matrix,
)
from vitra_retarget.errors import (
    ChunkFlagsError,
    ChunkFrameError,
    ChunkIdleHandError,
    ChunkImplausibleError,
    ChunkLengthError,
    ChunkNotFiniteError,
)

Array = NDArray[np.float64]

MAX_STEPS = 512
MAX_STEP_S = 1.0
MAX_WRIST_SPEED_M_S = 5.0
MAX_DISTANCE_M = 3.0


@dataclass(frozen=True, slots=True)
class HandChunk:
    """Contents of a HandActionChunk.

    Attributes:
        frame_id: Camera optical frame the numbers are in.
        steps: Number of steps.
        step_s: Duration of one step.
        actions: (steps * 102,) or (steps, 102): per hand wrist deltas (m, Euler xyz rad) and absolute fingers (rad).
        observed: (102,) both hands at the observation, absolute in the camera frame; the anchor of the deltas.
        left_valid: Whether the left half carries anything.
        right_valid: Same for the right half.
        source: "policy" or "teleop".
        instruction: What a policy follows; the hands that it names are the only ones that may move.
    """

    frame_id: str
    steps: int
    step_s: float
    actions: ArrayLike
    observed: ArrayLike
    left_valid: bool
    right_valid: bool
    source: str = ""
    instruction: str = ""

    @property
    def valid(self) -> tuple[Side, ...]:
        """The sides that carry something, left first."""
        is_valid = {Side.LEFT: self.left_valid, Side.RIGHT: self.right_valid}
        return tuple(side for side in SIDES if is_valid[side])


@dataclass(frozen=True, slots=True)
class SideTargets:
    """Targets of one side.

    Attributes:
        wrist: (steps, 7) x y z (m) qx qy qz qw of `hand_mount` in the side's arm base.
        hand: (steps, dof) joints of the robot's hand in its driver's order, within limits (rad).
        clamped: How many joint values were moved to a limit.
    """

    wrist: Array
    hand: Array
    clamped: int


class Retargeter:
    """Applies one calibration; a chunk is either turned as a whole or refused as a whole.

    Args:
        calibration: Where camera and arm bases are.
        camera_frame: The one frame in which chunks may come.
    """

    def __init__(self, calibration: Calibration, camera_frame: str = CAMERA_FRAME) -> None:
        self._camera_frame = camera_frame
        self._hand = calibration.hand
        self._arm_base_from_camera = {
            side: np.linalg.inv(calibration.side(side).base_from_arm_base) @ calibration.base_from_head_camera
            for side in SIDES
        }

    def __call__(self, chunk: HandChunk) -> dict[Side, SideTargets]:
        """Targets per valid side.

        Raises:
            ChunkFrameError: unknown frame.
            ChunkFlagsError: no valid hand.
            ChunkLengthError: wrong number of values or steps, or a step duration out of range.
            ChunkNotFiniteError: NaN or infinity in a valid hand.
            ChunkImplausibleError: a wrist delta no hand could do, or a place no arm comes near.
            ChunkIdleHandError: a policy moves a hand that the instruction leaves idle.
        """
        if chunk.frame_id != self._camera_frame:
            raise ChunkFrameError(
                f"Chunk is in frame '{chunk.frame_id}', calibrated is '{self._camera_frame}'. "
                "Set header.frame_id to the optical frame of the image the policy saw."
            )
        if not chunk.valid:
            raise ChunkFlagsError("Chunk has neither left_valid nor right_valid set: nothing to do.")
        _check_hands(chunk)
        actions, observed = _checked(chunk)
        return {
            side: self._side(side, actions[:, HAND[side]], observed[HAND[side]], chunk.step_s) for side in chunk.valid
        }

    def _side(self, side: Side, actions: Array, observed: Array, step_s: float) -> SideTargets:
        if not (np.isfinite(actions).all() and np.isfinite(observed).all()):
            bad = np.argwhere(~np.isfinite(actions))
            where = f"step {bad[0][0]}, dimension {bad[0][1]}" if len(bad) else "the observed hand"
            raise ChunkNotFiniteError(f"The {side} hand has a number that is not finite at {where} of its 51.")
        speeds_m_s = np.linalg.norm(actions[:, TRANSLATION], axis=1) / step_s
        if speeds_m_s.max() > MAX_WRIST_SPEED_M_S:
            raise ChunkImplausibleError(
                f"The {side} wrist is to move at {speeds_m_s.max():.1f} m/s in step {speeds_m_s.argmax()}, allowed are "
                f"{MAX_WRIST_SPEED_M_S:g}. Check the statistics the policy de-normalises with."
            )
        camera_from_observed = make_pose(observed[TRANSLATION], matrix_from_euler_xyz(observed[ROTATION]))
        camera_from_wrist = integrate_wrist(camera_from_observed, actions[:, WRIST])
        arm_base_from_wrist = self._arm_base_from_camera[side] @ camera_from_wrist
        rotations, places_m = arm_base_from_wrist[:, :3, :3], arm_base_from_wrist[:, :3, 3]
        farthest_m = float(np.abs(places_m).max())
        if not farthest_m <= MAX_DISTANCE_M:
            raise ChunkImplausibleError(
                f"The {side} wrist is to be {farthest_m:.3g} m from its arm's base, allowed are {MAX_DISTANCE_M:g}. "
                "Check the observed hand, and the calibration: millimetres, inverted or swapped frames look like this."
            )
        wrist = np.concatenate([places_m, quaternion_from_matrix(rotations)], axis=1)
        wanted = self._hand.map.joints_from_fingers(actions[:, FINGERS])
        hand = self._hand.limits.clip(wanted)
        return SideTargets(wrist, hand, int(np.count_nonzero(hand != wanted)))


def _check_hands(chunk: HandChunk) -> None:
    """Whether the instruction lets these hands move; people who teleoperate say so with a clutch instead."""
    if chunk.source != "policy":
        return
    try:
        named = hands_of(chunk.instruction)
    except InstructionError as error:
        raise ChunkIdleHandError(f"Nothing says which hands may move: {error}") from error
    for side in chunk.valid:
        if not named[side]:
            raise ChunkIdleHandError(f"'{chunk.instruction}' leaves the {side} hand idle, but the chunk moves it.")


def _checked(chunk: HandChunk) -> tuple[Array, Array]:
    """Actions (steps, 102) and observed hands (102,) of the right lengths."""
    actions = np.asarray(chunk.actions, dtype=np.float64)
    observed = np.asarray(chunk.observed, dtype=np.float64)
    if not 1 <= chunk.steps <= MAX_STEPS:
        raise ChunkLengthError(f"Chunk has {chunk.steps} steps, allowed are 1 to {MAX_STEPS}.")
    if actions.size != chunk.steps * ACTION_DIM:
        raise ChunkLengthError(
            f"Chunk has {actions.size} values, {chunk.steps} steps need {chunk.steps} x {ACTION_DIM} = "
            f"{chunk.steps * ACTION_DIM}."
        )
    if observed.shape != (ACTION_DIM,):
        raise ChunkLengthError(f"The observed hands have shape {observed.shape}, expected ({ACTION_DIM},).")
    if not 0.0 < chunk.step_s <= MAX_STEP_S:
        raise ChunkLengthError(f"A step of {chunk.step_s} s is out of range, allowed is above 0 up to {MAX_STEP_S:g}.")
    return actions.reshape(chunk.steps, ACTION_DIM), observed
