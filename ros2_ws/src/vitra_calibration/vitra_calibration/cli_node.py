"""`vitra-calibrate`: where the head camera is, by a ChArUco board on the hand mount.

    vitra-calibrate board --out board.png              print it at 100 %, glue it to something stiff, measure a square
    vitra-calibrate poses --side right                 postures that show it from many sides
    vitra-calibrate collect --side right --out s/right lead the arm by hand (drag mode); samples take themselves
    vitra-calibrate intrinsics s/right                 the lens, if the camera's own values are not to be trusted
    vitra-calibrate solve s/right s/left --calibration lab.yaml     solve, check, write a new version
    vitra-calibrate overlay --calibration lab.yaml     the arms' model on the live image, to look at
    vitra-calibrate history lab.yaml                   all versions with their errors
    vitra-calibrate simulate --seeds 20                how well this works where the truth is known

Exit codes: 0 done, 1 refused (the message says why and what to do), 130 Ctrl-C.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from vitra_calibration import history
from vitra_calibration.board import Board
from vitra_calibration.camera_client_node import CameraClient
from vitra_calibration.collector import Collector
from vitra_calibration.errors import InaccurateError, SessionError
from vitra_calibration.evaluation import Outcome, outcome
from vitra_calibration.intrinsics import solve_lens
from vitra_calibration.overlay import ArmOverlay
from vitra_calibration.poses import View, guided_poses
from vitra_calibration.refine import Lens
from vitra_calibration.sample import CalibrationSession, load_session
from vitra_calibration.simulate import simulate
from vitra_calibration.solve import solve
from vitra_description.calibration import calibration_path, load_calibration
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError
from vitra_runtime.domain import domain_id

_WAIT_S = 10.0
screen = Console(highlight=False)


@dataclass(frozen=True)
class MakeBoard:
    """The board for the printer."""

    out: Path = Path("board.png")
    """PNG file at 300 dots per inch: print at 100 %."""
    board: Board = field(default_factory=Board)


@dataclass(frozen=True)
class Poses:
    """Postures that show the board to the camera from many sides, clear of table and body."""

    side: Literal["left", "right"] = "right"
    """Arm that carries the board."""
    calibration: str = "sim"
    """Nominal mounting: a name in config/calibration, or a path ending in .yaml."""
    count: int = 24
    """How many."""
    board: Board = field(default_factory=Board)


@dataclass(frozen=True)
class Collect:
    """Take samples from the running graph whenever the arm stands still in a new pose."""

    out: Path = Path("runs/calibration/right")
    """Folder for the samples."""
    side: Literal["left", "right"] = "right"
    """Arm that carries the board."""
    count: int = 24
    """How many samples."""
    board: Board = field(default_factory=Board)
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


@dataclass(frozen=True)
class Intrinsics:
    """The lens from the samples of one session or several."""

    sessions: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of samples."""


@dataclass(frozen=True)
class Solve:
    """Solve, check, and write a new version of the calibration."""

    sessions: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of samples, one per arm; the first places the camera."""
    calibration: Path = Path("lab.yaml")
    """The calibration file so far (copy config/calibration/sim.yaml to begin with)."""
    out: Path | None = None
    """File to write; default: the same."""
    own_lens: bool = False
    """Use intrinsics solved from the samples instead of those that the camera reports."""
    accept_move: bool = False
    """The camera was moved, or this is its first calibration."""


@dataclass(frozen=True)
class History:
    """All versions of a calibration file."""

    calibration: tyro.conf.Positional[Path]
    """The file."""


@dataclass(frozen=True)
class Overlay:
    """Draw the arms' model on the live image, again and again."""

    calibration: str = "sim"
    """Calibration: a name in config/calibration, or a path ending in .yaml."""
    out: Path = Path("runs/calibration/overlay.jpg")
    """The image; viewers that reload it show it live."""
    seconds: float = 0.0
    """End after this; 0: Ctrl-C."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


@dataclass(frozen=True)
class Simulate:
    """Calibrate made-up mountings whose truth is known, and report the errors."""

    seeds: int = 20
    """How many mountings."""
    side: Literal["left", "right"] = "right"
    """Arm that carries the board."""
    noise_px: float = 0.3
    """Standard deviation of a corner's coordinates."""
    images: bool = False
    """Paint the board into images and find it there, instead of projected corners with noise."""
    most_mm: float = 1.0
    """A larger error of the camera's position fails."""
    most_deg: float = 0.1
    """A larger error of its rotation fails."""
    out: Path | None = None
    """JSON file for the errors."""


def _board(args: MakeBoard) -> None:
    args.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out), args.board.image())
    width, height = (length * 1e3 for length in args.board.size_m)
    screen.print(f"{args.out}: {width:.0f} x {height:.0f} mm. Print at 100 %, measure a square for --board.square-m.")


def _poses(args: Poses) -> None:
    calibration = load_calibration(calibration_path(args.calibration))
    camera = calibration.head_camera
    lens, size = Lens(camera.matrix, np.zeros(5)), (camera.width_px, camera.height_px)
    for n, q in enumerate(guided_poses(calibration, args.side, args.board, View(lens, size), args.count)):
        screen.print(f"{n + 1:3d}  " + "  ".join(f"{angle:7.1f}" for angle in np.degrees(q)) + "  deg")


def _collect(args: Collect) -> None:
    collector, said = Collector(args.side, args.board, args.count), ""
    with CameraClient(_domain(args.domain_id)) as client:
        client.wait(_WAIT_S, args.side)
        try:
            while not collector.is_complete:
                if client.look() and client.image is not None:
                    word = collector.offer(client.joints_rad, client.image, time.monotonic())
                    if word != said:
                        said = word
                        screen.print(word)
        except KeyboardInterrupt:
            screen.print("ended early; what was taken is kept")
        lens = client.lens
        session = CalibrationSession(
            args.side, args.board, client.size_px, lens.camera_matrix, lens.distortion, tuple(collector.samples),
            client.hand_serials,
        )  # fmt: skip
    screen.print(f"{len(session.samples)} samples in {session.save(args.out)}")


def _lens_of(sessions: list[CalibrationSession]) -> Lens:
    first = sessions[0]
    if any(session.size_px != first.size_px for session in sessions):
        raise SessionError("The sessions have images of different sizes; solve them one by one.")
    found = solve_lens([s.detection for session in sessions for s in session.samples], first.board, first.size_px)
    K, reported = found.lens.camera_matrix, first.camera_matrix
    screen.print(
        f"lens: fx {K[0, 0]:.2f}, fy {K[1, 1]:.2f}, cx {K[0, 2]:.2f}, cy {K[1, 2]:.2f} px, distortion "
        f"{np.round(found.lens.distortion, 4).tolist()}; kept-out error {found.kept_out_px:.2f} px; the camera reports "
        f"fx {reported[0, 0]:.2f}, fy {reported[1, 1]:.2f}, cx {reported[0, 2]:.2f}, cy {reported[1, 2]:.2f}"
    )
    return found.lens


def _intrinsics(args: Intrinsics) -> None:
    _lens_of([load_session(folder) for folder in args.sessions])


def _solve(args: Solve) -> None:
    before = load_calibration(args.calibration)
    sessions = [load_session(folder) for folder in args.sessions]
    lens = _lens_of(sessions) if args.own_lens else None
    solutions = []
    for session in sessions:
        s = solve(session, before.hardware.arm_variant, lens=lens)
        solutions.append(s)
        screen.print(
            f"{s.side}: {s.samples} samples; kept-out error {s.kept_out_px:.2f} px, {s.kept_out_m * 1e3:.2f} mm; "
            f"solvers {s.disagreement_m * 1e3:.1f} mm and {np.degrees(s.disagreement_rad):.2f} deg apart; camera known "
            f"to {s.deviation_m * 1e3:.2f} mm, {np.degrees(s.deviation_rad):.3f} deg (1 sigma)"
        )
    serials = {side: serial for session in sessions for side, serial in session.hand_serials.items()}
    written = history.apply(
        args.calibration, solutions, hand_serials=serials, out=args.out, accept_move=args.accept_move
    )  # fmt: skip
    screen.print(f"wrote {written}; versions in {history.folder_of(written)}. Look at it: vitra-calibrate overlay")


def _history(args: History) -> None:
    for version in history.history(args.calibration):
        arms = "; ".join(
            f"{side}: kept-out {arm['kept_out_px']} px, {arm['kept_out_mm']} mm"
            for side, arm in version.report.get("arms", {}).items()
        )
        moved = f"moved {version.report['moved_mm']} mm; " if version.report else ""
        screen.print(f"{version.path.name}  {version.version}  {version.sha256[:12]}  {moved}{arms}", soft_wrap=True)


def _overlay(args: Overlay) -> None:
    calibration = load_calibration(calibration_path(args.calibration))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with CameraClient(_domain(args.domain_id)) as client:
        client.wait(_WAIT_S)
        overlay = ArmOverlay(calibration, client.lens)
        screen.print(f"drawing into {args.out}; Ctrl-C ends it")
        end_s = time.monotonic() + args.seconds if args.seconds > 0 else float("inf")
        while time.monotonic() < end_s:
            if client.look() and client.image is not None:
                drawn = overlay.draw(client.image, client.joints_rad)
                partial = args.out.with_suffix(".partial.jpg")
                cv2.imwrite(str(partial), drawn[:, :, ::-1])
                partial.replace(args.out)


def _simulate(args: Simulate) -> None:
    outcomes: list[Outcome] = []
    for seed in track(range(args.seeds), "calibrating", console=Console(stderr=True)):
        truth = simulate(seed, side=args.side, noise_px=args.noise_px, images=args.images)
        outcomes.append(outcome(seed, truth, solve(truth.session)))
    worst_mm, worst_deg = max(o.error_mm for o in outcomes), max(o.error_deg for o in outcomes)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps([asdict(o) for o in outcomes], indent=1))
    screen.print(
        f"{len(outcomes)} mountings: worst error {worst_mm:.3f} mm and {worst_deg:.4f} deg, median "
        f"{np.median([o.error_mm for o in outcomes]):.3f} mm and {np.median([o.error_deg for o in outcomes]):.4f} deg"
    )
    if worst_mm > args.most_mm or worst_deg > args.most_deg:
        raise InaccurateError(f"Allowed are {args.most_mm:g} mm and {args.most_deg:g} deg.")


def _domain(given: int | None) -> int:
    return domain_id() if given is None else given


_ACTS: dict[type, Callable[[Any], None]] = {
    MakeBoard: _board, Poses: _poses, Collect: _collect, Intrinsics: _intrinsics, Solve: _solve, History: _history,
    Overlay: _overlay, Simulate: _simulate,
}  # fmt: skip
Command = (
    Annotated[MakeBoard, tyro.conf.subcommand("board")]
    | Annotated[Poses, tyro.conf.subcommand("poses")]
    | Annotated[Collect, tyro.conf.subcommand("collect")]
    | Annotated[Intrinsics, tyro.conf.subcommand("intrinsics")]
    | Annotated[Solve, tyro.conf.subcommand("solve")]
    | Annotated[History, tyro.conf.subcommand("history")]
    | Annotated[Overlay, tyro.conf.subcommand("overlay")]
    | Annotated[Simulate, tyro.conf.subcommand("simulate")]
)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args: Any = tyro.cli(Command, prog="vitra-calibrate", description=__doc__, args=argv)
    try:
        _ACTS[type(args)](args)
    except VitraError as error:
        print_error(Console(stderr=True, highlight=False), "vitra-calibrate", error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
