"""A whole run: what is stored, what goes on, what is refused, and what its report and sheet say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitra_policy.image import load_image
from vitra_training.benchmarks.grasp.contact_sheet import draw_fingers, write_sheets
from vitra_training.benchmarks.grasp.metric import chunk_distance_m, path_of
from vitra_training.benchmarks.grasp.outcome import Outcome
from vitra_training.benchmarks.grasp.predictions import PredictionError, PredictionStore
from vitra_training.benchmarks.grasp.report import make_report, write_report
from vitra_training.benchmarks.grasp.rows import INITIAL, ORACLE, go_straight, parse_policy
from vitra_training.benchmarks.grasp.run import GraspRunError, read_run, run
from vitra_training.benchmarks.grasp.start import StartOptions

Quiet = Callable[..., None]
HALFWAY = [parse_policy("halfway")]


def test_a_run_orders_its_rows_and_goes_on_where_it_was(
    folder: Path, tmp_path: Path, halfway: object, quiet: Quiet
) -> None:
    out = tmp_path / "out"
    halfway.fail_after = 3  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        run(folder, out, HALFWAY, StartOptions(), quiet)
    assert halfway.closed == 1  # type: ignore[attr-defined]
    rendered = {path: path.stat().st_mtime_ns for path in out.rglob("starts/**/*.png")}
    assert len(rendered) == 4

    halfway.fail_after = 1000  # type: ignore[attr-defined]
    seen: list[tuple[str, int, int]] = []
    outcome = run(folder, out, HALFWAY, StartOptions(), lambda *what: seen.append(what))
    assert len(halfway.seen) == 7  # four objects, of which three have another caption; none asked twice
    assert ("halfway", 3, 7) in seen
    assert ("halfway", 7, 7) in seen
    assert rendered == {path: path.stat().st_mtime_ns for path in out.rglob("starts/**/*.png")}

    run(folder, out, HALFWAY, StartOptions(), quiet)
    assert (len(halfway.seen), halfway.warmed) == (7, 2)  # type: ignore[attr-defined]
    check_distances(outcome)
    check_images(outcome, halfway)
    check_shuffled(outcome, halfway, out)
    check_report(outcome, out)
    check_sheet(outcome, out)
    check_refusals(folder, out, quiet)
    check_new_capture(folder, out, halfway, quiet)


def check_distances(outcome: Outcome) -> None:
    found = outcome.distances_cm
    np.testing.assert_allclose(found[INITIAL], 20.0, atol=1e-4)
    np.testing.assert_allclose(found[ORACLE], 0.0, atol=1e-4)
    assert (found[ORACLE] <= found["halfway"]).all()
    assert (found["halfway"] < found[INITIAL] - 3).all()
    shuffled = found["halfway, shuffled captions"]
    assert np.isfinite(shuffled).tolist() == [case.other_caption is not None for case in outcome.cases]
    assert outcome.chunks["halfway"] == (8, 1 / 30)


def check_images(outcome: Outcome, halfway: object) -> None:
    """What a policy saw is the stored image, which has a hand in it."""
    for case, observation in zip(outcome.cases, halfway.seen, strict=False):  # type: ignore[attr-defined]
        np.testing.assert_array_equal(observation.image, load_image(case.image))
        assert observation.instruction == f"Left hand: None. Right hand: Pick up the {case.caption}."


def check_shuffled(outcome: Outcome, halfway: object, out: Path) -> None:
    """Another object is asked for, and the distance is still to the right one."""
    row = outcome.rows[2]
    told = [observation.instruction for observation in halfway.seen[4:]]  # type: ignore[attr-defined]
    for number, case in enumerate(outcome.cases[:3]):
        assert case.other_caption not in (None, case.caption)
        assert told[number] == f"Left hand: None. Right hand: Pick up the {case.other_caption}."
        prediction = PredictionStore(out / "predictions").read(row, case)
        assert prediction is not None
        path = path_of(prediction.actions, case.start.state, case.start.side)
        expected_cm = 100 * chunk_distance_m(path, case.points_m)
        assert outcome.distances_cm[row.name][number] == pytest.approx(expected_cm)


def check_report(outcome: Outcome, out: Path) -> None:
    report = write_report(outcome, out, "vitra-bench grasp x", "2026-11-29")
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(report))
    rows = {row["row"]: row for row in report["rows"]}
    assert rows["halfway"]["scenes"]["kitchen"]["objects"] == 3
    assert rows["halfway"]["all"]["average_cm"] == pytest.approx(outcome.distances_cm["halfway"].mean())
    assert "desk" not in rows["halfway, shuffled captions"]["scenes"]
    apart = {d["minus"]: d for d in report["differences"]}
    assert set(apart) == {INITIAL, "halfway, shuffled captions"}
    assert apart[INITIAL]["interval_cm"][1] < 0
    text = (out / "report.md").read_text()
    assert "| row | objects | average | median |" in text
    assert "| initial position | 4 | 20.0 [20.0, 20.0] | 20.0 [20.0, 20.0] |" in text
    assert "`vitra-bench grasp x`" in text
    assert "- halfway: `halfway` (no options); 8 steps of 33 ms" in text
    assert make_report(outcome)["objects"][3]["distances_cm"]["halfway, shuffled captions"] is None


def check_sheet(outcome: Outcome, out: Path) -> None:
    (sheet,) = write_sheets(outcome, out)
    height, width, _ = cv2.imread(str(sheet)).shape
    assert (height, width) == (2 * 262, 3 * 320)
    case = outcome.cases[0]
    image = load_image(case.image)
    drawn = draw_fingers(image, case, path_of(go_straight(case), case.start.state, case.start.side))
    assert (drawn != image).any(axis=-1).sum() > 200


def check_new_capture(folder: Path, out: Path, halfway: object, quiet: Quiet) -> None:
    """Another image under the same name is rendered and asked for anew; the rest stays."""
    path = folder / "desk" / "rgb.png"
    cv2.imwrite(str(path), cv2.imread(str(path)) // 2)
    before = len(halfway.seen)  # type: ignore[attr-defined]
    outcome = run(folder, out, HALFWAY, StartOptions(), quiet)
    assert len(halfway.seen) == before + 1  # type: ignore[attr-defined]
    assert load_image(outcome.cases[3].image).mean() < 60


def check_refusals(folder: Path, out: Path, quiet: Quiet) -> None:
    with pytest.raises(GraspRunError, match=r"holds results of .*distance_m=0\.2.* another --out"):
        run(folder, out, HALFWAY, StartOptions(0.1), quiet)
    with pytest.raises(GraspRunError, match=r"--distance-m is 0; 0\.02 to 1\.0 m allowed"):
        run(folder, out, HALFWAY, StartOptions(0.0), quiet)
    assert read_run(out) == (folder.resolve(), StartOptions())
    with pytest.raises(GraspRunError, match="holds no results"):
        read_run(folder)
    whole = (out / "run.json").read_text()
    (out / "run.json").write_text(whole[:20])
    with pytest.raises(GraspRunError, match="holds no results"):
        run(folder, out, HALFWAY, StartOptions(), quiet)
    (out / "run.json").write_text(whole)


def test_a_policy_that_moves_the_other_hand_is_named(
    folder: Path, tmp_path: Path, halfway: object, quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitra_training.benchmarks.grasp import run as module

    monkeypatch.setattr(module, "_render", lambda scene, case, renderers: _blank(case.image))
    infer = halfway.infer  # type: ignore[attr-defined]

    def wrong(observation: object) -> object:
        chunk = infer(observation)
        return type(chunk)(chunk.actions[:, ::-1], np.array([True, False]), chunk.step_s, "halfway")

    halfway.infer = wrong  # type: ignore[attr-defined]
    with pytest.raises(PredictionError, match=r"'halfway' moves no right hand \(scene kitchen, object red_box\)"):
        run(folder, tmp_path / "out", HALFWAY, StartOptions(), quiet)


def _blank(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((240, 320, 3), np.uint8))
