"""The production pipeline on recordings played by the genuine librealsense."""

from types import SimpleNamespace

import numpy as np
import pytest

from vitra_camera.errors import CameraLostError, CameraNotFoundError, EndOfRecordingError
from vitra_camera.pipeline import CameraPipeline
from vitra_camera.settings import CameraSettings, VideoProfile

ANY = VideoProfile(0, 0, 0)


def settings(path, **changes):
    values = {"color": ANY, "depth": ANY, "playback_real_time": False, "frame_timeout_s": 20.0}
    return CameraSettings(playback_file=str(path), **(values | changes))


def read_all(pipeline):
    while True:
        pipeline.read()


def play(pipeline):
    pipeline.open()
    frames = []
    try:
        while True:
            frame = pipeline.read()
            assert frame.color is not None or frame.depth_mm is not None
            color = None if frame.color is None else frame.color.copy()
            depth = None if frame.depth_mm is None else frame.depth_mm.copy()
            frames.append((frame.number, color, depth, frame.device_time_s))
    except EndOfRecordingError:
        pipeline.close()
        return frames


def test_every_colour_image_comes_once_with_its_number_time_and_pixels(rs, recording, scene):
    frames = [f for f in play(CameraPipeline(rs, settings(recording))) if f[1] is not None]
    numbers = [number for number, *_ in frames]
    assert numbers == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]
    for number, color, _, device_time_s in frames:
        np.testing.assert_array_equal(color, scene.color_image(number))
        assert device_time_s == pytest.approx(1.0 + number / 30, abs=1e-6)


def test_every_depth_image_belongs_to_its_colour_image(rs, recording):
    depths = [
        (number, depth) for number, _, depth, _ in play(CameraPipeline(rs, settings(recording))) if depth is not None
    ]
    assert [number for number, _ in depths] == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]
    for number, depth in depths:
        assert set(np.unique(depth)) <= {0, 1000 + number}


def test_aligned_depth_is_seen_from_the_colour_camera(rs, recording, scene):
    _, _, depth, _ = next(f for f in play(CameraPipeline(rs, settings(recording))) if f[2] is not None)
    # A wall at z seen by both: the first ray of the depth camera lands in this column of the colour camera.
    z_m = float(depth.max()) * 1e-3
    left_px = 210.0 * ((0 - 161.0) / 200.0 * z_m + scene.baseline_m) / z_m + 161.0
    columns = np.flatnonzero(depth[scene.height // 2])
    assert depth.shape == (scene.height, scene.width)
    assert columns[0] == pytest.approx(max(left_px, 0), abs=4)


def test_depth_keeps_its_own_view_when_it_is_not_aligned(rs, recording):
    pipeline = CameraPipeline(rs, settings(recording, align_depth=False))
    info = pipeline.open()
    assert info.depth_intrinsics.fx == pytest.approx(200.0)
    pipeline.close()
    _, _, depth, _ = next(f for f in play(pipeline) if f[2] is not None)
    assert (depth == depth[0, 0]).all()


def test_depth_of_another_unit_arrives_in_millimetres(rs, make_recording, tmp_path):
    path = tmp_path / "tenths.db3"
    make_recording(path, [0, 1, 2], depth_units=0.0001)
    _, _, depth, _ = next(f for f in play(CameraPipeline(rs, settings(path, align_depth=False))) if f[2] is not None)
    assert depth.dtype == np.uint16
    assert np.all(depth == 100)


def test_an_opened_camera_tells_its_intrinsics(rs, recording):
    info = CameraPipeline(rs, settings(recording)).open()
    assert (info.name, info.serial) == ("Software D455", "123456")
    assert (info.color_intrinsics.fx, info.color_intrinsics.ppx) == (210.0, 161.0)
    assert info.depth_intrinsics.fx == 210.0


def test_a_recording_can_be_played_twice(rs, recording):
    pipeline = CameraPipeline(rs, settings(recording))
    assert play(pipeline)[-1][0] == play(pipeline)[-1][0] == 12


def test_a_camera_that_falls_silent_is_lost(rs, make_recording, tmp_path):
    path = tmp_path / "long.db3"
    make_recording(path, range(30), period_s=0.01)
    pipeline = CameraPipeline(rs, settings(path, playback_real_time=True, frame_timeout_s=0.2))
    pipeline.open()
    pipeline.read()
    pipeline._playback.pause()
    with pytest.raises(CameraLostError, match="no frame for 0.2 s"):
        read_all(pipeline)
    pipeline.close()


def test_a_missing_recording_is_named(rs):
    with pytest.raises(CameraNotFoundError, match="/nowhere.db3 does not exist"):
        CameraPipeline(rs, settings("/nowhere.db3")).open()


def test_a_profile_that_is_not_there_is_named(rs, recording):
    pipeline = CameraPipeline(rs, settings(recording, color=VideoProfile(1920, 1080, 30)))
    with pytest.raises(CameraNotFoundError, match=r"color 1920x1080x30.*0x0x0"):
        pipeline.open()


class _Device:
    def __init__(self, serial):
        self.serial = serial

    def get_info(self, _key):
        return self.serial


class _Context:
    serials: tuple[str, ...] = ()

    def query_devices(self):
        return [_Device(serial) for serial in self.serials]


@pytest.mark.parametrize(
    ("connected", "wanted", "message"),
    [
        ((), "", "No RealSense camera is connected"),
        (("111",), "222", r"222 is not connected. Connected: 111"),
        (("111", "222"), "", r"set serial_no.*'111', '222'"),
    ],
)
def test_a_camera_that_cannot_be_chosen_is_explained(rs, monkeypatch, connected, wanted, message):
    monkeypatch.setattr(_Context, "serials", connected)
    monkeypatch.setattr(rs, "context", _Context)
    with pytest.raises(CameraNotFoundError, match=message):
        CameraPipeline(rs, CameraSettings(serial_no=wanted)).open()


class _Image:
    def __init__(self, number, pixels):
        self._number, self._pixels = number, pixels

    def get_frame_number(self):
        return self._number

    def get_timestamp(self):
        return self._number * 1000 / 30

    def get_frame_timestamp_domain(self):
        return SimpleNamespace(name="hardware_clock")

    def get_units(self):
        return 0.001

    def get_data(self):
        return self._pixels


class _Delivery:
    def __init__(self, color_number, depth_number):
        self.color = _Image(color_number, np.full((2, 2, 3), color_number, np.uint8))
        self.depth = _Image(depth_number, np.full((2, 2), depth_number, np.uint16))

    def get_color_frame(self):
        return self.color

    def get_depth_frame(self):
        return self.depth


def test_depth_that_comes_late_follows_its_colour_image_and_depth_of_another_image_is_dropped(rs):
    pipeline = CameraPipeline(rs, CameraSettings(align_depth=False))
    pipeline._half_period_ms = 1000 / 60
    deliveries = [(5, 4), (5, 4), (5, 5), (5, 5), (6, 5), (7, 7)]
    frames = [pipeline._take(_Delivery(*numbers)) for numbers in deliveries]
    got = [f and (f.number, f.color is not None, f.depth_mm is not None) for f in frames]
    assert got == [(5, True, False), None, (5, False, True), None, (6, True, False), (7, True, True)]
    assert frames[2].depth_mm[0, 0] == 5
