"""Who is asked for focal length, depth and path, and what the camera stage makes of the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_training.cli_label import main
from vitra_training.labeling.adapters.megasam import ImageFolder, MegaSamCamera
from vitra_training.labeling.adapters.moge import MetricDepth
from vitra_training.labeling.camera import outside
from vitra_training.labeling.camera.focal import Focal, known_focal
from vitra_training.labeling.camera.motion import PointTracks
from vitra_training.labeling.camera.outside import (
    MovingFocalBy,
    Outside,
    OutsideConfig,
    PathBy,
    ScaleBy,
    StillFocalBy,
    ask,
)
from vitra_training.labeling.camera.scale import scale_from_depth
from vitra_training.labeling.camera.stage import CameraConfig, camera_of
from vitra_training.labeling.errors import MissingModelError
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.lens import Lens, LensKind
from vitra_training.labeling.ingest.stage import IngestedVideo
from vitra_training.labeling.pipeline import PipelineConfig, check_estimators

FRAMES, WIDTH, HEIGHT = 12, 64, 48
IMAGES = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * FRAMES
DEPTH = MetricDepth(np.array([0, 10]), np.full((2, HEIGHT, WIDTH), 2.0, np.float32), np.array([0.8, 0.8]))
PATH = MegaSamCamera(np.tile(np.eye(4), (FRAMES, 1, 1)), 55.0, 0.01)


def video(focal_px: float | None = None) -> IngestedVideo:
    clips = np.array([[0, FRAMES]])
    return IngestedVideo(Path("v.mp4"), False, WIDTH, HEIGHT, 30.0, np.arange(FRAMES), np.ones(FRAMES, bool), clips, (),
                         focal_px)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What outside estimators are asked, answered at once."""
    log: list[tuple[str, Any]] = []

    def droidcalib(frames: Path, width: int, height: int, bent: bool, stride: int, config: object) -> Lens:
        log.append(("droidcalib", bent))
        return Lens(LensKind.PINHOLE, width, height, (50.0, 50.0, 31.5, 23.5), "DroidCalib")

    def deepcalib(frames: Path, width: int, height: int, *_: object) -> tuple[Lens, float]:
        log.append(("deepcalib", None))
        return Lens(LensKind.UNIFIED, width, height, (90.0, 90.0, 31.5, 23.5, 0.5), "DeepCalib"), 0.02

    def moge(frames: Path, every: int, *_: object) -> MetricDepth:
        log.append(("moge", every))
        return DEPTH

    def megasam(clip: ImageFolder, depth: MetricDepth, focal: float, *_: object) -> MegaSamCamera:
        log.append(("megasam", focal))
        return PATH

    monkeypatch.setattr(outside, "calibrate_with_droidcalib", droidcalib)
    monkeypatch.setattr(outside, "calibrate_with_deepcalib", deepcalib)
    monkeypatch.setattr(outside, "depth_with_moge", moge)
    monkeypatch.setattr(outside, "path_with_megasam", megasam)
    return log


PAPER = OutsideConfig(PathBy.MEGASAM, MovingFocalBy.DROIDCALIB, StillFocalBy.MOGE, ScaleBy.MOGE)


def test_a_moving_camera_is_asked_as_in_the_paper(asked: list[tuple[str, Any]]) -> None:
    found = ask(IMAGES, video(), True, None, PAPER)
    assert asked == [("droidcalib", False), ("moge", 10), ("megasam", 50.0)]
    assert found.focal == Focal(55.0, 0.03, "MegaSaM")
    assert found.path is PATH


def test_a_still_camera_is_asked_for_its_focal_length_only(asked: list[tuple[str, Any]]) -> None:
    found = ask(IMAGES, video(), False, None, PAPER)
    assert asked == [("moge", 10)]
    assert found.focal == Focal(pytest.approx(0.8 * WIDTH), 0.05, "MoGe-2")
    assert found.path is None
    deep = ask(IMAGES, video(), False, None, OutsideConfig(still_focal=StillFocalBy.DEEPCALIB))
    assert deep.focal == Focal(pytest.approx(60.0), 0.1, "DeepCalib")


def test_a_known_focal_length_is_neither_asked_for_nor_changed(asked: list[tuple[str, Any]]) -> None:
    known = known_focal(video(focal_px=70.0), None)
    found = ask(IMAGES, video(focal_px=70.0), True, known, PAPER)
    assert asked == [("moge", 10), ("megasam", 70.0)]
    assert found.focal == Focal(70.0, 0.0, "lens")
    assert known_focal(video(focal_px=70.0), 80.0) == Focal(80.0, 0.0, "given")


def test_nobody_is_asked_by_default(asked: list[tuple[str, Any]]) -> None:
    assert ask(iter(()), video(), True, None, OutsideConfig()) == Outside(None, None, None)
    assert asked == []


def test_megasams_path_is_the_clips_and_says_so() -> None:
    none = np.zeros(0)
    tracks = PointTracks(none.astype(np.int32), none.astype(np.int32), np.zeros((0, 2), np.float32),
                         np.full(FRAMES, 3.0), 0.1)  # fmt: skip
    hands = HandTracks(np.zeros((2, FRAMES, 21, 2), np.float32), np.zeros((2, FRAMES, 21, 3), np.float32),
                       np.zeros((2, FRAMES), np.uint8), np.zeros((2, FRAMES)), np.full((2, FRAMES), np.inf),
                       np.full(2, 0.5), 0, "x")  # fmt: skip
    found = Outside(Focal(55.0, 0.03, "MegaSaM"), DEPTH, PATH)
    camera = camera_of(tracks, hands, video(), (WIDTH, HEIGHT), CameraConfig(), found)
    assert (camera.path_source, camera.focal_source, camera.scale.source) == ("MegaSaM", "MegaSaM", "MoGe-2")
    assert camera.scale.sigma_share == 0.05  # never better than depth of single images is
    assert camera.intrinsics[0, 0] == 55.0


def test_metric_depth_gives_a_path_its_size() -> None:
    rng = np.random.default_rng(2)
    K = np.array([[60.0, 0, WIDTH / 2], [0, 60, HEIGHT / 2], [0, 0, 1]])
    points = np.concatenate([rng.uniform(-0.2, 0.2, (60, 2)), np.ones((60, 1))], axis=1)
    scale = scale_from_depth(DEPTH, np.tile(np.eye(4), (FRAMES, 1, 1)), points, K, WIDTH)
    assert scale.metres == pytest.approx(2.0)
    assert (scale.sigma_share, scale.source) == (0.05, "MoGe-2")
    behind = scale_from_depth(DEPTH, np.tile(np.eye(4), (FRAMES, 1, 1)), -points, K, WIDTH)
    assert (behind.source, np.isinf(behind.sigma_share)) == ("none", True)


def test_a_missing_estimator_stops_a_run_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v.mp4").write_bytes(b"not looked at")
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "v.mp4"), "--out", str(out), "--config.hands.by", "HAWOR"]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "HaWoR needs a checkout" in said
    assert "CC BY-NC-ND" in said
    assert not out.exists()
    with pytest.raises(MissingModelError, match="MegaSaM"):
        check_estimators(PipelineConfig(camera=CameraConfig(outside=PAPER)))
