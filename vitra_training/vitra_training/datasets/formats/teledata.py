"""The VITRA-TeleData format: one HDF5 file per robot demonstration beside its mp4."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import compose_poses, invert_pose, make_pose, matrix_from_rotvec, rotvec_from_matrix
from vitra_training.datasets.arrays import check_shape
from vitra_training.datasets.episode import Array, BoolArray, RobotEpisode, RobotSide
from vitra_training.datasets.errors import BrokenFileError, DatasetError, MissingKeyError, WrongShapeError
from vitra_training.datasets.names import text_of
from vitra_training.datasets.rates import RATE_MAX_HZ
from vitra_training.datasets.whole_file import whole_file

ARM_JOINTS, HAND_JOINTS = 7, 12
_BLOCK_FRAMES = 4096


def read_episode(path: Path) -> RobotEpisode:
    """The episode in an `.h5` file; the id is the file's name.

    Raises:
        BrokenFileError: truncated or not HDF5.
        MissingKeyError, WrongShapeError: not what the format promises.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except DatasetError:
        raise
    except Exception as cause:  # a damaged file makes h5py raise nearly anything
        raise BrokenFileError(path, "HDF5 episode", f"{type(cause).__name__}: {cause}") from None


def write_episode(episode: RobotEpisode, folder: Path, video_name: str | None = None) -> Path:
    """Write `{id}.h5`, float64 throughout; the file appears whole or not at all. The video is written apart.

    Args:
        episode: Labels of the robot.
        folder: Where to.
        video_name: Path of the video in `meta`; None: `{id}.mp4`.

    Raises:
        OSError: the disk refuses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{episode.id}.h5"
    image = io.BytesIO()  # h5py ends the process when a disk refuses a file that it holds open; labels are small
    with h5py.File(image, "w") as file:
        meta = file.create_group("meta")
        meta["instruction"] = episode.instruction
        meta["video_path"] = video_name or f"{episode.id}.mp4"
        meta["frame_count"] = len(episode)
        meta["fps"] = float(episode.fps)
        meta["has_left"], meta["has_right"] = episode.has_left, episode.has_right
        file["observation/camera/intrinsics"] = np.asarray(episode.intrinsics, dtype=np.float64)
        for side in SIDES:
            part = episode.sides[side]
            file[f"kinematics/{side}_ee_urdf_to_hand_mount"] = part.ee_urdf_to_hand_mount
            file[f"kinematics/head_camera_to_{side}_arm_base"] = part.head_camera_to_arm_base
            for name in ("arm_joint", "hand_mount_pose", "hand_mount_pose_in_cam", "hand_joint"):
                file[f"state/{side}_{name}"] = np.asarray(getattr(part, name), dtype=np.float64)
            file[f"action/{side}_arm_joint"] = np.asarray(part.arm_joint_target, dtype=np.float64)
            file[f"action/{side}_hand_joint"] = np.asarray(part.hand_joint_target, dtype=np.float64)
            file[f"mask/{side}_arm"], file[f"mask/{side}_hand"] = part.arm_mask, part.hand_mask
    with whole_file(path) as stream:
        stream.write(image.getbuffer())
    return path


@dataclass(frozen=True, slots=True, eq=False)
class SideJoints:
    """Joints of an arm with its hand, rad."""

    arm_joint: Array
    """(T, 7) measured."""
    hand_joint: Array
    """(T, 12) measured, vendor order."""
    arm_joint_target: Array
    """(T, 7) commanded."""
    hand_joint_target: Array
    """(T, 12) commanded."""


def make_side(
    joints: SideJoints,
    base_from_ee: Array,
    ee_from_hand_mount: Array,
    base_from_camera: Array,
    valid: BoolArray | None = None,
) -> RobotSide:
    """A side whose poses follow from forward kinematics, as the format's relations demand.

    Args:
        joints: Measured and commanded.
        base_from_ee: (T, 4, 4) FK of the measured arm.
        ee_from_hand_mount: (4, 4) calibration.
        base_from_camera: (4, 4) calibration, camera optical frame.
        valid: (T,) frames with fresh measurements; default all.
    """
    in_base, in_camera = np.empty((len(base_from_ee), 6)), np.empty((len(base_from_ee), 6))
    for first in range(0, len(base_from_ee), _BLOCK_FRAMES):  # half an hour of matrices is not copied several times
        rows = slice(first, first + _BLOCK_FRAMES)
        base_from_mount = compose_poses(base_from_ee[rows], ee_from_hand_mount)
        in_base[rows] = vector_from_pose(base_from_mount)
        in_camera[rows] = vector_from_pose(compose_poses(invert_pose(base_from_camera), base_from_mount))
    mask = np.ones(len(joints.arm_joint), dtype=bool) if valid is None else np.asarray(valid, dtype=bool)
    return RobotSide(
        ee_urdf_to_hand_mount=ee_from_hand_mount,
        head_camera_to_arm_base=base_from_camera,
        arm_joint=np.asarray(joints.arm_joint, dtype=np.float64),
        hand_mount_pose=in_base,
        hand_mount_pose_in_cam=in_camera,
        hand_joint=np.asarray(joints.hand_joint, dtype=np.float64),
        arm_joint_target=np.asarray(joints.arm_joint_target, dtype=np.float64),
        hand_joint_target=np.asarray(joints.hand_joint_target, dtype=np.float64),
        arm_mask=mask,
        hand_mask=mask.copy(),
    )


def absent_side(length: int) -> RobotSide:
    """A side that took no part: zeros, identity calibration, masks False."""
    no = np.zeros(length, dtype=bool)
    pose, arm, hand = np.zeros((length, 6)), np.zeros((length, ARM_JOINTS)), np.zeros((length, HAND_JOINTS))
    return RobotSide(np.eye(4), np.eye(4), arm, pose, pose.copy(), hand, arm.copy(), hand.copy(), no, no.copy())


def pose_from_vector(pose: Array) -> Array:
    """Poses (..., 4, 4) of vectors (..., 6): xyz and ROTATION VECTOR, as the format stores them."""
    return make_pose(pose[..., :3], matrix_from_rotvec(pose[..., 3:]))


def vector_from_pose(pose: Array) -> Array:
    """Inverse of :func:`pose_from_vector`.

    Args:
        pose: (..., 4, 4).
    """
    return np.concatenate([pose[..., :3, 3], rotvec_from_matrix(pose[..., :3, :3])], axis=-1)


def _read(path: Path, file: Any) -> RobotEpisode:
    length = int(_value(path, file, "meta/frame_count"))
    if length < 1:
        raise WrongShapeError(f"{path}: meta/frame_count", length, "at least 1")
    return RobotEpisode(
        id=text_of(path.stem),
        instruction=_text(_value(path, file, "meta/instruction")),
        fps=_rate_hz(path, file),
        intrinsics=_array(path, file, "observation/camera/intrinsics", (3, 3)),
        sides={side: _read_side(path, file, side, length) for side in SIDES},
        has_left=_flag(path, file, "meta/has_left"),
        has_right=_flag(path, file, "meta/has_right"),
    )


def _rate_hz(path: Path, file: Any) -> float:
    rate_hz = np.asarray(_value(path, file, "meta/fps"))
    if rate_hz.dtype.kind not in "iuf" or rate_hz.shape not in ((), (1,)) or not 0 < rate_hz.item() <= RATE_MAX_HZ:
        raise WrongShapeError(f"{path}: meta/fps", rate_hz, "a rate in Hz")
    return float(rate_hz.item())


def _flag(path: Path, file: Any, key: str) -> bool:
    flag = np.asarray(_value(path, file, key))
    if flag.dtype.kind not in "biuf" or flag.shape not in ((), (1,)) or flag.item() not in (0, 1):
        raise WrongShapeError(f"{path}: {key}", flag, "true or false")
    return bool(flag.item())


def read_video_path(path: Path) -> Path:
    """Where the episode's video is: `meta/video_path` beside the file, else `{id}.mp4`.

    Raises:
        BrokenFileError: the file cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            named = path.parent / Path(_text(_value(path, file, "meta/video_path"))).name
    except (OSError, ValueError) as cause:
        raise BrokenFileError(path, "HDF5 episode", cause) from None
    return named if named.is_file() else path.with_suffix(".mp4")


def _read_side(path: Path, file: Any, side: Side, length: int) -> RobotSide:
    def frames(key: str, width: int) -> Array:
        return _array(path, file, key, (length, width))

    def mask(key: str) -> BoolArray:
        return _array(path, file, key, (length,)).astype(bool)

    return RobotSide(
        ee_urdf_to_hand_mount=_array(path, file, f"kinematics/{side}_ee_urdf_to_hand_mount", (4, 4)),
        head_camera_to_arm_base=_array(path, file, f"kinematics/head_camera_to_{side}_arm_base", (4, 4)),
        arm_joint=frames(f"state/{side}_arm_joint", ARM_JOINTS),
        hand_mount_pose=frames(f"state/{side}_hand_mount_pose", 6),
        hand_mount_pose_in_cam=frames(f"state/{side}_hand_mount_pose_in_cam", 6),
        hand_joint=frames(f"state/{side}_hand_joint", HAND_JOINTS),
        arm_joint_target=frames(f"action/{side}_arm_joint", ARM_JOINTS),
        hand_joint_target=frames(f"action/{side}_hand_joint", HAND_JOINTS),
        arm_mask=mask(f"mask/{side}_arm"),
        hand_mask=mask(f"mask/{side}_hand"),
    )


def _value(path: Path, file: Any, key: str) -> Any:
    if key not in file:
        group = key.rsplit("/", 1)[0]
        raise MissingKeyError(path, key, [str(name) for name in file.get(group, file)])
    return file[key][()]


def _array(path: Path, file: Any, key: str, shape: tuple[int, ...]) -> Array:
    return check_shape(f"{path}: {key}", _value(path, file, key), shape).astype(np.float64)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
