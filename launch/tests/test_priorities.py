"""Real-time priorities in the launch files (docs/interfaces.md, Time and processors)."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

LAUNCH = Path(__file__).parents[1]
DRIVERS = {"realman_driver", "xhand_driver"}
LOOP = DRIVERS | {"sim_world", "executor", "retarget"}


def priorities() -> dict[str, set[int]]:
    """By program, wherever it is started."""
    found: dict[str, set[int]] = {}
    for file in LAUNCH.glob("*.launch.xml"):
        for node in ElementTree.parse(file).iter("node"):
            for env in node.iter("env"):
                if env.get("name") == "VITRA_REALTIME_PRIORITY":
                    number = re.fullmatch(r"\$\(if \$\(var realtime\) (\d+) 0\)", env.get("value", ""))
                    assert number, f"{file.name}: {env.get('value')} is not off with realtime:=false"
                    found.setdefault(node.get("exec", ""), set()).add(int(number[1]))
    return found


def heartbeats() -> set[int]:
    """Of all launch files."""
    texts = "".join(file.read_text() for file in LAUNCH.glob("*.launch.xml"))
    return {int(n) for n in re.findall(r'VITRA_HEARTBEAT_PRIORITY" value="\$\(if \$\(var realtime\) (\d+) 0\)', texts)}


def test_nodes_that_wait_for_each_other_do_not_put_each_other_aside() -> None:
    found = priorities()
    assert {number for program in LOOP for number in found[program]} == {40, 41}


def test_who_brings_the_arm_to_rest_comes_before_who_commands_it_and_the_loop_before_the_rest() -> None:
    found = priorities()
    commanders = max(found["executor"] | found["retarget"])
    drivers = {number for program in DRIVERS for number in found[program]}
    assert min(found["safety_supervisor"]) > max(drivers) >= min(drivers) > commanders > max(heartbeats())
    others = {n for program, numbers in found.items() if program not in LOOP | {"safety_supervisor"} for n in numbers}
    assert max(others) < commanders


def test_a_node_that_does_little_and_must_beat_is_not_starved_with_the_lock_its_heartbeat_needs() -> None:
    assert min(priorities()["calibration_publisher"]) > max(heartbeats())


def test_an_image_becomes_a_chunk_before_the_next_one_is_taken() -> None:
    found = priorities()
    assert min(found["policy_node"]) > max(found["sim_camera"] | found["head_camera"])


def test_the_double_of_an_operator_keeps_his_pace_though_the_machine_is_full() -> None:
    """A hand that is seen late counts as lost, and the teleoperator would be blamed for it."""
    found = priorities()
    assert min(found["operator_double"]) > max(found["teleop"])
