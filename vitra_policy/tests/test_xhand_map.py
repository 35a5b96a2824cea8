"""The mapping between MANO-convention fingers and XHand joints."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.action_space import ShapeMismatchError
from vitra_policy.hand import xhand_map as xm

# (index in the 18-vector, index in the 51-vector, sign), facts of the published fine-tuning data.
PUBLISHED = {(10, 8, 1), (11, 14, 1), (12, 17, 1), (13, 23, 1), (16, 26, 1), (17, 32, 1)}
PUBLISHED |= {(14, 35, 1), (15, 41, 1), (7, 43, -1), (6, 44, 1), (8, 46, -1), (9, 7, 1)}


def test_the_table_is_the_published_one() -> None:
    assert {(6 + i, *joint.angles[0]) for i, joint in enumerate(xm.XHAND_MAP.joints)} == PUBLISHED


def test_joints_survive_the_round_trip() -> None:
    joints = np.random.default_rng(0).normal(size=(4, 5, 12))
    np.testing.assert_array_equal(xm.xhand_from_mano(xm.mano_from_xhand(joints)), joints)
    vector = np.random.default_rng(1).normal(size=(3, 18))
    np.testing.assert_array_equal(xm.xhand_vector_from_hand(xm.hand_from_xhand_vector(vector)), vector)


def test_unmapped_angles_are_zero_and_masked() -> None:
    fingers = xm.mano_from_xhand(np.ones(12))
    assert (fingers != 0).tolist() == xm.MAPPED_FINGER_DIMS.tolist()
    assert xm.MAPPED_HAND_DIMS.sum() == 6 + 12


def test_only_the_thumb_rotations_change_sign() -> None:
    fingers = xm.mano_from_xhand(np.eye(12))
    negative = [xm.XHAND_JOINT_NAMES[i] for i in range(12) if fingers[i].min() < 0]
    assert negative == ["thumb_rota_joint1", "thumb_rota_joint2"]


def test_a_wrong_width_is_refused() -> None:
    with pytest.raises(ShapeMismatchError):
        xm.xhand_from_mano(np.zeros(51))
