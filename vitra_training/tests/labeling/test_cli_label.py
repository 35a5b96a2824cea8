"""The command line: a whole run without hand networks, broken files included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_training.cli_label import main
from vitra_training.datasets.video import VideoWriter
from vitra_training.labeling.captions.client import ClientConfig
from vitra_training.labeling.captions.stage import Captioner
from vitra_training.labeling.estimate import Costs, estimate
from vitra_training.labeling.ingest.layouts import find_videos


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    with VideoWriter(root / "black.mp4", 64, 48, 30.0) as video:
        for _ in range(60):
            video.add(np.zeros((48, 64, 3), dtype=np.uint8))
    (root / "broken.mp4").write_bytes(b"no video")
    return root


def test_an_estimate_reads_indices_only_and_names_what_is_unusable(videos: Path) -> None:
    found = find_videos(videos)
    costs = Costs(cpu_s_per_frame=1.0, actions_per_minute=60.0, prompt_tokens=1e6, answer_tokens=0.0)
    got = estimate(found, 2, Captioner.OPENAI, ClientConfig(usd_per_million_in=2.0), costs)
    assert (got.videos, len(got.unusable)) == (2, 1)
    assert "broken.mp4" in got.unusable[0]
    assert got.cpu_hours == pytest.approx(59 / 3600, rel=0.02)
    assert got.wall_hours == got.cpu_hours / 2
    assert (got.captions, got.caption_usd) == (2, 4.0)
    assert got.paper_gpu_hours == pytest.approx(got.video_hours * 3.36)
    assert estimate(found, 2, Captioner.TEMPLATE, ClientConfig(), costs).tokens == 0


def test_the_command_says_what_it_would_take_and_what_is_missing(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["run", str(videos), "--out", str(out), "--dry-run"]) == 0
    assert not out.exists()
    assert "1 videos" in capsys.readouterr().out
    assert main(["show", str(out)]) == 2
    assert "vitra-label run" in " ".join(capsys.readouterr().out.split())
    assert main(["run", str(tmp_path / "nowhere"), "--out", str(out)]) == 2
    assert "no videos" in " ".join(capsys.readouterr().out.split())
