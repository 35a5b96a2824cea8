"""The README tells the truth."""

from pathlib import Path

import pytest

from vitra_camera.calibration_node import Parameters as CalibrationParameters
from vitra_camera.head_camera_node import Parameters as HeadCameraParameters
from vitra_runtime.parameters import markdown_table


@pytest.mark.parametrize("parameters", [HeadCameraParameters, CalibrationParameters])
def test_the_parameter_table_is_that_of_the_code(parameters):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert markdown_table(parameters) in readme
