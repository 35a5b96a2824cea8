from __future__ import annotations

import array

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion

from vitra_msgs.msg import SimState
from vitra_policy.policies import policy as boundary
from vitra_policy.policies.policy import PRIVILEGED_EXTRAS
from vitra_runtime.sim_state import extras_of


def test_the_simulators_truth_becomes_every_privileged_extra() -> None:
    turned = Quaternion(x=0.0, y=0.0, z=np.sqrt(0.5), w=np.sqrt(0.5))
    message = SimState(
        sim_time_s=3.5, task="pick_place", success=True, object_names=["cube", "box"],
        object_poses=[Pose(position=Point(x=1.0, y=2.0, z=3.0), orientation=turned), Pose()],
        object_sizes=array.array("d", range(6)),
    )  # fmt: skip
    found = extras_of(message)
    assert set(found) == set(PRIVILEGED_EXTRAS)
    poses = np.asarray(found[boundary.SIM_OBJECT_POSES])
    np.testing.assert_allclose(poses[0], [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(poses[1], np.eye(4))
    np.testing.assert_allclose(np.asarray(found[boundary.SIM_OBJECT_SIZES]), [[0, 1, 2], [3, 4, 5]])
    assert found[boundary.SIM_SUCCESS]
    assert found[boundary.SIM_TASK] == "pick_place"


def test_a_world_without_objects_has_none() -> None:
    found = extras_of(SimState())
    assert np.asarray(found[boundary.SIM_OBJECT_POSES]).shape == (0, 4, 4)
    assert np.asarray(found[boundary.SIM_OBJECT_SIZES]).shape == (0, 3)
