"""Which software and which calibration a bag was recorded with."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitra_description.calibration import calibration_path, load_calibration

_PACKAGES = ("vitra-policy", "vitra-description", "vitra-recorder", "rosbags", "numpy", "opencv-python-headless")


def software_versions() -> dict[str, str]:
    """Versions for the bag, each key starting with ``software/``."""
    found = {"software/python": platform.python_version(), "software/ros": "jazzy"}
    for package in _PACKAGES:
        try:
            found[f"software/{package}"] = version(package)
        except PackageNotFoundError:
            continue
    if revision := _revision(Path(__file__).resolve().parent):
        found["software/git"] = revision
    return found


def calibration_texts(name: str) -> dict[str, str]:
    """The whole calibration file for the bag, with its version and hash; nothing for an empty name.

    Raises:
        CalibrationError, UnknownNameError: no such calibration, or a broken one.
    """
    if not name:
        return {}
    path = calibration_path(name)
    calibration = load_calibration(path)
    return {
        "calibration": path.stem,
        "calibration_version": calibration.version,
        "calibration_sha256": calibration.sha256,
        "calibration_yaml": path.read_text(encoding="utf-8"),
    }


def _revision(folder: Path) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True, text=True, timeout=5.0, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
