"""Human input to hand action chunks: the path of the policy, with a person at its beginning."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
