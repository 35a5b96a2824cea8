"""Videos of predicted hands for `vitra-study`: one folder per row, the same items in each, and their instructions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vitra_policy.action_space import FINGERS, HAND
from vitra_policy.errors import VitraError
from vitra_training.benchmarks.grasp.folder import read_index, read_scene
from vitra_training.benchmarks.grasp.hand_image import HandRenderer, HandRenderers
from vitra_training.benchmarks.grasp.metric import path_of
from vitra_training.benchmarks.grasp.options import StudyOptions
from vitra_training.benchmarks.grasp.predictions import Prediction, PredictionStore
from vitra_training.benchmarks.grasp.rows import Case, Row, instruction_of
from vitra_training.benchmarks.grasp.run import read_run
from vitra_training.benchmarks.grasp.scene import Scene
from vitra_training.datasets.video import VideoWriter

_FPS = 10.0
"""Three times slower than a chunk of 30 Hz: people should see it."""
_HOLD_FRAMES = 8
"""Of the first and the last image."""


class StudyExportError(VitraError):
    """Results that make no study."""


def write_study(
    results: Path, out: Path, cases: list[Case], rows: list[Row], options: StudyOptions,
    progress: Callable[[int, int], None],
) -> int:  # fmt: skip
    """Write `OUT/ROW/SCENE__OBJECT.mp4` and `OUT/items.yaml`; returns the number of items.

    Args:
        results: Folder of a run.
        out: New folder.
        cases: Of the run.
        rows: To show.
        options: How many.
        progress: Called with videos done and to do.

    Raises:
        StudyExportError: no items, fewer than two rows, a row without predictions, or `out` is not empty.
    """
    store = PredictionStore(results / "predictions")
    lacking = [row.name for row in rows if not all(store.read(row, case) for case in cases)]
    if lacking or len(rows) < 2 or options.items < 1:
        raise StudyExportError(
            f"{results} has not all predictions of: {', '.join(lacking) or 'no row'}; a study shows at least two rows "
            "and one item. Run vitra-bench grasp with the same --policy to its end, then the same here."
        )
    if out.exists() and any(out.iterdir()):
        raise StudyExportError(f"{out} is not empty. Give a new folder.")
    drawn = np.random.default_rng(options.seed).permutation(len(cases))[: options.items]
    chosen = [cases[n] for n in sorted(drawn.tolist())]
    root, _ = read_run(results)
    entries = {entry.name: entry for entry in read_index(root).entries}
    with HandRenderers(chosen[0].start.side) as renderers:
        for number, case in enumerate(chosen):
            scene, renderer = read_scene(root, entries[case.scene]), renderers.of(case.camera)
            for place, row in enumerate(rows):
                prediction = store.read(row, case)
                assert prediction is not None
                _video(out / row.folder / f"{_item(case)}.mp4", renderer, scene, case, prediction)
                progress(number * len(rows) + place + 1, len(chosen) * len(rows))
    words = {_item(case): instruction_of(case.start.side, case.caption) for case in chosen}
    lines = [f"{name}: {json.dumps(text, ensure_ascii=False)}" for name, text in words.items()]
    (out / "items.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(chosen)


def _item(case: Case) -> str:
    return f"{case.scene}__{case.name}"


def _video(path: Path, renderer: HandRenderer, scene: Scene, case: Case, prediction: Prediction) -> None:
    """The scene with the hand moving through the chunk."""
    moved = path_of(prediction.actions, case.start.state, case.start.side)
    angles = [case.start.fingers_rad, *prediction.actions[:, HAND[case.start.side]][:, FINGERS]]
    height, width = (side // 2 * 2 for side in scene.image.shape[:2])
    with VideoWriter(path, width, height, _FPS, gop=10) as video:
        last = len(angles) - 1
        for step, (pose, fingers) in enumerate(zip(moved.camera_from_wrist, angles, strict=True)):
            image, _ = renderer.draw(scene, pose, fingers)
            for _ in range(_HOLD_FRAMES if step in (0, last) else 1):
                video.add(np.ascontiguousarray(image[:height, :width]))
