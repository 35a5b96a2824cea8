"""Blind, scripted, fair trial sessions and a report with honest intervals."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
