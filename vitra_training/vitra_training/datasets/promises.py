"""What the formats promise about an episode's numbers; validation reports it, statistics and training demand it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.pinhole import FORM, no_pinhole_because
from vitra_policy.transforms import compose_poses, invert_pose, rotation_angle, transform_points
from vitra_training.datasets.camera import camera_for_video
from vitra_training.datasets.demonstrated import DEMONSTRATED
from vitra_training.datasets.episode import Episode, HumanEpisode, HumanHand, RobotEpisode, usable_frames, valid_frames
from vitra_training.datasets.errors import BrokenPromiseError
from vitra_training.datasets.findings import Check, Level
from vitra_training.datasets.formats.teledata import pose_from_vector
from vitra_training.datasets.samples.captions import window_at
from vitra_training.datasets.video_shape import VideoShape

_DETERMINANT = 1e-3
_ORTHOGONAL = 1e-3
_CONSISTENT_M = 1e-4
_CONSISTENT_RAD = np.radians(0.05)
_FK_M = 1e-3
_FK_RAD = np.radians(0.1)
MAX_STEP_M = 0.30
"""A wrist that moves more between two frames is a tracking jump."""
_CENTRE_PX, _CENTRE_WRONG = 0.05, 0.2  # share of the width by which a principal point may be off centre
_STRETCH, _STRETCH_WRONG = 0.1, 0.2  # by which focal lengths may differ
_FOV_DEG = (10.0, 170.0)
_ARM_RAD, _HAND_RAD = 6.4, 3.2
MAX_TURN_RAD = 2.0
"""A wrist that turns more between two frames was mistaken."""
REACH_M = 2.0
"""A wrist further from the head's camera than this was not measured."""


def checks_of(episode: Episode, shared_video: bool = False) -> tuple[Check, ...]:
    """The promises of an episode's format."""
    checks = (*_COMMON, *(_HUMAN if isinstance(episode, HumanEpisode) else _ROBOT))
    return tuple(check for check in checks if not (check.own_video and shared_video))


def demand_promises(episode: Episode, video: VideoShape, shared_video: bool = False) -> None:
    """Refuse an episode whose numbers cannot be right, before they spoil statistics or weights.

    Args:
        episode: What is judged.
        video: Size, rate and length of its images.
        shared_video: Whether other episodes are in the same video.

    Raises:
        BrokenPromiseError: names the first broken promise.
    """
    with np.errstate(all="ignore"):  # damaged numbers overflow; the checks judge the results
        for check in checks_of(episode, shared_video):
            if check.level is Level.ERROR and not check.by_frame:
                for message in check.run(episode, video):
                    raise BrokenPromiseError(episode.id, check.name, message)


def _valid_hand(episode: Episode, _: VideoShape) -> Iterator[str]:
    if not usable_frames(episode).any():
        yield "no hand is valid in two frames in a row"


def _captions(episode: Episode, _: VideoShape) -> Iterator[str]:
    if isinstance(episode, RobotEpisode):
        if not episode.instruction.strip():
            yield "no instruction"
        return
    valid = valid_frames(episode)
    for side in SIDES:
        for window in episode.text[side]:
            if not 0 <= window.start <= window.end <= len(episode):
                yield f"{side} caption '{window.caption}' [{window.start}, {window.end}) leaves the episode"
    uncaptioned = [
        frame
        for frame in np.flatnonzero(usable_frames(episode))
        if not any(valid[side][frame] and window_at(episode.text[side], int(frame)) for side in SIDES)
    ]
    if uncaptioned:
        yield f"{len(uncaptioned)} usable frames have no caption for a valid hand, the first is {uncaptioned[0]}"


def _rotations(episode: Episode, _: VideoShape) -> Iterator[str]:
    for name, matrices, valid in _rotation_arrays(episode):
        R = np.asarray(matrices, dtype=np.float64)[valid]
        if not np.isfinite(R).all():
            yield f"{name}: not finite in a valid frame"
            continue
        off = np.abs(np.linalg.det(R) - 1).max(initial=0)
        skew = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max(initial=0)
        if off > _DETERMINANT or skew > _ORTHOGONAL:
            yield f"{name}: not a rotation (determinant off by {off:.2g}, R R^T by {skew:.2g})"


def _rotation_arrays(episode: Episode) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    if isinstance(episode, HumanEpisode):
        everywhere = np.ones(len(episode), dtype=bool)
        yield "extrinsics", episode.extrinsics[:, :3, :3], everywhere
        for side, valid in valid_frames(episode).items():
            hand = episode.hands[side]
            for key in ("global_orient_camspace", "global_orient_worldspace", "hand_pose"):
                yield f"{side} {key}", getattr(hand, key), valid
        return
    for side in SIDES:
        if episode.has(side):
            part, one = episode.sides[side], np.ones(1, dtype=bool)
            yield f"{side} ee_urdf_to_hand_mount", part.ee_urdf_to_hand_mount[None, :3, :3], one
            yield f"head_camera_to_{side}_arm_base", part.head_camera_to_arm_base[None, :3, :3], one


def _finite(episode: Episode, _: VideoShape) -> Iterator[str]:
    for side, valid in valid_frames(episode).items():
        part: Any = episode.hands[side] if isinstance(episode, HumanEpisode) else episode.sides[side]
        for key in type(part).__slots__:
            values = np.asarray(getattr(part, key))
            if len(values) == len(episode) and not np.isfinite(values[valid]).all():
                yield f"{side} {key}: NaN or infinity in a valid frame"


def _units(episode: Episode, _: VideoShape) -> Iterator[str]:
    """Metres and radians: what is far beyond a body or a joint is millimetres or degrees."""
    for side, valid in valid_frames(episode).items():
        if not valid.any():
            continue
        if isinstance(episode, RobotEpisode):
            part = episode.sides[side]
            distance = np.linalg.norm(part.hand_mount_pose_in_cam[valid][:, :3], axis=1)
            for key, limit in (
                ("arm_joint", _ARM_RAD),
                ("arm_joint_target", _ARM_RAD),
                ("hand_joint", _HAND_RAD),
                ("hand_joint_target", _HAND_RAD),
            ):
                most = float(np.abs(getattr(part, key)[valid]).max())
                if most > limit:
                    yield f"{side} {key} reaches {most:.1f}; a joint turns at most {limit:.1f} rad. Are these degrees?"
        else:
            position = episode.hands[side].transl_worldspace[valid]
            distance = np.linalg.norm(transform_points(episode.extrinsics[valid], position[:, None])[:, 0], axis=1)
        far = float(np.median(distance))
        if far > REACH_M:
            yield f"the {side} wrist is {far:.1f} m from the camera in most frames. Are these millimetres?"


def _camera(episode: Episode, video: VideoShape) -> Iterator[str]:
    """Intrinsics that belong to images of another size, or to no camera at all."""
    fov_deg = _fov_deg(episode, video)
    if not (_FOV_DEG[0] <= fov_deg.min() and fov_deg.max() <= _FOV_DEG[1]):
        yield f"a field of view of {fov_deg.round(1).tolist()} degrees is no camera's"
    yield from _camera_gaps(episode, video, _CENTRE_WRONG, _STRETCH_WRONG)


def _loose_camera(episode: Episode, video: VideoShape) -> Iterator[str]:
    if not list(_camera(episode, video)):
        yield from _camera_gaps(episode, video, _CENTRE_PX, _STRETCH)


def _fov_deg(episode: Episode, video: VideoShape) -> NDArray[np.float64]:
    K = episode.intrinsics
    size = np.array([video.width, video.height]) if isinstance(episode, RobotEpisode) else 2 * K[[0, 1], 2]
    fov: NDArray[np.float64] = np.degrees(2 * np.arctan(size / (2 * K[[0, 1], [0, 1]])))
    return fov


def _camera_gaps(episode: Episode, video: VideoShape, centre: float, stretch: float) -> Iterator[str]:
    K = episode.intrinsics
    if wrong := no_pinhole_because(K):
        yield f"the intrinsics are no pinhole camera's, {FORM}: {wrong}"
    if isinstance(episode, RobotEpisode):
        if not abs(K[0, 0] / K[1, 1] - 1) <= stretch:
            yield f"focal lengths {K[0, 0]:.0f} and {K[1, 1]:.0f} px: no camera stretches its images so much"
        off = np.abs([K[0, 2] / video.width - 0.5, K[1, 2] / video.height - 0.5]).max()
        if not off <= centre:
            yield f"principal point {K[:2, 2]} is far from the centre of the {video.width}x{video.height} video"
        return
    camera = camera_for_video(K, video.width, video.height)
    fx, fy = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
    if not abs(fx / fy - 1) <= stretch:
        yield f"the video is stretched: fx {fx:.0f} px, fy {fy:.0f} px at {video.width}x{video.height}"


def _world_and_camera(episode: HumanEpisode, _: VideoShape) -> Iterator[str]:
    """World joints through the extrinsics are the camera joints; the same for wrist rotations."""
    for side, valid in valid_frames(episode).items():
        if not valid.any():
            continue
        hand, camera_from_world = episode.hands[side], episode.extrinsics[valid]
        moved = transform_points(camera_from_world, np.asarray(hand.joints_worldspace, dtype=np.float64)[valid])
        gap = np.abs(moved - hand.joints_camspace[valid]).max()
        if not gap <= _CONSISTENT_M:
            yield f"{side}: joints_camspace and joints_worldspace differ by {gap * 1e3:.2f} mm through the extrinsics"
        turned = camera_from_world[:, :3, :3] @ hand.global_orient_worldspace[valid]
        angle = _largest_angle(turned, hand.global_orient_camspace[valid])
        if not angle <= _CONSISTENT_RAD:
            yield f"{side}: wrist rotations of camera and world differ by {np.degrees(angle):.2f} deg"


def _wrist_joint(episode: HumanEpisode, _: VideoShape) -> Iterator[str]:
    for side, valid in valid_frames(episode).items():
        hand: HumanHand = episode.hands[side]
        gap = np.abs(hand.joints_worldspace[valid][:, 0] - hand.transl_worldspace[valid]).max(initial=0)
        if not gap <= _CONSISTENT_M:
            yield f"{side}: transl_worldspace is {gap * 1e3:.2f} mm from the wrist joint"


def _smooth(episode: Episode, _: VideoShape) -> Iterator[str]:
    for side, valid in valid_frames(episode).items():
        if isinstance(episode, HumanEpisode):
            positions = episode.hands[side].transl_worldspace
        else:
            positions = episode.sides[side].hand_mount_pose[:, :3]
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)[valid[1:] & valid[:-1]]
        if steps.max(initial=0) > MAX_STEP_M:
            yield f"{side}: the wrist jumps {steps.max():.2f} m between two frames"


def _behind(episode: Episode, _: VideoShape) -> Iterator[str]:
    for side, valid in valid_frames(episode).items():
        if isinstance(episode, HumanEpisode):
            depth = episode.hands[side].joints_camspace[valid][:, 0, 2]
        else:
            depth = episode.sides[side].hand_mount_pose_in_cam[valid][:, 2]
        if (depth <= 0).any():
            yield f"{side}: the wrist is behind the camera in {int((depth <= 0).sum())} valid frames"


def _length(episode: RobotEpisode, video: VideoShape) -> Iterator[str]:
    if len(video) != len(episode):
        yield f"frame_count is {len(episode)}, the video has {len(video)} frames"


def _rate(episode: RobotEpisode, video: VideoShape) -> Iterator[str]:
    if not abs(video.fps - episode.fps) <= 0.01 * episode.fps:
        yield f"meta/fps is {episode.fps:g}, the video runs at {video.fps:g}"


def _masks(episode: RobotEpisode, _: VideoShape) -> Iterator[str]:
    for side in SIDES:
        part = episode.sides[side]
        if not episode.has(side) and (part.arm_mask.any() or part.hand_mask.any()):
            yield f"has_{side} is false, but its masks are not all false"
        if episode.has(side) and not (part.arm_mask.any() and part.hand_mask.any()):
            yield f"has_{side} is true, but a mask is false throughout"
        absent = ~part.arm_mask
        if np.abs(part.arm_joint[absent]).max(initial=0) > 0 and not episode.has(side):
            yield f"{side}: masked arm joints are not zero"


def _forward_kinematics(episode: RobotEpisode, _: VideoShape) -> Iterator[str]:
    """FK(arm_joint) x ee_to_mount is the recorded pose."""
    for side in SIDES:
        part, valid = episode.sides[side], episode.sides[side].arm_mask
        if not episode.has(side) or not valid.any():
            continue
        base_from_ee = np.stack([_arm().fk(q) for q in part.arm_joint[valid]])
        expected = compose_poses(base_from_ee, part.ee_urdf_to_hand_mount)
        yield from _pose_gap(side, "FK(arm_joint) x ee_urdf_to_hand_mount", "hand_mount_pose", expected, part, valid)


def _camera_relation(episode: RobotEpisode, _: VideoShape) -> Iterator[str]:
    for side in SIDES:
        part, valid = episode.sides[side], episode.sides[side].arm_mask
        if not episode.has(side) or not valid.any():
            continue
        base = pose_from_vector(part.hand_mount_pose[valid])
        expected = compose_poses(invert_pose(part.head_camera_to_arm_base), base)
        name = "inv(head_camera_to_arm_base) x hand_mount_pose"
        yield from _pose_gap(side, name, "hand_mount_pose_in_cam", expected, part, valid)


def _pose_gap(
    side: Side, formula: str, key: str, expected: NDArray[Any], part: Any, valid: NDArray[Any]
) -> Iterator[str]:
    stored = pose_from_vector(getattr(part, key)[valid])
    gap = np.linalg.norm(expected[:, :3, 3] - stored[:, :3, 3], axis=1).max()
    angle = _largest_angle(expected[:, :3, :3], stored[:, :3, :3])
    if not (gap <= _FK_M and angle <= _FK_RAD):
        yield f"{side}: {formula} differs from {key} by {gap * 1e3:.2f} mm and {np.degrees(angle):.2f} deg"


def _largest_angle(a: NDArray[Any], b: NDArray[Any]) -> float:
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(rotation_angle(a @ np.swapaxes(b, -1, -2)).max(initial=0))


@cache
def _arm() -> Any:
    from vitra_description.kinematics import ArmModel

    return ArmModel()


_COMMON = (
    Check("valid hand", _valid_hand, by_frame=True),
    Check("captions", _captions, by_frame=True),
    Check("finite", _finite),
    Check("rotations", _rotations),
    Check("units", _units),
    Check("camera", _camera),
    Check("camera fits loosely", _loose_camera, Level.WARNING),
    Check("wrist path", _smooth, Level.WARNING),
    Check("in front of the camera", _behind, Level.WARNING),
)
_HUMAN = (
    Check("world and camera agree", _world_and_camera),
    Check("wrist joint", _wrist_joint),
)
_ROBOT = (
    Check("length and rate", _length, own_video=True),
    Check("length and rate", _rate),
    Check("masks", _masks),
    Check("forward kinematics", _forward_kinematics),
    Check("camera relation", _camera_relation),
    *DEMONSTRATED,
)
