"""The video of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_evaluation.session import trial_video


class Filmed:
    """What a video would show of images at given times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stamps_s: list[float]) -> None:
        self.lines: list[list[str]] = []
        self.shapes: list[tuple[int, ...]] = []
        frames = [(stamp_s, np.zeros((120, 160, 3), np.uint8)) for stamp_s in stamps_s]
        monkeypatch.setattr(trial_video.images, "head_camera_frames", lambda _: iter(frames))
        monkeypatch.setattr(trial_video, "_Stories", lambda _: type("T", (), {"at": lambda self, s: [f"{s:.2f}"]})())
        panel = trial_video._panel
        monkeypatch.setattr(trial_video, "_panel", lambda ls, height: (self.lines.append(ls), panel(ls, height))[1])
        monkeypatch.setattr(trial_video.images, "write_video", self.write)

    def write(self, path: Path, frames: Any, rate_hz: int) -> int:
        self.shapes = [frame.shape for frame in frames]
        return rate_hz


def test_the_video_shows_every_third_of_thirty_images_a_second_beside_what_was_said_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed = Filmed(monkeypatch, [10.0 + n / 30 for n in range(7)])
    assert trial_video.write_trial_video(tmp_path / "v.mp4", tmp_path, "caption") == 10
    assert filmed.lines == [["caption", f"t =   0.{n} s", f"10.{n}0"] for n in range(3)]
    assert filmed.shapes == [(120, 160 + trial_video._PANEL_PX, 3)] * 3


def test_an_image_stands_until_the_next_one_so_that_the_video_runs_as_fast_as_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed = Filmed(monkeypatch, [0.0, 0.25, 0.5, 0.75])
    trial_video.write_trial_video(tmp_path / "v.mp4", tmp_path, "caption")
    assert [line[2] for line in filmed.lines] == ["0.00"] * 3 + ["0.25"] * 2 + ["0.50"] * 3 + ["0.75"]


def test_a_clock_that_leaps_makes_no_endless_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filmed = Filmed(monkeypatch, [0.0, 1e9, 5.0, 5.1])
    trial_video.write_trial_video(tmp_path / "v.mp4", tmp_path, "caption")
    assert len(filmed.lines) <= 10 * trial_video._LONGEST_S + 3
