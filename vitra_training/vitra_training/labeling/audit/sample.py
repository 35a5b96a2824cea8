"""Which episodes of a run are judged: drawn once, so that every judge sees the same ones."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.labeling.errors import AuditError

_FILE = "sample.json"


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One episode as a judge sees it."""

    id: str
    hand: str
    caption: str
    """Of the hand that acts."""


class AuditSample:
    """A sample of the episodes of a run.

    Args:
        run: folder of a run's results; the sample is kept in its folder `audit`.
        size: how many episodes to draw, where none were drawn yet; fewer where there are not as many.
        seed: of the draw.

    Raises:
        AuditError: the run has no episodes, or not those of the sample any more.
    """

    def __init__(self, run: Path, size: int, seed: int) -> None:
        self.folder, episodes = run / "audit", run / "episodes"
        if not (episodes / "annotations").is_dir():
            raise AuditError(f"{run} has no episodes. Label first: vitra-label run VIDEOS --out {run}")
        # VITRA-1M's layout: its videos are whole, so that what comes before and after can be shown.
        try:
            self._source: EpisodeSource = open_source(episodes)
        except DatasetError as error:
            raise AuditError(f"There is nothing to judge in {episodes} ({error})") from None
        self._number = {id: n for n, id in enumerate(self._source.ids)}
        if not self._number:
            raise AuditError(f"Every episode of {run} was left out: there is nothing to judge ({run}/report.html)")
        path = self.folder / _FILE
        if not path.is_file():
            ids = sorted(self._number)
            chosen = np.random.default_rng(seed).permutation(len(ids))[:size]
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps({"seed": seed, "of": len(ids), "ids": [ids[n] for n in chosen]}, indent=1))
            partial.replace(path)
        drawn = json.loads(path.read_text())
        self.ids: tuple[str, ...] = tuple(drawn["ids"])
        self.of: int = drawn["of"]
        gone = [id for id in self.ids if id not in self._number]
        if gone:
            raise AuditError(
                f"{len(gone)} of the {len(self.ids)} drawn episodes are not in {episodes} any more, e.g. {gone[0]}: "
                f"it was labelled again. Move {self.folder} away to begin a new audit"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def episode(self, id: str) -> HumanEpisode:
        """An episode of the sample."""
        episode = self._source.load(self._number[id]).episode
        assert isinstance(episode, HumanEpisode)
        return episode

    def clip(self, id: str) -> tuple[HumanEpisode, Path, np.ndarray]:
        """An episode, its video and its frames in it."""
        recording = self._source.load(self._number[id])
        assert isinstance(recording.episode, HumanEpisode)
        return recording.episode, recording.video.path, np.asarray(recording.video.frames)

    def item(self, id: str) -> AuditItem:
        """What is asked about an episode."""
        episode = self.episode(id)
        windows = episode.text[episode.anno_type]
        return AuditItem(id, str(episode.anno_type), windows[0].caption if windows else "")

    def order(self, judge: str) -> list[str]:
        """The sample in an order of the judge's own: tiredness falls on other episodes of each."""
        return sorted(self.ids, key=lambda id: hashlib.sha256(f"{judge}\n{id}".encode()).hexdigest())
