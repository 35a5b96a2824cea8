from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_training.cli_data import main
from vitra_training.datasets.rates import rate_words
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader


@pytest.mark.parametrize(("rate_hz", "words"), [(30.0, "30 Hz"), (29.97, "29.97 Hz"), (200.0, "200 Hz")])
def test_a_rate_of_a_device_is_shown(rate_hz: float, words: str) -> None:
    assert rate_words(rate_hz) == words


@pytest.mark.parametrize("rate_hz", [799e9, 0.0, -30.0, np.inf, np.nan])
def test_a_rate_that_no_device_has_is_unknown(rate_hz: float) -> None:
    assert rate_words(rate_hz) == "rate unknown"


def test_a_video_with_an_absurd_rate_is_listed_with_its_rate_unknown(
    robot: EpisodeSource, robot_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = VideoReader.__init__

    def begin_with_a_wrong_header(reader: VideoReader, path: Path) -> None:
        begin(reader, path)
        reader.fps = 799e9

    monkeypatch.setattr(VideoReader, "__init__", begin_with_a_wrong_header)
    assert main(["inspect", str(robot_dir)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "799" not in said
    assert "e+11" not in said
    assert "unknown" in said
