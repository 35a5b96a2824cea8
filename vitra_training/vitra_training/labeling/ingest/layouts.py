"""Where the data sets of the paper keep their videos, and plain folders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vitra_training.labeling.engines.stage import Item
from vitra_training.labeling.errors import NoVideosError

SUFFIXES = (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


class Layout(StrEnum):
    """How a folder of videos is arranged."""

    AUTO = "auto"
    """The first below that finds something."""
    EGO4D = "ego4d"
    """`v1|v2/full_scale|video_540ss|clips/{uid}.mp4`."""
    EPIC = "epic"
    """EPIC-Kitchens: `{participant}/videos/{participant}_{number}.MP4`."""
    EGOEXO4D = "egoexo4d"
    """`takes/{take}/frame_aligned_videos/aria*_214-1.mp4`: the head camera only."""
    SSV2 = "ssv2"
    """Something-Something V2: `20bn-something-something-v2/{number}.webm`."""
    PLAIN = "plain"
    """Every video file in the folder and below."""


@dataclass(frozen=True, slots=True)
class FoundVideo:
    """One video of a data set."""

    dataset: Layout
    name: str
    """What the data set calls it."""
    path: Path

    @property
    def item(self) -> Item:
        """The work on it; its name is safe in file names and unique in the data set."""
        safe = _UNSAFE.sub("-", self.name).strip("-.") or "video"
        if safe != self.name:
            safe += "-" + hashlib.sha256(self.name.encode()).hexdigest()[:6]
        return Item(safe, self.path)


def find_videos(root: Path, layout: Layout = Layout.AUTO) -> list[FoundVideo]:
    """The videos of a data set, by name.

    Args:
        root: the data set's folder, or one video file.
        layout: how it is arranged.

    Raises:
        NoVideosError: none there; the message says where they were expected.
    """
    if root.is_file():
        return [FoundVideo(Layout.PLAIN if layout is Layout.AUTO else layout, root.stem, root)]
    for candidate in _FINDERS if layout is Layout.AUTO else (layout,):
        found = {video.name: video for video in _FINDERS[candidate](root)}
        if found:
            return [found[name] for name in sorted(found)]
    raise NoVideosError(root, layout, _EXPECTED[layout])


def _ego4d(root: Path) -> Iterable[FoundVideo]:
    for kind in ("full_scale", "video_540ss", "clips"):
        for path in sorted([*root.glob(f"v*/{kind}/*.mp4"), *root.glob(f"{kind}/*.mp4")]):
            yield FoundVideo(Layout.EGO4D, path.stem, path)


def _epic(root: Path) -> Iterable[FoundVideo]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() == ".mp4" and re.fullmatch(r"P\d\d_\d+", path.stem):
            yield FoundVideo(Layout.EPIC, path.stem, path)


def _egoexo4d(root: Path) -> Iterable[FoundVideo]:
    for path in sorted(root.glob("**/frame_aligned_videos/aria*_214-1.mp4")):
        yield FoundVideo(Layout.EGOEXO4D, path.parent.parent.name, path)


def _ssv2(root: Path) -> Iterable[FoundVideo]:
    for path in sorted(root.rglob("*.webm")):
        if path.stem.isdigit():
            yield FoundVideo(Layout.SSV2, path.stem, path)


def _plain(root: Path) -> Iterable[FoundVideo]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield FoundVideo(Layout.PLAIN, path.relative_to(root).with_suffix("").as_posix(), path)


_FINDERS: dict[Layout, Callable[[Path], Iterable[FoundVideo]]] = {
    Layout.EGOEXO4D: _egoexo4d,
    Layout.EGO4D: _ego4d,
    Layout.EPIC: _epic,
    Layout.SSV2: _ssv2,
    Layout.PLAIN: _plain,
}
_EXPECTED = {
    Layout.AUTO: f"files with {', '.join(SUFFIXES)}",
    Layout.EGO4D: "v2/full_scale/{uid}.mp4",
    Layout.EPIC: "{participant}/videos/P01_01.MP4",
    Layout.EGOEXO4D: "takes/{take}/frame_aligned_videos/aria01_214-1.mp4",
    Layout.SSV2: "20bn-something-something-v2/{number}.webm",
    Layout.PLAIN: f"files with {', '.join(SUFFIXES)}",
}
