"""The RealSense head camera and the frames of the calibration file."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
