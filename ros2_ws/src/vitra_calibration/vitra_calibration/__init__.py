"""Where the head camera is: ChArUco board on the hand mount, guided poses, several solvers, hold-out error, history."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
