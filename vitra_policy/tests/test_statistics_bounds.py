"""Statistics that no hand can have are refused by name; those of data, and of the checkpoints we ship, are taken."""

from __future__ import annotations

import copy
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


def test_whole_numbers_are_numbers() -> None:
    values = example_statistics().to_dict()
    values["action_left"]["mean"][0] = 0
    Statistics.from_dict(values)


def test_hands_that_scatter_more_than_they_are_crossed_are_not_called_exchanged() -> None:
    assert not exchanged((0.05, 0.02), (-0.02, 0.02))  # less than a hand's breadth
    assert not exchanged((0.20, 0.30), (-0.10, 0.30))
    assert exchanged((0.20, 0.10), (-0.10, 0.10))
