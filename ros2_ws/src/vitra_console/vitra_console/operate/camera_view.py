"""The head camera's newest image with the predicted wrist paths, as JPEG."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vitra_console.web.server import JpegImage
from vitra_console.wrist_paths import FRESH_S, Image, draw_paths, wrist_paths_px
from vitra_policy.camera_messages.decode import image_of

_JPEG_QUALITY = 80
_MAX_WIDTH_PX = 960


def stamp_s(message: Any) -> float:
    """Header stamp in seconds."""
    return float(message.header.stamp.sec + message.header.stamp.nanosec * 1e-9)


def camera_image(frame: Any, info: Any, chunk: Any) -> JpegImage:
    """Draw and encode.

    Args:
        frame: Image message of any colour encoding.
        info: CameraInfo message, or None: no paths then.
        chunk: HandActionChunk message, or None; an old one is left out.
    """
    image: Image = image_of(frame).copy()
    if chunk is not None and info is not None and abs(stamp_s(frame) - stamp_s(chunk)) < FRESH_S:
        draw_paths(image, wrist_paths_px(chunk, np.asarray(info.k, dtype=np.float64).reshape(3, 3)))
    if image.shape[1] > _MAX_WIDTH_PX:
        height_px = round(image.shape[0] * _MAX_WIDTH_PX / image.shape[1])
        image = np.asarray(cv2.resize(image, (_MAX_WIDTH_PX, height_px), interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return JpegImage(f"{stamp_s(frame):.6f}", jpeg.tobytes())
