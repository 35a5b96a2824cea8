"""The images that a judge sees: the segment with a second around it, framed in green, the palm's way drawn."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.hand.skeleton import palm_centre
from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.video import VideoReader
from vitra_training.labeling.audit.sample import AuditSample
from vitra_training.labeling.captions.frames import drawn

_AROUND_S = 1.0
_BORDER_PX = 8
_INSIDE, _OUTSIDE = (40, 200, 90), (70, 70, 70)


def write_clip(sample: AuditSample, id: str) -> Path:
    """The WebM of an episode, made once."""
    path = sample.folder / "clips" / f"{id}.webm"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    episode, file, frames = sample.clip(id)
    hand = episode.hands[episode.anno_type]
    palms, kept = palm_centre(hand.joints_worldspace), np.asarray(hand.kept_frames) > 0
    partial = path.with_suffix(".partial")
    with VideoReader(file) as video, av.open(str(partial), "w", format="webm") as container:
        around = round(_AROUND_S * video.fps)
        stream = container.add_stream("libvpx", rate=Fraction(video.fps).limit_denominator(1000))
        stream.pix_fmt, stream.options = "yuv420p", {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "1M"}
        first, last, sized = int(frames[0]), int(frames[-1]), False
        for number in range(max(first - around, 0), min(last + around + 1, len(video))):
            try:
                image = video.rgb(number)
            except DatasetError:
                continue
            n = number - first
            inside = first <= number <= last
            way = palms[n:][kept[n:]] if inside else palms[:0]
            pose = episode.extrinsics[min(max(n, 0), len(frames) - 1)]
            shown = np.ascontiguousarray(drawn(image, way, pose, episode.intrinsics))
            shown = shown[: shown.shape[0] // 2 * 2, : shown.shape[1] // 2 * 2]
            frame = _framed(shown, _INSIDE if inside else _OUTSIDE)
            if not sized:
                (stream.height, stream.width), sized = frame.shape[:2], True
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    partial.replace(path)
    return path


def _framed(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The image in a border."""
    edges = (_BORDER_PX, _BORDER_PX, _BORDER_PX, _BORDER_PX)
    return np.asarray(cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=colour), dtype=np.uint8)
