"""Reading, checking and writing a folder of the benchmark: `docs/grasp_benchmark.md` tells what lies where.

A reader collects everything that is wrong, so that a folder of captures is mended in one go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.errors import VitraError
from vitra_policy.image import ImageError, load_image
from vitra_training.benchmarks.grasp.checks import depth_findings, point_findings
from vitra_training.benchmarks.grasp.ply import SUFFIXES, PointCloudError, read_points, write_ply
from vitra_training.benchmarks.grasp.scene import (
    CAMERA,
    DEPTH,
    IMAGES,
    INDEX,
    VERSION,
    Benchmark,
    GraspObject,
    Scene,
    SceneEntry,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_CAPTION = 200
_SHOWN = 20
_NEXT = "Format: docs/grasp_benchmark.md. Check again: vitra-bench grasp-check"


class GraspFolderError(VitraError):
    """A folder that is no benchmark; the message names every scene and file, and what is allowed."""

    def __init__(self, root: Path, findings: list[str]) -> None:
        more = f"\n  and {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
        shown = "".join(f"\n  {one}" for one in findings[:_SHOWN])
        super().__init__(f"{root} cannot be used:{shown}{more}\n{_NEXT} {root}")


def read_index(root: Path) -> Benchmark:
    """The scenes that a folder names, without their images.

    Raises:
        GraspFolderError: no index, another version, ids that are none or given twice, captions that are empty.
    """
    path = root / INDEX
    if not path.is_file():
        raise GraspFolderError(root, [f"{INDEX} is missing; make scenes: vitra-bench grasp-generate {root}"])
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise GraspFolderError(root, [f"{INDEX} is no JSON: {error}"]) from error
    findings: list[str] = []
    entries: list[SceneEntry] = []
    if not isinstance(index, dict) or index.get("version") != VERSION:
        got = index.get("version") if isinstance(index, dict) else index
        raise GraspFolderError(root, [f"{INDEX}: version is {got!r}; allowed: {VERSION}"])
    scenes = index.get("scenes")
    if not isinstance(scenes, list) or not scenes:
        raise GraspFolderError(root, [f"{INDEX}: 'scenes' must be a list with at least one scene"])
    for number, scene in enumerate(scenes):
        try:
            entries.append(_entry(scene))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            findings.append(f"{INDEX}, scene {number}: {error.args[0]}")
    findings += [f"{INDEX}: scene id '{name}' is given twice" for name in _twice([e.name for e in entries])]
    if findings:
        raise GraspFolderError(root, findings)
    return Benchmark(root, tuple(entries))


def read_scene(root: Path, entry: SceneEntry) -> Scene:
    """A scene with its images and point clouds.

    Raises:
        GraspFolderError: files that are missing, damaged, or do not belong together.
    """
    findings: list[str] = []
    scene = _read(root / entry.name, entry, findings)
    if findings or scene is None:
        raise GraspFolderError(root, [f"scene {entry.name}: {one}" for one in findings])
    return scene


def check_folder(root: Path, progress: Callable[[int, int], None] | None = None) -> Benchmark:
    """Read everything once.

    Raises:
        GraspFolderError: with the findings of all scenes.
    """
    benchmark = read_index(root)
    found: list[str] = []
    for number, entry in enumerate(benchmark.entries):
        findings: list[str] = []
        _read(root / entry.name, entry, findings)
        found += [f"scene {entry.name}: {one}" for one in findings]
        if progress:
            progress(number + 1, len(benchmark.entries))
    if found:
        raise GraspFolderError(root, found)
    return benchmark


def write_scene(root: Path, scene: Scene) -> None:
    """Write one scene's files; `write_index` names it afterwards."""
    folder = root / scene.name
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / IMAGES[0]), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(folder / DEPTH), scene.depth_mm)
    (folder / CAMERA).write_text(json.dumps(asdict(scene.camera), indent=1) + "\n")
    for thing in scene.objects:
        write_ply(folder / f"{thing.name}.ply", thing.points_m)


def write_index(root: Path, entries: list[SceneEntry]) -> None:
    """Write the index last, so that a folder with an index is whole."""
    scenes = [
        {"id": e.name, "group": e.group, "objects": [{"id": name, "caption": words} for name, words in e.captions]}
        for e in entries
    ]
    (root / INDEX).write_text(json.dumps({"version": VERSION, "scenes": scenes}, indent=1) + "\n", encoding="utf-8")


def entry_of(scene: Scene) -> SceneEntry:
    """How the index names a scene."""
    return SceneEntry(scene.name, scene.group, tuple((one.name, one.caption) for one in scene.objects))


def _entry(scene: dict[str, Any]) -> SceneEntry:
    name, group = _name(scene["id"]), _name(scene.get("group", "all"))
    captions = []
    for thing in scene["objects"]:
        caption = thing["caption"]
        if not isinstance(caption, str) or not caption.strip() or len(caption) > _MOST_CAPTION:
            raise ValueError(f"'{name}', object '{thing['id']}': caption must have 1 to {_MOST_CAPTION} characters")
        captions.append((_name(thing["id"]), caption.strip()))
    if not captions:
        raise ValueError(f"'{name}' has no objects; at least one")
    for what, values in (("object id", [one for one, _ in captions]), ("caption", [w.lower() for _, w in captions])):
        for value in _twice(values):
            raise ValueError(f"'{name}': {what} '{value}' is given twice; nobody could tell which is meant")
    return SceneEntry(name, group, tuple(captions))


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"id {value!r} must be 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def _twice(values: list[str]) -> list[str]:
    return sorted({value for value in values if values.count(value) > 1})


def _read(folder: Path, entry: SceneEntry, findings: list[str]) -> Scene | None:
    camera = _camera(folder / CAMERA, findings)
    image = _image(folder, findings)
    depth = _depth(folder / DEPTH, findings)
    if camera is None or image is None or depth is None:
        return None
    if image.shape[:2] != (camera.height_px, camera.width_px):
        findings.append(
            f"the image has {image.shape[1]}x{image.shape[0]} px, {CAMERA} says {camera.width_px}x{camera.height_px}; "
            "they must be equal"
        )
    wrong = [f"{DEPTH} {one}" for one in depth_findings(depth, camera)]
    findings += wrong
    if wrong:
        return None
    objects = []
    for name, caption in entry.captions:
        found = [folder / f"{name}{suffix}" for suffix in SUFFIXES if (folder / f"{name}{suffix}").is_file()]
        if len(found) != 1:
            findings.append(f"{name}: {len(found)} point clouds; exactly one of {name}.ply, {name}.npy")
            continue
        try:
            points = read_points(found[0])
        except PointCloudError as error:
            findings.append(f"{found[0].name} {error}")
            continue
        findings += [f"{found[0].name} {one}" for one in point_findings(points, depth, camera)]
        objects.append(GraspObject(name, caption, points))
    return Scene(entry.name, entry.group, image, depth, camera, tuple(objects))


def _camera(path: Path, findings: list[str]) -> CameraIntrinsics | None:
    wanted = [one.name for one in fields(CameraIntrinsics)]
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        sizes, lens = (int(said[k]) for k in wanted[:2]), (float(said[k]) for k in wanted[2:])
        camera = CameraIntrinsics(*sizes, *lens)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        findings.append(f"{CAMERA} cannot be read ({type(error).__name__}: {error}); it must have {', '.join(wanted)}")
        return None
    focal, width = min(camera.fx_px, camera.fy_px), max(camera.width_px, 1)
    inside = 0 < camera.cx_px < camera.width_px and 0 < camera.cy_px < camera.height_px
    if not (np.isfinite(camera.matrix).all() and 0.2 * width < focal < 5 * width and inside):
        findings.append(f"{CAMERA} describes no camera: focal lengths of 0.2 to 5 widths, a centre inside the image")
        return None
    return camera


def _image(folder: Path, findings: list[str]) -> NDArray[np.uint8] | None:
    found = [folder / name for name in IMAGES if (folder / name).is_file()]
    if len(found) != 1:
        findings.append(f"{len(found)} images; exactly one of {', '.join(IMAGES)}")
        return None
    try:
        return load_image(found[0])
    except ImageError as error:
        findings.append(str(error))
        return None


def _depth(path: Path, findings: list[str]) -> NDArray[Any] | None:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if image is None:
        findings.append(f"{DEPTH} is missing or no image; a PNG of 16 bits")
        return None
    return np.asarray(image)
