from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from vitra_policy.errors import disk_words
from vitra_training.datasets.errors import BrokenFileError, FrameMissingError, VariableFrameRateError
from vitra_training.datasets.video import VideoPool, VideoReader, VideoWriter, even_size

FRAMES = 40


def numbered(frame: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), 20 + 5 * frame, dtype=np.uint8)


def number_of(image: np.ndarray) -> int:
    return round((float(image.mean()) - 20) / 5)


def encode(path: Path, gop: int, b_frames: int, pts: list[int] | None = None) -> Path:
    with av.open(str(path), "w") as container:
        options = {"g": str(gop), "bf": str(b_frames), "crf": "10"}
        stream = container.add_stream("libx264", rate=Fraction(30), options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 3000)
        for n in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(numbered(n), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 3000), 100 * n if pts is None else pts[n]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("gop", "b_frames"), [(1, 0), (4, 0), (12, 2), (250, 3)])
def test_every_frame_is_reached_by_number_in_any_order(tmp_path: Path, gop: int, b_frames: int) -> None:
    with VideoReader(encode(tmp_path / "v.mp4", gop, b_frames)) as video:
        assert len(video) == FRAMES
        assert video.fps == pytest.approx(30)
        rng = np.random.default_rng(0)
        for n in [*range(FRAMES), *map(int, rng.integers(0, FRAMES, 60))]:
            assert number_of(video.rgb(n)) == n


CONTAINERS = {
    "mov": "libx264", "mkv": "libx264", "webm": "libvpx-vp9", "avi": "mpeg4", "ts": "libx264", "mpg": "mpeg2video",
    "flv": "libx264", "3gp": "mpeg4",
}  # fmt: skip


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_container_has_as_many_frames_as_images_and_each_is_reached(tmp_path: Path, suffix: str) -> None:
    with av.open(str(tmp_path / f"v.{suffix}"), "w") as container:
        options = {"g": "12"} | ({"b": "2M"} if CONTAINERS[suffix] == "mpeg4" else {})
        stream = container.add_stream(CONTAINERS[suffix], rate=Fraction(30), options=options)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        for n in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(n, 144, 176), format="rgb24")))
        container.mux(stream.encode())
    with VideoReader(tmp_path / f"v.{suffix}") as video:
        assert len(video) == FRAMES
        assert video.fps == pytest.approx(30)
        for n in (0, FRAMES - 1, 7, 8, 31, 30, *range(FRAMES)):
            assert number_of(video.rgb(n)) == n


def test_a_late_start_does_not_shift_frames(tmp_path: Path) -> None:
    pts = [700 + 100 * n for n in range(FRAMES)]
    with VideoReader(encode(tmp_path / "v.mp4", 12, 2, pts)) as video:
        assert [number_of(video.rgb(n)) for n in (0, 7, FRAMES - 1)] == [0, 7, FRAMES - 1]


def test_our_writer_makes_short_groups(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", 64, 48, 30, gop=2) as writer:
        for n in range(FRAMES):
            assert writer.add(numbered(n)) == n
    with av.open(str(tmp_path / "v.mp4")) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.pts is not None]
    assert keys == [n % 2 == 0 for n in range(FRAMES)]


def test_an_interrupted_writer_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / "v.mp4", 64, 48, 30) as writer:
            writer.add(numbered(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_variable_frame_rate_is_refused(tmp_path: Path) -> None:
    pts = [100 * n + 50 * (n // 5) for n in range(FRAMES)]
    with pytest.raises(VariableFrameRateError, match="constant rate"):
        VideoReader(encode(tmp_path / "v.mp4", 4, 0, pts))


def test_one_dropped_frame_breaks_one_step_and_not_the_video(tmp_path: Path) -> None:
    pts = [100 * n + (100 if n >= 20 else 0) for n in range(FRAMES)]
    with VideoReader(encode(tmp_path / "v.mp4", 4, 0, pts)) as video:
        assert len(video) == FRAMES
        assert video.fps == pytest.approx(30, rel=0.001)
        assert np.flatnonzero(~video.regular(np.arange(FRAMES))).tolist() == [19]
        assert np.flatnonzero(~video.regular(np.arange(0, FRAMES, 2))).tolist() == [9]
        assert np.flatnonzero(~video.regular(np.array([3, 4, 5, 8, 9, 10]))).tolist() == [2]


def test_a_frame_beyond_the_end_is_named(tmp_path: Path) -> None:
    with VideoReader(encode(tmp_path / "v.mp4", 4, 0)) as video, pytest.raises(FrameMissingError, match="frame 40"):
        video.rgb(FRAMES)


def test_a_truncated_or_foreign_file_is_named(tmp_path: Path) -> None:
    whole = encode(tmp_path / "v.mp4", 4, 0).read_bytes()
    for content in (b"", b"not a video at all", whole[: len(whole) // 2]):
        (tmp_path / "w.mp4").write_bytes(content)
        with pytest.raises(BrokenFileError, match=r"w\.mp4"):
            VideoReader(tmp_path / "w.mp4")
    with pytest.raises(BrokenFileError):
        VideoReader(tmp_path / "absent.mp4")


def test_a_damaged_bitstream_raises_only_where_it_is_damaged(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.mp4", 1, 0)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + len(content) // 3
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    with VideoReader(path) as video:
        assert number_of(video.rgb(0)) == 0
        for n in range(FRAMES):
            try:
                video.rgb(n)
            except FrameMissingError:
                continue
        assert number_of(video.rgb(FRAMES - 1)) == FRAMES - 1


def test_the_pool_keeps_the_latest_readers(tmp_path: Path) -> None:
    paths = [encode(tmp_path / f"{n}.mp4", 4, 0) for n in range(3)]
    pool = VideoPool(capacity=2)
    first = pool.get(paths[0])
    assert pool.get(paths[0]) is first
    pool.get(paths[1])
    pool.get(paths[2])
    assert pool.get(paths[0]) is not first
    pool.close()


@pytest.mark.parametrize(
    ("size", "limit", "expected"), [((641, 361), None, (640, 360)), ((1440, 1080), 384, (512, 384))]
)
def test_encoder_sizes_are_even_and_limited(
    size: tuple[int, int], limit: int | None, expected: tuple[int, int]
) -> None:
    assert even_size(*size, limit) == expected


def test_a_video_that_may_not_be_written_is_named_though_the_library_names_nothing(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "video.mp4", 64, 48, 30.0)

    def refuse(_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    writer._container = SimpleNamespace(mux=refuse, close=lambda: None)
    writer.add(numbered(0))  # the encoder keeps it for a while
    with pytest.raises(PermissionError) as refused:
        writer.close()
    assert disk_words(refused.value).startswith(f"{tmp_path / 'video.partial.mp4'}: Permission denied")
