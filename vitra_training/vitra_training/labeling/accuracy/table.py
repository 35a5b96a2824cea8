"""The accuracy table, made by one command: `python -m vitra_training.labeling.accuracy.table --out FILE`."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import Progress

from vitra_training.labeling.accuracy import real, rendered
from vitra_training.labeling.accuracy.aria import aria_rows
from vitra_training.labeling.accuracy.counting import counting_rows
from vitra_training.labeling.accuracy.end_to_end import end_to_end_rows
from vitra_training.labeling.accuracy.measure import Measured
from vitra_training.labeling.accuracy.trajectories import hot3d_rows
from vitra_training.labeling.errors import MissingModelError
from vitra_training.labeling.hands.networks import HandNetworks


@dataclass(frozen=True)
class AccuracyOptions:
    """Measure every label against truth and write a Markdown table and its numbers as JSON."""

    out: Path = Path("runs/labeling-accuracy/accuracy.md")
    """The table; the JSON lies beside it, rendered videos below."""
    real: Path | None = None
    """Folder with `hands/` (freihand, onehand10k, video, hot3d_aria, aria_digital_twin) and `vitra_example`; without it
    only rendered truth is used."""
    moving: int = 20
    """Rendered videos with a moving camera."""
    still: int = 20
    """Rendered videos with a still camera."""
    camera_s: float = 4.0
    """Their length."""
    hand_videos: int = 6
    """Rendered videos for hands."""
    hand_s: float = 6.0
    """Their length."""
    sessions: int = 20
    """Made-up sessions for segmentation."""
    whole_videos: int = 6
    """Rendered videos for the whole pipeline."""
    whole_s: float = 20.0
    """Their length."""
    workers: int = 2
    """Of the whole pipeline."""


def main(options: AccuracyOptions) -> int:
    """Measure and write."""
    work = options.out.parent / "videos"
    rows: list[Measured] = rendered.segmentation(options.sessions, 0.010)
    networks = HandNetworks()
    if options.real is not None:
        rows += real_rows(options.real, networks)
    if options.moving + options.still:
        with _bar("cameras") as progress:
            rows += rendered.cameras(work, options.moving, options.still, options.camera_s, progress)
    if options.hand_videos:
        with _bar("hands") as progress:
            rows += rendered.hands(work, options.hand_videos, options.hand_s, networks, progress)
    if options.whole_videos:
        with _bar("whole pipeline") as progress:
            rows += end_to_end_rows(work, options.whole_videos, options.whole_s, options.workers, progress)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    options.out.write_text(markdown(rows, " ".join(sys.argv[1:])))
    return 0


def real_rows(folder: Path, networks: HandNetworks) -> list[Measured]:
    """Everything that real images and recordings in a folder say; what is not there is left out."""
    rows: list[Measured] = []
    for name, place in (("FreiHAND", "hands/freihand"), ("OneHand10K", "hands/onehand10k")):
        if (folder / place).is_dir():
            rows += real.single_images(folder / place, name, networks)
    counting = folder / "hands/video/dex_finger_counting.mp4"
    if counting.is_file():
        rows += counting_rows(counting, counting.with_name("dex_finger_counting_joints.npy"), networks)
    if (folder / "hands/hot3d_aria").is_dir():
        rows += hot3d_rows(folder / "hands/hot3d_aria")
    if (folder / "hands/aria_digital_twin").is_dir():
        try:
            rows += aria_rows(folder / "hands/aria_digital_twin")
        except MissingModelError as error:
            Console(stderr=True).print(f"[yellow]left out:[/] {error}")
    if (folder / "vitra_example").is_dir():
        rows += real.published_episode(folder / "vitra_example", networks)
    return rows


def markdown(rows: list[Measured], arguments: str) -> str:
    """The table with the command and the date."""
    lines = [
        f"Measured {datetime.date.today().isoformat()} by "
        f"`python -m vitra_training.labeling.accuracy.table {arguments}`.".replace(" `.", "`."),
        "",
        "| what | value | 95 % interval | n | of |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.what} | {row.value:.3g} {row.unit} | {row.low:.3g} to {row.high:.3g} | {row.n} | {row.of} |"
        )
    return "\n".join(lines) + "\n"


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(AccuracyOptions, prog="python -m vitra_training.labeling.accuracy.table")))
