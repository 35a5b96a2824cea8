"""The real tracker on real images of a hand, in its own environment (`make setup-webcam`).

The example's hand is a right one; seen in a mirror it is a left one, so the same images stand for both.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_teleop.clutch import ClutchState
from vitra_teleop.frames import camera_from_tracker
from vitra_teleop.retargeting import JointMap
from vitra_teleop.session import TeleopSession
from vitra_teleop.wire import decode

pytestmark = pytest.mark.slow

_SCRIPT = """
import sys, json
sys.path.insert(0, sys.argv[1])
import cv2, numpy as np
from webcam_tracker import MediaPipeTracker, message
capture, frames = cv2.VideoCapture(sys.argv[2]), []
while True:
    done, bgr = capture.read()
    if not done:
        break
    frames.append(np.ascontiguousarray(bgr[..., ::-1]))
for turned in (False, True):
    images = [np.ascontiguousarray(frame[:, ::-1]) if turned else frame for frame in frames]
    for mirrored in (False, True):
        tracker = MediaPipeTracker(mirrored, fov_deg=90, still=True)
        seen = []
        for image in images:
            seen.append({h.side: h.landmarks_m[0].tolist() for h in tracker(image) if h.landmarks_m is not None})
        print(json.dumps({"turned": turned, "mirrored": mirrored, "seen": seen}))
tracker = MediaPipeTracker(fov_deg=90, still=True)
seen = [any(h.side == "right" and h.landmarks_m is not None for h in tracker(image)) for image in frames]
middle = next(n for n in range(2, len(frames) - 2) if all(seen[n - 2 : n + 2]))
stream = frames[:middle] + [np.zeros_like(frames[0])] * 3 + frames[middle:]
sent = [message(n, n / 30, tracker(image), engage=True).decode() for n, image in enumerate(stream)]
print(json.dumps({"covered": middle, "sent": sent}))
"""


@dataclass
class Tracked:
    """What the tracker saw, by (images turned round, told that they are mirrored)."""

    seen: dict[tuple[bool, bool], list[dict[str, list[float]]]]
    covered: int
    """First of three black images in the stream."""
    sent: list[str]
    """Wire messages of the stream."""


@pytest.fixture(scope="module")
def tracked(repo_root: Any, shared_dir: Any) -> Tracked:
    python = repo_root / ".venv-webcam/bin/python"
    videos = sorted((shared_dir / "data/vitra_example").glob("*.mp4"))
    if not python.exists() or not videos:
        pytest.skip("needs `make setup-webcam` and the example video")
    folder = repo_root / "ros2_ws/src/vitra_teleop/vitra_teleop"
    run = subprocess.run(
        [python, "-c", _SCRIPT, folder, videos[0]], capture_output=True, text=True, check=True, timeout=290
    )
    *cases, stream = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return Tracked({(c["turned"], c["mirrored"]): c["seen"] for c in cases}, stream["covered"], stream["sent"])


@pytest.mark.parametrize(
    ("turned", "mirrored", "side"),
    [
        (False, False, "right"),  # a right hand, as a camera sees it
        (True, True, "right"),  # the same in a mirrored image
        (True, False, "left"),  # turned round, it is a left hand in an ordinary image
        (False, True, "left"),  # and that left hand in a mirrored image
    ],
)
def test_left_and_right_are_the_persons_in_plain_and_mirrored_images(
    tracked: Tracked, turned: bool, mirrored: bool, side: str
) -> None:
    seen = tracked.seen[turned, mirrored]
    other = {"left": "right", "right": "left"}[side]
    assert sum(side in hands for hands in seen) >= len(seen) // 3
    assert not any(other in hands for hands in seen)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_mirrored_image_puts_the_hand_where_the_plain_one_does(tracked: Tracked, side: str) -> None:
    plain, mirrored = tracked.seen[side == "left", False], tracked.seen[side == "right", True]
    both = [(a[side], b[side]) for a, b in zip(plain, mirrored, strict=True) if side in a and side in b]
    assert both
    assert np.median([np.abs(np.subtract(a, b)).max() for a, b in both]) < 0.05


def test_a_covered_lens_holds_the_robot_until_the_operator_engages_anew(tracked: Tracked, world: Any) -> None:
    session = TeleopSession(["right"], camera_from_tracker("webcam", default_calibration()), JointMap())
    robot = world.robot_at(world.pose(0.3, 0.1, 0.6))
    frames = [decode(message) for message in tracked.sent]
    seen = [bool(frame.hands.get("right") and frame.hands["right"].valid) for frame in frames]
    assert all(seen[tracked.covered - 2 : tracked.covered]), "the hand is seen before"
    assert not any(seen[tracked.covered : tracked.covered + 3])
    assert any(seen[tracked.covered + 3 :]), "and again afterwards"
    states = []
    for frame in frames[tracked.covered - 2 :]:
        session.tick(frame.stamp_s, frame, robot)
        states.append(session.clutches["right"].state)
    assert states[1] is ClutchState.ENGAGED
    assert set(states[2:]) == {ClutchState.LOST}, "from the first black image on, though the hand came back"
