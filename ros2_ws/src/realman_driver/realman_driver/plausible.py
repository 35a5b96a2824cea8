"""Whether measured joint positions can be true: the SDK reads what is missing from a state push as 0 or as rubbish."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vitra_description.limits import ARM_VENDOR_LIMITS

_MARGIN_DEG = 5.0
_LOWER_DEG = (np.rad2deg(ARM_VENDOR_LIMITS.lower_rad) - _MARGIN_DEG).tolist()
_UPPER_DEG = (np.rad2deg(ARM_VENDOR_LIMITS.upper_rad) + _MARGIN_DEG).tolist()
_FASTEST_DEG_S = (2.0 * np.rad2deg(ARM_VENDOR_LIMITS.velocity_rad_s)).tolist()
_JITTER_DEG = 2.0


class PositionCheck:
    """Positions must lie in the joints' range, and no farther from the last good ones than joints can move since.

    The first good ones come over another way (a query with a reply), so that a push that reads as zeros from the start
    is noticed too.
    """

    def __init__(self) -> None:
        self._last_s = 0.0
        self.last_deg: tuple[float, ...] | None = None
        self.refused = 0

    def start(self, position_deg: Sequence[float], now_s: float) -> str:
        """Positions from a query; what is wrong with them, in words, or an empty text."""
        position = tuple(float(q) for q in position_deg)
        if not _in_range(position):
            return f"the controller reports joints at {[round(q, 3) for q in position]} deg, which they cannot reach"
        self.last_deg, self._last_s = position, now_s
        return ""

    def accepts(self, position_deg: Sequence[float], now_s: float) -> bool:
        """Positions from the state push; whether they can be true."""
        position = tuple(float(q) for q in position_deg)
        if not _in_range(position) or not self._reachable(position, now_s):
            self.refused += 1
            return False
        self.last_deg, self._last_s = position, now_s
        return True

    def _reachable(self, position: tuple[float, ...], now_s: float) -> bool:
        if self.last_deg is None:
            return True
        passed_s = max(0.0, now_s - self._last_s)
        return all(
            abs(q - before) <= fastest * passed_s + _JITTER_DEG
            for q, before, fastest in zip(position, self.last_deg, _FASTEST_DEG_S, strict=True)
        )


def _in_range(position_deg: tuple[float, ...]) -> bool:
    return len(position_deg) == len(_LOWER_DEG) and all(
        math.isfinite(q) and low <= q <= high for q, low, high in zip(position_deg, _LOWER_DEG, _UPPER_DEG, strict=True)
    )
