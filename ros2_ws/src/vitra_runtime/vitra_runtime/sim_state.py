"""The simulator's truth as extras of an observation."""

from __future__ import annotations

import numpy as np

from vitra_msgs.msg import SimState
from vitra_policy.policies import policy as boundary
from vitra_policy.transforms import make_pose, matrix_from_quaternion


def extras_of(message: SimState) -> dict[str, boundary.Extra]:
    """Time, task, success and objects by the names of `vitra_policy.policies.policy`."""
    poses = [
        make_pose([p.x, p.y, p.z], matrix_from_quaternion([q.x, q.y, q.z, q.w]))
        for p, q in ((pose.position, pose.orientation) for pose in message.object_poses)
    ]
    return {
        boundary.SIM_TIME_S: np.array(message.sim_time_s),
        boundary.SIM_TASK: message.task,
        boundary.SIM_SUCCESS: np.array(message.success),
        boundary.SIM_OBJECT_NAMES: np.array(message.object_names, dtype=np.str_),
        boundary.SIM_OBJECT_POSES: np.array(poses).reshape(-1, 4, 4),
        boundary.SIM_OBJECT_SIZES: np.asarray(message.object_sizes, dtype=np.float64).reshape(-1, 3),
    }
