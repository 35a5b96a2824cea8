"""Capture times in the clock of the graph."""

import numpy as np
import pytest

from vitra_camera.stamps import CaptureClock


def test_a_believable_host_time_is_taken_as_it_is():
    assert CaptureClock().stamp_s(1000.00, "global_time", 1000.03) == 1000.00


@pytest.mark.parametrize("device_time_s", [400.0, 1000.2])
def test_a_host_time_that_cannot_be_true_is_shifted_to_the_arrival(device_time_s):
    assert CaptureClock().stamp_s(device_time_s, "system_time", 1000.0) == pytest.approx(1000.0)


def test_jitter_of_the_arrival_does_not_reach_the_stamps():
    clock, random = CaptureClock(), np.random.default_rng(3)
    device = np.arange(100) / 30
    arrivals = device + 5000.0 + random.exponential(0.01, 100)
    stamps = np.array([clock.stamp_s(d, "hardware_clock", a) for d, a in zip(device, arrivals, strict=True)])
    assert np.all(stamps <= arrivals)
    np.testing.assert_allclose(np.diff(stamps[50:]), 1 / 30, atol=2e-4)


def test_a_device_clock_that_starts_anew_is_learnt_anew():
    clock = CaptureClock()
    clock.stamp_s(500.0, "hardware_clock", 1000.0)
    assert clock.stamp_s(0.1, "hardware_clock", 1001.0) == pytest.approx(1001.0)
