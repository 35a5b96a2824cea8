"""Hands of a webcam, a RealSense camera, a video or an image by MediaPipe, sent in the wire format.

Runs in an environment of its own (`make setup-webcam`: mediapipe 0.10.21 needs numpy 1), without the stack:

.venv-webcam/bin/python ros2_ws/src/vitra_teleop/vitra_teleop/webcam_tracker.py --source 0 --port 8765
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

PALM = (0, 5, 9, 13, 17)
LEAST_SCORE = 0.6
LEAST_PALM_PX = 12.0
FAR_M, NEAR_M = 2.0, 0.1


@dataclass(frozen=True)
class SeenHand:
    """One hand in one image."""

    side: str
    """left or right, of the person."""
    score: float
    landmarks_px: Any
    """(21, 2) in the image as it was given."""
    landmarks_m: Any
    """(21, 3) in the camera's optical frame; None when the distance cannot be told."""


def person_side(label: str, mirrored: bool) -> str:
    """Side of the person for MediaPipe's label, which assumes a mirrored (selfie) image."""
    side = label.lower()
    return side if mirrored else {"left": "right", "right": "left"}[side]


def place(world_m: Any, pixels: Any, focal_px: float, centre_px: tuple[float, float]) -> Any:
    """Landmarks (21, 3) in the optical frame from their shape (21, 3) m and pixels (21, 2), or None.

    Perspective gives two equations per landmark that are linear in the hand's translation; least squares solves them.

    Args:
        world_m: Shape (21, 3), any origin.
        pixels: Where the landmarks are seen (21, 2).
        focal_px: Focal length.
        centre_px: Principal point.
    """
    shape, seen = np.asarray(world_m, dtype=float), np.asarray(pixels, dtype=float)
    palm = seen[list(PALM)]
    if np.ptp(palm, axis=0).max() < LEAST_PALM_PX:
        return None
    u, v = (seen[:, 0] - centre_px[0]) / focal_px, (seen[:, 1] - centre_px[1]) / focal_px
    one, zero = np.ones(21), np.zeros(21)
    rows = np.concatenate([np.stack([one, zero, -u], axis=1), np.stack([zero, one, -v], axis=1)])
    wanted = np.concatenate([u * shape[:, 2] - shape[:, 0], v * shape[:, 2] - shape[:, 1]])
    translation = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return shape + translation if NEAR_M < translation[2] < FAR_M else None


def unmirrored(hand: SeenHand, width_px: int) -> SeenHand:
    """A hand seen in a mirrored image, as an ordinary image would have shown it."""
    pixels = np.asarray(hand.landmarks_px) * [-1, 1] + [width_px, 0]
    points = None if hand.landmarks_m is None else np.asarray(hand.landmarks_m) * [-1, 1, 1]
    return SeenHand(hand.side, hand.score, pixels, points)


class MediaPipeTracker:
    """Finds up to two hands per image.

    Args:
        mirrored: the images are mirrored (selfie view).
        fov_deg: horizontal field of view of the camera.
        still: images that have nothing to do with each other.
    """

    def __init__(self, mirrored: bool = False, fov_deg: float = 65.0, still: bool = False) -> None:
        import mediapipe

        self._mirrored, self._fov_rad = mirrored, np.radians(fov_deg)
        self._hands = mediapipe.solutions.hands.Hands(
            static_image_mode=still, max_num_hands=2, model_complexity=1,
            min_detection_confidence=0.4, min_tracking_confidence=0.5,
        )  # fmt: skip

    def __call__(self, rgb: Any) -> list[SeenHand]:
        """Hands in an RGB image (H, W, 3), at most one per side; two of one side are both refused."""
        height, width = rgb.shape[:2]
        found = self._hands.process(rgb)
        hands = []
        for marks, world, labels in zip(
            found.multi_hand_landmarks or [], found.multi_hand_world_landmarks or [], found.multi_handedness or [],
            strict=True,
        ):  # fmt: skip
            best = labels.classification[0]
            pixels = np.array([[m.x * width, m.y * height] for m in marks.landmark])
            shape = np.array([[m.x, m.y, m.z] for m in world.landmark])
            focal_px = width / 2 / np.tan(self._fov_rad / 2)
            points = place(shape, pixels, focal_px, (width / 2, height / 2))
            hand = SeenHand(person_side(best.label, self._mirrored), float(best.score), pixels, points)
            hands.append(unmirrored(hand, width) if self._mirrored else hand)
        sides = [hand.side for hand in hands]
        return [hand for hand in hands if hand.score >= LEAST_SCORE and sides.count(hand.side) == 1]


def message(sequence: int, stamp_s: float, hands: list[SeenHand], engage: bool) -> bytes:
    """The wire message; a hand without a distance is sent as not valid.

    Args:
        sequence: Counts up.
        stamp_s: When the image was taken.
        hands: What was seen.
        engage: Whether the operator wants to move the robot.
    """
    sent: dict[str, Any] = {side: {"valid": False} for side in ("left", "right")}
    for hand in hands:
        if hand.landmarks_m is not None:
            points = np.round(hand.landmarks_m, 5).tolist()
            sent[hand.side] = {"valid": True, "engage": engage, "landmarks_m": points}
    return json.dumps({"version": 1, "sequence": sequence, "stamp_s": stamp_s, "hands": sent, "actions": []}).encode()


def images(source: str, width_px: int, height_px: int) -> Iterator[tuple[float, Any]]:
    """(capture time s, RGB image) of a camera number, `realsense`, or a file.

    Args:
        source: Number, `realsense` or path.
        width_px: Asked of a camera.
        height_px: Asked of a camera.

    Raises:
        SystemExit: the source cannot be opened.
    """
    import cv2

    if source == "realsense":
        import pyrealsense2

        pipeline, config = pyrealsense2.pipeline(), pyrealsense2.config()
        config.enable_stream(pyrealsense2.stream.color, width_px, height_px, pyrealsense2.format.rgb8, 30)
        pipeline.start(config)
        while True:
            yield time.monotonic(), np.asanyarray(pipeline.wait_for_frames().get_color_frame().get_data())
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        raise SystemExit(f"Cannot open {source}: no such camera or file. Cameras are numbers: 0, 1 ...")
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width_px)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height_px)
    while True:
        done, bgr = capture.read()
        if not done:
            return
        yield time.monotonic(), np.ascontiguousarray(bgr[..., ::-1])


def main(arguments: list[str] | None = None) -> int:
    """Track until the source ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="0", help="camera number, realsense, or a video file")
    parser.add_argument("--host", default="127.0.0.1", help="where the teleop node listens")
    parser.add_argument("--port", type=int, default=8765, help="its UDP port")
    parser.add_argument("--mirrored", action="store_true", help="the source is mirrored (selfie view)")
    parser.add_argument("--fov-deg", type=float, default=65.0, help="horizontal field of view")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--print", action="store_true", help="write messages to standard output too")
    args = parser.parse_args(arguments)
    tracker = MediaPipeTracker(args.mirrored, args.fov_deg)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sys.stderr.write("Enter engages and releases the clutch; Ctrl-C ends.\n")
    engaged = False
    for sequence, (stamp_s, rgb) in enumerate(images(args.source, args.width, args.height)):
        if sys.stdin.isatty() and select.select([sys.stdin], [], [], 0.0)[0]:
            sys.stdin.readline()
            engaged = not engaged
            sys.stderr.write("engaged\n" if engaged else "released\n")
        data = message(sequence, stamp_s, tracker(rgb), engaged)
        sender.sendto(data, (args.host, args.port))
        if args.print:
            sys.stdout.write(data.decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
