"""Runs an outside estimator on the frames of a clip, in a process and an environment of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2

from vitra_training.datasets.video import Image
from vitra_training.labeling.adapters.tool import Tool, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError, MissingModelError

_BRIDGES = Path(__file__).parent / "bridges"  # named run_*: their folder comes first where they import
NO_PACKAGE = 3
"""Exit code of a bridge whose environment lacks a package of the estimator."""
_TAIL = 800


def write_frames(images: Iterable[Image | None], folder: Path, pattern: str = "{:06d}.jpg") -> tuple[int, int, int]:
    """Write a clip as numbered JPEG files; a missing image is the one before it again.

    Args:
        images: (H, W, 3) each; None: missing.
        folder: Where to.
        pattern: Of the names, by number.

    Returns:
        How many, and the width and height in pixels.

    Raises:
        EstimatorFailedError: not one image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, missing, data = 0, 0, None
    width = height = 0
    for image in images:
        if image is not None:
            height, width = image.shape[:2]
            done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
            assert done
            data = encoded.tobytes()
            for late in range(missing):
                (folder / pattern.format(late)).write_bytes(data)
            missing = 0
        elif data is None:
            missing += 1
            count += 1
            continue
        (folder / pattern.format(count)).write_bytes(data)
        count += 1
    if data is None:
        raise EstimatorFailedError("An outside estimator", "there is not one image in the clip")
    return count, width, height


def run_bridge(tool: Tool, config: ToolConfig, name: str, arguments: Mapping[str, object], folder: Path) -> str:
    """Run one of our bridges in the estimator's own Python; see `run_program`.

    Args:
        tool: The estimator.
        config: Where it is installed.
        name: Of the bridge.
        arguments: Its options.
        folder: Where it works.
    """
    command = [str(_BRIDGES / f"run_{name}.py")]
    for option, value in arguments.items():
        command += [f"--{option}", str(value)]
    return run_program(tool, config, command, folder)


def run_program(tool: Tool, config: ToolConfig, arguments: list[str], folder: Path) -> str:
    """Run a program with the estimator's own Python; what it printed comes back.

    Args:
        tool: the estimator.
        config: where it is installed.
        arguments: script and its options.
        folder: where it runs.

    Raises:
        EstimatorFailedError: it ended with an error or took too long; the message has the last lines that it printed.
        MissingModelError: its environment lacks a package.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PYTHONPATH"] = str(folder)
    try:
        done = subprocess.run(
            [config.python, *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=config.timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise EstimatorFailedError(tool.name, f"it had no result after {config.timeout_s:g} s") from None
    if done.returncode == NO_PACKAGE:
        raise MissingModelError(tool.name, f"a package in '{config.python}' ({done.stdout.strip()[-200:]})",
                                tool.checkout, tool.licence)  # fmt: skip
    if done.returncode:
        raise EstimatorFailedError(tool.name, f"exit code {done.returncode}: {done.stdout.strip()[-_TAIL:]}")
    return done.stdout
