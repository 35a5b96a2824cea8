"""Statistics that no hand can have are refused by name; those of data, and of the checkpoints we ship, are taken."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vitra_policy
from vitra_policy.benchmarks.random_network import example_statistics
from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.statistics import Statistics, StatisticsError
from vitra_policy.statistics_bounds import exchanged

SHIPPED = sorted((Path(vitra_policy.__file__).parent / "checkpoints").glob("*/statistics.json"))


def scaled(which: str, factor: float) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        for moments in values.values():
            if isinstance(moments, dict):
                moments[which] = (np.array(moments[which]) * factor).tolist()

    return change


def entry(name: str, which: str, index: int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        values[name][which][index] = value

    return change


def renamed(old: str, new: str, inside: str = "") -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        place = values[inside] if inside else values
        place[new] = place.pop(old)

    return change


def exchange(one: str, other: str) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        values[one], values[other] = values[other], values[one]

    return change


def swap(values: dict[str, Any]) -> None:
    for what in ("state", "action"):
        left, right = f"{what}_left", f"{what}_right"
        values[left], values[right] = values[right], values[left]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (scaled("std", 1e3), r"action: the deviation of the wrist.s translation is 4 m, and at most 2 can be"),
        (scaled("std", 1e30), "no hand moves like that"),
        (scaled("mean", 1e3), "no hand moves like that"),
        (entry("action_right", "std", 4, 4.0), "action: the deviation of the wrist's rotation is 4 rad"),
        (entry("action_right", "mean", 2, -2.5), "action: the mean of the wrist's translation is 2.5 m"),
        (entry("action_left", "std", 50, 3.2), "action: the deviation of a finger's angle"),
        (entry("state_left", "mean", 1, 11.0), "left hand: state: the mean of the wrist's translation is 11 m"),
        (entry("state_left", "std", 60, 11.0), "state: the deviation of the hand's shape is 11, and"),
        (entry("state_left", "std", 0, "0.1"), "'0.1' is no number"),
        (entry("action_left", "mean", 7, True), "True is no number"),
        (entry("action_left", "mean", 7, None), "None is no number"),
        (entry("action_left", "mean", 7, [0.1]), "is no number"),
        (lambda values: values["action_left"].update(mean="0" * 51), "is no list of numbers"),
        (scaled("std", 1e-12), r"action: the smallest deviation is 4e-15 \(number 0\), and at least 1e-05 m or rad"),
        (entry("state_left", "std", 5, 1e-300), r"state: the smallest deviation is 1e-300 \(number 5\)"),
        (entry("action_right", "std", 50, 9e-6), r"action: the smallest deviation is 9e-06 \(number 50\)"),
        (renamed("action_left", "acton_left"), "Unknown key 'acton_left'. Did you mean 'action_left'"),
        (renamed("state_left", "State_left"), "Unknown key 'State_left'. Did you mean 'state_left'"),
        (renamed("std", "sdt", "state_right"), "state_right: Unknown key 'sdt'. Did you mean 'std'"),
        (lambda values: values.update(action_middle={}), "Unknown key 'action_middle'"),
        (lambda values: values.pop("action_left"), "hand 'left' needs state and action"),
        (lambda values: values.update(num_traj=-5), "num_traj is -5, expected a whole number from 0 on"),
        (lambda values: values.update(dataset_name={"mean": 1}), "dataset_name is .* expected a text"),
        (swap, "the left hand is on average 0.30 m to the right of the right hand"),
    ],
)
def test_statistics_that_no_hand_can_have_are_refused_by_name(
    change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    values = copy.deepcopy(example_statistics().to_dict())
    Statistics.from_dict(values)
    change(values)
    with pytest.raises(StatisticsError, match=complaint) as caught:
        Statistics.from_dict(values, "s.json")
    assert str(caught.value).startswith("s.json")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_statistics_of_shipped_checkpoints_are_taken_and_a_thousand_times_them_are_not(path: Path) -> None:
    values = Statistics.load(path).to_dict()
    assert open_checkpoint(path.parent).statistics is not None
    for factor in (1e3, 1e30):
        changed = copy.deepcopy(values)
        scaled("std", factor)(changed)
        with pytest.raises(StatisticsError, match="no hand moves like that"):
            Statistics.from_dict(changed)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_state_and_action_of_shipped_checkpoints_are_not_taken_for_each_other(path: Path) -> None:
    """Both are 18 numbers for an XHand, so only what they say tells."""
    values = Statistics.load(path).to_dict()
    for side in Statistics.load(path).present:
        exchange(f"state_{side}", f"action_{side}")(values)
        refused = f"{side} hand: the wrist's steps .* state and action have been exchanged"
        with pytest.raises(StatisticsError, match=refused):
            Statistics.from_dict(values)
        with pytest.raises(StatisticsError, match=refused):
            Statistics.from_dict(values | {f"state_{side}": values[f"action_{side}"]})


@pytest.mark.parametrize(("state_m", "action_m", "taken"), [
    (0.10, 0.19, True), (0.10, 0.21, False), (1e-4, 0.038, True), (1e-4, 0.042, False),
])  # fmt: skip
def test_steps_deviate_by_at_most_twice_what_places_do_save_where_too_few_places_were_seen(
    state_m: float, action_m: float, taken: bool
) -> None:
    values = {f"{what}_right": {"mean": [0.0] * 18, "std": [0.1] * 18} for what in ("state", "action")}
    for what, std_m in (("state", state_m), ("action", action_m)):
        values[f"{what}_right"]["std"][:3] = [std_m / 3**0.5] * 3
    if taken:
        Statistics.from_dict(values)
    else:
        with pytest.raises(StatisticsError, match="state and action have been exchanged"):
            Statistics.from_dict(values)


def two_hands(left_rad: float, right_rad: float, action_lag_rad: float = 0.0) -> dict[str, Any]:
    """Robot hands in one place, one with its fingers so far closed, the other so far."""
    values = {}
    for side, angle in (("left", left_rad), ("right", right_rad)):
        for what, lag in (("state", 0.0), ("action", action_lag_rad)):
            values[f"{what}_{side}"] = {"mean": [0.0] * 6 + [angle + lag] * 12, "std": [0.1] * 18}
    return values


def test_actions_of_exchanged_sides_are_refused_where_the_fingers_tell() -> None:
    values = two_hands(0.2, 0.9, action_lag_rad=0.1)
    Statistics.from_dict(values)
    exchange("action_left", "action_right")(values)
    with pytest.raises(StatisticsError, match="0.71 rad from .* and 0.1 rad from those of the other hand's"):
        Statistics.from_dict(values)


def test_hands_that_hold_their_fingers_alike_are_not_called_exchanged() -> None:
    for values in (two_hands(0.5, 0.6), two_hands(0.5, 0.5, action_lag_rad=0.4), two_hands(0.2, 0.9, 0.35)):
        Statistics.from_dict(values)
    values = two_hands(0.5, 0.6)
    exchange("action_left", "action_right")(values)
    Statistics.from_dict(values)  # nobody can tell


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_fingers_whose_actions_are_changes_and_not_angles_are_refused(path: Path) -> None:
    values = Statistics.load(path).to_dict()
    for side in Statistics.load(path).present:
        values[f"action_{side}"]["mean"][6:] = [0.0] * 12
        values[f"action_{side}"]["std"][6:] = [0.01] * 12
    with pytest.raises(StatisticsError, match="hand: the fingers' angles deviate by .* not changes"):
        Statistics.from_dict(values)


def test_a_few_episodes_and_what_a_training_wrote_are_not_judged_by_how_hands_move() -> None:
    """A handover of eight images: one hand closes while the other opens."""
    values = two_hands(0.2, 0.9)
    exchange("action_left", "action_right")(values)
    Statistics.from_dict(values | {"num_traj": 9})
    Statistics.from_dict(values, known=True)
    with pytest.raises(StatisticsError, match="exchanged"):
        Statistics.from_dict(values | {"num_traj": 10})


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = json.dumps(example_statistics().to_dict())
    path = tmp_path / "statistics.json"
    path.write_text(text[:-1] + ', "action_left": ' + json.dumps(example_statistics().to_dict()["action_right"]) + "}")
    with pytest.raises(StatisticsError, match="'action_left' stands there twice"):
        Statistics.load(path)


@pytest.mark.parametrize("side", ["left", "right"])
def test_statistics_of_a_single_hand_and_the_least_that_is_written_are_taken(side: str) -> None:
    values = {key: value for key, value in example_statistics().to_dict().items() if key.endswith((side, "name"))}
    for what in ("state", "action"):
        values[f"{what}_{side}"]["std"] = [1e-4] * 3 + [1e-3] * (len(values[f"{what}_{side}"]["mean"]) - 3)
    assert Statistics.from_dict(values).present == (side,)


def test_whole_numbers_are_numbers() -> None:
    values = example_statistics().to_dict()
    values["action_left"]["mean"][0] = 0
    Statistics.from_dict(values)


def test_hands_that_scatter_more_than_they_are_crossed_are_not_called_exchanged() -> None:
    assert not exchanged((0.05, 0.02), (-0.02, 0.02))  # less than a hand's breadth
    assert not exchanged((0.20, 0.30), (-0.10, 0.30))
    assert exchanged((0.20, 0.10), (-0.10, 0.10))
