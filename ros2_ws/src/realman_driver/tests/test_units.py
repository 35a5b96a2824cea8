from __future__ import annotations

import ctypes
import math

import numpy as np
import pytest

from realman_driver.units import SetpointError, radians, setpoint_deg


def as_the_sdk_sends_it(position_deg: float) -> int:
    """Single precision, times 1000, truncated (docs/robot.md: SDK hazards)."""
    return int(ctypes.c_float(position_deg).value * 1000.0)


@pytest.mark.parametrize("position_deg", [1.3, -1.3, 0.0, 0.001, -0.001, 89.999, 178.0, -178.0, 359.999, -0.0004])
def test_truncation_becomes_rounding(position_deg: float) -> None:
    sent = setpoint_deg([math.radians(position_deg)] * 7)
    assert as_the_sdk_sends_it(sent[0]) == round(position_deg * 1000)


def test_without_the_half_unit_the_sdk_would_lose_a_millidegree() -> None:
    assert as_the_sdk_sends_it(1.3) == 1299


def test_a_thousand_random_positions_come_out_exact() -> None:
    random_mdeg = np.random.default_rng(3).integers(-359_999, 359_999, 1000)
    for mdeg in random_mdeg.tolist():
        assert as_the_sdk_sends_it(setpoint_deg([math.radians(mdeg / 1000.0)] * 7)[0]) == mdeg


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 8.0])
def test_numbers_that_must_not_reach_the_sdk_are_refused(bad: float) -> None:
    with pytest.raises(SetpointError, match="Joint 3"):
        setpoint_deg([0.0, 0.0, bad, 0.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("length", [0, 6, 8])
def test_another_number_of_joints_is_refused(length: int) -> None:
    with pytest.raises(SetpointError, match="7 joints"):
        setpoint_deg([0.0] * length)


def test_degrees_come_back_as_radians() -> None:
    assert radians([180.0, -90.0]) == pytest.approx((math.pi, -math.pi / 2))
