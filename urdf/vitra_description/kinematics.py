"""Forward kinematics and Jacobians of one arm and of one hand, from the shipped URDF files (pinocchio).

Each object keeps scratch memory: use one per thread.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from numpy.typing import ArrayLike, NDArray

from vitra_description.arms import arm_description
from vitra_description.calibration import SideCalibration
from vitra_description.hand_description import HandDescription
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.names import ARM_DOF, ArmVariant, hand_base
from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError

Array = NDArray[np.float64]


class JointVectorError(VitraError):
    """A joint vector of the wrong length."""


def _joint_vector(values: ArrayLike, dof: int, what: str) -> Array:
    q = np.asarray(values, dtype=np.float64)
    if q.shape != (dof,):
        raise JointVectorError(f"{what} needs {dof} joint positions in rad, got an array of shape {q.shape}.")
    return q


class ArmModel:
    """Kinematics of one arm, in the frame of the arm's own base.

    Args:
        variant: arm by name (`vitra_description.arms`).
        side: Extrinsics that place the hand on the flange; without them the wrist pose is the flange pose.
    """

    def __init__(self, variant: str = ArmVariant.RM75_6F, side: SideCalibration | None = None) -> None:
        self._model = pin.buildModelFromUrdf(str(arm_description(variant).urdf))
        self._data = self._model.createData()
        self._ee_id = self._model.getFrameId("ee")
        tool = np.eye(4) if side is None else np.asarray(side.ee_from_hand_mount)
        joint = self._model.frames[self._ee_id].parentJoint
        placement = self._model.frames[self._ee_id].placement * pin.SE3(tool)
        self._wrist_id = self._model.addFrame(
            pin.Frame("hand_mount", joint, self._ee_id, placement, pin.FrameType.OP_FRAME)
        )
        self._data = self._model.createData()

    def fk(self, q_rad: ArrayLike) -> Array:
        """Flange pose, `arm_base_from_ee`, shape (4, 4)."""
        return self._pose(q_rad, self._ee_id)

    def wrist_pose(self, q_rad: ArrayLike) -> Array:
        """Pose of the MANO wrist, `arm_base_from_hand_mount`, shape (4, 4)."""
        return self._pose(q_rad, self._wrist_id)

    def jacobian(self, q_rad: ArrayLike) -> Array:
        """Jacobian of the flange, shape (6, 7): linear (m/rad) above angular velocity, both in arm-base axes."""
        return self._jacobian(q_rad, self._ee_id)

    def wrist_jacobian(self, q_rad: ArrayLike) -> Array:
        """Jacobian of the MANO wrist, shape (6, 7), rows as in `jacobian`."""
        return self._jacobian(q_rad, self._wrist_id)

    def wrist_pose_and_jacobian(self, q_rad: ArrayLike) -> tuple[Array, Array]:
        """Pose (4, 4) and Jacobian (6, dof), both at the cost of one."""
        jacobian = self._jacobian(q_rad, self._wrist_id)
        return np.asarray(self._data.oMf[self._wrist_id].homogeneous), jacobian

    def _pose(self, q_rad: ArrayLike, frame: int) -> Array:
        q = _joint_vector(q_rad, ARM_DOF, "The arm")
        pin.forwardKinematics(self._model, self._data, q)
        return np.array(pin.updateFramePlacement(self._model, self._data, frame).homogeneous)

    def _jacobian(self, q_rad: ArrayLike, frame: int) -> Array:
        q = _joint_vector(q_rad, ARM_DOF, "The arm")
        jacobian = pin.computeFrameJacobian(self._model, self._data, q, frame, pin.LOCAL_WORLD_ALIGNED)
        pin.updateFramePlacement(self._model, self._data, frame)
        return np.array(jacobian)


class HandModel:
    """Kinematics of one hand, in the frame of its own base; joints in the driver's order.

    Args:
        side: which.
        hand: what kind.
    """

    def __init__(self, side: str, hand: HandDescription = XHAND1) -> None:
        self.side, self.hand = Side(side), hand
        self._model = pin.buildModelFromUrdf(str(hand.urdf(side)))
        self._data = self._model.createData()
        # Pinocchio orders joints by name of the branch, not as the vendor does.
        self._index = np.array([self._model.joints[self._model.getJointId(n)].idx_q for n in hand.joint_names(side)])
        self._tips = [self._model.getFrameId(name) for name in hand.fingertips(side)]
        self._frames = {frame.name: i for i, frame in enumerate(self._model.frames)}
        self._palm = self._frames[f"{hand_base(side).removesuffix('_link')}_ee_link"]

    def fingertips(self, q_rad: ArrayLike) -> Array:
        """Fingertip positions, thumb to pinky, shape (fingers, 3) in metres."""
        self._update(q_rad)
        return np.array([self._data.oMf[tip].translation for tip in self._tips])

    def palm_pose(self) -> Array:
        """Pose of the palm centre, shape (4, 4); it does not depend on the joints."""
        return np.array(self._model.frames[self._palm].placement.homogeneous)

    def link_pose(self, q_rad: ArrayLike, link: str) -> Array:
        """Pose of any link or frame of the hand by its full name, shape (4, 4).

        Raises:
            KeyError: if the hand has no such link.
        """
        frame = self._frames[link]
        self._update(q_rad)
        return np.array(self._data.oMf[frame].homogeneous)

    def _update(self, q_rad: ArrayLike) -> None:
        q = np.empty(self.hand.dof)
        q[self._index] = _joint_vector(q_rad, self.hand.dof, "The hand")
        pin.framesForwardKinematics(self._model, self._data, q)
