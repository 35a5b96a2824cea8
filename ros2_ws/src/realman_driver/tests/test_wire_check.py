"""The check behind the last queue: old setpoints are dropped, short pauses caught up with, leaps refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from realman_driver.frames import Setpoint
from realman_driver.wire_check import LeapError, WireCheck
from vitra_description.limits import ARM_LIMITS
from vitra_description.postures import home
from vitra_safety.setpoint_stream import Beginning

HOME = home("right")
PERIOD_S = 0.005


def setpoint(
    number: int, position_rad: np.ndarray, judged_s: float = 10.0, begins: Beginning = Beginning.NONE
) -> Setpoint:
    return Setpoint(number, judged_s, begins, tuple(position_rad.tolist()))


def moving(check: WireCheck, speed_rad_s: float = 0.8, count: int = 60) -> list[np.ndarray]:
    """A motion of joint 1 that reaches its speed within limits; what went out."""
    q, speed, sent = HOME.copy(), 0.0, []
    for number in range(1, count + 1):
        speed = min(speed + 8.0 * PERIOD_S, speed_rad_s)
        q[0] += speed * PERIOD_S
        out = check.pass_on(setpoint(number, q, begins=Beginning(number == 1)), HOME, 10.0)
        assert out is not None
        sent.append(out)
    return sent


def test_a_steady_stream_passes_unchanged() -> None:
    sent = moving(WireCheck())
    steps = np.diff(np.array(sent)[:, 0])
    assert steps[-1] == pytest.approx(0.8 * PERIOD_S)


@pytest.mark.parametrize("age_s", [0.051, 10.0, -1.0])
def test_an_old_setpoint_is_dropped(age_s: float) -> None:
    check = WireCheck()
    moving(check)
    assert check.pass_on(setpoint(61, HOME, judged_s=10.0 - age_s), HOME, 10.0) is None
    assert check.stale == 1


@pytest.mark.parametrize(("missed", "refused"), [(4, False), (12, False), (30, True), (60, True)])
def test_after_a_pause_the_wire_catches_up_or_stands_still_but_never_leaps(missed: int, refused: bool) -> None:
    check = WireCheck()
    sent = moving(check)
    q, number = np.array(sent[-1]), 60 + missed
    q[0] += 0.8 * PERIOD_S * missed
    with pytest.raises(LeapError, match="would leap") if refused else contextlib.nullcontext():
        for _ in range(100):
            number += 1
            q[0] += 0.8 * PERIOD_S
            sent.append(check.pass_on(setpoint(number, q), HOME, 10.0))
    if not refused:
        np.testing.assert_allclose(sent[-1], q)
    velocity = np.diff(np.array(sent), axis=0) / PERIOD_S
    assert (np.abs(velocity) <= ARM_LIMITS.velocity_rad_s * 1.05).all()
    assert (np.abs(np.diff(velocity, axis=0) / PERIOD_S) <= ARM_LIMITS.acceleration_rad_s2 * 1.1).all()


def test_a_motion_begins_where_the_arm_is_measured_and_nowhere_else() -> None:
    with pytest.raises(LeapError, match="without a beginning"):
        WireCheck().pass_on(setpoint(1, HOME), HOME, 10.0)
    with pytest.raises(LeapError, match="has reported"):
        WireCheck().pass_on(setpoint(1, HOME, begins=Beginning.MEASURED), None, 10.0)
    with pytest.raises(LeapError, match=r"5\.7 deg"):
        WireCheck().pass_on(setpoint(1, HOME + 0.1, begins=Beginning.MEASURED), HOME, 10.0)


def test_no_number_gets_through() -> None:
    with pytest.raises(LeapError):
        WireCheck().pass_on(setpoint(1, HOME * np.nan, begins=Beginning.MEASURED), HOME, 10.0)


def test_a_motion_that_goes_on_from_what_the_controller_holds_does_not_leap_to_where_the_arm_sags() -> None:
    held, sagging = HOME, HOME - np.deg2rad(1.0)
    out = WireCheck().pass_on(setpoint(1, held, begins=Beginning.HELD), sagging, 10.0)
    assert out is not None
    np.testing.assert_allclose(out, held, atol=1e-12)
    with pytest.raises(LeapError, match="would leap 5.0 deg"):
        WireCheck().pass_on(setpoint(1, HOME + np.deg2rad(5.0), begins=Beginning.HELD), HOME, 10.0)
    with pytest.raises(LeapError, match="before the arm has reported"):
        WireCheck().pass_on(setpoint(1, HOME, begins=Beginning.HELD), None, 10.0)
