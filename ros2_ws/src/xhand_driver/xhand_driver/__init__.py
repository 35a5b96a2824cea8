"""Driver of one XHand1."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
