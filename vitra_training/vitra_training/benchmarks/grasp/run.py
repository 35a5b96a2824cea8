"""A run of the benchmark in a folder of its own, which a second call goes on with.

OUT/
run.json  what was asked; another question needs another folder
starts/SCENE/OBJECT-FINGERPRINT.png  the image that policies see, with the hand in it
predictions/ROW/SCENE/OBJECT.npz
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError
from vitra_training.benchmarks.grasp.folder import read_index, read_scene
from vitra_training.benchmarks.grasp.hand_image import HandRenderers
from vitra_training.benchmarks.grasp.metric import chunk_distance_m, path_of
from vitra_training.benchmarks.grasp.outcome import Outcome
from vitra_training.benchmarks.grasp.predictions import PredictionStore, cases_of, predict
from vitra_training.benchmarks.grasp.rows import Case, PolicySpec, Row, rows_of, shuffle_captions
from vitra_training.benchmarks.grasp.scene import Scene, SceneEntry
from vitra_training.benchmarks.grasp.start import Start, StartError, StartOptions, place_hand

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

RUN = "run.json"
DISTANCE_M = (0.02, 1.0)
"""Between hand and object at the start, so that both fit into an image."""


class GraspRunError(VitraError):
    """A folder of results that this question cannot go on with, or nothing to measure."""


def run(root: Path, out: Path, policies: Sequence[PolicySpec], options: StartOptions, progress: Progress) -> Outcome:
    """Place hands, ask policies, measure.

    Args:
        root: Scenes.
        out: Results; what is there already is kept.
        policies: To be compared.
        options: Where hands start.
        progress: Called with what is being done, how much is done and how much there is.

    Raises:
        GraspRunError: `out` answers another question, or no hand could be placed anywhere.
        VitraError: of scenes or policies.
    """
    _claim(root, out, options)
    cases, left_out = prepare(root, out, options, progress)
    rows = rows_of(list(policies))
    store = PredictionStore(out / "predictions")
    for policy in [None, *policies]:
        own = [row for row in rows if row.policy == policy]
        predict(own, cases, store, partial(progress, policy.name if policy else "reference rows"))
    measured = {row.name: _distances_cm(row, cases, store) for row in rows}
    distances = {name: values for name, (values, _) in measured.items()}
    chunks = {name: chunk for name, (_, chunk) in measured.items()}
    return Outcome(root, options, tuple(rows), tuple(cases), tuple(left_out), distances, chunks)


def prepare(root: Path, out: Path, options: StartOptions, progress: Progress) -> tuple[list[Case], list[str]]:
    """Hands near every object, and the images with them; an image that is there already is not rendered again.

    Args:
        root: Scenes.
        out: Results.
        options: Where hands start.
        progress: As in `run`.

    Raises:
        GraspRunError: no hand could be placed anywhere.
    """
    benchmark = read_index(root)
    cases: list[Case] = []
    left_out: list[str] = []
    done = 0
    with HandRenderers(options.side) as renderers:
        for entry in benchmark.entries:
            scene = read_scene(root, entry)
            others = shuffle_captions(list(entry.captions), _rng_of(entry, options))
            for thing in scene.objects:
                try:
                    start = place_hand(scene, thing, options)
                except StartError as error:
                    left_out.append(str(error))
                else:
                    image = out / "starts" / scene.name / f"{thing.name}-{_fingerprint(scene, start):08x}.png"
                    case = Case(
                        scene.name, scene.group, thing.name, thing.caption, others.get(thing.name), thing.points_m,
                        scene.camera, start, image,
                    )  # fmt: skip
                    _render(scene, case, renderers)
                    cases.append(case)
                done += 1
                progress("placing hands", done, benchmark.objects)
    if not cases:
        raise GraspRunError(f"{root}: no hand could be placed near any object. The first: {left_out[0]}")
    return cases, left_out


def read_run(out: Path) -> tuple[Path, StartOptions]:
    """Scenes and start options of a folder of results.

    Raises:
        GraspRunError: it is none.
    """
    try:
        said = json.loads((out / RUN).read_text(encoding="utf-8"))
        start = said["start"]
        return Path(said["scenes"]), StartOptions(float(start["distance_m"]), Side(start["side"]), int(start["seed"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise GraspRunError(f"{out} holds no results ({error}). Make some: vitra-bench grasp DIR --out {out}") from None


def _claim(root: Path, out: Path, options: StartOptions) -> None:
    """Write what is asked into the folder of results, or see that it is the same."""
    if not DISTANCE_M[0] <= options.distance_m <= DISTANCE_M[1]:
        raise GraspRunError(f"--distance-m is {options.distance_m:g}; {DISTANCE_M[0]} to {DISTANCE_M[1]} m allowed.")
    read_index(root)
    path = out / RUN
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        partial_file = path.with_suffix(".partial")
        partial_file.write_text(json.dumps({"scenes": str(root.resolve()), "start": asdict(options)}, indent=1) + "\n")
        os.replace(partial_file, path)
    before = read_run(out)
    if before != (root.resolve(), options):
        raise GraspRunError(
            f"{out} holds results of {before[0]} with {before[1]}. Give another --out, or the same scenes and options."
        )


def _render(scene: Scene, case: Case, renderers: HandRenderers) -> None:
    """Make a case's image, if it is not there."""
    if case.image.is_file():
        return
    start = case.start
    image, _ = renderers.of(scene.camera).draw(scene, start.camera_from_wrist, start.fingers_rad)
    case.image.parent.mkdir(parents=True, exist_ok=True)
    partial = case.image.with_suffix(".partial.png")
    cv2.imwrite(str(partial), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    os.replace(partial, case.image)


def _fingerprint(scene: Scene, start: Start) -> int:
    """Of everything that a rendered image is made of: another capture or hand is another image."""
    total = 0
    for part in (scene.image.tobytes(), scene.depth_mm.tobytes(), repr(scene.camera).encode(), start.state.tobytes()):
        total = zlib.crc32(part, total)
    return total


def _rng_of(entry: SceneEntry, options: StartOptions) -> np.random.Generator:
    return np.random.default_rng([options.seed, zlib.crc32(entry.name.encode())])


def _distances_cm(row: Row, cases: Sequence[Case], store: PredictionStore) -> tuple[Array, tuple[int, float]]:
    """Distances (cases,) of a row, and steps and seconds of a step of its chunks."""
    values, chunk = np.full(len(cases), np.nan), (0, 0.0)
    for number, case in enumerate(cases):
        prediction = store.read(row, case) if case in cases_of(row, [case]) else None
        if prediction is not None:
            path = path_of(prediction.actions, case.start.state, case.start.side)
            values[number] = 100 * chunk_distance_m(path, case.points_m)
            chunk = len(prediction.actions), prediction.step_s
    return values, chunk
