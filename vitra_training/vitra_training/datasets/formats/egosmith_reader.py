"""Episodes out of EgoSmith's and EgoSteer's WebDataset shards, for training and looking at."""

from __future__ import annotations

import hashlib
import io
import json
import re
import reprlib
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rot6d, transform_points
from vitra_training.baselines.fingertip_fit import fit_fingertips
from vitra_training.baselines.human_arrays import EpisodeSourceName, Filmed, HandTrack, human_episode
from vitra_training.datasets.episode import HumanEpisode, Recording, VideoClip
from vitra_training.datasets.errors import BrokenFileError, DatasetError, MissingKeyError, UnknownFormatError
from vitra_training.datasets.formats.egosmith import SCHEMA
from vitra_training.datasets.formats.egosmith_rules import order_problems, sample_problems
from vitra_training.datasets.scratch_folder import ScratchFolder
from vitra_training.datasets.sources import frames_of
from vitra_training.datasets.video import VideoWriter

Array = NDArray[np.float64]

FPS = 30.0
_KEY = re.compile(r"(?P<name>.*?)_?(?:ep|episode_)(?P<episode>\d{1,12})_(?:f|frame_)(?P<frame>\d{1,12})$", re.DOTALL)
_SAID = {"lowdim_schema": SCHEMA, "camera_extrinsic_convention": "w2c"}
"""What a sample may say of its numbers; other numbers would be read as something else than they are."""
_SKELETON = default_skeleton()


class BrokenSampleError(DatasetError):
    """A sample that EgoSteer's own loader would leave out."""

    def __init__(self, key: str, problems: Sequence[str]) -> None:
        super().__init__(f"{key}: {'; '.join(problems)}. EgoSteer's loader leaves such frames out.")


@dataclass(frozen=True, slots=True)
class _Episode:
    shard: Path
    frames: list[dict[str, tuple[int, int]]] = field(default_factory=list)
    """Of each frame: member suffix -> offset and size in the shard."""
    keys: list[str] = field(default_factory=list)


class EgoSmithShards:
    """A folder of tar shards. Finger rotations are fitted to the fingertips, which is all that the format holds.

    Args:
        root: Folder with the shards.

    Raises:
        UnknownFormatError: no shard of that kind.
        BrokenFileError: a shard is damaged, or an episode is not in one piece.
    """

    format = "egosmith"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.broken: dict[str, str] = {}
        self._episodes: dict[str, _Episode] = {}
        self._shards = sorted(path for path in root.glob("*.tar") if path.is_file())
        for shard in self._shards:
            self._index(shard)
        if not self._episodes:
            raise UnknownFormatError(root)
        self.ids: Sequence[str] = list(self._episodes)
        self._videos: dict[int, ScratchFolder] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, number: int) -> Recording:
        """Episode and images by number; the video is made for it and goes with `release`.

        Raises:
            DatasetError: a sample breaks a rule of the format.
        """
        name = self.ids[number]
        episode = self._episodes[name]
        rows, metas = [], []
        folder = ScratchFolder("vitra-egosmith-")
        path = folder.path / "episode.mp4"
        writer: VideoWriter | None = None
        size_px: tuple[int, ...] | None = None
        try:
            with episode.shard.open("rb") as shard:
                for key, members in zip(episode.keys, episode.frames, strict=True):
                    row, meta, image = _sample(shard, key, members)
                    problems = sample_problems(row, meta, image)
                    if problems:
                        raise BrokenSampleError(key, problems)
                    rows.append(row)
                    metas.append(meta)
                    if size_px is not None and image.shape != size_px:
                        raise BrokenSampleError(key, [f"the image is {image.shape}, the one before {size_px}"])
                    size_px, (height, width) = image.shape, (n // 2 * 2 for n in image.shape[:2])
                    writer = writer or VideoWriter(path, width, height, FPS, crf=17)
                    writer.add(image[:height, :width])
            assert writer is not None
            writer.close()
        except BaseException:
            if writer is not None:
                writer.abort()
            folder.remove()
            raise
        self.release(number)
        self._videos[number] = folder
        human = _episode(name, np.stack(rows).astype(np.float64), metas)
        return Recording(human, VideoClip(path, np.arange(len(human))))

    def release(self, number: int) -> None:
        """The video is not needed any more."""
        if number in self._videos:
            self._videos.pop(number).remove()

    def frame_index(self) -> NDArray[np.int64]:
        """(N, 2) every (episode, frame) at which a sample can start; broken episodes are left out and named."""
        return frames_of(self)

    def content_hash(self) -> str:
        """Changes when a shard is changed, added or removed."""
        digest = hashlib.sha256()
        for shard in self._shards:
            about = shard.stat()
            digest.update(f"{shard.name} {about.st_size} {about.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _index(self, path: Path) -> None:
        order: list[tuple[str, int, int]] = []
        try:
            with tarfile.open(path, "r:") as shard:  # samples are read by their place, so not out of a compressed one
                for member in shard:
                    key, _, suffix = member.name.rpartition("/")[2].partition(".")
                    match = _KEY.match(key)
                    if not member.isfile() or match is None:
                        continue
                    if not key.isprintable():
                        raise BrokenFileError(path, "EgoSmith shard", f"the key {ascii(key)} is no text")
                    place = (match["name"], int(match["episode"]), int(match["frame"]))
                    name = f"{match['name'] or path.parent.name}_ep{place[1]:06d}"
                    episode = self._episodes.setdefault(name, _Episode(path))
                    if episode.shard != path:
                        raise BrokenFileError(path, "EgoSmith shard", f"episode {name} goes on from another shard")
                    if not order or order[-1] != place:
                        order.append(place)
                        episode.keys.append(key)
                        episode.frames.append({})
                    episode.frames[-1][suffix] = (member.offset_data, member.size)
        except (OSError, tarfile.TarError) as error:
            raise BrokenFileError(path, "EgoSmith shard", str(error).partition(":\n")[0]) from None
        if problems := order_problems(order):
            raise BrokenFileError(path, "EgoSmith shard", problems[0])


def _sample(
    shard: Any, key: str, members: dict[str, tuple[int, int]]
) -> tuple[NDArray[Any], dict[str, Any], NDArray[np.uint8]]:
    def read(suffix: str) -> bytes:
        if suffix not in members:
            raise MissingKeyError(key, suffix, sorted(members))
        offset, size = members[suffix]
        shard.seek(offset)
        return bytes(shard.read(size))

    try:
        row = np.lib.format.read_array(io.BytesIO(read("lowdim.npy")), allow_pickle=False)
        meta = json.loads(read("meta.json"))
        json.dumps(meta, ensure_ascii=False).encode()  # half a character can be read, and written nowhere
        image = cv2.imdecode(np.frombuffer(read("image.jpg"), np.uint8), cv2.IMREAD_COLOR)
    except (ValueError, OSError, EOFError, MemoryError, RecursionError, cv2.error) as error:
        raise BrokenFileError(key, "EgoSmith sample", error) from None
    if image is None or not isinstance(meta, dict) or not isinstance(row, np.ndarray):
        raise BrokenFileError(key, "EgoSmith sample", "image.jpg, meta.json or lowdim.npy cannot be decoded")
    for name, known in _SAID.items():
        if meta.get(name, known) != known:
            raise BrokenFileError(key, "EgoSmith sample", f"{name} is {reprlib.repr(meta[name])}, known is '{known}'")
    return row, meta, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _episode(name: str, rows: Array, metas: Sequence[dict[str, Any]]) -> HumanEpisode:
    presence = np.array([int(meta.get("presence", 3)) for meta in metas])
    words = metas[0]["instruction"]
    captions = (words,) if isinstance(words, str) else tuple(dict.fromkeys(words))
    tracks: dict[Side, HandTrack] = {}
    for n, side in enumerate(SIDES):
        valid = (presence & (n + 1)) > 0
        if not valid.any():
            continue
        rotation = matrix_from_rot6d(rows[:, 6 + 6 * n : 12 + 6 * n])
        world_from_wrist = make_pose(rows[:, 3 * n : 3 * n + 3], rotation)
        tips = rows[:, 18 + 15 * n : 33 + 15 * n].reshape(-1, 5, 3)
        rotations = fit_fingertips(transform_points(invert_pose(world_from_wrist), tips), side, _SKELETON)
        tracks[side] = HandTrack(world_from_wrist, rotations, valid)
    fx, fy, cx, cy = rows[0, 112:116]
    return human_episode(
        tracks=tracks,
        captions=dict.fromkeys(tracks, captions),
        skeleton=_SKELETON,
        source=EpisodeSourceName(name=name, dataset="egosmith", video_name=name),
        filmed=Filmed(
            camera_from_world=rows[:, 96:112].reshape(-1, 4, 4),
            intrinsics=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
        ),
    )
