"""What hours of work are judged by: memory, gaps, warnings."""

from __future__ import annotations

import os

import pytest

from vitra_bringup.soak import EXPLAINED, Memory, longest_gap_ms, unexplained


def test_growth_is_from_after_the_warm_up_to_the_end() -> None:
    memory = Memory([float(n) for n in range(20)], {"executor": [100.0] * 2 + [150.0] * 16 + [163.0] * 2})
    assert memory.growth_mb() == {"executor": 13.0}


def test_a_node_that_came_later_and_one_that_is_gone_are_seen() -> None:
    memory = Memory()
    memory.sample(0.0, {"here": [os.getpid()]})
    memory.sample(1.0, {"here": [os.getpid()], "late": [os.getpid()]})
    assert memory.own_mb["here"][0] > 1.0
    assert memory.own_mb["late"][0] != memory.own_mb["late"][0]
    assert memory.own_mb["late"][1] > 1.0


def test_the_longest_gap_is_of_the_arms_streams_only() -> None:
    stamps = {"right_arm/command": [0.0, 0.005, 0.2], "right_hand/command": [0.0, 5.0], "left_arm/joint_states": [1.0]}
    assert longest_gap_ms(stamps) == {"right_arm/command": 195.0}


def test_warnings_are_counted_without_their_numbers_and_explained_ones_are_not() -> None:
    log = [
        "[recorder-10] [WARN] [1796018867.499] [recorder]: while recording: right_hand: 9 Hz instead of 10 Hz\n",
        "[recorder-10] [WARN] [1796018868.499] [recorder]: while recording: right_hand: 8 Hz instead of 10 Hz\n",
        "[arm-4] [ERROR] [1796018861.3] [arm]: cannot start: no connection. Trying again every 1 s.\n",
        "[left_arm_driver-3] [ERROR] [1796018961.3] [left_arm_driver]: no connection while it was sending\n",
        "[executor-8] [INFO] [1796018861.3] [executor]: all well\n",
        "rubbish\n",
    ]
    assert unexplained(log) == {
        "recorder: while recording: right_hand: # Hz instead of # Hz": 2,
        "left_arm_driver: no connection while it was sending": 1,
    }
    assert all(EXPLAINED.values())


def test_a_process_that_is_gone_counts_as_no_number() -> None:
    memory = Memory()
    memory.sample(0.0, {"gone": [2**22 + 1]})
    assert memory.own_mb["gone"][0] == pytest.approx(float("nan"), nan_ok=True)
