"""Hand motion of any episode in the policy's terms: the one path from human and robot data to samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Hands, Side
from vitra_policy.hand.skeleton import default_skeleton, palm_centre
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.prompt import InstructionError, split_instruction
from vitra_policy.transforms import euler_xyz_from_matrix, make_pose, rotation_angle
from vitra_training.datasets.arrays import check_finite
from vitra_training.datasets.camera import Camera, camera_for_video
from vitra_training.datasets.episode import Episode, HumanEpisode, Recording, RobotEpisode, TextWindow, valid_frames
from vitra_training.datasets.errors import FrameMissingError, NotFiniteError
from vitra_training.datasets.formats.teledata import pose_from_vector
from vitra_training.datasets.promises import MAX_STEP_M, MAX_TURN_RAD, REACH_M, demand_promises
from vitra_training.datasets.video import VideoReader

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
EmbodimentKind = Literal["human", "robot"]

_SKELETON = default_skeleton()


@dataclass(frozen=True, slots=True)
class HandMotion:
    """One hand over an episode; rows of invalid frames are finite but mean nothing."""

    world_from_wrist: Array
    """(T, 4, 4)."""
    fingers_rad: Array
    """(T, 45) Euler xyz, right-hand convention: the state."""
    next_fingers_rad: Array
    """(T, 45) what the step from frame k - 1 to k asks of the fingers (row k): the action."""
    palm_world_m: Array
    """(T, 3)."""
    beta: Array
    """(10,) hand shape; zeros for a robot."""
    valid: BoolArray
    """(T,) seen, trusted and plausible."""
    jumps: BoolArray
    """(T - 1,) the wrist moves further between two frames than a hand can: tracking lost it."""
    text: tuple[TextWindow, ...]


@dataclass(frozen=True, slots=True)
class Motion:
    """Both hands and the camera over an episode."""

    id: str
    kind: EmbodimentKind
    camera: Camera
    camera_from_world: Array
    """(T, 4, 4)."""
    hands: Mapping[Side, HandMotion]
    main: tuple[Side, ...]
    """The hands whose path augmentation keeps in view."""
    regular: BoolArray
    """(T - 1,) no image was dropped between two frames."""

    def __len__(self) -> int:
        return len(self.camera_from_world)

    def valid_hands(self, frame: int) -> Hands:
        """The hands that may be used at a frame."""
        return Hands(**{side: bool(self.hands[side].valid[frame]) for side in SIDES})


def motion_of(episode: Episode, width_px: int, height_px: int, regular: BoolArray | None = None) -> Motion:
    """The motion of an episode whose video has a given size.

    Frames in which a wrist is further away than an arm reaches are not valid, and steps in which it jumps are marked.

    Args:
        episode: human or robot.
        width_px: of its images.
        height_px: of its images.
        regular: (T - 1,) see `VideoReader.regular`; all by default.

    Raises:
        NotFiniteError: NaN in a frame that is marked valid.
        WrongShapeError: impossible intrinsics.
    """
    if regular is None:
        regular = np.ones(max(len(episode) - 1, 0), dtype=bool)
    if isinstance(episode, HumanEpisode):
        return _human_motion(episode, width_px, height_px, regular)
    return _robot_motion(episode, width_px, height_px, regular)


def checked_motion(recording: Recording, video: VideoReader) -> Motion:
    """The motion of an episode that keeps the promises of its format.

    Raises:
        BrokenPromiseError: its numbers cannot be right.
        FrameMissingError: its video ends before it does.
        NotFiniteError: NaN in a frame that is marked valid.
    """
    frames = recording.video.frames
    if len(frames) and int(frames.max()) >= len(video):
        raise FrameMissingError(recording.video.path, int(frames.max()), len(video))
    demand_promises(recording.episode, video, recording.video.shared)
    return motion_of(recording.episode, video.width, video.height, video.regular(frames))


def learnable_frames(motion: Motion) -> BoolArray:
    """(T,) frames at which a sample can start: some hand makes a step there that is valid, regular and no jump."""
    learnable = np.zeros(len(motion), dtype=bool)
    for hand in motion.hands.values():
        learnable[:-1] |= hand.valid[:-1] & hand.valid[1:] & ~hand.jumps & motion.regular
    return learnable


def doubts_of(motion: Motion, episode: Episode) -> dict[str, int]:
    """Frames and steps of an episode that are not learned from although its labels trust them, by cause."""
    trusted = valid_frames(episode)
    return {
        "frames out of reach": sum(int((trusted[side] & ~motion.hands[side].valid).sum()) for side in SIDES),
        "steps that jump": sum(
            int((hand.jumps & hand.valid[:-1] & hand.valid[1:]).sum()) for hand in motion.hands.values()
        ),
        "steps across dropped images": int((~motion.regular).sum()),
    }


def _human_motion(episode: HumanEpisode, width_px: int, height_px: int, regular: BoolArray) -> Motion:
    check_finite(f"{episode.id}: extrinsics", episode.extrinsics)
    valid = valid_frames(episode)
    hands: dict[Side, HandMotion] = {}
    for side in SIDES:
        hand = episode.hands[side]
        rotation = _clean(f"{episode.id}: {side} wrist rotation", hand.global_orient_worldspace, valid[side])
        position = _clean(f"{episode.id}: {side} wrist position", hand.transl_worldspace, valid[side])
        pose = _clean(f"{episode.id}: {side} finger rotations", hand.hand_pose, valid[side])
        joints = _clean(f"{episode.id}: {side} joints", hand.joints_worldspace, valid[side])
        fingers = euler_xyz_from_matrix(pose).reshape(len(episode), 45)
        wrist = make_pose(position, rotation)
        believed, jumps = _believed(wrist, episode.extrinsics, valid[side])
        hands[side] = HandMotion(
            world_from_wrist=wrist,
            fingers_rad=fingers,
            next_fingers_rad=fingers,
            palm_world_m=palm_centre(joints),
            beta=hand.beta if np.isfinite(hand.beta).all() else np.zeros(10),
            valid=believed,
            jumps=jumps,
            text=episode.text[side],
        )
    camera = camera_for_video(episode.intrinsics, width_px, height_px)
    return Motion(episode.id, "human", camera, episode.extrinsics, hands, (episode.anno_type,), regular)


def _robot_motion(episode: RobotEpisode, width_px: int, height_px: int, regular: BoolArray) -> Motion:
    """The head camera is the world; wrists come from measured poses, finger actions from the commanded joints."""
    length, valid = len(episode), valid_frames(episode)
    hands: dict[Side, HandMotion] = {}
    texts = robot_captions(episode)
    for side in SIDES:
        part = episode.sides[side]
        vectors = _clean(f"{episode.id}: {side} wrist pose", part.hand_mount_pose_in_cam, valid[side])
        measured = _clean(f"{episode.id}: {side} hand joints", part.hand_joint, valid[side])
        commanded = _clean(f"{episode.id}: {side} hand targets", part.hand_joint_target, valid[side])
        pose = pose_from_vector(vectors)
        believed, jumps = _believed(pose, np.tile(np.eye(4), (length, 1, 1)), valid[side])
        asked = mano_from_xhand(np.concatenate([commanded[:1], commanded[:-1]]))
        text = texts[side]
        hands[side] = HandMotion(
            world_from_wrist=pose,
            fingers_rad=mano_from_xhand(measured),
            next_fingers_rad=asked,
            palm_world_m=palm_centre(_SKELETON.posed_keypoints(pose, mano_from_xhand(measured), side)),
            beta=np.zeros(10),
            valid=believed,
            jumps=jumps,
            text=(TextWindow(text, 0, length),) if text else (),
        )
    camera = Camera(episode.intrinsics, width_px, height_px)
    active = tuple(side for side in SIDES if episode.has(side))
    return Motion(episode.id, "robot", camera, np.tile(np.eye(4), (length, 1, 1)), hands, active, regular)


def robot_captions(episode: RobotEpisode) -> dict[Side, str]:
    """What each hand of a robot episode does; a plain instruction is given to every hand that takes part."""
    try:
        left, right = split_instruction(episode.instruction)
        return {Side.LEFT: left or "", Side.RIGHT: right or ""}
    except InstructionError:
        return {side: episode.instruction if episode.has(side) else "" for side in SIDES}


def camera_from_wrist(motion: Motion, side: Side, frame: int, stop: int) -> Array:
    """(stop - frame, 4, 4) wrist poses of frames [frame, stop) in the camera of `frame`.

    Args:
        motion: Of an episode.
        side: Which hand.
        frame: The camera's.
        stop: Frame after the last.
    """
    poses: Array = motion.camera_from_world[frame] @ motion.hands[side].world_from_wrist[frame:stop]
    return poses


def palm_path(motion: Motion, frame: int) -> Array:
    """(N, 3) palm points of the main hands from a frame to the end, in the camera of that frame; valid ones only."""
    world = [motion.hands[side].palm_world_m[frame:][motion.hands[side].valid[frame:]] for side in motion.main]
    points = np.concatenate(world)
    pose = motion.camera_from_world[frame]
    path: Array = points @ pose[:3, :3].T + pose[:3, 3]
    return path


def _believed(world_from_wrist: Array, camera_from_world: Array, valid: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Valid frames (T,) within reach of the camera, and steps (T - 1,) that are jumps; a frame between two jumps goes.

    A single wrong frame would otherwise widen the deviations of a whole data set.
    """
    position = world_from_wrist[:, :3, 3]
    seen = np.einsum("tij,tj->ti", camera_from_world[:, :3, :3], position) + camera_from_world[:, :3, 3]
    valid = valid & (np.linalg.norm(seen, axis=1) <= REACH_M)
    turn = rotation_angle(world_from_wrist[1:, :3, :3] @ np.swapaxes(world_from_wrist[:-1, :3, :3], 1, 2))
    jumps = (np.linalg.norm(np.diff(position, axis=0), axis=1) > MAX_STEP_M) | (turn > MAX_TURN_RAD)
    jumps &= valid[:-1] & valid[1:]
    alone = np.zeros(len(valid), dtype=bool)
    alone[1:-1] = jumps[:-1] & jumps[1:]
    return valid & ~alone, jumps


def _clean(where: str, values: NDArray[np.floating], valid: BoolArray) -> Array:
    """Float64 with invalid frames zeroed (rotations there become garbage that is masked anyway)."""
    array = np.asarray(values, dtype=np.float64)
    check_finite(where, array, valid)
    if array.shape[-2:] == (3, 3):
        determinant = np.linalg.det(np.where(np.isfinite(array), array, 0.0))
        bad = (np.abs(determinant - 1) > 1e-2).reshape(len(array), -1).any(axis=1) & valid
        if bad.any():
            raise NotFiniteError(f"{where} (a rotation must have determinant 1)", int(np.argmax(bad)))
    return np.where(np.isfinite(array), array, 0.0)
