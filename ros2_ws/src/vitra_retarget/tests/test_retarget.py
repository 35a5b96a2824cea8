"""Hand actions in the camera frame to wrist poses in the arm base and XHand joints; bad chunks refused by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_description.calibration import default_calibration
from vitra_description.limits import HAND_LIMITS
from vitra_description.names import CAMERA_FRAME
from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, SIDES, WRIST, Side
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.transforms import (
    delta_wrist,
    euler_xyz_from_matrix,
    make_pose,
    matrix_from_euler_xyz,
    matrix_from_quaternion,
)
from vitra_retarget import errors
from vitra_retarget.retarget import HandChunk, Retargeter

CALIBRATION = default_calibration()
STEPS = 16


def chunk(**changes: object) -> HandChunk:
    """A valid chunk of two hands that stay where they are, 0.5 m in front of the camera."""
    observed = np.zeros(ACTION_DIM)
    observed[[2, 53]] = 0.5
    base = HandChunk(CAMERA_FRAME, STEPS, 1 / 30, np.zeros(STEPS * ACTION_DIM), observed, True, True)
    return dataclasses.replace(base, **changes)


def base_from_arm(side: Side, wrist: np.ndarray) -> np.ndarray:
    pose = make_pose(wrist[:3], matrix_from_quaternion(wrist[3:]))
    return CALIBRATION.side(side).base_from_arm_base @ pose


@pytest.mark.parametrize("side", SIDES)
def test_a_hand_that_stays_is_asked_to_stay_where_it_was_observed(side: Side) -> None:
    targets = Retargeter(CALIBRATION)(chunk())[side]
    assert targets.wrist.shape == (STEPS, 7)
    expected = CALIBRATION.base_from_head_camera @ make_pose([0, 0, 0.5], np.eye(3))
    for row in targets.wrist:
        np.testing.assert_allclose(base_from_arm(side, row), expected, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), side=st.sampled_from(SIDES))
def test_a_path_of_poses_survives_the_way_through_deltas(seed: int, side: Side) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.normal(0, 0.3, 3) + np.cumsum(rng.normal(0, 0.01, (STEPS + 1, 3)), axis=0)
    rotations = matrix_from_euler_xyz(rng.uniform(-1, 1, 3) + np.cumsum(rng.normal(0, 0.05, (STEPS + 1, 3)), axis=0))
    camera_from_wrist = make_pose(positions, rotations)
    actions, observed = np.zeros((STEPS, ACTION_DIM)), np.zeros(ACTION_DIM)
    actions[:, HAND[side.value]][:, WRIST] = delta_wrist(camera_from_wrist)
    observed[HAND[side.value]][:6] = [*positions[0], *euler_xyz_from_matrix(rotations[0])]
    targets = Retargeter(CALIBRATION)(chunk(actions=actions, observed=observed))[side]
    for row, pose in zip(targets.wrist, camera_from_wrist[1:], strict=True):
        np.testing.assert_allclose(base_from_arm(side, row), CALIBRATION.base_from_head_camera @ pose, atol=1e-7)


@pytest.mark.parametrize("side", SIDES)
def test_fingers_reach_the_hand_unchanged_within_limits(side: Side) -> None:
    joints = np.linspace(HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad, STEPS)
    actions = np.zeros((STEPS, ACTION_DIM))
    actions[:, HAND[side.value]][:, FINGERS] = mano_from_xhand(joints)
    targets = Retargeter(CALIBRATION)(chunk(actions=actions))[side]
    np.testing.assert_allclose(targets.hand, joints, atol=1e-12)
    assert targets.clamped == 0


def test_finger_values_beyond_the_limits_are_clamped_and_counted() -> None:
    joints = np.tile(HAND_LIMITS.middle_rad, (STEPS, 1))
    joints[3, 4], joints[5, 0], joints[6, 11] = 9.0, -2.0, 2.5
    actions = np.zeros((STEPS, ACTION_DIM))
    actions[:, HAND["right"]][:, FINGERS] = mano_from_xhand(joints)
    targets = Retargeter(CALIBRATION)(chunk(actions=actions, left_valid=False))[Side.RIGHT]
    assert targets.clamped == 3
    assert HAND_LIMITS.contains(targets.hand[3])
    assert targets.hand[3, 4] == HAND_LIMITS.upper_rad[4]


def test_only_valid_hands_are_turned_and_rubbish_in_the_other_half_does_not_matter() -> None:
    actions = np.zeros((STEPS, ACTION_DIM))
    actions[:, HAND["left"]] = np.nan
    targets = Retargeter(CALIBRATION)(chunk(actions=actions, left_valid=False))
    assert set(targets) == {Side.RIGHT}


@pytest.mark.parametrize("steps", [1, 4, 64, 512])
def test_any_number_of_steps_will_do(steps: int) -> None:
    targets = Retargeter(CALIBRATION)(chunk(steps=steps, actions=np.zeros(steps * ACTION_DIM)))
    assert targets[Side.LEFT].hand.shape == (steps, 12)


def _with(index: int, value: float) -> np.ndarray:
    actions = np.zeros(STEPS * ACTION_DIM)
    actions[index] = value
    return actions


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"frame_id": "camera_color_optical_frame"}, errors.ChunkFrameError, CAMERA_FRAME),
        ({"frame_id": ""}, errors.ChunkFrameError, "header.frame_id"),
        ({"left_valid": False, "right_valid": False}, errors.ChunkFlagsError, "right_valid"),
        ({"steps": 0, "actions": []}, errors.ChunkLengthError, "0 steps"),
        ({"steps": 15}, errors.ChunkLengthError, "15 x 102 = 1530"),
        ({"steps": 100_000}, errors.ChunkLengthError, "512"),
        ({"steps": 513, "actions": np.zeros(513 * ACTION_DIM)}, errors.ChunkLengthError, "1 to 512"),
        ({"actions": np.zeros(STEPS * ACTION_DIM - 1)}, errors.ChunkLengthError, "1631"),
        ({"observed": np.zeros(51)}, errors.ChunkLengthError, "51"),
        ({"step_s": 0.0}, errors.ChunkLengthError, "0.0 s"),
        ({"step_s": -0.03}, errors.ChunkLengthError, "-0.03"),
        ({"step_s": np.nextafter(1.0, 2.0)}, errors.ChunkLengthError, "up to 1"),
        ({"step_s": float("nan")}, errors.ChunkLengthError, "nan"),
        ({"actions": _with(3 * ACTION_DIM + 60, np.nan)}, errors.ChunkNotFiniteError, "step 3, dimension 9"),
        ({"actions": _with(5, np.inf)}, errors.ChunkNotFiniteError, "left"),
        ({"observed": np.full(ACTION_DIM, np.nan)}, errors.ChunkNotFiniteError, "observed"),
        ({"observed": np.full(ACTION_DIM, 500.0)}, errors.ChunkImplausibleError, "millimetres"),
        ({"actions": _with(0, 0.9)}, errors.ChunkImplausibleError, "27.0 m/s"),
        ({"actions": _with(51, -1e30)}, errors.ChunkImplausibleError, "statistics"),
    ],
)
def test_a_bad_chunk_is_refused_by_name(changes: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Retargeter(CALIBRATION)(chunk(**changes))


def test_every_cause_has_its_own_name() -> None:
    causes = [e.cause for e in errors.ChunkRefusedError.__subclasses__()]
    assert len(set(causes)) == len(causes) == 6


@pytest.mark.parametrize("distance_m", [4.5, 8.0, 1000.0, 1e12])
def test_a_wrist_where_no_arm_reaches_is_refused(distance_m: float) -> None:
    observed = np.zeros(ACTION_DIM)
    observed[[2, 53]] = distance_m
    with pytest.raises(errors.ChunkImplausibleError, match="millimetres"):
        Retargeter(CALIBRATION)(chunk(observed=observed))


@pytest.mark.parametrize("instruction", ["Left hand: None. Right hand: Wave.", "left hand: none. right hand: Wave."])
def test_a_policy_moves_no_hand_that_its_instruction_leaves_idle(instruction: str) -> None:
    retarget = Retargeter(CALIBRATION)
    with pytest.raises(errors.ChunkIdleHandError, match="leaves the left hand idle"):
        retarget(chunk(source="policy", instruction=instruction))
    assert set(retarget(chunk(source="policy", instruction=instruction, left_valid=False))) == {Side.RIGHT}
    assert set(retarget(chunk(source="teleop", instruction=instruction))) == set(SIDES)


@pytest.mark.parametrize("instruction", ["", "Wave.", "Left hand: nothing. Right hand: Wave."])
def test_a_policy_whose_instruction_is_not_understood_moves_nothing(instruction: str) -> None:
    with pytest.raises(errors.ChunkIdleHandError, match="which hands may move"):
        Retargeter(CALIBRATION)(chunk(source="policy", instruction=instruction))


@pytest.mark.parametrize(("speed_m_s", "allowed"), [(5.0, True), (np.nextafter(5.0, 6.0), False)])
def test_a_wrist_may_be_asked_for_five_metres_a_second_and_no_more(speed_m_s: float, allowed: bool) -> None:
    step_s = 2.0**-6  # nothing is rounded
    actions = np.zeros((2, ACTION_DIM))
    actions[1, 51] = speed_m_s * step_s
    moving = chunk(steps=2, step_s=step_s, actions=actions.ravel())
    if allowed:
        assert Retargeter(CALIBRATION)(moving)[Side.RIGHT].wrist.shape == (2, 7)
    else:
        with pytest.raises(errors.ChunkImplausibleError, match="step 1, allowed are 5"):
            Retargeter(CALIBRATION)(moving)
