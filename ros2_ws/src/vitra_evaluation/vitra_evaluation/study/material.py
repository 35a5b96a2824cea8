"""What a study shows: items, each with one video per model, in an order that tells nobody who made which.

videos/
items.yaml          optional: {pour_tea: "Right hand: Pour tea into the cup."}
model_a/pour_tea.mp4
model_b/pour_tea.mp4
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vitra_evaluation.plan.yaml_lines import Reader
from vitra_policy.errors import VitraError

SUFFIXES = (".mp4", ".webm")
CODECS = frozenset({"avc1", "h264", "vp80", "vp90", "vp09", "av01"})
"""What Chromium, Firefox and Safari play in these files."""
MIN_MODELS = 2


class StudyError(VitraError):
    """Videos or votes that make no study."""


@dataclass(frozen=True, slots=True)
class Item:
    """One task with the video of every model.

    Attributes:
        name: File name of the videos without suffix.
        instruction: What the hands were asked to do.
        videos: File by model.
    """

    name: str
    instruction: str
    videos: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Study:
    """All items; every one has the same models."""

    items: tuple[Item, ...]
    models: tuple[str, ...]
    secret: str

    def item_order(self, participant: str) -> list[int]:
        """Indices of the items in the participant's own order."""
        return [int(i) for i in self._rng(participant, "items").permutation(len(self.items))]

    def video_order(self, participant: str, item: int) -> list[str]:
        """Models in the order in which this participant sees them for this item."""
        order = self._rng(participant, self.items[item].name).permutation(len(self.models))
        return [self.models[int(i)] for i in order]

    def _rng(self, participant: str, what: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.secret}\0{participant}\0{what}".encode()).digest()
        return np.random.default_rng(list(digest))


def read_study(folder: Path, secret: str) -> Study:
    """Find the videos of a study.

    Args:
        folder: one folder per model, the same file names in each.
        secret: of the orders.

    Raises:
        StudyError: fewer than two models, no videos, or a video that a model lacks.
    """
    models = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if len(models) < MIN_MODELS:
        raise StudyError(
            f"{folder} has {len(models)} folders with videos; a study compares at least {MIN_MODELS} models. Make one "
            "folder per model, with the same file names in each."
        )
    found = {m: {p.stem: p for p in sorted((folder / m).iterdir()) if p.suffix in SUFFIXES} for m in models}
    names = sorted({name for videos in found.values() for name in videos})
    lacking = [f"{m}/{name}" for name in names for m in models if name not in found[m]]
    if not names or lacking:
        raise StudyError(f"Every model needs a video of every item; missing: {', '.join(lacking) or 'all of them'}.")
    words = _instructions(folder / "items.yaml", names)
    items = tuple(Item(name, words.get(name, ""), {m: found[m][name] for m in models}) for name in names)
    return Study(items, tuple(models), secret)


def check_playable(study: Study) -> None:
    """Refuse videos that a browser cannot show: nobody could see them, and their places would be voted on blindly.

    Raises:
        StudyError: every file that is no video, or in a codec that browsers do not play.
    """
    bad = []
    for item in study.items:
        for path in item.videos.values():
            capture = cv2.VideoCapture(str(path))
            code = (
                (int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little").decode("latin1").strip("\0 ")
            )
            works, _ = capture.read()
            capture.release()
            if not works:
                bad.append(f"{path}: no image can be read")
            elif code.lower() not in CODECS:
                bad.append(f"{path}: codec '{code}' (browsers play {', '.join(sorted(CODECS))})")
    if bad:
        again = "ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4"
        raise StudyError(f"Browsers cannot play these videos; convert them, e.g. {again}:\n  " + "\n  ".join(bad))


def _instructions(path: Path, names: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    reader = Reader()
    entries = reader.entries(reader.parse(path.read_text()), "items.yaml")
    words = {name: reader.value(node, name, str, "") for name, node in entries.items()}
    for name, node in entries.items():
        if name not in names:
            reader.unknown(node, "item", name, names)
    if reader.problems:
        raise StudyError("; ".join(f"{path}:{line}: {reason}" for line, reason in reader.problems))
    return words
