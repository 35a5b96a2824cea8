"""Stillness, clocks, parameters."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_control.clock import ClockBridge
from vitra_control.executor_parameters import Parameters
from vitra_control.stillness import Stillness
from vitra_policy.action_space import SIDES, Side
from vitra_runtime.parameters import ParameterError, validate


def test_at_rest_means_in_one_place_for_some_time() -> None:
    still = Stillness(0.01, 0.1)
    assert not still.reached(0.0)
    still.update(np.zeros(2), 0.0)
    assert not still.reached(0.05)
    still.update(np.array([0.02, 0.0]), 0.08)
    assert not still.reached(0.11), "it moved: the time starts anew"
    still.update(np.array([0.021, 0.0]), 0.17)
    assert still.reached(0.19)
    still.reset()
    assert not still.reached(1.0)


def test_a_creeping_joint_is_not_at_rest() -> None:
    still = Stillness(0.01, 0.1)
    for k in range(100):
        still.update(np.array([0.002 * k]), 0.01 * k)
        assert not still.reached(0.01 * k)


def test_the_clock_bridge_ignores_noise_and_follows_a_clock_that_was_set() -> None:
    system, monotonic = [1000.0], [10.0]
    bridge = ClockBridge(0.005, lambda: system[0], lambda: monotonic[0])
    first = bridge.monotonic_s(999.9)
    assert first == pytest.approx(9.9)
    system[0] += 1.001
    monotonic[0] += 1.0
    assert bridge.monotonic_s(999.9) == first, "the same stamp is the same time"
    system[0] += 3600.0
    assert bridge.monotonic_s(4601.0) == pytest.approx(11.0, abs=0.01)
    assert bridge.system_s(11.0) == pytest.approx(4601.0, abs=0.01)


def test_parameters_name_the_sides() -> None:
    assert Parameters().sides == (Side.RIGHT,)
    assert Parameters(arms="both").sides == SIDES
    assert set(Parameters(arms="left").build_sides()) == {Side.LEFT}


def test_a_ready_posture_beyond_the_limits_is_refused() -> None:
    with pytest.raises(ParameterError, match="ready_right_rad"):
        Parameters(ready_right_rad=(9.0,) * 7).build_sides()
    with pytest.raises(ParameterError, match="7 angles"):
        Parameters(ready_right_rad=(0.0,) * 6).build_sides()


def test_default_parameters_are_within_their_own_bounds() -> None:
    names = Parameters.__dataclass_fields__
    assert validate(Parameters, {name: getattr(Parameters(), name) for name in names}) == Parameters()
    assert Parameters(ensemble_decay=0.1).settings.ensemble_decay == 0.1
    assert Parameters().settings.ensemble_decay is None
