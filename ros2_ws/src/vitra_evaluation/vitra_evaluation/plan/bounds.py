"""What numbers and words of a plan may be; a check answers what is wrong, or an empty string."""

from __future__ import annotations

from collections.abc import Callable

LONGEST_S = 3600.0
SLOWEST_S = 10.0
MOST_TRIALS = 10_000
LARGEST_SEED = 2**63 - 1


def positive(value: float) -> str:
    """Wrong unless it is more than 0."""
    return "" if value > 0 else f"must be more than 0, got {value}"


def at_most(limit: float) -> Callable[[float], str]:
    """Wrong unless it is more than 0 and at most a limit."""
    return lambda value: positive(value) or ("" if value <= limit else f"must be at most {limit:g}, got {value}")


def up_to(limit: float) -> Callable[[float], str]:
    """Wrong unless it is from 0 to a limit."""

    def check(value: float) -> str:
        if value < 0:
            return f"must not be negative, got {value}"
        return "" if value <= limit else f"must be at most {limit:g}"

    return check


def level(value: float) -> str:
    """Wrong unless it is an error rate."""
    return "" if 0 < value < 0.5 else f"must be between 0 and 0.5, got {value:g}"


def not_empty(value: str) -> str:
    """Wrong without a visible character."""
    return "" if value.strip() else "must not be empty"
