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
from vitra_training.labeling.accuracy.measure import Measured
from vitra_training.labeling.hands.networks import HandNetworks


@dataclass(frozen=True)
class AccuracyOptions:
    """Measure every label against truth and write a Markdown table and its numbers as JSON."""

    out: Path = Path("runs/labeling-accuracy/accuracy.md")
    """The table; the JSON lies beside it, rendered videos below."""
    real: Path | None = None
    """Folder with `hands/freihand`, `hands/onehand10k` and `vitra_example`; without it only rendered truth is used."""
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


def main(options: AccuracyOptions) -> int:
    """Measure and write."""
    work = options.out.parent / "videos"
    rows: list[Measured] = rendered.segmentation(options.sessions, 0.010)
    networks = HandNetworks()
    if options.real is not None:
        for name, folder in (("FreiHAND", "hands/freihand"), ("OneHand10K", "hands/onehand10k")):
            if (options.real / folder).is_dir():
                rows += real.single_pictures(options.real / folder, name, networks)
        if (options.real / "vitra_example").is_dir():
            rows += real.published_episode(options.real / "vitra_example", networks)
    if options.moving + options.still:
        with _bar("cameras") as progress:
            rows += rendered.cameras(work, options.moving, options.still, options.camera_s, progress)
    if options.hand_videos:
        with _bar("hands") as progress:
            rows += rendered.hands(work, options.hand_videos, options.hand_s, networks, progress)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    options.out.write_text(markdown(rows, " ".join(sys.argv[1:])))
    return 0


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
    sys.exit(main(tyro.cli(AccuracyOptions)))
