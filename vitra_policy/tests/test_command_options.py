"""A command names the option that cannot be, and what it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from vitra_policy.command_options import OptionValueError, check_numbers, check_positive, check_whole_numbers


@dataclass(frozen=True)
class Inner:
    rate_hz: float = 1.0
    longest_s: float = math.inf


@dataclass(frozen=True)
class Args:
    episodes: int = 1
    limit_s: float | None = None
    weights: tuple[float, ...] = ()
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (Args(limit_s=math.nan), "--limit-s is nan; it must be a finite number"),
        (Args(inner=Inner(rate_hz=math.inf)), "--rate-hz is inf"),
        (Args(inner=Inner(longest_s=-math.inf)), "--longest-s is -inf"),
        (Args(weights=(1.0, math.nan)), "--weights is nan"),
    ],
)
def test_what_is_no_number_is_refused_however_deep_it_stands(args: Args, says: str) -> None:
    check_numbers(Args(limit_s=2.0))
    with pytest.raises(OptionValueError, match=says):
        check_numbers(args)


def test_whole_numbers_have_bounds() -> None:
    check_whole_numbers(Args(), {"episodes": 1, "limit_s": 1})
    with pytest.raises(OptionValueError, match="--episodes is 0; it must be at least 1"):
        check_whole_numbers(Args(episodes=0), {"episodes": 1})
    with pytest.raises(OptionValueError, match="it must be from 1 to 5"):
        check_whole_numbers(Args(episodes=6), {"episodes": 1}, {"episodes": 5})


@pytest.mark.parametrize("limit_s", [0.0, -1.0, math.nan])
def test_what_must_be_above_zero_is(limit_s: float) -> None:
    check_positive(Args(), "limit_s")
    with pytest.raises(OptionValueError, match="greater than 0"):
        check_positive(Args(limit_s=limit_s), "limit_s")
