"""The best and the worst of a row on one sheet: the image that the policy saw with the predicted finger paths in it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.hand.skeleton import KEYPOINTS
from vitra_policy.image import load_image
from vitra_policy.overlay import HandPath, draw_overlay, project
from vitra_training.benchmarks.grasp.metric import path_of
from vitra_training.benchmarks.grasp.outcome import Outcome
from vitra_training.benchmarks.grasp.predictions import PredictionStore
from vitra_training.benchmarks.grasp.rows import Case, Row

Image = NDArray[np.uint8]

EACH = 6
_TILE_PX = (320, 240)
_TITLE_PX = 22
_COLUMNS = 3
_TIPS = tuple(number for number, name in enumerate(KEYPOINTS) if name.endswith("_4"))
_OBJECT, _FIRST, _LAST = (90, 235, 120), np.array([255, 214, 92]), np.array([232, 52, 32])


def write_sheets(outcome: Outcome, out: Path) -> list[Path]:
    """`contact_sheet_ROW.jpg` of every policy, or of the oracle where no policy ran."""
    policies = [row for row in outcome.rows if row.policy and not row.shuffled] or [outcome.rows[-1]]
    store = PredictionStore(out / "predictions")
    written = []
    for row in policies:
        path = out / f"contact_sheet_{row.folder}.jpg"
        cv2.imwrite(str(path), cv2.cvtColor(make_sheet(row, outcome, store), cv2.COLOR_RGB2BGR))
        written.append(path)
    return written


def make_sheet(row: Row, outcome: Outcome, store: PredictionStore) -> Image:
    """The best of a row in the upper half, its worst in the lower half, nearest first in both.

    Args:
        row: Whose.
        outcome: Of the run.
        store: Its predictions.
    """
    distances = outcome.distances_cm[row.name]
    order = np.argsort(distances)
    tiles = [_tile(row, outcome.cases[n], float(distances[n]), store) for n in (*order[:EACH], *order[EACH:][-EACH:])]
    blank = np.full((_TILE_PX[1] + _TITLE_PX, _TILE_PX[0], 3), 255, dtype=np.uint8)
    tiles += [blank] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(tiles[n : n + _COLUMNS]) for n in range(0, len(tiles), _COLUMNS)])


def draw_fingers(image: Image, case: Case, path: HandPath) -> Image:
    """A copy of an image (H, W, 3) with the object's points, the hand's first and last pose and every fingertip's path.

    Args:
        image: With the hand in it.
        case: Object and camera.
        path: Predicted.
    """
    K = case.camera.matrix
    drawn = image.copy()
    for x, y in project(case.points_m[:: max(len(case.points_m) // 300, 1)], K).astype(int):
        cv2.circle(drawn, (int(x), int(y)), 1, _OBJECT, -1)
    drawn = draw_overlay(drawn, K, (path,), skeletons=2).copy()
    tips = project(path.keypoints_m[:, _TIPS], K)
    for step in range(1, len(tips)):
        share = step / (len(tips) - 1)
        colour = tuple(int(c) for c in _FIRST + share * (_LAST - _FIRST))
        for a, b in zip(tips[step - 1], tips[step], strict=True):
            if np.isfinite([a, b]).all() and np.abs([a, b]).max() < 1e4:
                cv2.line(drawn, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), colour, 2, cv2.LINE_AA)
    return drawn


def _tile(row: Row, case: Case, distance_cm: float, store: PredictionStore) -> Image:
    prediction = store.read(row, case)
    assert prediction is not None
    path = path_of(prediction.actions, case.start.state, case.start.side)
    small = cv2.resize(draw_fingers(load_image(case.image), case, path), _TILE_PX, interpolation=cv2.INTER_AREA)
    title = np.full((_TITLE_PX, _TILE_PX[0], 3), 255, dtype=np.uint8)
    words = f"{distance_cm:.1f} cm  {case.caption} ({case.scene})"[:52]
    cv2.putText(title, words, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (20, 20, 20), 1, cv2.LINE_AA)
    return np.vstack([title, np.asarray(small, dtype=np.uint8)])
