"""A robot and an operator in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.action_space import SIDES, join_hands
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.policies.observation import HandStates, hand_vector
from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_teleop.hands import HandFrame, TrackedHand


def pose(x=0.0, y=0.0, z=0.0, turn=(0, 0, 0)):
    return make_pose([x, y, z], matrix_from_rotvec(turn))


def robot_at(wrist, joints=None, side="right"):
    """HandStates of one measured hand."""
    vector = hand_vector(wrist, np.zeros(12) if joints is None else joints)
    state = join_hands(vector if side == "left" else None, vector if side == "right" else None)
    return HandStates(state, np.array([one == side for one in SIDES]), {})


def hand(wrist, engage=True, valid=True, joints=None, landmarks=None):
    return TrackedHand(valid, engage, wrist, landmarks, joints)


def frame(stamp_s, one=None, side="right", sequence=0):
    return HandFrame(stamp_s, sequence, {} if one is None else {side: one})


@pytest.fixture(scope="session")
def human():
    """Landmarks (21, 3) of a person whose hand has the posture of XHand joints, at a pose."""
    skeleton = default_skeleton()

    def build(joints, side="right", wrist=None, size=1.0):
        angles = mano_from_xhand(joints)
        return skeleton.scaled(size).posed_keypoints(np.eye(4) if wrist is None else wrist, angles, side)

    return build


@pytest.fixture
def world():
    """The helpers above, for tests that are imported by path."""

    class World:
        pose = staticmethod(pose)
        robot_at = staticmethod(robot_at)
        hand = staticmethod(hand)
        frame = staticmethod(frame)

    return World
