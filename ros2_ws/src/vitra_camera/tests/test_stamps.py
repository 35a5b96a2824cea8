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
    random, now = np.random.default_rng(3), [0.0]
    clock = CaptureClock(monotonic=lambda: now[0])
    device = np.arange(100) / 30
    arrivals = device + 5000.0 + random.exponential(0.01, 100)
    stamps = np.zeros(100)
    for frame, arrival_s in enumerate(arrivals):
        now[0] = arrival_s - 5000.0
        stamps[frame] = clock.stamp_s(device[frame], "hardware_clock", arrival_s)
    assert np.all(stamps <= arrivals)
    np.testing.assert_allclose(np.diff(stamps[50:]), 1 / 30, atol=2e-4)


def test_a_device_clock_that_starts_anew_is_learnt_anew():
    clock = CaptureClock()
    clock.stamp_s(500.0, "hardware_clock", 1000.0)
    assert clock.stamp_s(0.1, "hardware_clock", 1001.0) == pytest.approx(1001.0)


@pytest.mark.parametrize("step_s", [2.0, 0.5, -2.0])
def test_when_ros_time_is_set_the_very_next_image_is_stamped_in_it(step_s):
    now, set_by_s = [0.0], [0.0]
    clock = CaptureClock(monotonic=lambda: now[0])
    for frame in range(120):
        now[0] = frame / 30
        if frame == 60:
            set_by_s[0] = step_s
        delay_s = 0.02 + 0.01 * (frame % 3)
        ros_s = 5000.0 + now[0] + delay_s + set_by_s[0]
        now[0] += delay_s
        stamp_s = clock.stamp_s(frame / 30, "hardware_clock", ros_s)
        assert ros_s - stamp_s == pytest.approx(delay_s, abs=0.021)
