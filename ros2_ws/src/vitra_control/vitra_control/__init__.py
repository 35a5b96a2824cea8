"""From chunks to joint setpoints, and the permission to move."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
