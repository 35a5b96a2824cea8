"""A bag replayed as the observations that the policy node would have made of it, by the same code."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from vitra_description.calibration import Calibration, CameraIntrinsics, SideCalibration, load_calibration
from vitra_description.names import BASE_FRAME, CAMERA_FRAME, arm_base, ee, hand_base, hand_mount
from vitra_description.observed_wrist import ObservedWrist
from vitra_policy.action_space import SIDES, Side
from vitra_policy.policies.observation import HandStateEstimator, fov_from_intrinsics
from vitra_policy.policies.policy import BASE_FROM_CAMERA, Observation
from vitra_training.bags.aligned import MAX_AGE_S
from vitra_training.bags.content import BagContent, images, read_bag
from vitra_training.bags.frames import lookup
from vitra_training.bags.own_account import custom_data
from vitra_training.datasets.errors import MissingKeyError


def observations(path: Path, instruction: str = "") -> Iterator[Observation]:
    """One observation per camera frame, hands masked where no fresh sample is known.

    Raises:
        BrokenFileError: not a bag, or truncated.
        MissingKeyError: no camera info or no calibration.
    """
    content = read_bag(path)
    if content.intrinsics is None:
        raise MissingKeyError(path, "head_camera/color/camera_info", sorted(content.joints))
    calibration = bag_calibration(path, content)
    sides: list[Side] = [s for s in SIDES if not content.joints[f"{s}_arm/joint_states"].is_empty]
    estimator = HandStateEstimator(
        ObservedWrist(calibration, sides),
        {side: content.joints[f"{side}_arm/joint_states"] for side in sides},
        {side: content.joints[f"{side}_hand/joint_states"] for side in sides},
        MAX_AGE_S,
    )
    width, height = content.size_px
    for stamp_s, image in images(path):
        if image is None:
            continue
        hands = estimator.at(stamp_s)
        yield Observation(
            stamp_s=stamp_s,
            instruction=instruction or content.instruction,
            image=image,
            intrinsics=content.intrinsics,
            fov_rad=fov_from_intrinsics(content.intrinsics, width, height),
            state=hands.state,
            state_valid=hands.valid,
            hands=hands.valid,
            extras={BASE_FROM_CAMERA: calibration.base_from_head_camera},
        )


def bag_calibration(path: Path, content: BagContent) -> Calibration:
    """The calibration file kept inside the bag; else one made of the frames on `/tf_static`.

    Raises:
        MissingKeyError: neither is there.
    """
    sides = [side for side in SIDES if not content.joints[f"{side}_arm/joint_states"].is_empty]
    return calibration_of_file(path) or calibration_of_frames(path, content, sides)


def calibration_of_file(path: Path) -> Calibration | None:
    """The calibration file kept inside a bag; None where there is none.

    Raises:
        CalibrationError: It is malformed or cannot be true.
    """
    text = custom_data(path).get("calibration_yaml")
    if not text:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return load_calibration(file.name)


def calibration_of_frames(path: Path, content: BagContent, sides: Collection[Side]) -> Calibration:
    """The calibration that the frames on `/tf_static` make.

    Args:
        path: Of the bag, for the error.
        content: Its frames and intrinsics.
        sides: Which must be there; others are identities.

    Raises:
        MissingKeyError: A frame is not there.
    """
    frames = content.frames

    def pose(parent: str, child: str) -> np.ndarray:
        return lookup(path, frames, child, parent)

    def side(name: Side) -> SideCalibration:
        if name not in sides:
            return SideCalibration(np.eye(4), np.eye(4), np.eye(4))
        return SideCalibration(
            pose(BASE_FRAME, arm_base(name)), pose(ee(name), hand_base(name)), pose(hand_base(name), hand_mount(name))
        )

    K = np.eye(3) if content.intrinsics is None else content.intrinsics
    camera = CameraIntrinsics(*content.size_px, *(float(K[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2))))
    return Calibration("of /tf_static", "", side(Side.LEFT), side(Side.RIGHT), pose(BASE_FRAME, CAMERA_FRAME), camera)
