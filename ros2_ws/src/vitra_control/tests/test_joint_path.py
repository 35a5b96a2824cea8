"""The path ahead: a smooth curve through its nodes, and speeds from which everything ahead can be travelled."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_control.joint_path import JointPath
from vitra_description.limits import JointLimits

LIMITS = JointLimits.build([-9.0, -9.0], [9.0, 9.0], 1.0, 8.0)
H = 0.02


def straight(rates: list[float]) -> JointPath:
    """A path whose first joint goes from node to node at these rates, the second not at all."""
    made = JointPath(LIMITS, H)
    made.restart(10.0, np.zeros(2), np.array([rates[0], 0.0]))
    position = np.zeros(2)
    for rate in rates:
        position = position + [rate * H, 0.0]
        made.append(position)
    return made


def test_it_passes_through_its_nodes_with_a_continuous_slope() -> None:
    rng = np.random.default_rng(0)
    made, nodes = JointPath(LIMITS, H), np.cumsum(rng.normal(0, 0.01, (8, 2)), axis=0)
    made.restart(0.0, nodes[0], np.zeros(2))
    for node in nodes[1:]:
        made.append(node)
    assert made.end_s == pytest.approx(6 * H)
    for k in range(1, 6):
        np.testing.assert_allclose(made.position(k * H), nodes[k], atol=1e-12)
        np.testing.assert_allclose(made.slope(k * H - 1e-9), made.slope(k * H + 1e-9), atol=1e-4)


def test_a_slow_path_is_free_and_a_fast_one_is_slowed_to_the_velocity_limit() -> None:
    assert straight([0.5] * 14).speed(10.0) == 1.0
    assert straight([2.0] * 40).speed(10.0) == pytest.approx(0.5, rel=1e-6)


def test_it_slows_down_ahead_of_what_is_fast_so_that_the_limit_is_met_there() -> None:
    made = straight([0.9] * 12 + [3.0] * 40)
    places_s = np.arange(10.0, 10.0 + 16 * H, 0.001)
    speeds = np.array([made.speed(s) for s in places_s])
    slopes = np.array([made.slope(s)[0] for s in places_s])
    assert speeds[0] == 1.0
    assert speeds[-1] == pytest.approx(1 / 3, rel=1e-3)
    # The joint's velocity is slope times speed; along the path it changes by the acceleration over the speed.
    acceleration = np.diff(slopes * speeds) / 0.001 * speeds[1:]
    slowing = np.diff(speeds) < -1e-6
    assert slowing.sum() > 50, "from well ahead"
    assert np.abs(acceleration[slowing]).max() <= LIMITS.acceleration_rad_s2[0] * 1.05, "no harder than it can"


def test_the_end_of_what_is_known_can_be_stopped_at() -> None:
    made = straight([1.0] * 6)
    assert made.speed(made.end_s) == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < made.speed(made.end_s - 0.01) < 0.5


def test_it_is_not_travelled_up_to_a_node_that_is_not_open() -> None:
    made = JointPath(LIMITS, H)
    made.restart(0.0, np.zeros(2), np.array([0.2, 0.0]))
    for k in range(1, 20):
        made.append(np.array([0.2 * H * k, 0.0]), is_open=k != 6)
    assert made.is_blocked
    assert made.speed(0.0) == pytest.approx(1.0)
    assert made.speed(5 * H) == 0.0
    assert made.speed(10 * H) == 0.0, "nor beyond"


def test_what_lies_behind_is_forgotten() -> None:
    made = straight([0.5] * 30)
    before = made.position(10.3)
    made.forget(10.29)
    np.testing.assert_allclose(made.position(10.3), before)
    assert made.speed(10.3) == 1.0
