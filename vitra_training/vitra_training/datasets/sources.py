"""Opening whatever lies at a path: one small interface over every format we read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from vitra_training.datasets.episode import IntArray, Recording, VideoClip, usable_frames
from vitra_training.datasets.errors import DatasetError, RecordingsError, UnknownFormatError
from vitra_training.datasets.formats import teledata, vitra_1m, vitra_1m_videos
from vitra_training.datasets.formats.installed import installed_formats
from vitra_training.datasets.formats.store import STORE_NAME
from vitra_training.datasets.formats.store_reader import CanonicalStore
from vitra_training.datasets.names import text_of


@runtime_checkable
class EpisodeSource(Protocol):
    """Episodes by number."""

    format: str
    root: Path
    broken: dict[str, str]
    """Episodes that `frame_index` had to leave out, and why."""

    @property
    def ids(self) -> Sequence[str]:
        """Name of each episode."""

    def __len__(self) -> int:
        """How many episodes there are."""

    def load(self, number: int) -> Recording:
        """Episode and images by number; raises `DatasetError` when it is broken."""

    def release(self, number: int) -> None:
        """The episode is not needed any more: give back what was made for it."""

    def frame_index(self) -> IntArray:
        """(N, 2) every (episode, frame) at which a sample can start."""

    def content_hash(self) -> str:
        """Changes when the data change."""


class EpisodeFiles:
    """One file per episode, in a folder."""

    format = "files"

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        self.root, self.paths = root, list(paths)
        self.ids: Sequence[str] = [text_of(path.stem) for path in self.paths]
        self.broken: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def load(self, number: int) -> Recording:
        """Episode and images by number."""
        raise NotImplementedError

    def release(self, number: int) -> None:
        """Nothing was made for an episode that is a file."""

    def frame_index(self) -> IntArray:
        """(N, 2) every (episode, frame) at which a sample can start; broken episodes are left out and named."""
        return frames_of(self)

    def content_hash(self) -> str:
        """SHA-256 over the episode files (not the videos)."""
        return self.digest(range(len(self)))

    def digest(self, numbers: range) -> str:
        """SHA-256 over some of the episode files."""
        digest = hashlib.sha256()
        for number in numbers:
            digest.update(os.fsencode(self.paths[number].name) + self.paths[number].read_bytes())
        return digest.hexdigest()

    def stamp(self) -> str:
        """Changes when a file is changed, added or removed; reads none of them."""
        digest = hashlib.sha256()
        for path in self.paths:
            about = path.stat()
            digest.update(os.fsencode(f"{path.name} {about.st_size} {about.st_mtime_ns}\n"))
        return digest.hexdigest()


class Vitra1M(EpisodeFiles):
    """Folders of VITRA-1M annotations; videos are looked for in `video_root`, or beside and above the annotations."""

    format = "vitra1m"

    def __init__(self, root: Path, paths: Sequence[Path], video_root: Path | None = None) -> None:
        super().__init__(root, paths)
        self._videos: dict[tuple[str, str], Path] = {}
        self.video_roots = [video_root] if video_root else vitra_1m_videos.video_roots(root)

    def load(self, number: int) -> Recording:
        """Episode and images by number.

        Raises:
            DatasetError: the annotation or its video is broken or missing.
        """
        episode = vitra_1m.read_episode(self.paths[number])
        name = (episode.dataset, episode.video_name)
        if name not in self._videos:
            self._videos[name] = vitra_1m_videos.find_video(self.video_roots, episode)
        path = self._videos[name]
        shown = vitra_1m_videos.with_shown_camera(episode, path)
        return Recording(shown, VideoClip(path, episode.video_decode_frame))


class TeleData(EpisodeFiles):
    """A folder of TeleData HDF5 files with their videos beside them."""

    format = "teledata"

    def load(self, number: int) -> Recording:
        """Episode and images by number."""
        path = self.paths[number]
        episode = teledata.read_episode(path)
        return Recording(episode, VideoClip(teledata.read_video_path(path), np.arange(len(episode))))


def frames_of(source: EpisodeSource) -> IntArray:
    """(N, 2) every (episode, frame) at which a sample can start; `source.broken` names episodes that are left out."""
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for number in range(len(source)):
        try:
            frames = np.flatnonzero(usable_frames(source.load(number).episode))
        except DatasetError as error:
            source.broken[source.ids[number]] = str(error)
            continue
        source.release(number)
        pairs.append(np.stack([np.full(len(frames), number), frames], axis=1))
    return np.concatenate(pairs)


def stamp_of(source: EpisodeSource) -> str:
    """Changes when the data may have changed; cheap, however large they are."""
    return source.stamp() if _has_files(source) else source.content_hash()  # type: ignore[attr-defined]


def digest_of(source: EpisodeSource, numbers: range) -> str:
    """Content of a range of episodes; sources that know the content of all give it with the first range."""
    if _has_files(source):
        return str(source.digest(numbers))  # type: ignore[attr-defined]
    return source.content_hash() if numbers.start == 0 else ""


def _has_files(source: EpisodeSource) -> bool:
    return isinstance(source, EpisodeFiles) and type(source).content_hash is EpisodeFiles.content_hash


def open_to_learn(path: Path, video_root: Path | None = None) -> EpisodeSource:
    """The data set at a path, for statistics and training, which take episodes as they are.

    Args:
        path: As of `open_source`, but no bags.
        video_root: As of `open_source`.

    Raises:
        UnknownFormatError: nothing of the kind.
        RecordingsError: bags, which their conversion judges.
    """
    from vitra_training.bags.errors import NobodyJudgedError

    try:
        source = open_source(path, video_root)
    except NobodyJudgedError:
        raise RecordingsError(path) from None
    if source.format == "bags":
        raise RecordingsError(path)
    return source


def open_source(path: Path, video_root: Path | None = None) -> EpisodeSource:
    """The data set at a path: a folder or one episode file of any format we read.

    Args:
        path: canonical store, LeRobot data set, folder of `*.npy`, `*.h5`, `*.tar` or bags, or one such file or bag.
        video_root: where the videos of VITRA-1M annotations are, when they are elsewhere.

    Raises:
        UnknownFormatError: nothing of the kind.
        NobodyJudgedError: bags none of which an operator saved.
    """
    path = path.expanduser()
    if (path / STORE_NAME).is_file():
        return CanonicalStore(path)
    if path.is_file():
        folder, files = path.parent, [path]
    else:
        folder, files = path, sorted(path.glob("*")) if path.is_dir() else []
    if path.is_dir() and any(file.suffix == ".tar" for file in files):
        from vitra_training.datasets.formats.egosmith_reader import EgoSmithShards

        return EgoSmithShards(path)
    if (path / "meta" / "info.json").is_file():
        from vitra_training.datasets.formats.lerobot_reader import LeRobotData  # needs the robot description

        return LeRobotData(path)
    annotations = [file for file in files if file.suffix == ".npy"]
    demonstrations = [file for file in files if file.suffix in {".h5", ".hdf5"}]
    if annotations:
        return Vitra1M(folder, annotations, video_root)
    if demonstrations:
        return TeleData(folder, demonstrations)
    for name in ("annotations", "episodes", "episodic_annotations"):
        if (path / name).is_dir():
            return open_source(path / name, video_root or path)
    for tree in (path, path / "Annotation", path / "Metadata"):  # several sets of VITRA-1M, as published
        if annotations := sorted(tree.glob("*/episodic_annotations/*.npy")):
            return Vitra1M(path, annotations, video_root)
    for format in installed_formats().values():
        if format.recognises(path):
            return format.open(path)
    from vitra_training.bags.episodes import bag_episodes  # needs the robot's kinematics and rosbags
    from vitra_training.bags.errors import NoBagError
    from vitra_training.bags.find import all_bags

    try:
        return bag_episodes(path, all_bags(path))
    except NoBagError:
        stores = sorted(found.parent for found in path.glob(f"*/{STORE_NAME}"))
        raise UnknownFormatError(path, stores) from None
