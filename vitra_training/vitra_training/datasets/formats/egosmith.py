"""EgoSmith's WebDataset: tar shards with one sample per frame (EgoSteer, arXiv 2607.09701)."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_training.datasets.camera import camera_for_video
from vitra_training.datasets.episode import HumanEpisode, Recording
from vitra_training.datasets.errors import ConversionError
from vitra_training.datasets.formats.new_folder import Layout, NewFolder
from vitra_training.datasets.video import VideoReader

SCHEMA = "hawor_wrist_world_v2"
"""The layout's name in the format; it does not say that HaWoR made the labels (see `label_source`)."""
_LAYOUT = Layout("EgoSmith data set", re.compile(r"shard-\d{6}\.(tar|partial)"))
_TIPS = [4, 8, 12, 16, 20]
_SHORT_SIDE_PX = 480
_FRAMES_PER_SHARD = 2000


class EgoSmithWriter:
    """Writes episodes into shards; an episode never crosses from one into the next.

    Args:
        root: folder of the shards.
        dataset: name in keys and in `dataset_name`; what a key cannot hold (a dot ends it) becomes a hyphen.

    Raises:
        TargetTakenError: something is in the folder that no interrupted conversion left.
    """

    def __init__(self, root: Path, dataset: str) -> None:
        self._folder = NewFolder(root, _LAYOUT)
        self.root, self._dataset = root, re.sub(r"[^A-Za-z0-9-]+", "-", dataset) or "vitra"
        self._shard: tarfile.TarFile | None = None
        self._file: IO[bytes] | None = None
        self._number = self._frames = self._episodes = 0

    def __enter__(self) -> EgoSmithWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self._close()
            self._folder.complete()
        else:
            if self._file is not None:
                with contextlib.suppress(OSError):  # a full disk refuses what the file still has to write
                    self._file.close()
            self._folder.remove()

    def add(self, recording: Recording, label_source: str = "") -> int:
        """Append an episode; returns its frames.

        Raises:
            ConversionError: a robot episode.
            DatasetError: its video cannot be read; nothing of the episode is kept.
        """
        episode = recording.episode
        if not isinstance(episode, HumanEpisode):
            raise ConversionError(episode.id, "EgoSmith's WebDataset", "it is a robot episode")
        if self._shard is None or self._frames >= _FRAMES_PER_SHARD:
            self._open()
        assert self._file is not None
        begin = self._file.tell()
        try:
            self._write(recording, episode, label_source)
        except BaseException:  # half an episode would spoil the shard, and its number is the next one's
            self._file.seek(begin)
            self._file.truncate()
            self._shard = tarfile.open(fileobj=self._file, mode="w")  # noqa: SIM115
            raise
        self._episodes += 1
        self._frames += len(episode)
        return len(episode)

    def _write(self, recording: Recording, episode: HumanEpisode, label_source: str) -> None:
        with VideoReader(recording.video.path) as video:
            scale = min(1.0, _SHORT_SIDE_PX / min(video.width, video.height))
            size = (round(video.width * scale), round(video.height * scale))
            rows = lowdim(episode, *size)
            for frame, number in enumerate(map(int, recording.video.frames)):
                image = cv2.resize(video.rgb(number), size, interpolation=cv2.INTER_AREA)
                self._sample(episode, frame, np.asarray(image, dtype=np.uint8), rows[frame], label_source)

    def _sample(
        self, episode: HumanEpisode, frame: int, image: NDArray[np.uint8], row: NDArray[np.float32], source: str
    ) -> None:
        key = f"{self._dataset}_ep{self._episodes:06d}_f{frame:06d}"
        done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
        assert done
        stream = io.BytesIO()
        np.save(stream, row, allow_pickle=False)
        words = [w.caption for side in SIDES for w in episode.text[side] if w.covers(frame)]
        words = words or [w.caption for side in SIDES for w in episode.text[side] if w.end > w.start]
        present = [bool(episode.hands[side].kept_frames[frame]) for side in SIDES]
        meta: dict[str, Any] = {
            "instruction": words, "instruction_num": len(words), "episode_index": self._episodes,
            "dataset_name": self._dataset, "presence": int(present[0]) + 2 * int(present[1]),
            "lowdim_schema": SCHEMA, "camera_extrinsic_convention": "w2c", "cameras": ["head"],
            "label_source": source,
        }  # fmt: skip
        for suffix, data in (
            ("image.jpg", bytes(jpeg)), ("lowdim.npy", stream.getvalue()), ("meta.json", json.dumps(meta).encode())
        ):  # fmt: skip
            info = tarfile.TarInfo(f"{key}.{suffix}")
            info.size = len(data)
            assert self._shard is not None
            self._shard.addfile(info, io.BytesIO(data))

    def _open(self) -> None:
        self._close()
        self._folder.take()
        self._path = self.root / f"shard-{self._number:06d}.tar"
        self._partial = self._path.with_suffix(".partial")
        self._file = self._partial.open("w+b")
        self._shard = tarfile.open(fileobj=self._file, mode="w")  # noqa: SIM115
        self._number, self._frames = self._number + 1, 0

    def _close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            assert self._file is not None
            self._file.close()
            self._partial.replace(self._path)
            self._shard = None


def lowdim(episode: HumanEpisode, width_px: int, height_px: int) -> NDArray[np.float32]:
    """(T, 116) numbers of every frame: wrists, fingertips, those of the next frame, extrinsics, intrinsics.

    Args:
        episode: The labels.
        width_px: Of the images.
        height_px: Of the images.
    """
    frames = len(episode)
    state = np.zeros((frames, 48))
    for n, side in enumerate(SIDES):
        hand = episode.hands[side]
        state[:, 3 * n : 3 * n + 3] = hand.transl_worldspace
        R = np.asarray(hand.global_orient_worldspace)
        state[:, 6 + 6 * n : 12 + 6 * n] = np.concatenate([R[:, :, 0], R[:, :, 1]], axis=1)
        tips = np.asarray(hand.joints_worldspace)[:, _TIPS]
        state[:, 18 + 15 * n : 33 + 15 * n] = tips.reshape(frames, 15)
    following = state[np.minimum(np.arange(frames) + 1, frames - 1)]
    K = camera_for_video(episode.intrinsics, width_px, height_px).intrinsics
    camera = np.tile([K[0, 0], K[1, 1], K[0, 2], K[1, 2]], (frames, 1))
    return np.concatenate([state, following, episode.extrinsics.reshape(frames, 16), camera], axis=1).astype(np.float32)
