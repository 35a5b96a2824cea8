"""What people act with and see: web console, frames of the robot, Rerun view."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
