"""Human annotation granularity: episodes cut by given windows and captions instead of their own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_training.datasets.episode import HumanEpisode, HumanHand, IntArray, Recording, TextWindow, VideoClip
from vitra_training.datasets.errors import BrokenFileError, DatasetError, EmptyDatasetError
from vitra_training.datasets.sources import EpisodeSource


@dataclass(frozen=True, slots=True)
class Label:
    """What an annotator wrote about a piece of a video."""

    start: int
    """First frame of the video."""
    end: int
    """Frame after the last."""
    text: dict[Side, str]
    """What each hand does; a hand that does nothing is left out."""


def read_labels(path: Path) -> dict[str, list[Label]]:
    """Labels per video, from JSON: `{"video": [{"start": 0, "end": 90, "right": "Cut the onion."}, ...]}`.

    Raises:
        BrokenFileError: not of that form.
    """
    try:
        content = json.loads(path.read_text())
        return {
            str(video): [
                Label(int(x["start"]), int(x["end"]), {side: str(x[side]) for side in SIDES if x.get(side)})
                for x in labels
            ]
            for video, labels in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as cause:
        raise BrokenFileError(path, "file of annotations", cause) from None


class Recut:
    """The episodes of a source, cut anew wherever a label overlaps one of them.

    Args:
        source: human episodes.
        annotations: file for `read_labels`.

    Raises:
        EmptyDatasetError: no label overlaps any episode.
    """

    def __init__(self, source: EpisodeSource, annotations: Path) -> None:
        self._source, self._annotations = source, annotations
        self.root, self.format = source.root, f"{source.format}, cut by {annotations.name}"
        labels = read_labels(annotations)
        self.broken: dict[str, str] = {}
        self._cuts: list[tuple[int, int, int, Label]] = []
        for number in range(len(source)):
            try:
                episode = source.load(number).episode
            except DatasetError as error:
                self.broken[source.ids[number]] = str(error)
                continue
            if not isinstance(episode, HumanEpisode):
                continue
            for label in labels.get(episode.video_name, []):
                inside = np.flatnonzero(
                    (episode.video_decode_frame >= label.start) & (episode.video_decode_frame < label.end)
                )
                if len(inside) > 1:
                    self._cuts.append((number, int(inside[0]), int(inside[-1]) + 1, label))
        if not self._cuts:
            raise EmptyDatasetError(str(annotations), "No label overlaps an episode of the data set.")
        self.ids = [f"{source.ids[number]}_{start}" for number, start, _, _ in self._cuts]

    def __len__(self) -> int:
        return len(self._cuts)

    def load(self, number: int) -> Recording:
        """Episode and images by number.

        Raises:
            EmptyDatasetError: it is of a robot.
        """
        parent, start, stop, label = self._cuts[number]
        recording = self._source.load(parent)
        if not isinstance(recording.episode, HumanEpisode):
            raise EmptyDatasetError(self.ids[number], "It is a robot episode; only human ones are cut.")
        episode = cut_episode(recording.episode, start, stop, self.ids[number], label.text)
        return Recording(episode, VideoClip(recording.video.path, recording.video.frames[start:stop]))

    def release(self, number: int) -> None:
        """The episode is not needed any more."""
        self._source.release(self._cuts[number][0])

    def frame_index(self) -> IntArray:
        """(N, 2) every usable (episode, frame)."""
        parents: dict[int, list[tuple[int, int, int]]] = {}
        for number, (parent, start, stop, _) in enumerate(self._cuts):
            parents.setdefault(parent, []).append((number, start, stop))
        pairs = [
            (number, frame - start)
            for parent, frame in self._source.frame_index().tolist()
            for number, start, stop in parents.get(parent, [])
            if start <= frame < stop - 1
        ]
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)

    def content_hash(self) -> str:
        """Changes when data or labels change."""
        return hashlib.sha256(self._source.content_hash().encode() + self._annotations.read_bytes()).hexdigest()


def cut_episode(episode: HumanEpisode, start: int, stop: int, name: str, text: dict[Side, str]) -> HumanEpisode:
    """Frames [start, stop) of an episode under another caption.

    Args:
        episode: The whole.
        start: First frame.
        stop: Frame after the last.
        name: Id of the part.
        text: Caption of each hand.
    """
    shared = {"beta"}
    hands = {
        side: HumanHand(
            **{
                key: getattr(hand, key) if key in shared else getattr(hand, key)[start:stop]
                for key in HumanHand.__slots__
            }
        )
        for side, hand in episode.hands.items()
    }
    windows = {side: (TextWindow(text[side], 0, stop - start),) if side in text else () for side in SIDES}
    return replace(
        episode,
        id=name,
        video_decode_frame=episode.video_decode_frame[start:stop],
        extrinsics=episode.extrinsics[start:stop],
        hands=hands,
        text=windows,
    )
