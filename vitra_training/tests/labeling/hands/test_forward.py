"""Key points of the skeleton and their derivatives."""

from __future__ import annotations

import numpy as np

from vitra_policy.action_space import FINGERS_DIM
from vitra_policy.hand.skeleton import default_skeleton
from vitra_training.labeling.hands.forward import keypoints_and_jacobian
from vitra_training.labeling.hands.parameters import FREE_DIMS


def test_the_jacobian_is_that_of_the_skeletons_forward_kinematics() -> None:
    rng = np.random.default_rng(0)
    skeleton = default_skeleton()
    angles = rng.normal(0, 0.5, (4, len(FREE_DIMS)))
    points, J = keypoints_and_jacobian(skeleton, angles)
    full = np.zeros((4, FINGERS_DIM))
    full[:, FREE_DIMS] = angles
    np.testing.assert_allclose(points, skeleton.keypoints(full), atol=1e-12)
    for column in range(len(FREE_DIMS)):
        step = np.zeros(len(FREE_DIMS))
        step[column] = 1e-6
        ahead, _ = keypoints_and_jacobian(skeleton, angles + step)
        behind, _ = keypoints_and_jacobian(skeleton, angles - step)
        np.testing.assert_allclose(J[..., column], (ahead - behind) / 2e-6, atol=1e-7)
