"""A calibration finds the truth, and refuses samples and results that cannot be believed."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_calibration import history
from vitra_calibration.board import Board, Detection
from vitra_calibration.cli_node import main
from vitra_calibration.collector import Collector
from vitra_calibration.errors import (
    ImplausibleError,
    InaccurateError,
    InvertedError,
    SessionError,
    TooFewSamplesError,
    TooLittleRotationError,
)
from vitra_calibration.evaluation import outcome
from vitra_calibration.hand_eye import SOLVERS
from vitra_calibration.intrinsics import solve_lens
from vitra_calibration.overlay import ArmOverlay
from vitra_calibration.poses import nominal_ee_from_board, shows
from vitra_calibration.refine import Lens, Mounting, camera_from_board
from vitra_calibration.sample import Sample, load_session
from vitra_calibration.simulate import Truth, as_if_on, paint, simulate
from vitra_calibration.solve import Solution, solve
from vitra_description.calibration import calibration_path, default_calibration, load_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home, mirror
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec, rotation_angle

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return simulate(7, poses=20)


def poses_of(truth: Truth) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Exact poses of flange and board."""
    arm = ArmModel()
    B = [arm.fk(sample.joints_rad["right"]) for sample in truth.session.samples]
    X, Y = truth.mounting.arm_base_from_camera, truth.mounting.ee_from_board
    return B, [np.asarray(invert_pose(X) @ b @ Y) for b in B]


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_is_exact_on_exact_poses(truth: Truth, name: str) -> None:
    X = SOLVERS[name](*poses_of(truth))
    assert np.abs(X - truth.mounting.arm_base_from_camera).max() < 1e-7


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_camera_is_found_to_a_millimetre_and_a_tenth_of_a_degree(side: str) -> None:
    for seed in (1, 2):
        made = simulate(seed, side=side, poses=16)
        found = outcome(seed, made, solve(made.session))
        assert found.error_mm < 1.0, found
        assert found.error_deg < 0.1, found
        assert found.kept_out_px < 0.6, found


def test_the_camera_is_found_from_images_of_the_board() -> None:
    made = simulate(4, poses=14, images=True)
    found = outcome(4, made, solve(made.session))
    assert found.error_mm < 1.0, found
    assert found.error_deg < 0.1, found


def test_too_few_samples_are_refused(truth: Truth) -> None:
    with pytest.raises(TooFewSamplesError, match="needed 12"):
        solve(replace(truth.session, samples=truth.session.samples[:8]))


def test_rotation_about_one_axis_is_refused(truth: Truth) -> None:
    """Only the wrist's last joint turns: the board spins in its plane."""
    arm, lens = ArmModel(), Lens(truth.session.camera_matrix, np.zeros(5))
    samples = []
    for angle in np.linspace(-0.6, 0.6, 14):
        q = truth.session.samples[0].joints_rad["right"] + np.array([0, 0, 0, 0, 0, 0, angle])
        pose = invert_pose(truth.mounting.arm_base_from_camera) @ arm.fk(q) @ truth.mounting.ee_from_board
        points = truth.session.board.corners_m @ pose[:3, :3].T + pose[:3, 3]
        samples.append(Sample({"right": q}, Detection(np.arange(len(points)), lens.project(points))))
    with pytest.raises(TooLittleRotationError, match="second axis"):
        solve(replace(truth.session, samples=tuple(samples)))


def test_a_board_on_the_other_arm_is_noticed_while_this_one_stands_still(truth: Truth) -> None:
    with pytest.raises(InvertedError, match="other arm"):
        solve(as_if_on(truth.session, "left"))


def test_joints_of_swapped_arms_are_noticed_while_both_move(truth: Truth) -> None:
    random = np.random.default_rng(0)
    samples = tuple(
        Sample({"left": s.joints_rad["right"], "right": home("right") + random.uniform(-0.6, 0.6, 7)}, s.detection)
        for s in truth.session.samples
    )
    with pytest.raises(InvertedError, match="the board is on the left arm"):
        solve(replace(truth.session, samples=samples))


@pytest.mark.parametrize("inverted", ["arm", "board"])
def test_inverted_poses_are_named(truth: Truth, inverted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when forward kinematics or the board's pose are written down the wrong way round."""
    if inverted == "arm":
        right_way = ArmModel.fk
        monkeypatch.setattr(ArmModel, "fk", lambda self, q: np.asarray(invert_pose(right_way(self, q))))
    else:
        monkeypatch.setattr(
            "vitra_calibration.solve.camera_from_board",
            lambda *given: np.asarray(invert_pose(camera_from_board(*given))),
        )
    with pytest.raises(InvertedError, match="one kind of pose is inverted"):
        solve(truth.session)


def test_a_board_that_slips_is_inaccurate(truth: Truth) -> None:
    samples = [
        replace(s, detection=replace(s.detection, corners_px=s.detection.corners_px + (9.0 if i % 2 else 0.0)))
        for i, s in enumerate(truth.session.samples)
    ]
    with pytest.raises(InaccurateError, match="kept out"):
        solve(replace(truth.session, samples=tuple(samples)))


def test_the_lens_is_found_and_images_of_one_place_are_refused() -> None:
    board, lens = Board(), Lens(np.array([[390.0, 0, 318.0], [0, 388.0, 243.0], [0, 0, 1.0]]), np.zeros(5))
    random, detections = np.random.default_rng(3), []
    while len(detections) < 24:
        turn = random.uniform(-0.6, 0.6, 3)
        pose = make_pose(random.uniform([-0.25, -0.2, 0.3], [0.15, 0.12, 0.6]), matrix_from_rotvec(turn))
        if shows(pose, board, lens, (640, 480)):
            corners = lens.project(board.corners_m @ pose[:3, :3].T + pose[:3, 3])
            detections.append(Detection(np.arange(len(corners)), corners + random.normal(0, 0.2, corners.shape)))
    found = solve_lens(detections, board, (640, 480))
    assert np.abs(found.lens.camera_matrix - lens.camera_matrix).max() < 3.0
    assert found.kept_out_px < 0.5
    with pytest.raises(TooLittleRotationError):
        solve_lens(detections[:1] * 12, board, (640, 480))


def test_a_painted_board_is_found_where_it_is() -> None:
    camera, board = default_calibration().head_camera, Board()
    lens = Lens(camera.matrix, np.zeros(5))
    pose = make_pose([-0.1, -0.07, 0.55], matrix_from_rotvec([0.3, -0.2, 0.1]))
    detection = board.detect(paint(pose, board, lens, (640, 480), np.random.default_rng(0)))
    assert detection is not None
    expected = lens.project(board.corners_m[detection.ids] @ pose[:3, :3].T + pose[:3, 3])
    assert len(detection.ids) == 24
    assert np.abs(detection.corners_px - expected).max() < 0.6
    assert np.abs((detection.corners_px - expected).mean(axis=0)).max() < 0.1
    assert board.detect(np.full((480, 640), 90, np.uint8)) is None


def test_a_sample_is_taken_when_arm_and_image_rest_in_a_new_pose() -> None:
    board = Board()
    lens = Lens(default_calibration().head_camera.matrix, np.zeros(5))
    pose = make_pose([-0.09, -0.07, 0.5], np.eye(3))
    image = paint(pose, board, lens, (640, 480), np.random.default_rng(0))
    collector, q = Collector("right", board, 1), home("right")
    assert "no joints" in collector.offer({}, image, 0.0)
    assert collector.offer({"right": q}, image, 0.0) == "the arm moves"
    assert collector.offer({"right": q}, image, 0.3) == "hold still"
    assert "still moves" in collector.offer({"right": q}, image, 0.7)
    assert "1 of 1 taken" in collector.offer({"right": q}, image, 0.8)
    assert collector.is_complete
    collector.offer({"right": q + 0.01}, image, 1.0)
    assert "next pose" in collector.offer({"right": q + 0.01}, image, 2.0)


def test_a_session_is_read_as_it_was_written(truth: Truth, tmp_path: Path) -> None:
    truth.session.save(tmp_path)
    read = load_session(tmp_path)
    assert (read.side, read.board, read.size_px) == (truth.session.side, truth.session.board, truth.session.size_px)
    assert np.array_equal(read.samples[3].detection.corners_px, truth.session.samples[3].detection.corners_px)
    with pytest.raises(SessionError, match="vitra-calibrate collect"):
        load_session(tmp_path / "none")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(calibration_path("sim").read_text().replace("robot: sim", "robot: real"))
    return path


@pytest.fixture(scope="module")
def solution(truth: Truth) -> Solution:
    return solve(truth.session)


def test_every_version_is_kept_with_what_was_measured(file: Path, solution: Solution, truth: Truth) -> None:
    before = load_calibration(file)
    history.apply(file, [solution], hand_serials={"right": "R7"}, now=NOW)
    history.apply(file, [solution], hand_serials={}, now=NOW + datetime.timedelta(hours=1))
    versions = history.history(file)
    assert [version.sha256 for version in versions][0] == before.sha256
    assert len(versions) == 3
    assert versions[-1].report["arms"]["right"]["samples"] == solution.samples
    after = load_calibration(file)
    assert after.sha256 == versions[-1].sha256
    assert after.hardware.right_hand_serial == "R7"
    camera = after.right.base_from_arm_base @ truth.mounting.arm_base_from_camera
    assert np.linalg.norm((invert_pose(after.base_from_head_camera) @ camera)[:3, 3]) < 1e-3


def test_the_second_arm_is_placed_by_the_camera(file: Path, solution: Solution) -> None:
    """The left arm's truth is 10 mm from nominal in this file."""
    left = default_calibration().left.base_from_arm_base.copy()
    left[0, 3] += 0.01
    camera = default_calibration().right.base_from_arm_base @ solution.mounting.arm_base_from_camera
    other = replace(solution, side="left", mounting=Mounting(np.asarray(invert_pose(left) @ camera), np.eye(4)))
    history.apply(file, [solution, other], hand_serials={}, now=NOW)
    after = load_calibration(file)
    assert np.abs(after.left.base_from_arm_base - left).max() < 2e-6
    assert np.array_equal(after.right.base_from_arm_base, default_calibration().right.base_from_arm_base)


@pytest.mark.parametrize("mistake", ["inverted", "other arm's base"])
def test_a_result_that_is_inverted_or_swapped_is_refused(file: Path, solution: Solution, mistake: str) -> None:
    X = solution.mounting.arm_base_from_camera
    wrong = replace(solution, mounting=replace(solution.mounting, arm_base_from_camera=np.asarray(invert_pose(X))))
    wrong = wrong if mistake == "inverted" else replace(solution, side="left")
    text = file.read_text()
    with pytest.raises(ImplausibleError, match="inverted or the sides are swapped"):
        history.apply(file, [wrong], hand_serials={}, now=NOW)
    if mistake == "inverted":
        with pytest.raises(ImplausibleError, match="refused"):
            history.apply(file, [wrong], hand_serials={}, accept_move=True, now=NOW)
    assert file.read_text() == text


def test_the_model_is_drawn_where_the_arm_is(truth: Truth) -> None:
    calibration = default_calibration()
    overlay = ArmOverlay(calibration, Lens(calibration.head_camera.matrix, np.zeros(5)))
    q = home("right")
    _, axes = overlay.pixels("right", q)
    mount = calibration.right.base_from_arm_base @ ArmModel("6f", calibration.right).wrist_pose(q)
    seen = calibration.head_camera.matrix @ (invert_pose(calibration.base_from_head_camera) @ mount)[:3, 3]
    assert np.abs(axes[0] - seen[:2] / seen[2]).max() < 1e-6
    image = np.zeros((480, 640, 3), np.uint8)
    assert overlay.draw(image, {"right": q, "left": mirror(q)}).any()
    assert not image.any()


def test_the_commands_do_what_they_say(
    file: Path, truth: Truth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth.session.save(tmp_path / "right")
    assert main(["solve", str(tmp_path / "right"), "--calibration", str(file)]) == 0
    assert main(["history", str(file)]) == 0
    assert main(["board", "--out", str(tmp_path / "board.png")]) == 0
    assert main(["poses", "--count", "3"]) == 0
    assert main(["simulate", "--seeds", "1", "--out", str(tmp_path / "errors.json")]) == 0
    assert main(["simulate", "--seeds", "1", "--noise-px", "0.5", "--most-mm", "0.001"]) == 1
    assert main(["solve", str(tmp_path / "none"), "--calibration", str(file)]) == 1
    said = capsys.readouterr()
    assert "kept-out error" in said.out
    assert "vitra-calibrate collect" in said.err


def test_the_nominal_board_shows_its_face_to_the_camera_at_home() -> None:
    calibration = default_calibration()
    for side in ("left", "right"):
        arm_base = invert_pose(calibration.base_from_head_camera) @ calibration.side(side).base_from_arm_base
        pose = arm_base @ ArmModel().fk(home(side)) @ nominal_ee_from_board(Board())
        assert pose[:3, 2] @ pose[:3, 3] > 0
        assert rotation_angle(pose[:3, :3]) >= 0


def test_samples_without_this_arms_joints_do_not_count(truth: Truth) -> None:
    samples = tuple(Sample({"left": home("left")}, s.detection) for s in truth.session.samples)
    with pytest.raises(TooFewSamplesError):
        solve(replace(truth.session, samples=samples))
