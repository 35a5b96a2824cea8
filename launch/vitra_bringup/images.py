"""Images of a run for people: the head camera with the predicted wrist path, and a timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_bringup.bag_report import messages, open_bag
from vitra_bringup.errors import LaunchError
from vitra_console.wrist_paths import FRESH_S, Image, draw_paths, wrist_paths_px
from vitra_policy.camera_messages.decode import stamp_ns
from vitra_policy.camera_messages.video import ImageDecoder

_CAPTION_PX = 32
VIDEO_HEIGHT_PX = 480
"""Two images of 4:3 beside each other are 1280 pixels wide."""


def head_camera_frames(bag: Path) -> Iterator[tuple[float, Image]]:
    """(capture time [s], image with the newest predicted path) of every head camera frame that can be decoded.

    Raises:
        LaunchError: there are frames, but none of them can.
    """
    intrinsics, chunk = np.eye(3), None
    wanted = ("head_camera/color/image_raw", "color/camera_info", "hand_action_chunk")
    decode, shown = ImageDecoder(), 0
    with open_bag(bag) as reader:
        for topic, _, message in messages(reader, wanted):
            if topic.endswith("camera_info"):
                intrinsics = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
            elif topic.endswith("hand_action_chunk"):
                chunk = message
            else:
                decoded = decode(message)
                if decoded is None:
                    continue
                image, stamp_s, shown = decoded.copy(), stamp_ns(message) * 1e-9, shown + 1
                if chunk is not None and stamp_s - stamp_ns(chunk) * 1e-9 < FRESH_S:
                    draw_paths(image, wrist_paths_px(chunk, intrinsics))
                yield stamp_s, image
    if decode.lost and not shown:
        raise LaunchError(f"None of the {decode.lost} images of {bag} can be decoded: {decode.why}")


def write_video(path: Path, frames: Iterator[Image], rate_hz: int = 30) -> int:
    """Write an H.264 mp4, which appears whole or not at all; returns the number of frames.

    Args:
        path: The mp4.
        frames: Images (H, W, 3) RGB of one size.
        rate_hz: Frames a second.

    Raises:
        OSError: the disk refuses it; nothing of it is left.
    """
    partial = partial_video(path)
    try:
        count = _encode(partial, frames, rate_hz)
        if count:  # of no images there is no file
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count


def partial_video(path: Path) -> Path:
    """Where a video is written until it is whole; only a kill leaves it behind."""
    return path.with_suffix(f".partial{path.suffix}")


def _encode(path: Path, frames: Iterator[Image], rate_hz: int) -> int:
    import av

    count = 0
    with av.open(str(path), "w") as container:
        stream: Any = None
        for image in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=rate_hz, options={"preset": "veryfast", "crf": "23"})
                stream.height, stream.width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
                stream.pix_fmt = "yuv420p"
                stream.codec_context.thread_count = 2
            image = np.ascontiguousarray(image[: stream.height, : stream.width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def _to_height(image: Image, height_px: int) -> Image:
    if image.shape[0] == height_px:
        return image
    width_px = round(image.shape[1] * height_px / image.shape[0])
    return np.asarray(cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def write_demo_video(
    path: Path, bag: Path, third_person: Callable[[float], Image] | None, every: int = 1, caption: str = ""
) -> int:
    """The head camera with the predicted path, beside a third-person view where there is one.

    Args:
        path: the mp4 to write.
        bag: the recorded run.
        third_person: image at a time stamp [s], or None.
        every: take every n-th frame.
        caption: text in the corner.
    """

    def frames() -> Iterator[Image]:
        for i, (stamp_s, image) in enumerate(head_camera_frames(bag)):
            if i % every:
                continue
            image = _to_height(image, VIDEO_HEIGHT_PX)
            if third_person is not None:
                image = np.hstack([image, _to_height(third_person(stamp_s), VIDEO_HEIGHT_PX)])
            if caption:
                image[:_CAPTION_PX] //= 2
                where = (10, _CAPTION_PX - 10)
                cv2.putText(image, caption, where, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
            yield image

    return write_video(path, frames(), max(1, 30 // every))


def write_timeline(path: Path, bag: Path) -> None:
    """One page: joint targets and joints, chunk arrival and age, executor state, stops."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    series: dict[str, list[tuple[float, Any]]] = {}
    wanted = ("arm/command", "arm/joint_states", "executor_state", "hand_action_chunk", "safety_state")
    with open_bag(bag) as reader:
        for topic, _, message in messages(reader, wanted):
            stamp = message.header.stamp
            series.setdefault(topic, []).append((stamp.sec + stamp.nanosec * 1e-9, message))
    start_s = min((rows[0][0] for rows in series.values() if rows), default=0.0)

    def rows(suffix: str) -> Iterator[tuple[str, NDArray[np.float64], list[Any]]]:
        for topic, values in sorted(series.items()):
            if topic.endswith(suffix):
                yield topic, np.array([t for t, _ in values]) - start_s, [m for _, m in values]

    figure, axes = plt.subplots(4, 1, figsize=(11, 9), sharex=True, layout="constrained")
    for topic, t, values in rows("arm/joint_states"):
        axes[0].plot(t, np.degrees([m.position for m in values]), lw=1.2, alpha=0.9)
        axes[0].set_title(f"{topic.split('_')[0]} arm: joints (solid) and setpoints (dotted)", fontsize=9)
    for _, t, values in rows("arm/command"):
        axes[0].plot(t, np.degrees([m.position_rad for m in values]), "k:", lw=0.7)
    axes[0].set_ylabel("joints [deg]")
    for _, t, _ in rows("arm/command"):
        axes[1].plot(t[1:], 1e3 * np.diff(t), ".", ms=1.5)
    axes[1].set(ylabel="setpoint period [ms]", ylim=(0, 20))
    axes[1].axhline(5.0, color="gray", lw=0.5)
    for _, t, values in rows("executor_state"):
        axes[2].plot(t, [m.position_steps for m in values], lw=1, label="position in chunk [steps]")
        axes[2].step(t, [4 * m.state for m in values], lw=0.8, where="post", label="0 hold, 4 track, 8 decelerate")
    for _, t, values in rows("hand_action_chunk"):
        axes[3].plot(t, [1e3 * m.inference_s for m in values], ".", ms=4, label="inference [ms]")
        axes[2].vlines(t, 0, 1, color="tab:green", lw=0.6, label="observation of a chunk")
    for _, t, values in rows("safety_state"):
        axes[3].step(
            t, [10 * m.state for m in values], where="post", color="tab:red", label="safety: 10 armed, 20 stop"
        )
    for axis in axes[2:]:
        if axis.has_data():
            axis.legend(fontsize=7, loc="upper right")
    axes[3].set(xlabel="time [s]", ylabel="[ms]")
    figure.savefig(path, dpi=110)
    plt.close(figure)
