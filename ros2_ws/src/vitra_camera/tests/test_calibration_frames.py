"""The calibration as a tree of frames."""

import numpy as np

from vitra_camera.calibration_frames import calibration_frames
from vitra_description.calibration import default_calibration


def test_the_frames_form_trees_rooted_at_the_base_and_the_flanges():
    frames = calibration_frames(default_calibration())
    children = [frame.child for frame in frames]
    assert len(set(children)) == len(children) == 8
    roots = {frame.parent for frame in frames} - set(children)
    assert roots == {"base_link", "left_ee", "right_ee"}


def test_the_camera_looks_along_the_x_axis_of_its_link():
    calibration = default_calibration()
    frames = {frame.child: frame for frame in calibration_frames(calibration)}
    optical = frames["head_camera_color_optical_frame"].parent_from_child
    link = optical @ frames["head_camera_link"].parent_from_child
    np.testing.assert_allclose(link[:3, 0], optical[:3, 2], atol=1e-12)
    np.testing.assert_allclose(link[:3, 2], -optical[:3, 1], atol=1e-12)
    np.testing.assert_allclose(link[:3, 3], calibration.base_from_head_camera[:3, 3])
