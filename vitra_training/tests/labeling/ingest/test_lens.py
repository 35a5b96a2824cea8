"""Lenses against their makers' formulas, and images without their bend against those of a true pinhole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.interpolate import CloughTocher2DInterpolator

from vitra_training.datasets.video import VideoReader, VideoWriter
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.camera.focal import Focal, known_focal
from vitra_training.labeling.engines.job import Job, perform
from vitra_training.labeling.engines.ledger import Reason
from vitra_training.labeling.engines.stage import Inputs, Item, Scope, Stage
from vitra_training.labeling.errors import LensError, LensFileError
from vitra_training.labeling.ingest.lens import Lens, LensKind, Undistorter, read_lens, write_lens
from vitra_training.labeling.ingest.stage import IngestConfig, IngestedVideo, ingest

SIZE = (320, 240)
ARIA = (610.0, 703.5, 711.2, 0.40, -0.48, 0.17, 1.12, -1.71, 0.66, 6e-4, -3e-4, -5e-4, 1e-4, 9e-4, -2e-4)
LENSES = {
    "radial": Lens(LensKind.RADIAL, *SIZE, (180.0, 182.0, 158.0, 121.0, -0.25, 0.06, 1e-3, -2e-3, -0.005)),
    "fisheye": Lens(LensKind.FISHEYE, *SIZE, (120.0, 121.0, 161.0, 118.5, 0.03, -0.02, 0.01, -0.002)),
    "unified": Lens(LensKind.UNIFIED, *SIZE, (260.0, 262.0, 159.5, 119.5, 0.9)),
    "aria": Lens(LensKind.FISHEYE624, *SIZE, (130.0, 160.0, 119.0, *ARIA[3:])),
}


def rays(seed: int = 0, count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(-0.8, 0.8, (count, 2)), np.ones((count, 1))], axis=1)


def test_radial_and_fisheye_lenses_are_opencvs() -> None:
    for name, project in (("radial", cv2.projectPoints), ("fisheye", cv2.fisheye.projectPoints)):
        lens = LENSES[name]
        fx, fy, cx, cy, *k = lens.parameters
        K, zero = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), np.zeros(3)
        points = rays()[:, None] if name == "fisheye" else rays()
        true = project(points, zero, zero, K, np.array(k))[0].reshape(-1, 2)
        np.testing.assert_allclose(lens.project(rays()), true, atol=1e-6)


def test_a_unified_lens_undoes_meis_lift_to_the_sphere() -> None:
    lens = LENSES["unified"]
    fx, fy, cx, cy, xi = lens.parameters
    pixels = lens.project(rays())
    x, y = (pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy
    r2 = x * x + y * y
    lift = (xi + np.sqrt(1 + (1 - xi * xi) * r2)) / (r2 + 1)
    back = np.stack([lift * x, lift * y, lift - xi], axis=1)
    np.testing.assert_allclose(back / back[:, 2:], rays(), atol=1e-9)


def test_arias_lens_without_its_small_terms_is_an_equidistant_polynomial() -> None:
    k = (0.03, -0.02, 0.01, -0.002)
    aria = Lens(LensKind.FISHEYE624, *SIZE, (120.0, 161.0, 118.5, *k, 0, 0, 0, 0, 0, 0, 0, 0))
    fisheye = Lens(LensKind.FISHEYE, *SIZE, (120.0, 120.0, 161.0, 118.5, *k))
    np.testing.assert_allclose(aria.project(rays()), fisheye.project(rays()), atol=1e-9)


def test_arias_lens_is_that_of_arias_own_library(shared_dir: Path) -> None:
    calibration = pytest.importorskip("projectaria_tools.core.calibration", reason="pip install projectaria-tools")
    model = calibration.CameraModelType.FISHEYE624
    theirs = calibration.CameraProjection(model, np.array(ARIA))
    ours = Lens(LensKind.FISHEYE624, 1408, 1408, ARIA).project(rays())
    np.testing.assert_allclose(ours, [theirs.project(ray) for ray in rays()], atol=1e-6)


@pytest.mark.parametrize("name", LENSES)
def test_without_its_bend_a_image_is_that_of_a_pinhole(name: str) -> None:
    lens = LENSES[name]
    straight = Undistorter(lens, *SIZE)
    u, v = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    x, y = (u - SIZE[0] / 2) / straight.focal_px, (v - SIZE[1] / 2) / straight.focal_px
    pinhole = scene(x, y)
    bent = bent_image(lens)
    shown = straight(bent).astype(float)
    seen = shown[..., 2] > 200  # blue marks what the lens saw
    assert seen.mean() > 0.5
    inner = cv2.erode(seen.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.abs(shown - pinhole)[inner][:, :2].mean() < 2.0
    assert np.abs(bent.astype(float) - pinhole)[inner][:, :2].mean() > 6.0  # there was a bend


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Waves over the tangents of the viewing direction, as a pinhole sees them."""
    return np.stack([128 + 100 * np.sin(14 * x), 128 + 100 * np.sin(14 * y), np.full_like(x, 255.0)], axis=-1)


def bent_image(lens: Lens) -> np.ndarray:
    """The scene through the lens, by inverting its projection on a dense grid of directions."""
    side = np.linspace(-1.6, 1.6, 160)
    x, y = np.meshgrid(side, side * 0.75)
    pixels = lens.project(np.stack([x, y, np.ones_like(x)], axis=-1))
    keep = ((pixels > -20) & (pixels < np.array(SIZE) + 20)).all(axis=-1)
    inverse = CloughTocher2DInterpolator(pixels[keep], np.stack([x[keep], y[keep]], axis=-1))
    u, v = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    direction = inverse(u, v)
    seen = np.isfinite(direction).all(axis=-1, keepdims=True)
    found = np.nan_to_num(direction)
    return np.where(seen, scene(found[..., 0], found[..., 1]), 0).astype(np.uint8)


def test_a_lens_serves_all_sizes_of_its_shape_and_no_other() -> None:
    lens = LENSES["fisheye"]
    np.testing.assert_allclose(lens.scaled(640, 480).project(rays()) + 0.5, 2 * (lens.project(rays()) + 0.5))
    with pytest.raises(LensError, match="another shape"):
        lens.scaled(640, 360)


@pytest.mark.parametrize("wrong", [(1.0, 2.0), (0.0, 100.0, 1, 1, 0.5), (100.0, 100.0, 1, float("nan"), 0.5)])
def test_impossible_lenses_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(LensError):
        Lens(LensKind.UNIFIED, *SIZE, wrong)


def test_a_lens_is_read_back_and_another_file_is_named(tmp_path: Path) -> None:
    write_lens(LENSES["aria"], tmp_path / "lens.json")
    assert read_lens(tmp_path / "lens.json") == LENSES["aria"]
    (tmp_path / "other.json").write_text(json.dumps({"kind": "mirror"}))
    with pytest.raises(LensFileError, match=r"other\.json"):
        read_lens(tmp_path / "other.json")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    lens = LENSES["fisheye"]
    image = bent_image(lens)
    with VideoWriter(tmp_path / "film.mp4", *SIZE, 30.0, gop=5, crf=10) as video:
        for _ in range(9):
            video.add(image)
    return tmp_path / "film.mp4"


def test_a_video_is_rewritten_without_its_lens_and_the_camera_is_known(film: Path, tmp_path: Path) -> None:
    lens = replace(LENSES["fisheye"], source="factory")
    stage = Stage("ingest", 1, Scope.VIDEO, (), IngestConfig(lens=lens), ingest)
    out = tmp_path / "result"
    assert perform(Job(stage, Inputs(Item("film", film), {}), out)).reason is None
    video = load(IngestedVideo, out)
    assert video.rewritten
    assert "fisheye lens (factory) taken out" in video.notes
    assert known_focal(video, None) == Focal(pytest.approx(120.5), 0.0, "lens")
    with VideoReader(out / "video.mp4") as reader, VideoReader(film) as before:
        expected = Undistorter(lens, *SIZE)(before.rgb(3)).astype(float)
        assert np.abs(reader.rgb(3) - expected).mean() < 4.0


def test_a_lens_of_another_camera_is_bad_input_by_name(film: Path, tmp_path: Path) -> None:
    lens = Lens(LensKind.FISHEYE, 640, 360, LENSES["fisheye"].parameters)
    stage = Stage("ingest", 1, Scope.VIDEO, (), IngestConfig(lens=lens), ingest)
    outcome = perform(Job(stage, Inputs(Item("film", film), {}), tmp_path / "result"))
    assert outcome.reason is Reason.INPUT
    assert "another shape" in outcome.detail
