"""The policy node: assembles observations, runs a policy on them, publishes its chunks."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
