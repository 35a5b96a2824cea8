"""The check of the whole robot: sound bounds, stops that stay clear, and a way out of what is near already."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.limits import ARM_LIMITS, JointLimits
from vitra_description.postures import home
from vitra_safety.collision import Closest, CollisionModel
from vitra_safety.posture_checks import MIN_DISTANCE_M
from vitra_safety.separation import HOLD_M, SeparationWatch

CALIBRATION = default_calibration()
MODEL = CollisionModel(CALIBRATION, table_height_m=0.75)
HOME = np.concatenate([home("left"), home("right")])
BRAKING = JointLimits.build(
    np.tile(ARM_LIMITS.lower_rad, 2), np.tile(ARM_LIMITS.upper_rad, 2), np.tile(ARM_LIMITS.velocity_rad_s, 2), 8.0
)


def postures(seed: int, count: int) -> np.ndarray:
    return HOME + np.random.default_rng(seed).uniform(-0.6, 0.6, (count, 14))


def test_no_distance_changes_faster_than_the_reach_of_the_joints_allows() -> None:
    rng = np.random.default_rng(1)
    for q in postures(0, 300):
        dq = rng.normal(0, 0.05, 14) * (rng.random(14) < rng.choice([0.1, 0.5, 1.0]))
        change_m = abs(MODEL.distance_m(q + dq) - MODEL.distance_m(q))
        assert change_m <= MODEL.reach_m @ np.abs(dq) + 1e-9


def test_the_reach_is_not_far_more_than_the_arm_is_long() -> None:
    assert MODEL.reach_m.shape == (14,)
    np.testing.assert_allclose(MODEL.reach_m[:7], MODEL.reach_m[7:], atol=1e-9)
    assert 0.6 < MODEL.reach_m[0] < 1.0
    assert MODEL.reach_m[6] < 0.3


def test_a_stop_from_what_is_allowed_stays_clear() -> None:
    watch, rng, judged = SeparationWatch(MODEL, BRAKING), np.random.default_rng(2), {True: 0, False: 0}
    for q in postures(3, 400):
        if MODEL.distance_m(q) < HOLD_M:
            continue
        velocity = rng.normal(0, 0.5, 14)
        allowed = watch.allows(q, velocity, q - velocity * 0.005)
        judged[allowed] += 1
        if allowed:
            stop_s = np.abs(velocity).max() / 8.0
            on_the_way = [q + velocity * (t - t * t / (2 * stop_s)) for t in np.linspace(0, stop_s, 9)]
            assert min(MODEL.distance_m(x) for x in on_the_way) >= HOLD_M - 1e-9
    assert min(judged.values()) > 20, judged


def test_a_robot_that_is_too_near_may_move_apart_and_not_closer() -> None:
    watch = SeparationWatch(MODEL, BRAKING)
    near = next(q for q in postures(5, 500) if 0.0 < MODEL.distance_m(q) < HOLD_M)
    step = np.array([MODEL.distance_m(near + 1e-4 * e) - MODEL.distance_m(near) for e in np.eye(14)]) / 1e-4
    apart = step / np.linalg.norm(step) * 0.05
    assert watch.allows(near + apart * 0.005, apart, near)
    assert not watch.allows(near - apart * 0.005, -apart, near)


def test_a_robot_that_is_elsewhere_than_its_setpoints_keeps_clear_where_it_is() -> None:
    watch, rng, judged = SeparationWatch(MODEL, BRAKING), np.random.default_rng(11), {True: 0, False: 0}
    for q in postures(12, 3000):
        velocity, aside = rng.normal(0, 0.5, 14), rng.normal(0, 0.05, 14)
        if min(MODEL.distance_m(q), MODEL.distance_m(q + aside)) < HOLD_M or MODEL.distance_m(q) > 0.1:
            continue
        watch.measure(q, np.zeros(14), 0.005)
        if not watch.allows(q, velocity, q - velocity * 0.005):
            continue
        watch.begin()
        watch.measure(q, aside, 0.005)
        allowed = watch.allows(q, velocity, q - velocity * 0.005)
        judged[allowed] += 1
        if allowed:
            stop_s = np.abs(velocity).max() / 8.0
            on_the_way = [q + aside + velocity * (t - t * t / (2 * stop_s)) for t in np.linspace(0, stop_s, 9)]
            assert min(MODEL.distance_m(x) for x in on_the_way) >= MIN_DISTANCE_M - 1e-9
    assert min(judged.values()) > 20, judged


def test_the_way_between_two_clear_postures_is_judged_too() -> None:
    watch = SeparationWatch(MODEL, BRAKING)
    rng, found = np.random.default_rng(7), 0
    for _ in range(4000):
        a, b = HOME + rng.uniform(-0.7, 0.7, (2, 14))
        between = [MODEL.distance_m(a + share * (b - a)) for share in np.linspace(0, 1, 9)]
        if min(between[0], between[-1]) > HOLD_M and min(between) < HOLD_M:
            watch.restart()
            is_open, _ = watch.ahead(b, a)
            found += 1
            assert not is_open
        if found >= 5:
            break
    assert found >= 5


@pytest.mark.parametrize(("distance_m", "speed"), [(0.2, 1.0), (0.0601, 1.0), (0.0425, 0.5), (0.026, 0.25)])
def test_the_path_slows_down_near_something(distance_m: float, speed: float) -> None:
    class Near:
        reach_m = MODEL.reach_m

        def distance_m(self, _: np.ndarray) -> float:
            return distance_m

    watch = SeparationWatch(Near(), BRAKING)  # type: ignore[arg-type]
    is_open, share = watch.ahead(HOME, HOME)
    assert is_open
    assert share == pytest.approx(speed, abs=0.03)


class Corridor:
    """One joint of a metre's reach; distances along its way are given."""

    reach_m = np.array([1.0])

    def __init__(self, *distances_m: float) -> None:
        self._at, self._m = np.linspace(0.0, 1.0, len(distances_m)), np.array(distances_m)
        self.asked: list[float] = []

    def closest(self, q_rad: np.ndarray) -> Closest:
        return Closest(self.distance_m(q_rad), "palm", "table")

    def distance_m(self, q_rad: np.ndarray) -> float:
        self.asked.append(float(q_rad[0]))
        return float(np.interp(q_rad[0], self._at, self._m))


def way(model: Corridor) -> bool:
    limits = JointLimits.build([-3.0], [3.0], [1.0], [8.0])
    watch = SeparationWatch(model, limits, hold_m=0.01, slow_m=0.06)  # type: ignore[arg-type]
    return watch.ahead(np.array([1.0]), np.array([0.0]))[0]


@pytest.mark.parametrize(("narrow_m", "is_open"), [(0.073, True), (0.072, False)])
def test_a_way_is_halved_three_times_on_either_side(narrow_m: float, is_open: bool) -> None:
    """An eighth of the way needs (a + b - 1/8) / 2 above what is kept: 0.0725 m at both ends of each eighth."""
    assert way(Corridor(*[narrow_m] * 9)) is is_open
    assert way(Corridor(*[0.9] * 4, *[narrow_m] * 5)) is is_open
    assert way(Corridor(*[narrow_m] * 5, *[0.9] * 4)) is is_open


def test_a_way_that_begins_too_near_is_open_only_apart() -> None:
    assert way(Corridor(0.005, 0.02))
    assert not way(Corridor(0.02, 0.005))
    assert not way(Corridor(0.005, 0.004))
    assert not way(Corridor(0.01, 0.01))


def test_a_way_that_leads_apart_all_along_is_open_however_rough_the_bound() -> None:
    apart_m = np.linspace(0.03, 0.07, 9)
    assert way(Corridor(*apart_m))
    assert not way(Corridor(*apart_m[::-1]))
    assert not way(Corridor(*apart_m[:4], 0.035, *apart_m[5:])), "one eighth of it leads nearer"


def test_a_wide_way_asks_nothing_in_between() -> None:
    model = Corridor(0.9, 0.9)
    assert way(model)
    assert model.asked == [1.0, 0.0]


def braking(*distances_m: float) -> tuple[SeparationWatch, Corridor]:
    model = Corridor(*distances_m)
    limits = JointLimits.build([-3.0], [3.0], [1.0], [8.0])
    return SeparationWatch(model, limits, hold_m=0.01, slow_m=0.06), model  # type: ignore[arg-type]


def test_a_stop_that_ends_clear_is_allowed_though_its_sweep_alone_might_not_be() -> None:
    """At 1 rad/s it sweeps 0.0625 m: 0.07 m are too little to know without looking at where it ends."""
    watch, model = braking(0.08, 0.07, 0.06)
    assert watch.allows(np.array([0.5]), np.array([1.0]), np.array([0.45]))
    assert model.asked == [0.5, 0.5625]


def test_a_robot_that_is_too_near_may_move_where_nothing_comes_nearer() -> None:
    watch, _ = braking(0.005, 0.005)
    assert watch.allows(np.array([0.5]), np.array([0.1]), np.array([0.45]))
    watch, _ = braking(0.005, 0.004)
    assert not watch.allows(np.array([0.5]), np.array([0.1]), np.array([0.45]))


def exact(*distances_m: float) -> tuple[SeparationWatch, Corridor]:
    """As `braking`, with a quarter of a metre to keep: sums of powers of two, so that nothing is rounded."""
    model = Corridor(*distances_m)
    limits = JointLimits.build([-3.0], [3.0], [1.0], [8.0])
    return SeparationWatch(model, limits, hold_m=0.25, slow_m=0.5), model  # type: ignore[arg-type]


def test_a_way_that_comes_exactly_as_near_as_is_kept_is_closed() -> None:
    for nearest_m, is_open in ((0.3125, False), (np.nextafter(0.3125, 1.0), True)):
        watch, _ = exact(*[nearest_m] * 9)  # at each eighth of the way (2 * 0.3125 - 1/8) / 2 = 0.25
        assert watch.ahead(np.array([1.0]), np.array([0.0]))[0] is is_open


def test_a_way_that_ends_exactly_where_is_kept_is_closed_and_one_just_before_is_open() -> None:
    for end_m, is_open in ((0.25, False), (0.2501, True)):
        watch, _ = exact(0.9, end_m)
        assert watch.ahead(np.array([1.0]), np.array([0.9999]))[0] is is_open


def test_a_stop_whose_sweep_just_fits_needs_no_second_look() -> None:
    """At 1 rad/s it sweeps 1/16 m."""
    watch, model = exact(0.3125, 0.3125)
    assert watch.allows(np.array([0.5]), np.array([1.0]), np.array([0.45]))
    assert model.asked == [0.5]


def test_a_stop_that_comes_exactly_as_near_as_is_kept_is_allowed() -> None:
    for stopped_m, allowed in ((17 / 64, True), (17 / 64 - 2**-30, False)):
        watch, _ = exact(*[0.5] * 8, 19 / 64, *[stopped_m] * 8)  # (19/64 + 17/64 - 4/64) / 2 = 1/4
        assert watch.allows(np.array([0.5]), np.array([1.0]), np.array([0.4])) is allowed


def test_the_path_is_travelled_at_a_share_of_its_speed_between_a_quarter_and_all() -> None:
    for distance_m, share in ((0.25, 0.25), (0.3125, 0.25), (0.375, 0.5), (0.5, 1.0), (0.9, 1.0)):
        watch, _ = exact(distance_m, distance_m)
        assert watch.ahead(np.array([1.0]), np.array([0.0]))[1] == share


def nearing(*, near_m: float, speed_m_s: float, velocity_rad_s: float) -> bool:
    """Whether a robot that was seen to come nearer at this speed may go on at this velocity; told to go apart."""
    model = Corridor(near_m, near_m + 1.0)
    limits = JointLimits.build([-3.0], [3.0], [1.0], [8.0])
    watch = SeparationWatch(model, limits, hold_m=0.025, slow_m=0.06, measured_m=0.02)  # type: ignore[arg-type]
    for cycle in (4, 3, 2, 1, 0):
        watch.measure(np.array([0.0]), np.array([0.005 * speed_m_s * cycle]), 0.005)
    return watch.allows(np.array([0.5]), np.array([velocity_rad_s]), np.array([0.4]))


def test_arms_that_are_pressed_towards_each_other_must_be_able_to_stop_in_time() -> None:
    """From 0.8 rad/s it stops in 0.1 s; 10 mm are left above the 20 that are kept."""
    assert nearing(near_m=0.03, speed_m_s=0.09, velocity_rad_s=0.8)
    assert not nearing(near_m=0.03, speed_m_s=0.11, velocity_rad_s=0.8)
    assert nearing(near_m=0.03, speed_m_s=0.11, velocity_rad_s=0.4)


def test_below_what_is_kept_only_what_does_not_come_nearer_may_go_on() -> None:
    assert not nearing(near_m=0.015, speed_m_s=0.006, velocity_rad_s=0.01)
    assert nearing(near_m=0.015, speed_m_s=0.0, velocity_rad_s=0.01)
    assert nearing(near_m=0.015, speed_m_s=0.004, velocity_rad_s=0.01), "encoders have a resolution"


def test_a_robot_that_was_pressed_together_holds_until_it_begins_anew_and_may_leave_then() -> None:
    watch = SeparationWatch(Corridor(0.0, 1.0), JointLimits.build([-3.0], [3.0], [1.0], [8.0]))  # type: ignore[arg-type]

    def may_leave(*there_m: float) -> bool:
        for distance_m in there_m:
            watch.measure(np.array([distance_m]), np.zeros(1), 0.005)
        return watch.allows(np.array([0.5]), np.array([0.1]), np.array([0.4]))

    assert may_leave(0.016, 0.0151)
    assert not may_leave(0.0149)
    assert watch.is_pressed
    assert not may_leave(0.1)
    watch.begin()
    assert may_leave(0.0149, 0.0140)
    assert not may_leave(0.0138)
    watch.begin()
    assert may_leave(0.0138)


def test_one_leap_of_what_was_measured_is_no_speed_and_a_new_begin_forgets_it() -> None:
    watch = SeparationWatch(Corridor(0.03, 1.03), JointLimits.build([-3.0], [3.0], [1.0], [8.0]))  # type: ignore[arg-type]
    for turned_rad in (0.02, 0.0, 0.0, 0.0):
        watch.measure(np.array([0.0]), np.array([turned_rad]), 0.005)
    assert watch.allows(np.array([0.5]), np.array([0.8]), np.array([0.4])), "four cycles have not passed"
    watch.measure(np.array([0.0]), np.array([0.0]), 0.005)
    assert not watch.allows(np.array([0.5]), np.array([0.8]), np.array([0.4]))
    assert watch.last is not None
    assert watch.last.distance_m == pytest.approx(0.03)
    watch.begin()
    assert watch.allows(np.array([0.5]), np.array([0.8]), np.array([0.4]))


def test_arms_that_are_far_apart_are_not_measured_every_cycle() -> None:
    model = Corridor(1.0, 1.0)
    limits = JointLimits.build([-3.0], [3.0], [1.0], [8.0])
    watch = SeparationWatch(model, limits)  # type: ignore[arg-type]
    for number in range(10):
        watch.measure(np.array([0.01 * number]), np.zeros(1), 0.005)
    assert len(model.asked) == 1
    assert watch.allows(np.array([0.1]), np.array([1.0]), np.array([0.1])), "what is not known is no speed"
