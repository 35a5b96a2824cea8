"""Messages hold the pixels and the lens of the device."""

import array
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

from vitra_camera.conversion import ImageFiller, fill_camera_info
from vitra_camera.errors import CameraSettingsError


def _intrinsics(rs, model="inverse_brown_conrady"):
    intrinsics = rs.intrinsics()
    intrinsics.width, intrinsics.height = 640, 480
    intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy = 386.0, 385.0, 321.0, 239.0
    intrinsics.model, intrinsics.coeffs = getattr(rs.distortion, model), [-0.05, 0.06, 0.001, -0.001, -0.02]
    return intrinsics


@pytest.mark.parametrize(
    ("shape", "dtype", "encoding", "step"), [((4, 6, 3), np.uint8, "rgb8", 18), ((4, 6), np.uint16, "16UC1", 12)]
)
def test_an_image_message_holds_the_pixels(shape, dtype, encoding, step):
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    stamp = Image().header.stamp
    message = ImageFiller(Image(), "frame", encoding).fill(pixels, stamp)
    assert (message.height, message.width, message.step, message.encoding) == (4, 6, step, encoding)
    assert message.header.frame_id == "frame"
    np.testing.assert_array_equal(np.frombuffer(message.data, dtype).reshape(shape), pixels)


def test_the_buffer_is_reused_and_follows_a_change_of_size():
    filler = ImageFiller(Image(), "frame", "rgb8")
    first = filler.fill(np.zeros((2, 2, 3), np.uint8), Image().header.stamp).data
    assert filler.fill(np.full((2, 2, 3), 7, np.uint8), Image().header.stamp).data is first
    assert first == array.array("B", [7] * 12)
    assert len(filler.fill(np.zeros((3, 2, 3), np.uint8), Image().header.stamp).data) == 18


def test_an_image_that_is_not_contiguous_is_copied_right():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)[:, ::-1]
    message = ImageFiller(Image(), "frame", "rgb8").fill(pixels, Image().header.stamp)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint8).reshape(4, 4, 3), pixels)


def test_camera_info_projects_as_the_device_does(rs):
    intrinsics = _intrinsics(rs)
    info = fill_camera_info(CameraInfo(), intrinsics, "optical")
    assert (info.width, info.height, info.header.frame_id, info.distortion_model) == (640, 480, "optical", "plumb_bob")
    k1, k2, p1, p2, k3 = info.d
    K = info.k.reshape(3, 3)
    for x, y in np.random.default_rng(2).uniform(-0.7, 0.7, (20, 2)):
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        distorted = [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
            1,
        ]
        expected = rs.rs2_project_point_to_pixel(intrinsics, [float(x), float(y), 1.0])
        np.testing.assert_allclose((K @ distorted)[:2], expected, atol=0.02)


def test_a_lens_without_distortion_gets_zeros(rs):
    assert list(fill_camera_info(CameraInfo(), _intrinsics(rs, "none"), "optical").d) == [0.0] * 5


def test_a_fisheye_lens_gets_four_coefficients(rs):
    info = fill_camera_info(CameraInfo(), _intrinsics(rs, "kannala_brandt4"), "optical")
    assert (info.distortion_model, len(info.d)) == ("equidistant", 4)


def test_an_unknown_lens_model_is_refused():
    with pytest.raises(CameraSettingsError, match="ftheta"):
        fill_camera_info(CameraInfo(), SimpleNamespace(model=SimpleNamespace(name="ftheta")), "optical")
