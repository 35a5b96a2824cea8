"""EgoDex (arXiv 2505.11709): lab data of tracked key points; one HDF5 file and one mp4 per episode.

Read: `transforms/{joint}` (T, 4, 4) poses in the world, `transforms/camera` (T, 4, 4) pose of the camera in the world
(x right, y down, z forward), `camera/intrinsic` (3, 3), optional `confidences/{joint}` (T,), and the file's attributes
`llm_type`, `llm_description`, `llm_description2` and `which_llm_description`: a reversible task (open, close) has a
caption for each direction, and the last says which one was done. Finger rotations are fitted to the key points.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import invert_pose, make_pose
from vitra_training.baselines.human_arrays import EpisodeSourceName, Filmed, HandTrack, human_episode
from vitra_training.baselines.keypoint_fit import fit_hand
from vitra_training.datasets.arrays import check_shape
from vitra_training.datasets.episode import Array, HumanEpisode, Recording, VideoClip
from vitra_training.datasets.errors import BrokenFileError, MissingCaptionError, MissingKeyError, UnknownFormatError
from vitra_training.datasets.sources import EpisodeFiles, open_source
from vitra_training.datasets.video import VideoReader, VideoWriter
from vitra_training.datasets.whole_file import whole_file
from vitra_training.synthetic.generate import SyntheticOptions, generate

_FINGER_NAMES = ("Thumb", "IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger")
_PARTS = ("Knuckle", "IntermediateBase", "IntermediateTip", "Tip")
_TRUSTED = 0.5
_DESCRIPTION = "llm_description"
_SKELETON = default_skeleton()


def keypoint_names(side: Side) -> list[str]:
    """EgoDex joint of each of the 21 key points."""
    return [f"{side}Hand", *(f"{side}{finger}{part}" for finger in _FINGER_NAMES for part in _PARTS)]


class EgoDex(EpisodeFiles):
    """A folder tree of EgoDex episodes.

    Raises:
        UnknownFormatError: no HDF5 file below the folder.
    """

    format = "egodex"

    def __init__(self, root: Path) -> None:
        paths = sorted(root.rglob("*.hdf5"))
        if not paths:
            raise UnknownFormatError(root)
        super().__init__(root, paths)
        self.ids = [str(path.relative_to(root).with_suffix("")) for path in paths]

    def load(self, number: int) -> Recording:
        """Episode and images by number.

        Raises:
            DatasetError: the file is broken.
        """
        path = self.paths[number]
        try:
            with h5py.File(path, "r") as file:
                episode = _read(path, file, self.ids[number])
        except OSError as cause:
            raise BrokenFileError(path, "EgoDex episode", cause) from None
        return Recording(episode, VideoClip(path.with_suffix(".mp4"), episode.video_decode_frame))


def _read(path: Path, file: Any, name: str) -> HumanEpisode:
    world_from_camera = _array(path, file, "transforms/camera", (None, 4, 4))
    length = len(world_from_camera)
    words = (_caption(path, file),)
    tracks: dict[Side, HandTrack] = {}
    for side in SIDES:
        names = keypoint_names(side)
        poses = np.stack([_array(path, file, f"transforms/{joint}", (length, 4, 4)) for joint in names], axis=1)
        sure = np.ones(length, dtype=bool)
        if f"confidences/{names[0]}" in file:
            sure = _array(path, file, f"confidences/{names[0]}", (length,)) >= _TRUSTED
        points = poses[:, :, :3, 3]
        sure &= np.isfinite(points).all(axis=(1, 2))
        points = np.where(sure[:, None, None], points, _SKELETON.keypoints(np.zeros(45)))
        wrist, rotations = fit_hand(points, side, _SKELETON)
        tracks[side] = HandTrack(wrist, rotations, sure)
    return human_episode(
        tracks=tracks,
        captions={side: words for side in SIDES if tracks[side].valid.any()},
        skeleton=_SKELETON,
        source=EpisodeSourceName(name=name, dataset="egodex", video_name=path.stem),
        filmed=Filmed(
            camera_from_world=invert_pose(world_from_camera), intrinsics=_array(path, file, "camera/intrinsic", (3, 3))
        ),
    )


def _caption(path: Path, file: Any) -> str:
    """What was done; of a reversible task the direction that was recorded, never both.

    Raises:
        MissingCaptionError: nothing, or two directions without a word which.
    """
    names = (_DESCRIPTION, f"{_DESCRIPTION}2", f"which_{_DESCRIPTION}")
    first, second, which = (_text(file, name) for name in names)
    kind = _text(file, "llm_type")
    reversible = kind == "reversible" or (not kind and bool(second))
    if reversible and which not in ("1", "2"):
        raise MissingCaptionError(str(path), f"which_{_DESCRIPTION} of a reversible task is {which!r}, not 1 or 2")
    words = second if reversible and which == "2" else first
    if not words:
        raise MissingCaptionError(str(path), f"attribute {_DESCRIPTION}{'2' if which == '2' else ''} is missing")
    return words


def _text(file: Any, name: str) -> str:
    value = file.attrs.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value).strip()


def _array(path: Path, file: Any, key: str, shape: tuple[int | None, ...]) -> Array:
    if key not in file:
        raise MissingKeyError(path, key, sorted(file))
    return check_shape(f"{path}: {key}", file[key][()], shape).astype(np.float64)


def write_egodex(root: Path, options: SyntheticOptions) -> int:
    """Synthetic episodes as EgoDex files, key points only; returns how many."""
    source_root = root / "source"
    generate(source_root, options)
    source = open_source(source_root)
    for number in range(len(source)):
        recording = source.load(number)
        episode = recording.episode
        if not isinstance(episode, HumanEpisode):
            continue
        folder = root / "synthetic"
        folder.mkdir(parents=True, exist_ok=True)
        with (
            VideoReader(recording.video.path) as video,
            VideoWriter(folder / f"{number}.mp4", video.width, video.height, options.fps) as writer,
        ):
            for frame in recording.video.frames:
                writer.add(video.rgb(int(frame)))
        image = io.BytesIO()  # h5py ends the process when a disk refuses a file that it holds open
        with h5py.File(image, "w") as file:
            file["camera/intrinsic"] = episode.intrinsics
            file["transforms/camera"] = invert_pose(episode.extrinsics)
            for side in SIDES:
                hand = episode.hands[side]
                for index, joint in enumerate(keypoint_names(side)):
                    place = make_pose(hand.joints_worldspace[:, index], np.eye(3))
                    file[f"transforms/{joint}"] = place
                    file[f"confidences/{joint}"] = hand.kept_frames.astype(np.float64)
            window = episode.text[episode.anno_type][0]
            file.attrs["llm_description"] = window.caption
        with whole_file(folder / f"{number}.hdf5") as stream:
            stream.write(image.getbuffer())
    return len(source)
