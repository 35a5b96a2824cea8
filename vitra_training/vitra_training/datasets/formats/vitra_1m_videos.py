"""Where the videos of VITRA-1M annotations are: the four published data sets, prepared, in parts, or as downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import BrokenFileError
from vitra_training.datasets.video import ANY_PART, PART_FRAMES, VideoReader

_SUFFIXES = (".mp4", ".MP4", ".webm")
_SEARCHED_ABOVE = 4
_EGOEXO_PX = 1408
"""Side of an Aria image, undistorted; the labels' principal point is its centre."""
_EGOEXO_SHOWN = 256 / 448
"""The publishers shrink these images to 448 and keep the central 256, without the black border."""
_EGOEXO_WHOLE_PX = 448
"""Images of at least this size have not been cropped."""


@dataclass(frozen=True, slots=True)
class VideoLayout:
    """Where one of the four data sets keeps its videos; names are `{name}`, `{person}` is what precedes the first _."""

    prefixes: tuple[str, ...]
    """Starts of an annotation's lower-case data set name."""
    root: str
    """Folder of the data set, in the data root or in its folder `Video`."""
    raw: tuple[str, ...]
    """Patterns of the tree as it is downloaded, or undistorted, below the root."""


LAYOUTS = (
    VideoLayout(("egoexo",), "EgoExo4D_root", ("takes/{name}/frame_aligned_videos/aria*_214-1",)),
    VideoLayout(("ego4d",), "Ego4D_root", ("v2/undistorted_videos/{name}", "v2/full_scale/{name}")),
    VideoLayout(("epic",), "Epic-Kitchen_root", ("{person}/videos/{name}",)),
    VideoLayout(("ssv2", "something"), "Somethingsomething-v2_root", ()),
)


def video_roots(annotations: Path) -> list[Path]:
    """Folders in which videos may lie when nobody says where: that of the annotations and those above it."""
    return [annotations, *annotations.resolve().parents[:_SEARCHED_ABOVE]]


def find_video(roots: Sequence[Path], episode: HumanEpisode) -> Path:
    """The video of an episode; `VideoReader` takes its original frame numbers, also where it is in parts.

    Looks for `{name}` whole or in parts of 2000 frames (`{name}_part1.mp4`, ...), in the roots, their `Video` folders
    and the data set's own folder there, prepared before raw.

    Raises:
        BrokenFileError: not there.
    """
    patterns = list(_candidates(roots, episode))
    part = int(episode.video_decode_frame[0]) // PART_FRAMES
    for pattern in patterns:
        if (path := _existing(pattern, part)) is not None:
            return path
    searched = ", ".join(dict.fromkeys(str(pattern.parent) for pattern in patterns))
    raise BrokenFileError(f"{episode.video_name}.mp4", "video", f"not found in {searched}")


def with_shown_camera(episode: HumanEpisode, video: Path) -> HumanEpisode:
    """The episode with the intrinsics of what its video shows: of EgoExo4D only the centre, where it was cropped.

    The labels' intrinsics are of the whole image, 99 degrees wide; the published images show 68 of them.
    """
    K = episode.intrinsics
    if not episode.dataset.lower().startswith("egoexo") or abs(2 * K[0, 2] / _EGOEXO_PX - 1) > 0.05:
        return episode
    if min(_size_of(video)) >= _EGOEXO_WHOLE_PX:
        return episode
    shown = K.copy()
    shown[:2, 2] -= _EGOEXO_PX * (1 - _EGOEXO_SHOWN) / 2
    return replace(episode, intrinsics=shown)


@lru_cache(maxsize=4096)
def _size_of(video: Path) -> tuple[int, int]:
    with VideoReader(video) as reader:
        return reader.width, reader.height


def _candidates(roots: Sequence[Path], episode: HumanEpisode) -> Iterable[Path]:
    name, dataset = episode.video_name, episode.dataset.lower()
    own = [layout for layout in LAYOUTS if dataset.startswith(layout.prefixes)] or list(LAYOUTS)
    for root in roots:
        bases = (root, root / "Video")
        yield from (base / name for base in bases)
        for base in bases:
            for layout in own:
                yield base / layout.root / name
        for layout in own:
            for pattern in layout.raw:
                raw = pattern.format(name=name, person=name.split("_")[0])
                yield from (folder / raw for base in bases for folder in (base / layout.root, base))


def _existing(pattern: Path, part: int) -> Path | None:
    """The file, the first of several cameras, or the pattern of all parts if there is the one that is needed."""
    for suffix in _SUFFIXES:
        if "*" in pattern.name:
            if found := sorted(pattern.parent.glob(f"{pattern.name}{suffix}")):
                return found[0]
        elif (path := pattern.with_name(pattern.name + suffix)).is_file():
            return path
    if "*" not in pattern.name and pattern.with_name(f"{pattern.name}_part{part + 1}.mp4").is_file():
        return pattern.with_name(f"{pattern.name}{ANY_PART}.mp4")
    return None
