"""The closed-form stopping distance against ruckig's own stop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruckig import ControlInterface, InputParameter, Ruckig, Trajectory

from vitra_control.stopping import stopping_distance

JERK = 400.0


def ruckig_peak(velocity: float, acceleration: float, top: float) -> float:
    inp, trajectory = InputParameter(1), Trajectory(1)
    inp.control_interface = ControlInterface.Velocity
    inp.current_position, inp.current_velocity, inp.current_acceleration = [0.0], [velocity], [acceleration]
    inp.target_velocity, inp.max_acceleration, inp.max_jerk = [0.0], [top], [JERK]
    Ruckig(1).calculate(inp, trajectory)
    times = np.linspace(0.0, trajectory.duration, 400)
    return max(0.0, max(trajectory.at_time(t)[0][0] for t in times))


@settings(max_examples=100, deadline=None)
@given(velocity=st.floats(-1.5, 1.5), share=st.floats(-1.0, 1.0), top=st.floats(4.0, 12.0))
def test_it_is_where_ruckig_stops(velocity: float, share: float, top: float) -> None:
    expected = ruckig_peak(velocity, share * top, top)
    got = stopping_distance(np.array([velocity]), np.array([share * top]), np.array([top]), JERK)[0]
    assert got == pytest.approx(expected, abs=1e-4)
    assert got >= expected - 1e-9, "never short of the truth"
