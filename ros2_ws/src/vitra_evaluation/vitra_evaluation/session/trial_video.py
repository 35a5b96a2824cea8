"""A trial's video: the head camera with the predicted path, beside what the graph said at that time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_bringup import bag_report, images

Image = NDArray[np.uint8]
_PANEL_PX = 170
_RATE_HZ = 10
"""Of the video, which runs as fast as the trial did: of more images some are left out, of fewer each stands longer."""
_LONGEST_S = 10.0
"""For which an image stands; a clock that leapt would make the video endless."""
_ROUNDING_S = 1e-6


def write_trial_video(path: Path, bag: Path, caption: str) -> int:
    """Head camera with the predicted path, beside what the graph said at that time; returns the number of frames.

    Args:
        path: The mp4.
        bag: Folder of the trial's bag.
        caption: Above the image.
    """
    stories = _Stories(bag)

    def frames() -> Iterator[Image]:
        start_s, shown, due_s = 0.0, None, 0.0  # type: tuple[float, tuple[float, Image] | None, float]
        for stamp_s, image in images.head_camera_frames(bag):
            if shown is None:
                start_s = stamp_s
            else:
                due_s += min(max(stamp_s - shown[0], 0.0), _LONGEST_S)
                while due_s > _ROUNDING_S:
                    yield beside(*shown, start_s)
                    due_s -= 1 / _RATE_HZ
            shown = stamp_s, image
        if shown is not None:
            yield beside(*shown, start_s)

    def beside(stamp_s: float, image: Image, start_s: float) -> Image:
        lines = [caption, f"t = {stamp_s - start_s:5.1f} s", *stories.at(stamp_s)]
        return np.hstack([image, _panel(lines, image.shape[0])])

    return images.write_video(path, frames(), rate_hz=_RATE_HZ)


class _Stories:
    """Safety, executor and chunk news of a bag by time."""

    def __init__(self, bag: Path) -> None:
        self._rows: list[tuple[float, str, str]] = []
        states = {0: "holding", 1: "tracking", 2: "decelerating"}
        phases = {0: "disarmed", 1: "armed", 2: "STOPPED"}
        with bag_report.open_bag(bag) as reader:
            for topic, _, m in bag_report.messages(reader, ("safety_state", "executor_state", "hand_action_chunk")):
                at = m.header.stamp.sec + m.header.stamp.nanosec * 1e-9
                if topic.endswith("safety_state"):
                    self._rows.append((at, "safety", f"{phases.get(m.state, '?')} {m.stop_cause}".strip()))
                elif topic.endswith("executor_state"):
                    limit = f" limit: {m.limit}" if m.in_limit else ""
                    self._rows.append((at, "robot", f"{states.get(m.state, '?')} step {m.position_steps:.0f}{limit}"))
                else:
                    self._rows.append((at, "says", m.instruction.split("Right hand:")[-1].strip()))
        self._rows.sort(key=lambda row: row[0])
        self._next, self._now = 0, {}  # type: tuple[int, dict[str, str]]

    def at(self, stamp_s: float) -> list[str]:
        """Lines for a time; times must not go back."""
        while self._next < len(self._rows) and self._rows[self._next][0] <= stamp_s:
            _, key, text = self._rows[self._next]
            self._now[key] = text
            self._next += 1
        return [f"{key}: {text}" for key, text in sorted(self._now.items())]


def _panel(lines: list[str], height: int) -> Image:
    panel: Image = np.full((height, _PANEL_PX, 3), 24, np.uint8)
    for i, line in enumerate(_wrapped(lines)):
        cv2.putText(panel, line, (6, 16 + 14 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (235, 235, 235), 1, cv2.LINE_AA)
    return panel


def _wrapped(lines: list[str], width: int = 27) -> Iterator[str]:
    for line in lines:
        while line:
            yield line[:width]
            line = line[width:]
