"""Calibration files with a past: every version is kept beside the file, with what was measured to make it."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from vitra_calibration.errors import ImplausibleError
from vitra_calibration.solve import Solution
from vitra_description.calibration import Calibration, CalibrationError, load_calibration
from vitra_description.hardware import RobotKind
from vitra_policy.action_space import SIDES
from vitra_policy.transforms import invert_pose, rotation_angle

Array = NDArray[np.float64]
_MOST_MOVED_M, _MOST_TURNED_RAD = 0.10, np.radians(10.0)


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of a history.

    Attributes:
        path: The kept file.
        version: As the file says.
        sha256: Of its text; bags and data sets carry it.
        report: What was measured; empty for a file that was written by hand.
    """

    path: Path
    version: str
    sha256: str
    report: dict[str, Any]


def folder_of(path: Path) -> Path:
    """Where a calibration file's versions are kept."""
    return path.with_suffix(".history")


def history(path: Path) -> list[Version]:
    """All kept versions, oldest first."""
    versions = []
    for kept in sorted(folder_of(path).glob("*.yaml")):
        report = kept.with_suffix(".json")
        calibration = load_calibration(kept)
        content = json.loads(report.read_text()) if report.exists() else {}
        versions.append(Version(kept, calibration.version, calibration.sha256, content))
    return versions


def apply(
    path: Path,
    solutions: list[Solution],
    *,
    hand_serials: dict[str, str],
    out: Path | None = None,
    accept_move: bool = False,
    now: datetime.datetime | None = None,
) -> Path:
    """Write a new version of a calibration file.

    The first arm's mounting stays as it is and places the camera; a second arm is placed by the camera. Kept are the
    file before, the new one, and what was measured.

    Args:
        path: The calibration so far.
        solutions: One per arm.
        hand_serials: Serial numbers of the hands, where known.
        out: The file to write; None replaces `path`.
        accept_move: Whether the camera may be far from where it was.
        now: Time of the version.

    Returns:
        The file written.

    Raises:
        ImplausibleError: the result cannot be true, or is far from the calibration before.
    """
    out, before = out or path, load_calibration(path)
    now = now or datetime.datetime.now().astimezone()
    first = solutions[0]
    camera = before.side(first.side).base_from_arm_base @ first.mounting.arm_base_from_camera
    moved = np.asarray(invert_pose(before.base_from_head_camera) @ camera)
    moved_m, turned_rad = float(np.linalg.norm(moved[:3, 3])), float(rotation_angle(moved[:3, :3]))
    if not accept_move and (moved_m > _MOST_MOVED_M or turned_rad > _MOST_TURNED_RAD):
        raise ImplausibleError(
            f"The camera would be {moved_m * 1e3:.0f} mm and {np.degrees(turned_rad):.1f} deg from where {path} has "
            "it. If it was moved, or this is its first calibration, say so with --accept-move; otherwise a transform "
            "is inverted or the sides are swapped."
        )
    raw = yaml.safe_load(path.read_text())
    raw["version"] = f"{now:%Y-%m-%dT%H:%M:%S}"
    raw["base_from_head_camera"] = _entry(camera)
    for other in solutions[1:]:
        arm = np.asarray(camera @ invert_pose(other.mounting.arm_base_from_camera))
        raw[f"base_from_{other.side}_arm_base"] = _entry(arm)
    hardware = raw.setdefault("hardware", {})
    if hardware.get("robot") == RobotKind.REAL.value:
        hardware |= {f"{side}_hand_serial": serial for side, serial in hand_serials.items() if side in tuple(SIDES)}
    head = f"# Written by vitra-calibrate; the versions before are in {folder_of(out).name}/.\n"
    text = head + yaml.safe_dump(raw, sort_keys=False, default_flow_style=None)
    _write(out, text, path, before, _report(solutions, moved_m, turned_rad), now)
    return out


def _write(
    out: Path, text: str, path: Path, before: Calibration, report: dict[str, Any], now: datetime.datetime
) -> None:
    folder = folder_of(out)
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f"{out.stem}.trial"
    trial.write_text(text)
    try:
        load_calibration(trial)
    except CalibrationError as error:
        raise ImplausibleError(f"The result is refused: {error}") from error
    finally:
        trial.unlink()
    if all(version.sha256 != before.sha256 for version in history(out)):
        (folder / f"{_earlier(now)}_before.yaml").write_text(path.read_text())
    stamp = f"{now:%Y%m%dT%H%M%S}"
    (folder / f"{stamp}.yaml").write_text(text)
    (folder / f"{stamp}.json").write_text(json.dumps(report, indent=1))
    partial = out.with_name(f"{out.name}.partial")
    partial.write_text(text)
    os.replace(partial, out)


def _earlier(now: datetime.datetime) -> str:
    return f"{now - datetime.timedelta(seconds=1):%Y%m%dT%H%M%S}"


def _report(solutions: list[Solution], moved_m: float, turned_rad: float) -> dict[str, Any]:
    return {
        "moved_mm": round(moved_m * 1e3, 2),
        "turned_deg": round(float(np.degrees(turned_rad)), 3),
        "arms": {
            s.side: {
                "samples": s.samples,
                "kept_out_px": round(s.kept_out_px, 3),
                "kept_out_mm": round(s.kept_out_m * 1e3, 3),
                "solvers_apart_mm": round(s.disagreement_m * 1e3, 2),
                "solvers_apart_deg": round(float(np.degrees(s.disagreement_rad)), 3),
                "deviation_mm": round(s.deviation_m * 1e3, 3),
                "deviation_deg": round(float(np.degrees(s.deviation_rad)), 4),
                "ee_from_board": s.mounting.ee_from_board.tolist(),
            }
            for s in solutions
        },
    }


def _entry(pose: Array) -> dict[str, Any]:
    U, _, V = np.linalg.svd(pose[:3, :3])
    R = np.round(U @ V, 12)
    return {"translation_m": np.round(pose[:3, 3], 6).tolist(), "rotation": R.tolist()}
