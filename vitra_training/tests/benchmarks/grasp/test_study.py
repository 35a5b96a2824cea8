"""Videos of predicted hands are what `vitra-study` reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitra_training.benchmarks.grasp.options import StudyOptions
from vitra_training.benchmarks.grasp.rows import parse_policy, rows_of
from vitra_training.benchmarks.grasp.run import run
from vitra_training.benchmarks.grasp.start import StartOptions
from vitra_training.benchmarks.grasp.study import StudyExportError, write_study
from vitra_training.datasets.video import VideoReader

study_material = pytest.importorskip("vitra_evaluation.study.material")


def test_every_row_has_a_playable_video_of_every_item(folder: Path, tmp_path: Path, quiet: Callable[..., None]) -> None:
    out = tmp_path / "out"
    outcome = run(folder, out, [], StartOptions(), quiet)
    cases, rows = list(outcome.cases), rows_of([])
    assert write_study(out, tmp_path / "videos", cases, rows, StudyOptions(items=1), quiet) == 1
    study = study_material.read_study(tmp_path / "videos", "secret")
    study_material.check_playable(study)
    assert study.models == ("initial_position", "oracle")
    assert study.items[0].instruction.startswith("Left hand: None. Right hand: Pick up the ")
    with VideoReader(study.items[0].videos["oracle"]) as video:
        first, last = video.rgb(0).astype(int), video.rgb(len(video) - 1).astype(int)
    assert (np.abs(first - last).max(axis=-1) > 40).mean() > 0.02  # the hand moved
    with VideoReader(study.items[0].videos["initial_position"]) as video:
        first, last = video.rgb(0).astype(int), video.rgb(len(video) - 1).astype(int)
    assert (np.abs(first - last).max(axis=-1) > 40).mean() < 0.001
    with pytest.raises(StudyExportError, match="not empty"):
        write_study(out, tmp_path / "videos", cases, rows, StudyOptions(), quiet)
    with pytest.raises(StudyExportError, match="not all predictions of: halfway"):
        write_study(out, tmp_path / "other", cases, rows_of([parse_policy("halfway")], False), StudyOptions(), quiet)
    with pytest.raises(StudyExportError, match="at least two rows"):
        write_study(out, tmp_path / "other", cases, rows[-1:], StudyOptions(), quiet)
