"""A folder of scenes is read back, and whatever is wrong with it is named with its scene, file and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vitra_training.benchmarks.grasp.folder import GraspFolderError, check_folder, read_index, read_scene
from vitra_training.benchmarks.grasp.scene import Scene


def test_a_written_folder_is_read_back(folder: Path, scene: Scene) -> None:
    benchmark = check_folder(folder)
    assert [entry.name for entry in benchmark.entries] == ["kitchen", "desk"]
    assert benchmark.objects == 4
    again = read_scene(folder, benchmark.entries[0])
    np.testing.assert_array_equal(again.image, scene.image)
    np.testing.assert_array_equal(again.depth_mm, scene.depth_mm)
    assert again.camera == scene.camera
    assert [one.caption for one in again.objects] == ["red box", "blue box", "green box"]
    np.testing.assert_allclose(again.objects[1].points_m, scene.objects[1].points_m, atol=1e-6)


def test_every_fault_of_every_scene_is_named_at_once(folder: Path) -> None:
    (folder / "kitchen" / "depth.png").unlink()
    (folder / "desk" / "camera.json").write_text("{}")
    with pytest.raises(GraspFolderError) as told:
        check_folder(folder)
    assert "scene kitchen: depth.png is missing" in str(told.value)
    assert "scene desk: camera.json cannot be read" in str(told.value)
    assert f"vitra-bench grasp-check {folder}" in str(told.value)


def index(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "benchmark.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def points(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        centre = np.array([-0.18, 0.1, 0.85])
        cloud = centre + np.random.default_rng(0).uniform(-0.03, 0.03, (50, 3))
        (folder / "kitchen" / "red_box.ply").unlink()
        np.save(folder / "kitchen" / "red_box.npy", change(cloud))

    return damage


def depth(image: Any) -> Callable[[Path], None]:
    return lambda folder: cv2.imwrite(str(folder / "kitchen" / "depth.png"), image)


def camera(**change: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "kitchen" / "camera.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    return damage


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no index": (lambda f: (f / "benchmark.json").unlink(), "benchmark.json is missing"),
    "no json": (lambda f: (f / "benchmark.json").write_text("{"), "no JSON"),
    "version": (index(lambda c: c.update(version=2)), "version is 2; allowed: 1"),
    "no scenes": (index(lambda c: c.update(scenes=[])), "at least one scene"),
    "scene twice": (index(lambda c: c["scenes"].append(c["scenes"][0])), "scene id 'kitchen' is given twice"),
    "object twice": (
        index(lambda c: c["scenes"][0]["objects"][1].update(id="red_box")), "object id 'red_box' is given twice",
    ),
    "caption twice": (
        index(lambda c: c["scenes"][0]["objects"][1].update(caption="Red box")), "caption 'red box' is given twice",
    ),
    "empty caption": (index(lambda c: c["scenes"][0]["objects"][0].update(caption=" ")), "1 to 200 characters"),
    "id that leads out": (index(lambda c: c["scenes"][0].update(id="../x")), "must be 1 to 64 of"),
    "no objects": (index(lambda c: c["scenes"][0].update(objects=[])), "has no objects"),
    "no image": (lambda f: (f / "kitchen" / "rgb.png").unlink(), "0 images; exactly one of rgb.png, rgb.jpg"),
    "image of another size": (
        lambda f: cv2.imwrite(str(f / "kitchen" / "rgb.png"), np.zeros((480, 640, 3), np.uint8)),
        "640x480 px, camera.json says 320x240",
    ),
    "depth of another size": (depth(np.full((480, 640), 900, np.uint16)), "align depth to colour"),
    "depth of 8 bits": (depth(np.full((240, 320), 90, np.uint8)), "16 bits"),
    "depth of nothing": (depth(np.zeros((240, 320), np.uint16)), "known in 0%"),
    "depth in tenths": (depth(np.full((240, 320), 9000, np.uint16)), "unit: millimetres"),
    "focal length": (camera(fx_px=0.0), "describes no camera"),
    "no cloud": (lambda f: (f / "kitchen" / "red_box.ply").unlink(), "red_box: 0 point clouds; exactly one"),
    "two clouds": (
        lambda f: (f / "kitchen" / "red_box.npy").write_bytes(b""), "red_box: 2 point clouds; exactly one",
    ),
    "few points": (points(lambda p: p[:5]), "has 5 points; 20 to"),
    "not finite": (points(lambda p: p * np.nan), "not finite"),
    "behind the camera": (points(lambda p: p * [1, 1, -1]), "in front of the camera"),
    "millimetres": (points(lambda p: p * 1000), "extends over"),
    "out of the image": (points(lambda p: p + [2.0, 0, 0]), "projects into the image with 0%"),
    "another frame": (points(lambda p: p - [-0.18, 0.1, 0.4]), "off the depth image"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_folder_is_refused_with_what_is_allowed(folder: Path, fault: str) -> None:
    damage, said = FAULTS[fault]
    damage(folder)
    with pytest.raises(GraspFolderError, match="cannot be used") as told:
        check_folder(folder)
    assert said in str(told.value)


def test_an_index_is_read_without_its_images(folder: Path) -> None:
    (folder / "desk" / "rgb.png").unlink()
    assert read_index(folder).entries[1].captions == (("red_box", "red box"),)
