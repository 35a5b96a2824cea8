"""The recorder: one MCAP rosbag2 per run, written beside the robot without slowing it down."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
