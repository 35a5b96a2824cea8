"""Rates as people read them."""

from __future__ import annotations

RATE_MAX_HZ = 10_000.0
"""No camera and no joint here is read more often than a thousand times a second, ten times less than this; a higher
rate comes of stamps that are all alike, or of a header that was written wrongly."""


def rate_words(rate_hz: float) -> str:
    """A rate with its unit, or that it is not known: what no device has is not printed as if one had.

    Args:
        rate_hz: As measured or declared; may be anything.
    """
    return f"{rate_hz:g} Hz" if 0 < rate_hz <= RATE_MAX_HZ else "rate unknown"
