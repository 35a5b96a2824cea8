"""The joint map agrees with the geometry: each XHand axis is the MANO axis it is mapped to."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.description import hand_urdf
from vitra_policy.action_space import WRIST_DIM
from vitra_policy.hand.xhand_map import XHAND_MAP


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_robot_turns_its_fingers_about_the_mapped_axes(side: str) -> None:
    """Finger angles are in right-hand convention for both hands, so on the left every sign is opposite."""
    model = pin.buildModelFromUrdf(str(hand_urdf(side)))
    data = model.createData()
    pin.computeJointJacobians(model, data, pin.neutral(model))
    base_from_mount = default_calibration().side(side).hand_base_from_hand_mount[:3, :3]
    for joint in XHAND_MAP.joints:
        ((hand_dim, sign),) = joint.angles
        if joint.name == "thumb_bend_joint":
            continue  # turns about x of the mount; the published map approximates it by z of the thumb
        index = model.getJointId(f"{side}_hand_{joint.name}")
        jacobian = pin.getJointJacobian(model, data, index, pin.LOCAL_WORLD_ALIGNED)
        axis = base_from_mount.T @ jacobian[3:, model.joints[index].idx_v]
        expected = np.zeros(3)
        expected[(hand_dim - WRIST_DIM) % 3] = sign if side == "right" else -sign
        assert axis @ expected > 0.9, f"{joint.name}: axis {axis.round(2)}, map says {expected}"
