"""The whole robot: wrists sent anywhere, also to one place, never bring its shapes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_robot import CALIBRATION, FakeRobot
from two_arm_targets import Args, measure, run

from vitra_control.setpoints import Feedback
from vitra_control.settings import ARM_PERIOD_S, GeneratorSettings
from vitra_description.postures import open_hand
from vitra_policy.action_space import SIDES, Side
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.transforms import invert_pose, quaternion_from_matrix
from vitra_safety.collision import CollisionModel
from vitra_safety.posture_checks import MIN_DISTANCE_M


def to_one_place(
    made: FakeRobot, place_m: tuple[float, float, float], sides: Sequence[Side] = SIDES
) -> dict[Side, TimedSteps]:
    """The wrists to one point in base coordinates, within 1.5 s."""
    chunk = {}
    for side in sides:
        pose, share = made.wrist(side), np.arange(1, 31)[:, None] / 30
        goal = (invert_pose(CALIBRATION.side(side).base_from_arm_base) @ np.array([*place_m, 1.0]))[:3]
        position = pose[:3, 3] + share * (goal - pose[:3, 3])
        rotation, fingers = np.tile(quaternion_from_matrix(pose[:3, :3]), (30, 1)), np.tile(open_hand(), (30, 1))
        chunk[side] = TimedSteps(1, made.now_s, 0.05, np.concatenate([position, rotation, fingers], axis=1))
    return chunk


@pytest.mark.parametrize("speed", [0.3, 1.0, 1.8])
def test_both_wrists_sent_to_one_point_slow_down_and_hold_apart(speed: float) -> None:
    made = FakeRobot(SIDES, GeneratorSettings(speed=speed))
    made.arm_and_settle()
    start = {side: made.wrist(side)[:3, 3] for side in SIDES}
    made.generator.offer(to_one_place(made, (0.4, 0.0, 1.05)), made.now_s)
    model, nearest, before = CollisionModel(CALIBRATION, table_height_m=0.75), np.inf, None
    for _ in range(1600):
        made.run(ARM_PERIOD_S)
        both = np.concatenate([made.generator.arm_rad(side) for side in SIDES])
        moved = np.inf if before is None else np.abs(both - before).max()
        nearest, before = min(nearest, model.distance_m(both)), both
    assert nearest > MIN_DISTANCE_M, "nor do the guards of the drivers see anything"
    assert moved < 1e-9, "they hold"
    assert "collision" in made.generator.limits()
    assert {"left", "right"} <= set(made.generator.limits().replace("_", " ").split())
    assert made.generator.holds >= 1
    for side in SIDES:
        assert np.linalg.norm(made.wrist(side)[:3, 3] - start[side]) > 0.03, "they went as far as they could"
    assert made.refused == {}


@pytest.mark.parametrize("step_s", [0.05, 0.01])
def test_arms_that_hold_go_on_when_they_are_sent_apart(step_s: float) -> None:
    made = FakeRobot(SIDES)
    made.arm_and_settle()
    start = {side: made.wrist(side) for side in SIDES}
    made.generator.offer(to_one_place(made, (0.4, 0.0, 1.05)), made.now_s)
    made.run(3.0)
    assert "collision" in made.generator.limits()
    back = {}
    for side in SIDES:
        here, there = made.wrist(side)[:3, 3], start[side][:3, 3]
        position = here + np.arange(1, 31)[:, None] / 30 * (there - here)
        rows = [position, np.tile(quaternion_from_matrix(start[side][:3, :3]), (30, 1)), np.tile(open_hand(), (30, 1))]
        back[side] = TimedSteps(2, made.now_s, step_s, np.concatenate(rows, axis=1))
    made.generator.offer(back, made.now_s)
    made.run(7.0)
    for side in SIDES:
        # It rolls out beyond the last step.
        np.testing.assert_allclose(made.wrist(side)[:3, 3], start[side][:3, 3], atol=0.01 if step_s > 0.01 else 0.05)
    assert "collision" not in made.generator.limits()


def test_the_table_is_kept_clear_of_the_palm() -> None:
    made = FakeRobot(settings=GeneratorSettings(table_height_m=1.0))
    made.arm_and_settle()
    made.generator.offer(made.chunk((0.0, 0.0, -0.15), steps=90), made.now_s)
    down = CALIBRATION.right.base_from_arm_base[:3, :3].T @ np.array([0.0, 0.0, -0.15])
    made.generator.offer(made.chunk(down, steps=90, stamp_s=made.now_s + 0.001), made.now_s)
    made.run(4.0)
    model = CollisionModel(CALIBRATION, ("right",), 1.0)
    assert MIN_DISTANCE_M < model.distance_m(made.arms[Side.RIGHT].position) < 0.06
    assert "table" in made.generator.limits()


def test_an_arm_that_is_not_driven_is_kept_clear_of_where_it_stands() -> None:
    """Its driver does not run; the calibration says where it is."""
    there = FakeRobot(SIDES)
    there.arm_and_settle()
    there.generator.offer({Side.LEFT: to_one_place(there, (0.4, 0.0, 1.05))[Side.LEFT]}, there.now_s)
    there.run(6.0)
    parked_rad = there.generator.arm_rad(Side.LEFT)
    hardware = replace(CALIBRATION.hardware, left_arm_parked_deg=tuple(np.rad2deg(parked_rad)))
    made = FakeRobot((Side.RIGHT,), calibration=replace(CALIBRATION, hardware=hardware))
    made.arm_and_settle()
    made.generator.offer({Side.RIGHT: to_one_place(made, (0.4, 0.0, 1.05), (Side.RIGHT,))[Side.RIGHT]}, made.now_s)
    made.run(8.0)
    both = np.concatenate([parked_rad, made.generator.arm_rad(Side.RIGHT)])
    assert MIN_DISTANCE_M < CollisionModel(CALIBRATION, table_height_m=0.75).distance_m(both) < 0.06
    assert "left" in made.generator.limits()


@pytest.mark.parametrize("aside_deg", [(8, 0, 0, 0, 0, 0, 0), (2.5, 2.5, 2.5, 2.5, 0, 2.5, 0)])
def test_an_arm_that_something_pushed_aside_is_kept_clear_where_it_is(aside_deg: tuple[float, ...]) -> None:
    """The left arm is off its setpoints, nearer to the right one, which is sent past those."""
    made, model, nearest_m = FakeRobot(SIDES), CollisionModel(CALIBRATION, table_height_m=0.75), np.inf
    aside_rad = np.deg2rad(aside_deg) * towards_the_other(model)
    made.arm_and_settle()
    follow = made.feedback

    def feedback(side: Side) -> Feedback | None:
        found = follow(side)
        return replace(found, arm_rad=found.arm_rad + aside_rad) if found and side is Side.LEFT else found

    made.generator._tracking._feedback = feedback
    made.generator.offer(to_one_place(made, (0.4, 0.0, 1.05)), made.now_s)
    for _ in range(1600):
        made.run(ARM_PERIOD_S)
        nearest_m = min(nearest_m, model.distance_m(pushed(made, aside_rad)))
    assert MIN_DISTANCE_M - 1e-9 < nearest_m < 0.06
    assert "collision" in made.generator.limits()


def towards_the_other(model: CollisionModel) -> np.ndarray:
    """Signs by which each joint of the left arm brings it nearer to the right one, where both hold before a point."""
    held = FakeRobot(SIDES)
    held.arm_and_settle()
    held.generator.offer(to_one_place(held, (0.4, 0.0, 1.05)), held.now_s)
    held.run(8.0)
    none = pushed(held, np.zeros(7))
    there = [model.distance_m(none + 1e-3 * turned) for turned in np.eye(14)[:7]]
    return np.where(np.array(there) < model.distance_m(none), 1.0, -1.0)


def pushed(made: FakeRobot, aside_rad: np.ndarray) -> np.ndarray:
    """Joints of both arms, the left one aside."""
    return np.concatenate([made.generator.arm_rad(Side.LEFT) + aside_rad, made.generator.arm_rad(Side.RIGHT)])


def test_random_targets_of_both_arms_never_bring_shapes_together() -> None:
    seen = [target for seed in (0, 1) for target in run(seed, 30)]
    assert min(least_m for least_m, _, _ in seen) > MIN_DISTANCE_M
    assert sum(travel for _, travel, _ in seen) > 1.0, "and they do move"
    assert seen[-1][2] > 0, "and were held"


@pytest.mark.slow
def test_ten_thousand_random_targets_never_bring_shapes_together(tmp_path: Path) -> None:
    assert measure(Args(targets=10_000, seed=10_000, out=tmp_path / "figures.json")).overlaps == 0
