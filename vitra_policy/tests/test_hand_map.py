"""Finger angles to joints of a robot hand and back."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.action_space import ShapeMismatchError
from vitra_policy.hand.hand_map import HandMap, HandMapError, MappedJoint

STIFF = HandMap((MappedJoint("a", ((8, 1.0), (14, 0.5))), MappedJoint("b", ((43, -1.0),))))


def test_joints_come_back_exactly() -> None:
    joints = np.random.default_rng(0).normal(size=(5, 3, 2))
    np.testing.assert_allclose(STIFF.joints_from_fingers(STIFF.fingers_from_joints(joints)), joints, atol=1e-15)


def test_a_joint_of_several_angles_takes_their_least_squares_fit() -> None:
    fingers = np.zeros(45)
    fingers[8 - 6], fingers[14 - 6], fingers[43 - 6] = 0.9, 0.1, -0.3
    best = (1.0 * 0.9 + 0.5 * 0.1) / (1.0 + 0.25)
    np.testing.assert_allclose(STIFF.joints_from_fingers(fingers), [best, 0.3])


def test_angles_that_no_joint_moves_are_neither_read_nor_written() -> None:
    fingers = np.full(45, np.nan)
    fingers[STIFF.mapped_fingers] = 0.0
    assert np.isfinite(STIFF.joints_from_fingers(fingers)).all()
    assert np.flatnonzero(STIFF.fingers_from_joints([1.0, 1.0])).tolist() == [2, 8, 37]


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        ((MappedJoint("a", ()),), "stands for no angle"),
        ((MappedJoint("a", ((5, 1.0),)),), "angle 5"),
        ((MappedJoint("a", ((51, 1.0),)),), "angle 51"),
        ((MappedJoint("a", ((8, 0.0),)),), "weight 0"),
        ((MappedJoint("a", ((8, 1.0),)), MappedJoint("b", ((8, 1.0),))), "at most one joint"),
    ],
)
def test_a_table_that_is_no_map_is_refused(joints: tuple[MappedJoint, ...], words: str) -> None:
    with pytest.raises(HandMapError, match=words):
        HandMap(joints)


def test_another_width_is_refused() -> None:
    with pytest.raises(ShapeMismatchError, match=r"\(\.\.\., 2\)"):
        STIFF.fingers_from_joints(np.zeros(12))
