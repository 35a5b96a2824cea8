"""Profiles as realsense users write them."""

import pytest

from vitra_camera.errors import CameraSettingsError
from vitra_camera.settings import CameraSettings, VideoProfile


@pytest.mark.parametrize("text", ["848x480x30", "848X480X30", "848,480,30", " 848 x 480 x 30 "])
def test_a_profile_is_read_as_realsense_writes_it(text):
    assert VideoProfile.parse(text) == VideoProfile(848, 480, 30)


@pytest.mark.parametrize("text", ["", "848x480", "axbxc", "848x480x30x1", "-1x2x3"])
def test_a_malformed_profile_is_refused_with_an_example(text):
    with pytest.raises(CameraSettingsError, match="640x480x30"):
        VideoProfile.parse(text)


def test_a_serial_number_may_carry_the_underscore_of_realsense2_camera():
    assert CameraSettings(serial_no="_012345").serial == "012345"
