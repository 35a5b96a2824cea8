"""The real tracker on real pictures of a hand, in its own environment (`make setup-webcam`)."""

from __future__ import annotations

import json
import subprocess

import pytest

pytestmark = pytest.mark.slow

_SCRIPT = """
import sys, json
sys.path.insert(0, sys.argv[1])
import cv2, numpy as np
from webcam_tracker import MediaPipeTracker
capture, frames = cv2.VideoCapture(sys.argv[2]), []
while True:
    done, bgr = capture.read()
    if not done:
        break
    frames.append(np.ascontiguousarray(bgr[..., ::-1]))
for mirrored in (False, True):
    tracker = MediaPipeTracker(mirrored, fov_deg=90, still=True)
    seen = []
    for frame in frames:
        picture = np.ascontiguousarray(frame[:, ::-1]) if mirrored else frame
        seen.append({h.side: None if h.landmarks_m is None else h.landmarks_m[0].tolist() for h in tracker(picture)})
    print(json.dumps(seen))
"""


def test_left_and_right_are_not_swapped_in_plain_and_mirrored_pictures(repo_root, shared_dir):
    python = repo_root / ".venv-webcam/bin/python"
    videos = sorted((shared_dir / "data/vitra_example").glob("*.mp4"))
    if not python.exists() or not videos:
        pytest.skip("needs `make setup-webcam` and the example video")
    folder = repo_root / "ros2_ws/src/vitra_teleop/vitra_teleop"
    output = subprocess.run(
        [python, "-c", _SCRIPT, folder, videos[0]], capture_output=True, text=True, check=True, timeout=250
    ).stdout
    plain, mirrored = (json.loads(line) for line in output.splitlines() if line.startswith("["))
    for seen in (plain, mirrored):
        assert sum("right" in hands for hands in seen) >= len(seen) // 3, "the example's hand is a right one"
        assert sum("left" in hands for hands in seen) == 0
    both = [(a["right"], b["right"]) for a, b in zip(plain, mirrored, strict=True) if a.get("right") and b.get("right")]
    assert both
    apart = [max(abs(x - y) for x, y in zip(p, q, strict=True)) for p, q in both]
    assert sorted(apart)[len(apart) // 2] < 0.05, "and it is at the same place, metres"
