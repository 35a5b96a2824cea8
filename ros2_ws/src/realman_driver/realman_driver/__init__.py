"""Driver of one Realman RM75 arm."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
