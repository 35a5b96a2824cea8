"""From actions of human-convention hands in the camera frame to targets of the robot."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
