"""The video of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_evaluation.session import trial_video


def test_the_video_shows_every_third_image_beside_what_was_said_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[str]] = []
    images = [(10.0 + 0.1 * n, np.zeros((120, 160, 3), np.uint8)) for n in range(2 * trial_video._EVERY + 1)]
    monkeypatch.setattr(trial_video.images, "head_camera_frames", lambda _: iter(images))
    monkeypatch.setattr(trial_video, "_Stories", lambda _: type("Told", (), {"at": lambda self, s: [f"{s:.1f}"]})())
    panel = trial_video._panel
    monkeypatch.setattr(trial_video, "_panel", lambda lines, height: (shown.append(lines), panel(lines, height))[1])
    sizes: list[tuple[int, ...]] = []

    def write(path: Path, frames: Any, rate_hz: int) -> int:
        sizes.extend(frame.shape for frame in frames)
        return rate_hz

    monkeypatch.setattr(trial_video.images, "write_video", write)
    assert trial_video.write_trial_video(tmp_path / "v.mp4", tmp_path, "caption") == 30 // trial_video._EVERY
    last_s = 10.0 + 0.1 * 2 * trial_video._EVERY
    assert len(shown) == 3
    assert shown[0] == ["caption", "t =   0.0 s", "10.0"]
    assert shown[-1] == ["caption", f"t = {last_s - 10.0:5.1f} s", f"{last_s:.1f}"]
    assert sizes == [(120, 160 + trial_video._PANEL_PX, 3)] * 3
